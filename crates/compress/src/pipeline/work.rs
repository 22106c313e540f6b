//! The working directory of a long job: every finished stage as a `.syn`, every evaluation as JSON, the checkpoint of
//! the training that is under way. A job that was killed finds here what it had done.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use synapress_code as code;
use synapress_model::Net;

use super::Error;
use crate::train::Checkpoint;

/// A working directory, or none: then nothing is kept.
#[derive(Clone, Debug, Default)]
pub struct Work {
    folder: Option<PathBuf>,
    every: usize,
    /// Whether another process writes, and this one only reads.
    follows: bool,
}

/// The file that says which job a directory belongs to.
const JOB: &str = "job.txt";

impl Work {
    /// Keeps nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Opens or makes the directory of a job. `job` describes everything that the result depends on; `every` is the
    /// number of training steps between checkpoints.
    ///
    /// # Errors
    /// [`Error::OtherJob`] when the directory belongs to another job, [`Error::File`] when it cannot be written to.
    pub fn open(folder: &Path, job: &str, every: usize) -> Result<Self, Error> {
        let at = |path: &Path, e: std::io::Error| Error::File { path: path.to_owned(), message: e.to_string() };
        fs::create_dir_all(folder).map_err(|e| at(folder, e))?;
        let path = folder.join(JOB);
        match fs::read(&path) {
            Ok(found) if found == job.as_bytes() => {}
            Ok(_) => return Err(Error::OtherJob(folder.to_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => write(&path, job.as_bytes())?,
            Err(e) => return Err(at(&path, e)),
        }
        Ok(Self { folder: Some(folder.to_owned()), every: every.max(1), follows: false })
    }

    /// The same directory for a peer of the process that opened it: what is there is read, and nothing is written.
    pub fn follow(folder: &Path, every: usize) -> Self {
        Self { folder: Some(folder.to_owned()), every: every.max(1), follows: true }
    }

    /// A directory within it, of the same job.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be made.
    pub fn part(&self, name: &str) -> Result<Self, Error> {
        let Some(folder) = &self.folder else { return Ok(self.clone()) };
        let folder = folder.join(name);
        if !self.follows {
            fs::create_dir_all(&folder).map_err(|e| Error::File { path: folder.clone(), message: e.to_string() })?;
        }
        Ok(Self { folder: Some(folder), ..*self })
    }

    /// The network of a stage: as it was kept, or else as `make` makes it, and kept from then on.
    ///
    /// # Errors
    /// Those of `make`, and [`Error::Code`] when the file cannot be read or written.
    pub fn stage(&self, name: &str, make: impl FnOnce() -> Result<Net, Error>) -> Result<Net, Error> {
        let Some(folder) = &self.folder else { return make() };
        let path = folder.join(format!("{name}.syn"));
        if path.exists() {
            return Ok(code::read(&path, &code::Limits::default())?);
        }
        let net = make()?;
        if self.follows {
            return Ok(net);
        }
        code::write_with(&path, &net, &[], &code::Options { effort: code::Effort::Quick })?;
        // The stage is whole; the training that led to it need not be resumed.
        if let Some(checkpoint) = self.checkpoint(name) {
            let _ = fs::remove_file(checkpoint.path);
        }
        Ok(net)
    }

    /// A result of a stage: as it was kept, or else as `make` makes it, and kept from then on.
    ///
    /// # Errors
    /// Those of `make`, and [`Error::File`] when the file cannot be read or written.
    pub fn value<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.kept(name)? {
            Some(value) => Ok(value),
            None => {
                let value = make()?;
                self.replace(name, &value)?;
                Ok(value)
            }
        }
    }

    /// A result that was kept.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read.
    pub fn kept<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let path = folder.join(format!("{name}.json"));
        let at = |message: String| Error::File { path: path.clone(), message };
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| at(format!("{e}; delete the file"))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(at(e.to_string())),
        }
    }

    /// Keeps a result in place of an earlier one.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be written.
    pub fn replace<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let Some(folder) = self.folder.as_ref().filter(|_| !self.follows) else { return Ok(()) };
        let path = folder.join(format!("{name}.json"));
        let bytes =
            serde_json::to_vec(value).map_err(|e| Error::File { path: path.clone(), message: e.to_string() })?;
        write(&path, &bytes)
    }

    /// Where the training of a stage keeps its state.
    pub fn checkpoint(&self, name: &str) -> Option<Checkpoint> {
        let folder = self.folder.as_ref()?;
        Some(Checkpoint { path: folder.join(format!("{name}.checkpoint.syn")), every: self.every })
    }
}

/// Writes a file beside its place and renames it.
///
/// # Errors
/// [`Error::File`], naming it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".part");
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    written.map_err(|e| Error::File { path: path.to_owned(), message: format!("cannot be written: {e}") })
}

/// A number that tells networks apart by names, shapes and weights (FNV-1a, 64 bits).
pub fn fingerprint(net: &Net) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |bits: u64| hash = (hash ^ bits).wrapping_mul(0x0000_0100_0000_01b3);
    for (id, node) in net.graph.nodes().iter().enumerate() {
        node.name.bytes().chain(node.layer.kind().name.bytes()).for_each(|b| add(u64::from(b)));
        node.inputs.iter().for_each(|&i| add(i as u64));
        add(net.graph.shape(id).len() as u64);
        if let Some(Some(w)) = net.weights.get(id) {
            w.values().iter().chain(w.bias.values().iter()).for_each(|v| add(u64::from(v.to_bits())));
        }
    }
    hash
}
