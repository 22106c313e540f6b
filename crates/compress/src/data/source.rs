//! Where the images of a data set lie, and reading their bytes. What the containers look like is theirs to know.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use synapress_images::MOST_BYTES;

use super::error::Fault;

/// Where one image lies.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In a file of its own.
    File(PathBuf),
    /// In an archive.
    Member { offset: u64, size: u64 },
    /// In memory: the decoded images of the set.
    Memory,
}

/// One image of a set.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The path as the list, folder or archive has it.
    pub(super) name: String,
    pub(super) label: u32,
    /// Line of the list file.
    pub(super) line: Option<u32>,
    pub(super) place: Place,
}

/// Reads a file of at most `most` bytes, and no more than it had at the start.
///
/// # Errors
/// When it cannot be read, is no file or larger.
pub(super) fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => e.to_string(),
    })?;
    let about = file.metadata().map_err(|e| e.to_string())?;
    if !about.is_file() {
        return Err("not a file".into());
    }
    if about.len() > most {
        return Err(format!("{} bytes are over the limit of {most}", about.len()));
    }
    let mut bytes = Vec::new();
    file.take(about.len()).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// Reads a text file.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub(super) fn read_text(path: &Path) -> Result<String, Fault> {
    let bytes = read_file(path, MOST_BYTES).map_err(|e| Fault::at(path, e))?;
    String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count() as u32 + 1;
        Fault::at(path, "not a text file (UTF-8)").line(line)
    })
}
