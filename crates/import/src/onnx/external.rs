//! Numbers that a model keeps in files beside it. A place outside the model's folder is refused, and so is one that the
//! file does not have, before anything is read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use synapress_model::{Error, ErrorKind};

use super::numbers;
use super::proto::{Data, External, Tensor, kinds};

/// Whole numbers of one tensor.
const MOST: usize = 1 << 16;

/// Reads the numbers of a tensor; `folder` is the model's.
pub(super) fn read(folder: &Path, external: &External, tensor: &Tensor) -> Result<Data, Error> {
    let (kind, dims) = (tensor.kind, &tensor.dims[..]);
    let fault = |message: String| {
        let message = format!("external data in {:?}: {message}", external.location);
        Error::new(ErrorKind::Weights, message)
    };
    let size = numbers::size_of(kind)
        .and_then(|size| u64::try_from(size).ok())
        .ok_or_else(|| fault(format!("{} is not supported", kinds::name(kind))))?;
    let bytes = dims
        .iter()
        .try_fold(size, |n, &d| n.checked_mul(d))
        .ok_or_else(|| fault(format!("a shape of {dims:?} is too large")))?;
    if let Some(length) = external.length.filter(|&n| n != bytes) {
        return Err(fault(format!("{length} bytes are given, a shape of {dims:?} takes {bytes}")));
    }
    let path = place(folder, &external.location).map_err(fault)?;
    let io = |e: std::io::Error| fault(e.to_string());
    let mut file = File::open(&path).map_err(io)?;
    let about = file.metadata().map_err(io)?;
    if !about.is_file() {
        return Err(fault("it is not a regular file".to_owned()));
    }
    let end = external.offset.checked_add(bytes).filter(|&end| end <= about.len());
    let length = end.and_then(|_| usize::try_from(bytes).ok()).ok_or_else(|| {
        let (offset, len) = (external.offset, about.len());
        fault(format!("{bytes} bytes from byte {offset} on, but the file has {len}; it is cut short or another one"))
    })?;
    file.seek(SeekFrom::Start(external.offset)).map_err(io)?;
    let mut content = vec![0; length];
    file.read_exact(&mut content).map_err(io)?;
    let data = numbers::of_bytes(content, kind, MOST).map_err(fault)?;
    numbers::check(&data, dims).map_err(fault)?;
    Ok(data)
}

/// Bytes of the file of a location; 0 if there is none.
pub(super) fn bytes(folder: &Path, location: &str) -> usize {
    let about = place(folder, location).ok().and_then(|path| path.metadata().ok());
    about.and_then(|about| usize::try_from(about.len()).ok()).unwrap_or(0)
}

/// The file of a location, which must lie in the folder even after links are followed.
fn place(folder: &Path, location: &str) -> Result<PathBuf, String> {
    let relative = Path::new(location);
    let plain = relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || !plain || location.contains('\\') {
        return Err("the place must be a file in the model's own folder, without \"..\"".to_owned());
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let real = |p: &Path| p.canonicalize().map_err(|e| e.to_string());
    let (folder, path) = (real(folder)?, real(&folder.join(relative))?);
    if path.starts_with(&folder) { Ok(path) } else { Err("the place leads out of the model's folder".to_owned()) }
}
