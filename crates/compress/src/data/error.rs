//! What can be wrong with images and lists of images, and where. Faults of networks are [`synapress_model::Error`].

use std::fmt;
use std::path::Path;

/// One fault: the file (or the member of an archive, or the image), the line where there is one, what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, or `archive.tar: member`.
    pub place: String,
    /// Line of a text file, from 1.
    pub line: Option<u32>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Fault {
    /// A fault of a file.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), line: None, message: message.into() }
    }

    /// A fault of the file at a path.
    pub fn at(path: &Path, message: impl fmt::Display) -> Self {
        Self::new(path.display().to_string(), message.to_string())
    }

    /// The same fault at a line of the file.
    #[must_use]
    pub fn line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}: {}", self.place, self.message),
            None => write!(f, "{}: {}", self.place, self.message),
        }
    }
}

/// A fault of a data set, of its images, or of how they are to be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The list, folder or archive itself, or one of its labels.
    #[error("{0}")]
    Source(Fault),
    /// One image that cannot be read.
    #[error("{0}")]
    Image(Fault),
    /// Images that cannot be read, of a set that was checked as a whole.
    #[error("{}", listed(.faults, *.images))]
    Images {
        /// Each image that cannot be read.
        faults: Vec<Fault>,
        /// Number of images that were checked.
        images: usize,
    },
    /// Options that do not fit the network or each other.
    #[error("{0}")]
    Options(String),
}

impl From<synapress_images::Unfit> for Error {
    fn from(unfit: synapress_images::Unfit) -> Self {
        Self::Options(unfit.to_string())
    }
}

fn listed(faults: &[Fault], images: usize) -> String {
    const NAMED: usize = 20;
    let mut text = format!("{} of {images} images cannot be read; mend the list or skip bad images:", faults.len());
    for fault in faults.iter().take(NAMED) {
        text += &format!("\n  {fault}");
    }
    if faults.len() > NAMED {
        text += &format!("\n  and {} more", faults.len() - NAMED);
    }
    text
}

/// What to do with images that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bad {
    /// Refuse the whole set.
    #[default]
    Refuse,
    /// Leave them out, and say which.
    Skip,
}
