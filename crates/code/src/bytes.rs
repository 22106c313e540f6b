//! Reading and writing of plain values: little-endian numbers, variable-length integers, strings.
//!
//! The reader knows which section it is in and where that lies in the file, so that every fault has a place.

use crate::error::{Error, ErrorKind};

/// A length as a file offset.
pub(crate) fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// A number of things for sums of fractions: exact below 2^53.
#[allow(clippy::as_conversions, reason = "there is no lossless conversion")]
pub(crate) fn count(n: usize) -> f64 {
    n as f64
}

/// A 32-bit number as a place in memory.
#[inline]
pub(crate) fn place(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Number of bits that `n` takes; 0 for 0.
#[inline]
pub(crate) fn bit_length(n: u32) -> u32 {
    u32::BITS - n.leading_zeros()
}

/// Eighths of an octave: 8 log2 of a number, up to a constant, rounded down.
#[inline]
pub(crate) fn scale(n: u32) -> u32 {
    let bits = bit_length(n);
    if bits < 4 { n } else { 8 * (bits - 3) + ((n >> (bits - 4)) & 7) }
}

/// Appends a variable-length integer: seven bits a byte, lowest first, the highest bit set on all but the last.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    loop {
        let [low, ..] = (n & 0x7f).to_le_bytes();
        n >>= 7;
        if n == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a length or place as a variable-length integer.
pub(crate) fn put_size(out: &mut Vec<u8>, n: usize) {
    put_varint(out, wide(n));
}

/// Appends a length and as many bytes of UTF-8.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_size(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Appends numbers as little-endian IEEE 754 single precision.
pub(crate) fn put_floats(out: &mut Vec<u8>, values: &[f32]) {
    out.reserve(values.len().saturating_mul(4));
    for v in values {
        out.extend_from_slice(&v.to_le_bytes());
    }
}

/// A section of a file and how far it has been read.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    base: u64,
    section: &'a str,
}

impl<'a> Reader<'a> {
    /// Bytes that begin at `base` of the file.
    pub fn new(bytes: &'a [u8], base: u64, section: &'a str) -> Self {
        Self { bytes, at: 0, base, section }
    }

    /// The same place in a section of another name.
    pub fn named(mut self, section: &'a str) -> Self {
        self.section = section;
        self
    }

    /// The name of the section.
    pub fn section(&self) -> &'a str {
        self.section
    }

    /// Where in the file the next byte lies.
    pub fn offset(&self) -> u64 {
        self.base.saturating_add(wide(self.at))
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// A fault here.
    pub fn fault(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message).in_section(self.section).at(self.offset())
    }

    /// A fault here of bytes that make no sense.
    pub fn malformed(&self, message: impl Into<String>) -> Error {
        self.fault(ErrorKind::Malformed, message)
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        match self.at.checked_add(n).and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None => {
                let message = format!("{n} bytes should follow, but only {} are there", self.left());
                Err(self.fault(ErrorKind::Truncated, message))
            }
        }
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self.bytes.len();
        rest
    }

    /// The next `n` bytes as a reader of their own.
    pub fn part(&mut self, n: usize) -> Result<Reader<'a>, Error> {
        let base = self.offset();
        Ok(Reader { bytes: self.take(n)?, at: 0, base, section: self.section })
    }

    /// So many bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Error> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// A byte that is 0 or 1.
    pub fn flag(&mut self, what: &str) -> Result<bool, Error> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.malformed(format!("{what} must be 0 or 1, not {other}"))),
        }
    }

    /// A variable-length integer in its shortest form.
    pub fn varint(&mut self) -> Result<u64, Error> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
                break;
            }
            n |= bits << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(self.malformed("an integer is longer than it can be"))
    }

    /// A number of things of which each takes at least `least` more bytes.
    pub fn count(&mut self, what: &str, least: usize) -> Result<usize, Error> {
        let n = self.varint()?;
        let most = self.left() / least.max(1);
        match usize::try_from(n) {
            Ok(n) if n <= most => Ok(n),
            _ => {
                let message = format!("{n} {what} cannot fit the {} bytes that are left", self.left());
                Err(self.fault(ErrorKind::Truncated, message))
            }
        }
    }

    /// A length and as many bytes of UTF-8.
    pub fn text(&mut self, what: &str) -> Result<String, Error> {
        let n = self.count(&format!("bytes of {what}"), 1)?;
        let bytes = self.take(n)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.malformed(format!("{what} is not UTF-8"))),
        }
    }

    /// One number of single precision, which must be finite.
    pub fn float(&mut self, what: &str) -> Result<f32, Error> {
        let value = f32::from_le_bytes(self.array()?);
        if value.is_finite() { Ok(value) } else { Err(self.malformed(format!("{what} is {value}"))) }
    }

    /// `n` numbers of single precision.
    pub fn floats(&mut self, n: usize) -> Result<Vec<f32>, Error> {
        let bytes = self.take(n.saturating_mul(4))?;
        let (values, _) = bytes.as_chunks::<4>();
        Ok(values.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    /// Refuses bytes that are left over.
    pub fn finish(&self) -> Result<(), Error> {
        match self.left() {
            0 => Ok(()),
            n => Err(self.malformed(format!("{n} bytes are left over"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_overlong_ones_are_refused() {
        for n in [0, 1, 127, 128, 300, 1 << 35, u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, n);
            let mut reader = Reader::new(&out, 0, "test");
            assert_eq!(reader.varint(), Ok(n));
            assert!(reader.finish().is_ok());
        }
        for bytes in
            [&[0x80, 0][..], &[0xff; 10], &[0xff; 3], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert!(Reader::new(bytes, 0, "test").varint().is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn a_fault_names_section_and_offset() {
        let mut reader = Reader::new(&[5, b'a'], 100, "names");
        let error = reader.text("a name").unwrap_err();
        assert_eq!((error.section(), error.offset(), error.kind()), (Some("names"), Some(101), ErrorKind::Truncated));
    }
}
