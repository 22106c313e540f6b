//! Where the images of a data set lie, and reading their bytes. What the containers look like is theirs to know.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use synapress_images::{Image, MOST_BYTES};

use super::error::Fault;

/// Where one image lies.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In a file of its own.
    File(PathBuf),
    /// An image file within a larger one, of which it is the number in the set.
    Part { store: u32, offset: u64, size: u64 },
    /// Pixels as they are, within a larger file.
    Pixels { store: u32, offset: u64, raw: Raw },
    /// In memory: the decoded images of the set.
    Memory,
}

/// One image of a set.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// What it is called in the list, folder, archive or file.
    pub(super) name: String,
    pub(super) label: u32,
    /// Line of the list file.
    pub(super) line: Option<u32>,
    pub(super) place: Place,
}

/// Pixels of 8 bits that are stored as they are: grey ones, or a plane of each of red, green and blue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) coloured: bool,
}

impl Raw {
    /// Bytes of an image.
    pub(super) fn size(self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * if self.coloured { 3 } else { 1 }
    }

    /// The image that bytes are.
    pub(super) fn image(self, bytes: &[u8]) -> Result<Image, String> {
        let pixels = match self.coloured {
            false => bytes.iter().flat_map(|&v| [v; 3]).collect(),
            true => {
                let plane = bytes.len() / 3;
                (0..plane).flat_map(|i| [bytes[i], bytes[plane + i], bytes[2 * plane + i]]).collect()
            }
        };
        Image::new(self.width, self.height, pixels)
    }
}

/// A larger file that images lie in.
#[derive(Debug)]
pub(super) enum Store {
    /// On disk. It is opened anew for each image: there may be more shards than a process may hold open.
    File(PathBuf),
    /// Unpacked.
    Memory(Vec<u8>),
}

impl Store {
    /// The bytes of a part.
    ///
    /// # Errors
    /// When they cannot be read or are not there.
    pub(super) fn read(&self, offset: u64, size: u64) -> Result<Vec<u8>, String> {
        let short = || "the file was cut short".to_owned();
        match self {
            Self::Memory(all) => {
                let end = offset.checked_add(size).ok_or_else(short)?;
                let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
                range.and_then(|(from, to)| all.get(from..to)).map(<[u8]>::to_vec).ok_or_else(short)
            }
            Self::File(path) => {
                let mut file = File::open(path).map_err(|e| e.to_string())?;
                let mut bytes = Vec::new();
                file.seek(SeekFrom::Start(offset)).map_err(|e| e.to_string())?;
                file.take(size).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
                if bytes.len() as u64 == size { Ok(bytes) } else { Err(short()) }
            }
        }
    }
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
