//! AVI with Motion JPEG: a head that is written anew at the end, the frames, an index of them (AVI 1.0).

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use synapress_images::Image;

use super::{Sink, jpeg};
use crate::Rate;

/// Places and sizes have 32 bits: room for the last frame's index is kept.
const MOST_BYTES: u64 = u32::MAX as u64 - (1 << 16);
/// Bytes of the head, up to the first frame's chunk.
const HEAD: u32 = 224;
/// `AVIF_HASINDEX`, `AVIIF_KEYFRAME`.
const FLAG: u32 = 0x10;

pub struct Writer {
    file: BufWriter<File>,
    size: [u32; 2],
    /// Place of each frame's chunk, counted from the list's kind, and bytes of its data.
    frames: Vec<[u32; 2]>,
    at: u64,
    longest: u32,
    bytes: Vec<u8>,
}

impl Writer {
    pub fn new(file: BufWriter<File>) -> Self {
        Self { file, size: [0; 2], frames: Vec::new(), at: u64::from(HEAD), longest: 0, bytes: Vec::new() }
    }

    /// The head for as many frames as there are; `end` is the place behind the last one.
    fn head(&self, end: u32, rate: Rate) -> Vec<u8> {
        let [width, height] = self.size;
        let Rate { frames, seconds } = rate;
        let count = self.frames.len() as u32;
        let index = 8 + 16 * count;
        let mut head = Vec::with_capacity(HEAD as usize);
        let mut put = |parts: &[&[u8]], words: &[u32]| {
            parts.iter().for_each(|part| head.extend_from_slice(part));
            words.iter().for_each(|word| head.extend_from_slice(&word.to_le_bytes()));
        };
        put(&[b"RIFF"], &[end + index - 8]);
        put(&[b"AVI ", b"LIST"], &[4 + 64 + 124]);
        // Main header: microseconds a frame, bytes a second, granularity, flags, frames, first, streams, buffer, size.
        let period = (1_000_000 * u64::from(seconds) / u64::from(frames)).min(u32::MAX.into()) as u32;
        put(&[b"hdrl", b"avih"], &[56, period, 0, 0, FLAG, count, 0, 1, self.longest, width, height, 0, 0, 0, 0]);
        put(&[b"LIST"], &[4 + 64 + 48]);
        // Stream header: flags, priority, first, scale, rate, start, length, buffer, quality, sample size, rectangle.
        put(&[b"strl", b"strh"], &[56]);
        put(&[b"vids", b"MJPG"], &[0, 0, 0, seconds, frames, 0, count, self.longest, u32::MAX, 0, 0]);
        let sides = [width, height].map(|side| side.min(0xffff));
        put(&[], &[sides[0] << 16 | sides[1]; 1]);
        put(&[b"strf"], &[40, 40, width, height, 24 << 16 | 1]);
        put(&[b"MJPG"], &[(3 * u64::from(width) * u64::from(height)) as u32, 0, 0, 0, 0]);
        put(&[b"LIST"], &[end - HEAD + 4]);
        put(&[b"movi"], &[]);
        head
    }
}

impl Sink for Writer {
    fn write(&mut self, image: &Image) -> io::Result<()> {
        if self.frames.is_empty() {
            self.size = [image.width(), image.height()];
            self.file.write_all(&self.head(HEAD, Rate::USUAL))?;
        }
        jpeg(image, &mut self.bytes)?;
        let (length, odd) = (self.bytes.len(), self.bytes.len() % 2);
        let after = self.at + (8 + length + odd) as u64;
        if after + 16 * (self.frames.len() as u64 + 1) > MOST_BYTES {
            return Err(io::Error::other(format!(
                "an AVI file has no room for more than these {} frames; write .mjpeg",
                self.frames.len()
            )));
        }
        self.file.write_all(b"00dc")?;
        self.file.write_all(&(length as u32).to_le_bytes())?;
        self.file.write_all(&self.bytes)?;
        self.file.write_all(&[0][..odd])?;
        self.frames.push([self.at as u32 - HEAD + 4, length as u32]);
        self.longest = self.longest.max(length as u32);
        self.at = after;
        Ok(())
    }

    fn finish(&mut self, rate: Rate) -> io::Result<()> {
        self.file.write_all(b"idx1")?;
        self.file.write_all(&(16 * self.frames.len() as u32).to_le_bytes())?;
        for [place, length] in &self.frames {
            self.file.write_all(b"00dc")?;
            for word in [FLAG, *place, *length] {
                self.file.write_all(&word.to_le_bytes())?;
            }
        }
        self.file.seek(SeekFrom::Start(0))?;
        let head = self.head(self.at as u32, rate);
        self.file.write_all(&head)?;
        self.file.flush()
    }
}
