//! What can end a job.

use std::path::PathBuf;

use synapress_code as code;
use synapress_model as model;

use crate::{data, evaluate, train};

/// A fault of a job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network.
    #[error(transparent)]
    Net(#[from] model::Error),
    /// Images, lists, options of theirs.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// Training.
    #[error(transparent)]
    Train(#[from] train::Fault),
    /// A `.syn` file.
    #[error(transparent)]
    Code(#[from] code::Error),
    /// Another file.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A working directory that cannot be gone on from.
    #[error("{}: this is the working directory of another network, other images or other settings; \
             delete it to start anew, or name another output", .0.display())]
    OtherJob(PathBuf),
    /// Settings that make no sense.
    #[error("{0}")]
    Settings(String),
    /// The caller asked to stop.
    #[error("stopped; run the same command again to go on from there")]
    Stopped,
}

impl From<evaluate::Error> for Error {
    fn from(error: evaluate::Error) -> Self {
        match error {
            evaluate::Error::Data(e) => Self::Data(e),
            evaluate::Error::Model(e) => Self::Net(e),
        }
    }
}
