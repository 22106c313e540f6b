//! Motion JPEG without a container: JPEG files one behind the other.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use synapress_images::Image;

use super::{Sink, jpeg};
use crate::Rate;

pub struct Writer {
    file: BufWriter<File>,
    bytes: Vec<u8>,
}

impl Writer {
    pub fn new(file: BufWriter<File>) -> Self {
        Self { file, bytes: Vec::new() }
    }
}

impl Sink for Writer {
    fn write(&mut self, image: &Image) -> io::Result<()> {
        jpeg(image, &mut self.bytes)?;
        self.file.write_all(&self.bytes)
    }

    fn finish(&mut self, _rate: Rate) -> io::Result<()> {
        self.file.flush()
    }
}
