//! What can be wrong with a `.syn` file, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file could not be read or written.
    Io,
    /// Not a `.syn` file at all.
    Magic,
    /// A version, chunk, form or scheme that this release does not know.
    Version,
    /// The file ends too early.
    Truncated,
    /// Bytes that were altered since they were written.
    Checksum,
    /// Bytes that make no sense where they stand.
    Malformed,
    /// More than the caller's [`Limits`](crate::Limits) allow.
    Limit,
    /// A network that does not hold together, see [`synapress_model::Error`].
    Net,
}

/// A fault of a `.syn` file: its kind, what is wrong and what to do, the file, the section and the byte it was found
/// at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    file: Option<PathBuf>,
    section: Option<String>,
    offset: Option<u64>,
}

impl Error {
    /// A fault whose place is not known yet.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), file: None, section: None, offset: None }
    }

    /// The same fault in a file; a file that is already named stays.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        self.file.get_or_insert_with(|| file.to_owned());
        self
    }

    /// The same fault in a section of the file; a section that is already named stays.
    #[must_use]
    pub fn in_section(mut self, section: &str) -> Self {
        self.section.get_or_insert_with(|| section.to_owned());
        self
    }

    /// The same fault at a byte of the file; an offset that is already known stays.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset.get_or_insert(offset);
        self
    }

    /// The kind of the fault.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file, when it came from one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The section of the file, in words.
    pub fn section(&self) -> Option<&str> {
        self.section.as_deref()
    }

    /// The byte it was found at, from 0.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        match (&self.section, self.offset) {
            (Some(section), Some(offset)) => write!(f, "{section}, byte {offset}: ")?,
            (Some(section), None) => write!(f, "{section}: ")?,
            (None, Some(offset)) => write!(f, "byte {offset}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<synapress_model::Error> for Error {
    fn from(e: synapress_model::Error) -> Self {
        Self::new(ErrorKind::Net, e.to_string())
    }
}
