//! The direction that reads.

use super::Coder;

/// Reads bits; beyond its end it reads zeros and takes note.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    bytes: &'a [u8],
    /// Bytes read, beyond the end included.
    read: usize,
    code: u64,
    range: u64,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { bytes, read: 0, code: 0, range: u64::MAX };
        decoder.word();
        decoder.word();
        decoder
    }

    #[inline]
    fn word(&mut self) {
        let word = match self.bytes.get(self.read..self.read + 4) {
            Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]),
            _ => self.last_word(),
        };
        self.read += 4;
        self.code = self.code << 32 | u64::from(word);
    }

    #[cold]
    fn last_word(&self) -> u32 {
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(self.bytes.iter().skip(self.read)) {
            *to = *from;
        }
        u32::from_be_bytes(last)
    }

    #[inline]
    fn normalize(&mut self) {
        if self.range < 1 << 32 {
            self.range <<= 32;
            self.word();
        }
    }

    /// Whether just so many bytes were read as an encoder would have written for the same bits.
    pub fn is_at_end(&self) -> bool {
        !self.is_beyond() && self.read >= self.bytes.len()
    }
}

impl Coder for Decoder<'_> {
    #[inline]
    fn coin(&mut self, probability: u32, _bit: bool) -> bool {
        let bound = (self.range >> 16) * u64::from(probability);
        let bit = self.code < bound;
        if bit {
            self.range = bound;
        } else {
            self.code -= bound;
            self.range -= bound;
        }
        self.normalize();
        bit
    }

    #[inline]
    fn direct(&mut self, _value: u32, width: u32) -> u32 {
        self.range >>= width;
        // A code that no encoder wrote may lie beyond the range.
        let value = (self.code / self.range).min((1 << width) - 1);
        self.code -= value * self.range;
        self.normalize();
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    fn uniform(&mut self, _value: u32, count: u32) -> u32 {
        self.range /= u64::from(count);
        let value = (self.code / self.range).min(u64::from(count) - 1);
        self.code -= value * self.range;
        self.normalize();
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    #[inline]
    fn is_beyond(&self) -> bool {
        self.read > self.bytes.len() + 8
    }
}
