//! What can be wrong with a file of another framework, and where.

use std::io;
use std::path::Path;

use synapress_model as model;

/// A fault of a file: which file, and what is wrong with it at which place.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {fault}")]
pub struct Error {
    /// The file's path, or the name of a text that is no file.
    pub file: String,
    /// What is wrong, and where.
    pub fault: Fault,
}

/// What is wrong with a file, and where in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The text does not follow the grammar.
    #[error("line {line}: {message}")]
    Syntax {
        /// Line, from 1.
        line: u32,
        /// What is wrong and what to do.
        message: String,
    },
    /// The bytes do not follow the encoding.
    #[error("byte {offset}: {message}")]
    Encoding {
        /// Place in the file, from 0.
        offset: u64,
        /// What is wrong.
        message: String,
    },
    /// The network or its weights do not hold together.
    #[error("{0}")]
    Net(#[from] model::Error),
    /// A layer is not supported, or does not hold together.
    #[error("{error} (type {kind})")]
    Layer {
        /// The layer's type, as the file spells it.
        kind: String,
        /// What is wrong, with the layer's name and line.
        error: model::Error,
    },
}

impl Fault {
    /// The fault in a file.
    pub(crate) fn of(self, file: &Path) -> Error {
        Error { file: file.display().to_string(), fault: self }
    }

    /// A fault of the encoding.
    pub(crate) fn encoding(offset: u64, message: impl Into<String>) -> Self {
        Self::Encoding { offset, message: message.into() }
    }
}

impl Error {
    /// The fault of the network, if it is one: its kind, layer and line.
    pub fn net(&self) -> Option<&model::Error> {
        match &self.fault {
            Fault::Net(error) | Fault::Layer { error, .. } => Some(error),
            _ => None,
        }
    }
}
