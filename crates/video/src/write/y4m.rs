//! Y4M: uncompressed, 4:4:4, so that letters keep their colours.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use synapress_images::Image;

use super::Sink;
use crate::Rate;
use crate::yuv::planes;

pub struct Writer {
    file: BufWriter<File>,
    size: Option<[u32; 2]>,
    planes: Vec<u8>,
}

impl Writer {
    pub fn new(file: BufWriter<File>) -> Self {
        Self { file, size: None, planes: Vec::new() }
    }

    /// The line about the stream, of the same length whatever the rate.
    fn head(&mut self, [width, height]: [u32; 2], Rate { frames, seconds }: Rate) -> io::Result<()> {
        writeln!(self.file, "YUV4MPEG2 W{width} H{height} F{frames:010}:{seconds:010} Ip A1:1 C444")
    }
}

impl Sink for Writer {
    fn write(&mut self, image: &Image) -> io::Result<()> {
        if self.size.is_none() {
            let size = *self.size.insert([image.width(), image.height()]);
            self.head(size, Rate::USUAL)?;
        }
        planes(image, &mut self.planes);
        self.file.write_all(b"FRAME\n")?;
        self.file.write_all(&self.planes)
    }

    fn finish(&mut self, rate: Rate) -> io::Result<()> {
        if let Some(size) = self.size {
            self.file.seek(SeekFrom::Start(0))?;
            self.head(size, rate)?;
        }
        self.file.flush()
    }
}
