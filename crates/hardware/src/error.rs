//! What can go wrong with an export.

use std::io;
use std::path::Path;

/// A fault of an export: what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network does not suit: it is not quantized, or a layer has no integer form.
    #[error(transparent)]
    Net(#[from] synapress_model::Error),
    /// Words that stand for no weights.
    #[error("the words are no weights: {0}")]
    Words(String),
    /// The folder is in use.
    #[error("{0} holds something already; name a new folder, or remove that one first")]
    Occupied(String),
    /// A file or folder cannot be written.
    #[error("{place}: cannot write: {source}")]
    Io {
        /// The path.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// The manifest cannot be put in words.
    #[error("the manifest cannot be written: {0}")]
    Manifest(#[from] serde_json::Error),
}

impl Error {
    pub(crate) fn io(place: &Path, source: io::Error) -> Self {
        Self::Io { place: place.display().to_string(), source }
    }
}
