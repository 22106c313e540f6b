//! What images cannot be prepared for.

/// Options of preprocessing, or a network's input, that make no sense: which, and what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(String);

impl Unfit {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
