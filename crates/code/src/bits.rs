//! Integers of a fixed number of bits, packed without gaps, lowest bit first.

use crate::bytes::Reader;
use crate::error::Error;

/// Packs integers into bytes.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    out: Vec<u8>,
    held: u64,
    bits: u32,
}

impl BitWriter {
    /// Appends to bytes that are there already.
    pub fn after(out: Vec<u8>) -> Self {
        Self { out, held: 0, bits: 0 }
    }

    /// Appends the lowest `width` (at most 32) bits of a value that has no higher ones.
    pub fn put(&mut self, value: u32, width: u32) {
        self.held |= u64::from(value) << self.bits;
        self.bits += width;
        while self.bits >= 8 {
            let [low, ..] = self.held.to_le_bytes();
            self.out.push(low);
            self.held >>= 8;
            self.bits -= 8;
        }
    }

    /// The bytes; the last one is filled up with zeros.
    pub fn finish(mut self) -> Vec<u8> {
        if self.bits > 0 {
            let [low, ..] = self.held.to_le_bytes();
            self.out.push(low);
        }
        self.out
    }
}

/// Unpacks integers from a reader, taking bytes as it needs them.
#[derive(Debug)]
pub(crate) struct BitReader<'r, 'a> {
    from: &'r mut Reader<'a>,
    held: u64,
    bits: u32,
}

impl<'r, 'a> BitReader<'r, 'a> {
    /// Starts at the reader's next byte.
    pub fn new(from: &'r mut Reader<'a>) -> Self {
        Self { from, held: 0, bits: 0 }
    }

    /// The next `width` (at most 32) bits.
    #[inline]
    pub fn get(&mut self, width: u32) -> Result<u32, Error> {
        while self.bits < width {
            self.held |= u64::from(self.from.byte()?) << self.bits;
            self.bits += 8;
        }
        let value = self.held & ((1 << width) - 1);
        self.held >>= width;
        self.bits -= width;
        Ok(u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// Refuses a last byte that is not filled up with zeros.
    pub fn finish(self) -> Result<(), Error> {
        if self.held == 0 { Ok(()) } else { Err(self.from.malformed("the last byte is not filled up with zeros")) }
    }
}

/// The bytes that so many integers of so many bits take.
pub(crate) fn packed_len(count: u64, width: u32) -> u64 {
    count.saturating_mul(u64::from(width)).div_ceil(8)
}
