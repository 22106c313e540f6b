//! A folder of images, numbered from 1 in six digits.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use synapress_images::Image;

use super::{Sink, jpeg, refused};
use crate::Rate;

/// Formats of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    Jpeg,
}

/// The folder and the format that a path names: `FOLDER`, `FOLDER/*.png`, `FOLDER/*.jpg`.
pub fn read(path: &Path, ending: Option<&str>) -> io::Result<(PathBuf, Format)> {
    let (folder, format) = match (path.file_stem().and_then(|s| s.to_str()), ending) {
        (Some("*"), Some("png")) => (path.parent().unwrap_or(Path::new("")), Format::Png),
        (Some("*"), Some("jpg" | "jpeg")) => (path.parent().unwrap_or(Path::new("")), Format::Jpeg),
        (_, None) => (path, Format::Png),
        _ => {
            return Err(refused(
                "name a file .y4m, .avi or .mjpeg, a folder (for PNG files), or 'FOLDER/*.jpg' or 'FOLDER/*.png'",
            ));
        }
    };
    // Without the slash at its end, which its name beside it must not have.
    let folder: PathBuf = folder.components().collect();
    if folder.as_os_str().is_empty() || folder == Path::new(".") {
        return Err(refused("name a folder of its own"));
    }
    match folder.read_dir().map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(refused("the folder has files in it; name an empty one")),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Err(refused("it is a file; name a folder")),
        _ => Ok((folder, format)),
    }
}

pub struct Writer {
    folder: PathBuf,
    format: Format,
    frames: u64,
    bytes: Vec<u8>,
}

impl Writer {
    /// What an earlier run left unfinished in the folder is replaced.
    pub fn create(folder: &Path, format: Format) -> io::Result<Self> {
        if folder.is_dir() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir(folder)?;
        Ok(Self { folder: folder.to_owned(), format, frames: 0, bytes: Vec::new() })
    }
}

impl Sink for Writer {
    fn write(&mut self, image: &Image) -> io::Result<()> {
        self.frames += 1;
        let ending = match self.format {
            Format::Png => {
                self.bytes.clear();
                PngEncoder::new(&mut self.bytes)
                    .write_image(image.pixels(), image.width(), image.height(), ExtendedColorType::Rgb8)
                    .map_err(io::Error::other)?;
                "png"
            }
            Format::Jpeg => {
                jpeg(image, &mut self.bytes)?;
                "jpg"
            }
        };
        let mut file = BufWriter::new(File::create(self.folder.join(format!("{:06}.{ending}", self.frames)))?);
        file.write_all(&self.bytes)?;
        file.flush()
    }

    fn finish(&mut self, _rate: Rate) -> io::Result<()> {
        Ok(())
    }
}
