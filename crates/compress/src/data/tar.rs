//! Archives of class folders, read in place: the headers once, the images where they lie. Nothing is ever extracted.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Mutex;

use super::error::Fault;
use super::folder::classified;
use super::source::{Item, Place};

/// A block of a tar file, in bytes.
const BLOCK: u64 = 512;

/// An open archive.
#[derive(Debug)]
pub(super) struct Archive(Mutex<File>);

impl Archive {
    /// Reads the headers of an archive of class folders: its images in the order of their paths, and the classes'
    /// names.
    ///
    /// # Errors
    /// When the file cannot be read, is no tar or ends early, or holds no images in class folders.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Item>, Vec<String>), Fault> {
        let io = |e: std::io::Error| Fault::at(path, e);
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut files = Vec::new();
        let mut end = 0;
        let mut archive = tar::Archive::new(&mut file);
        for entry in archive.entries_with_seek().map_err(|e| not_tar(path, &e))? {
            let entry = entry.map_err(|e| not_tar(path, &e))?;
            let (offset, size) = (entry.raw_file_position(), entry.size());
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            let whole = offset.checked_add(size).filter(|&e| e <= length);
            end = whole.ok_or_else(|| ends_early(path, &name))?;
            if entry.header().entry_type().is_file() || entry.header().entry_type().is_contiguous() {
                files.push((name, Place::Member { offset, size }));
            }
        }
        // An archive ends with blocks of zeros; without any it was cut between two members.
        if end.next_multiple_of(BLOCK) + BLOCK > length {
            return Err(ends_early(path, files.last().map_or("", |(name, _)| name)));
        }
        let (items, classes) = classified(&path.display().to_string(), files)?;
        Ok((Self(Mutex::new(file)), items, classes))
    }

    /// The bytes of a member.
    pub(super) fn read(&self, offset: u64, size: u64) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        Read::by_ref(&mut *file).take(size).read_to_end(&mut bytes)?;
        match bytes.len() as u64 == size {
            true => Ok(bytes),
            false => Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the archive was cut short")),
        }
    }
}

fn not_tar(path: &Path, error: &std::io::Error) -> Fault {
    Fault::at(path, format!("not a whole tar file (unpack a compressed one to .tar first): {error}"))
}

fn ends_early(path: &Path, name: &str) -> Fault {
    Fault::at(path, format!("the archive ends early, after {name:?}"))
}
