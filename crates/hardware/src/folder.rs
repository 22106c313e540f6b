//! A folder that appears whole or not at all: it is filled beside its place and then renamed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A folder being filled; removed unless it is [finished](Folder::finish).
#[derive(Debug)]
pub struct Folder {
    place: PathBuf,
    beside: PathBuf,
    done: bool,
}

impl Folder {
    /// Begins a folder. What is at its place already must be an empty folder: nothing of anybody is overwritten.
    ///
    /// # Errors
    /// [`Error::Occupied`] when something is there; [`Error::Io`].
    pub fn beside(place: &Path) -> Result<Self, Error> {
        vacant(place)?;
        let mut name = place.file_name().ok_or_else(|| Error::Occupied(place.display().to_string()))?.to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let beside = place.with_file_name(name);
        fs::create_dir(&beside).map_err(|e| Error::io(&beside, e))?;
        Ok(Self { place: place.to_owned(), beside, done: false })
    }

    /// Writes a file at a path inside the folder, with `/`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let file = self.beside.join(path);
        let folder = file.parent().unwrap_or(&self.beside);
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        fs::write(&file, bytes).map_err(|e| Error::io(&file, e))
    }

    /// Puts the folder in its place.
    ///
    /// # Errors
    /// As [`Folder::beside`].
    pub fn finish(mut self) -> Result<(), Error> {
        vacant(&self.place)?;
        // Not everywhere does a folder take the place of an empty one.
        match fs::remove_dir(&self.place) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::io(&self.place, e)),
            _ => {}
        }
        fs::rename(&self.beside, &self.place).map_err(|e| Error::io(&self.place, e))?;
        self.done = true;
        Ok(())
    }
}

/// Refuses a place that holds anything.
fn vacant(place: &Path) -> Result<(), Error> {
    let occupied = || Err(Error::Occupied(place.display().to_string()));
    match fs::read_dir(place) {
        Ok(mut entries) => entries.next().map_or(Ok(()), |_| occupied()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) if place.exists() => occupied(),
        Err(e) => Err(Error::io(place, e)),
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_dir_all(&self.beside);
        }
    }
}
