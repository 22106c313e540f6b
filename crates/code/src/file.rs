//! Networks in files. A file is written beside its place and then renamed, so that whoever is killed in between
//! leaves the old one whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use synapress_model::Net;

use crate::error::{Error, ErrorKind};
use crate::net::{Extra, decode_with_extras, encode_to};
use crate::options::{Limits, Options};

/// Writes a network, and extra chunks after it, to a file.
///
/// # Errors
/// [`ErrorKind::Io`], or as [`encode`](crate::encode); all name the file. What was there before then stays.
pub fn write(path: impl AsRef<Path>, net: &Net, extras: &[Extra]) -> Result<(), Error> {
    write_with(path, net, extras, &Options::default())
}

/// Writes a network to a file with options.
///
/// # Errors
/// As [`write()`].
pub fn write_with(path: impl AsRef<Path>, net: &Net, extras: &[Extra], options: &Options) -> Result<(), Error> {
    let path = path.as_ref();
    let fault = |what: &str, e: &io::Error| Error::new(ErrorKind::Io, format!("cannot {what}: {e}")).in_file(path);
    let beside = Beside::new(path);
    let file = File::create(&beside.path).map_err(|e| fault("create a file beside it", &e))?;
    let mut buffered = BufWriter::with_capacity(1 << 20, &file);
    encode_to(&mut buffered, net, extras, options).map_err(|e| e.in_file(path))?;
    buffered.flush().map_err(|e| fault("write", &e))?;
    drop(buffered);
    file.sync_all().map_err(|e| fault("write", &e))?;
    drop(file);
    beside.rename(path).map_err(|e| fault("put the written file in its place", &e))
}

/// Reads the network of a file.
///
/// # Errors
/// [`ErrorKind::Io`], or as [`decode`](crate::decode); all name the file.
pub fn read(path: impl AsRef<Path>, limits: &Limits) -> Result<Net, Error> {
    Ok(read_with_extras(path, limits)?.0)
}

/// Reads the network of a file and its extra chunks.
///
/// # Errors
/// As [`read`].
pub fn read_with_extras(path: impl AsRef<Path>, limits: &Limits) -> Result<(Net, Vec<Extra>), Error> {
    let path = path.as_ref();
    let io = |e: io::Error| Error::new(ErrorKind::Io, format!("cannot read: {e}"));
    fs::read(path).map_err(io).and_then(|bytes| decode_with_extras(&bytes, limits)).map_err(|e| e.in_file(path))
}

/// A file beside another that is removed unless it takes its place.
struct Beside {
    path: PathBuf,
    done: bool,
}

impl Beside {
    fn new(path: &Path) -> Self {
        // Writers of the same file in several processes or threads do not meet.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{}.part", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        Self { path: path.with_file_name(name), done: false }
    }

    fn rename(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.done = true;
        // A rename lasts once the folder is on disk; where folders cannot be synchronized there is nothing to do.
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let _ = File::open(folder).and_then(|f| f.sync_all());
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}
