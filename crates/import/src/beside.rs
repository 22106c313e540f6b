//! Files that are written beside their place and put there once complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Fault};

/// A file in the making; dropped before [`Beside::finish`], it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Beside {
    out: BufWriter<File>,
    beside: PathBuf,
    path: PathBuf,
    finished: bool,
}

impl Beside {
    /// Begins a file that is to lie at `path`.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        let file = File::create(&beside).map_err(|e| Fault::from(e).of(path))?;
        let out = BufWriter::with_capacity(1 << 16, file);
        Ok(Self { out, beside, path: path.to_owned(), finished: false })
    }

    /// Writes a piece.
    pub fn write(&mut self, piece: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Error> {
        piece(&mut self.out).map_err(|e| Fault::from(e).of(&self.path))
    }

    /// Puts the complete file at its place.
    pub fn finish(mut self) -> Result<(), Error> {
        let mut end = || {
            self.out.flush()?;
            self.out.get_ref().sync_all()?;
            fs::rename(&self.beside, &self.path)
        };
        end().map_err(|e| Fault::from(e).of(&self.path))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing more can be done about a file that cannot be removed.
            let _ = fs::remove_file(&self.beside);
        }
    }
}
