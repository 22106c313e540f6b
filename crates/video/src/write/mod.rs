//! Videos written: a file for each kind here, a line in `KINDS`. They grow beside their place and are renamed when they
//! are complete.

mod avi;
mod folder;
mod mjpeg;
mod y4m;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use synapress_images::Image;

use crate::Rate;

/// Something that pictures of one size are written to.
trait Sink {
    fn write(&mut self, image: &Image) -> io::Result<()>;

    /// Writes what is still missing, and the rate where the kind has one.
    fn finish(&mut self, rate: Rate) -> io::Result<()>;
}

/// A kind of file, by the ending of its name.
struct Kind {
    endings: &'static [&'static str],
    create: fn(BufWriter<File>) -> Box<dyn Sink>,
}

/// Kinds of single files; everything else is a folder.
const KINDS: &[Kind] = &[
    Kind { endings: &["y4m"], create: |file| Box::new(y4m::Writer::new(file)) },
    Kind { endings: &["avi"], create: |file| Box::new(avi::Writer::new(file)) },
    Kind { endings: &["mjpeg", "mjpg"], create: |file| Box::new(mjpeg::Writer::new(file)) },
];

/// Quality of JPEG files, of 100.
const QUALITY: u8 = 90;

/// A video that is being written.
pub struct Recording {
    path: PathBuf,
    part: PathBuf,
    sink: Box<dyn Sink>,
    rate: Rate,
    frames: u64,
    size: Option<[u32; 2]>,
}

impl Recording {
    /// Begins a video: `.y4m` (uncompressed, 4:4:4), `.avi` (Motion JPEG), `.mjpeg` (JPEG files one behind the other), or
    /// a folder of images, such as `frames` (`000001.png` and so on) or `frames/*.jpg`.
    ///
    /// # Errors
    /// When the name is of another kind, the folder has files in it, or nothing can be written there.
    pub fn create(path: &Path, rate: Rate) -> io::Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let kind = KINDS.iter().find(|k| ending.as_deref().is_some_and(|e| k.endings.contains(&e)));
        let (path, part, sink) = match kind {
            Some(kind) => {
                if path.is_dir() {
                    return Err(refused("it is a folder; name a file, or leave the ending out"));
                }
                let part = beside(path);
                let sink = (kind.create)(BufWriter::new(File::create(&part)?));
                (path.to_owned(), part, sink)
            }
            None => {
                let (folder, format) = folder::read(path, ending.as_deref())?;
                let part = beside(&folder);
                let sink: Box<dyn Sink> = Box::new(folder::Writer::create(&part, format)?);
                (folder, part, sink)
            }
        };
        Ok(Self { path, part, sink, rate, frames: 0, size: None })
    }

    /// Writes a picture. All are of the size of the first: others are cut, or filled up with black, on the right and
    /// below.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, image: &Image) -> io::Result<()> {
        let size = *self.size.get_or_insert([image.width(), image.height()]);
        match fitted(image, size) {
            Some(fitted) => self.sink.write(&fitted)?,
            None => self.sink.write(image)?,
        }
        self.frames += 1;
        Ok(())
    }

    /// Changes how fast it plays, when that is only known in the end.
    pub fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// Pictures that were written.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Completes the video and moves it to its place, unless it has no picture.
    ///
    /// # Errors
    /// When it cannot be written; what there is stays beside its place, with the ending `.part`.
    pub fn finish(mut self) -> io::Result<()> {
        if self.frames == 0 {
            drop(self.sink);
            return remove(&self.part);
        }
        self.sink.finish(self.rate)?;
        drop(self.sink);
        if self.path.is_dir() {
            // Empty, as was checked.
            std::fs::remove_dir(&self.path)?;
        }
        std::fs::rename(&self.part, &self.path)
    }
}

fn refused(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.into())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn remove(part: &Path) -> io::Result<()> {
    if part.is_dir() { std::fs::remove_dir_all(part) } else { std::fs::remove_file(part) }
}

/// A picture cut or filled up to a size; `None` if it has that size.
fn fitted(image: &Image, [width, height]: [u32; 2]) -> Option<Image> {
    if [image.width(), image.height()] == [width, height] {
        return None;
    }
    let (from, to) = (3 * image.width() as usize, 3 * width as usize);
    let mut pixels = vec![0; to * height as usize];
    for (source, row) in image.pixels().chunks_exact(from).zip(pixels.chunks_exact_mut(to)) {
        let both = from.min(to);
        row[..both].copy_from_slice(&source[..both]);
    }
    Image::new(width, height, pixels).ok()
}

/// A picture as a JPEG file.
fn jpeg(image: &Image, out: &mut Vec<u8>) -> io::Result<()> {
    out.clear();
    let (width, height) = (image.width(), image.height());
    JpegEncoder::new_with_quality(out, QUALITY)
        .encode(image.pixels(), width, height, ExtendedColorType::Rgb8)
        .map_err(io::Error::other)
}
