//! Protocol Buffers' binary format: fields one after another, read from a stream and written to one. It knows wire
//! types and no messages. A length is believed only after a look at what is left of the enclosing message, whose end
//! lies inside the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use crate::error::{Error, Fault};

/// What follows a field's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A whole number, read.
    Varint(u64),
    /// Eight bytes, read.
    Fixed64([u8; 8]),
    /// So many bytes, still to be read; they lie inside the enclosing message.
    Bytes(u64),
    /// Four bytes, read.
    Fixed32([u8; 4]),
}

/// Reads a file as a stream, with a parser that is told its length.
///
/// # Errors
/// [`Fault::Io`] and those of the parser, with the file.
pub fn read<T>(path: &Path, parse: impl FnOnce(BufReader<File>, u64) -> Result<T, Fault>) -> Result<T, Error> {
    let open = || -> Result<T, Fault> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::other("this is not a regular file").into());
        }
        parse(BufReader::with_capacity(1 << 16, file), about.len())
    };
    open().map_err(|fault| fault.of(path))
}

/// Reads fields and counts bytes.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    offset: u64,
    what: &'static str,
}

impl<R: BufRead> Reader<R> {
    /// A reader at byte 0 of what should be `what`, such as `a caffemodel`, for messages.
    pub fn new(source: R, what: &'static str) -> Self {
        Self { source, offset: 0, what }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next field of a message that ends at byte `end`, or `None` there.
    ///
    /// # Errors
    /// [`Fault::Encoding`] when the bytes are no field or it reaches over the end; [`Fault::Io`].
    pub fn field(&mut self, end: u64) -> Result<Option<(u64, Wire)>, Fault> {
        if self.offset >= end {
            return Ok(None);
        }
        let at = self.offset;
        let tag = self.varint(end)?;
        let number = tag >> 3;
        if number == 0 {
            let message = format!("a field has the number 0; this is not {}, or it is damaged", self.what);
            return Err(Fault::encoding(at, message));
        }
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint(end)?),
            1 => Wire::Fixed64(self.array(end)?),
            2 => {
                let at = self.offset;
                let len = self.varint(end)?;
                let left = end.saturating_sub(self.offset);
                if len > left {
                    return Err(Fault::encoding(
                        at,
                        format!(
                            "field {number} claims {len} bytes where {left} are left; the file is cut short or damaged"
                        ),
                    ));
                }
                Wire::Bytes(len)
            }
            5 => Wire::Fixed32(self.array(end)?),
            other => {
                let message = format!(
                    "field {number} has the unknown wire type {other}; this is not {}, or it is damaged",
                    self.what
                );
                return Err(Fault::encoding(at, message));
            }
        };
        Ok(Some((number, wire)))
    }

    /// The end of a message of `len` bytes that begins here.
    pub fn end_of(&self, len: u64) -> u64 {
        self.offset.saturating_add(len)
    }

    /// Skips what is still to be read of a field.
    ///
    /// # Errors
    /// As [`Reader::field`].
    pub fn skip(&mut self, wire: Wire) -> Result<(), Fault> {
        let Wire::Bytes(mut len) = wire else { return Ok(()) };
        while len > 0 {
            let available = self.source.fill_buf()?.len();
            let step = usize::try_from(len).unwrap_or(usize::MAX).min(available);
            if step == 0 {
                return Err(self.cut());
            }
            self.source.consume(step);
            self.advance(step);
            len = len.saturating_sub(u64::try_from(step).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// A string of `len` bytes.
    ///
    /// # Errors
    /// As [`Reader::field`], and when it is not UTF-8.
    pub fn string(&mut self, len: u64) -> Result<String, Fault> {
        let at = self.offset;
        String::from_utf8(self.bytes(len)?).map_err(|_| Fault::encoding(at, "a name is not UTF-8"))
    }

    /// So many bytes.
    ///
    /// # Errors
    /// As [`Reader::field`].
    pub fn bytes(&mut self, len: u64) -> Result<Vec<u8>, Fault> {
        let len = usize::try_from(len).map_err(|_| Fault::encoding(self.offset, "a string is too long"))?;
        let mut bytes = vec![0; len];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Numbers of `N` bytes each, `len` bytes in all, appended to `out`.
    ///
    /// # Errors
    /// As [`Reader::field`], and when `N` does not divide `len`.
    pub fn packed<const N: usize>(
        &mut self,
        len: u64,
        out: &mut Vec<f32>,
        number: impl Fn([u8; N]) -> f32,
    ) -> Result<(), Fault> {
        const PIECE: usize = 1 << 15;
        let mut buffer = [0; PIECE];
        let uneven = Fault::encoding(self.offset, format!("{len} bytes of numbers are no multiple of {N}"));
        let Ok(mut left) = usize::try_from(len) else { return Err(uneven) };
        if left % N != 0 {
            return Err(uneven);
        }
        out.reserve_exact(left / N);
        while left > 0 {
            let piece = &mut buffer[..left.min(PIECE)];
            self.fill(piece)?;
            let (numbers, _) = piece.as_chunks::<N>();
            out.extend(numbers.iter().map(|&b| number(b)));
            left -= piece.len();
        }
        Ok(())
    }

    /// A whole number in a message that ends at byte `end`.
    ///
    /// # Errors
    /// As [`Reader::field`].
    pub fn varint(&mut self, end: u64) -> Result<u64, Fault> {
        let at = self.offset;
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array(end)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        let message = format!("a whole number takes over 64 bits; this is not {}, or it is damaged", self.what);
        Err(Fault::encoding(at, message))
    }

    fn array<const N: usize>(&mut self, end: u64) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        let left = end.saturating_sub(self.offset);
        if usize::try_from(left).is_ok_and(|left| left < N) {
            return Err(self.cut());
        }
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        match self.source.read_exact(bytes) {
            Ok(()) => {
                self.advance(bytes.len());
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.cut()),
            Err(e) => Err(e.into()),
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.offset = self.offset.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn cut(&self) -> Fault {
        Fault::encoding(self.offset, "a field reaches over the end of its message; the file is cut short or damaged")
    }
}

/// Number of bytes that a whole number takes.
pub fn varint_len(value: u64) -> u64 {
    u64::from((64 - value.leading_zeros()).max(1).div_ceil(7))
}

/// Number of bytes of a field with content of `len` bytes: tag, length, content.
pub fn bytes_len(number: u64, len: u64) -> u64 {
    varint_len(number << 3) + varint_len(len) + len
}

/// Writes a whole number.
///
/// # Errors
/// What the stream says.
pub fn write_varint(out: &mut impl Write, mut value: u64) -> io::Result<()> {
    while value >= 0x80 {
        out.write_all(&[value.to_le_bytes()[0] | 0x80])?;
        value >>= 7;
    }
    out.write_all(&[value.to_le_bytes()[0]])
}

/// Writes the tag and length of a field whose content of `len` bytes comes next.
///
/// # Errors
/// What the stream says.
pub fn write_head(out: &mut impl Write, number: u64, len: u64) -> io::Result<()> {
    write_varint(out, number << 3 | 2)?;
    write_varint(out, len)
}

/// Writes a field that holds a whole number.
///
/// # Errors
/// What the stream says.
pub fn write_number(out: &mut impl Write, number: u64, value: u64) -> io::Result<()> {
    write_varint(out, number << 3)?;
    write_varint(out, value)
}

/// Writes a field that holds a string.
///
/// # Errors
/// What the stream says.
pub fn write_string(out: &mut impl Write, number: u64, text: &str) -> io::Result<()> {
    write_head(out, number, u64::try_from(text.len()).unwrap_or(u64::MAX))?;
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_have_the_length_said() {
        for value in [0, 1, 127, 128, 300, 1 << 32, u64::MAX >> 1, u64::MAX] {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, value).unwrap();
            let len = bytes.len() as u64;
            assert_eq!(len, varint_len(value), "{value}");
            assert_eq!(Reader::new(&bytes[..], "a test").varint(len).unwrap(), value);
            assert!(Reader::new(&bytes[..], "a test").varint(len - 1).is_err());
        }
        assert!(Reader::new(&[0xff; 10][..], "a test").varint(10).is_err());
    }

    #[test]
    fn a_length_beyond_the_message_is_refused_before_anything_is_read() {
        let mut bytes = Vec::new();
        write_head(&mut bytes, 5, u64::MAX).unwrap();
        let error = Reader::new(&bytes[..], "a test").field(bytes.len() as u64).unwrap_err().to_string();
        assert!(error.starts_with("byte 1: field 5 claims 18446744073709551615 bytes where 0 are left"), "{error}");
    }
}
