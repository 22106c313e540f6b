//! What can be wrong with a source of frames.

/// A fault of one frame, or of the source itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One frame is damaged; the source goes on behind it.
    #[error("{0}")]
    Frame(String),
    /// The source cannot be opened, or ends here.
    #[error("{0}")]
    Source(String),
}

impl Error {
    pub(crate) fn frame(message: impl Into<String>) -> Self {
        Self::Frame(message.into())
    }

    pub(crate) fn source(message: impl Into<String>) -> Self {
        Self::Source(message.into())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Source(format!("cannot be read: {error}"))
    }
}
