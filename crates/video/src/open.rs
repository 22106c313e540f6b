//! Opens a video by what it begins with: the list of the kinds that are read here, and ffmpeg for all others.

use std::fs::File;
use std::io::{Cursor, Read, Stdin, stdin};
use std::path::Path;

use crate::avi::{Avi, Stream};
use crate::ffmpeg::{Ffmpeg, Input};
use crate::mjpeg::Mjpeg;
use crate::y4m::{MAGIC, Y4m};
use crate::{Error, Frames};

/// As much of a file as its kind shows in, but for AVI, whose streams are described in the second so many bytes.
const SHORT: u64 = 12;
const LONG: u64 = 1 << 16;

/// The frames of a video that is read without ffmpeg.
///
/// # Errors
/// [`Error::Source`] when it is damaged or of another kind.
pub fn read(input: impl Read + Send + 'static) -> Result<Box<dyn Frames>, Error> {
    of_kind(input, |_| Err(Error::source("neither Motion JPEG, bare or in AVI, nor Y4M")))
}

/// The frames of a video file.
///
/// # Errors
/// [`Error::Source`] when the file cannot be opened, is damaged, or is of a kind that only ffmpeg could decode and there
/// is none.
pub fn open(path: &Path) -> Result<Box<dyn Frames>, Error> {
    if path.is_dir() {
        return Err(Error::source("a folder: for the images in it leave --video out"));
    }
    let file = File::open(path).map_err(|e| Error::source(e.to_string()))?;
    of_kind(file, |_| Ok(Box::new(Ffmpeg::new(Input::File(path))?)))
}

/// The frames of a video on standard input.
///
/// # Errors
/// As [`open`].
pub fn open_stdin() -> Result<Box<dyn Frames>, Error> {
    of_kind(Unlocked(stdin()), |stream| Ok(Box::new(Ffmpeg::new(Input::Stream(Box::new(stream)))?)))
}

/// Standard input, locked for each read alone, so that it can be read by another thread.
struct Unlocked(Stdin);

impl Read for Unlocked {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

type Whole<R> = std::io::Chain<Cursor<Vec<u8>>, R>;

fn of_kind<R: Read + Send + 'static>(
    mut input: R,
    other: impl FnOnce(Whole<R>) -> Result<Box<dyn Frames>, Error>,
) -> Result<Box<dyn Frames>, Error> {
    let mut head = Vec::new();
    input.by_ref().take(SHORT).read_to_end(&mut head)?;
    if head.is_empty() {
        return Err(Error::source("there is nothing in it"));
    }
    if head.starts_with(b"RIFF") {
        input.by_ref().take(LONG).read_to_end(&mut head)?;
    }
    let stream = Stream::find(&head).filter(Stream::is_mjpeg);
    let kind = |magic: &[u8]| head.starts_with(&magic[..magic.len().min(head.len())]);
    let (y4m, jpeg) = (kind(MAGIC), kind(&[0xff, 0xd8, 0xff]));
    let whole = Cursor::new(head).chain(input);
    Ok(match stream {
        Some(stream) => Box::new(Avi::new(whole, stream)),
        None if y4m => Box::new(Y4m::new(whole)?),
        None if jpeg => Box::new(Mjpeg::new(whole)),
        None => other(whole)?,
    })
}
