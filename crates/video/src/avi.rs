//! AVI files with Motion JPEG: chunks of RIFF, of which those of the video stream are JPEG files. Sizes of lists are not
//! relied upon, so that a recording that was never finished can be read. The same layout is written by [`crate::write`].

use std::io::{BufRead, BufReader, Read};

use crate::frame::given;
use crate::{Error, Frame, Frames, MOST_BYTES, Rate};

/// Codes of video streams that are Motion JPEG, in lower case.
const CODECS: [&[u8]; 3] = [b"mjpg", b"jpeg", b"dmb1"];

/// What the head of an AVI file says about its first video stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Number of the stream among those of the file.
    number: u8,
    codec: [u8; 4],
    size: [u32; 2],
    rate: Option<Rate>,
}

impl Stream {
    /// Looks for the first video stream in the beginning of a file; `None` if it is no AVI file or has none.
    pub fn find(head: &[u8]) -> Option<Self> {
        if head.get(..4)? != b"RIFF" || head.get(8..12)? != b"AVI " {
            return None;
        }
        let (mut at, mut number, mut header) = (12, 0, None);
        while let Some((id, size)) = chunk(head, at) {
            let data = at + 8;
            match id {
                // Lists are entered; their kind is the first word of their data.
                b"LIST" if head.get(data..data + 4)? == b"movi" => return None,
                b"LIST" => {
                    at = data + 4;
                    continue;
                }
                b"strh" => {
                    let bytes = head.get(data..data.checked_add(28)?)?;
                    header = (bytes[..4] == *b"vids").then(|| Rate::new(word(bytes, 24), word(bytes, 20)));
                    number += u8::from(header.is_none());
                }
                b"strf" => {
                    if let Some(rate) = header {
                        let bytes = head.get(data..data.checked_add(20)?)?;
                        let codec = bytes[16..20].try_into().ok()?;
                        return Some(Self { number, codec, size: [word(bytes, 4), word(bytes, 8)], rate });
                    }
                }
                _ => {}
            }
            at = data.checked_add(size.checked_next_multiple_of(2)?)?;
        }
        None
    }

    /// Whether its frames are JPEG files.
    pub fn is_mjpeg(&self) -> bool {
        CODECS.iter().any(|codec| codec.eq_ignore_ascii_case(&self.codec))
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

fn chunk(bytes: &[u8], at: usize) -> Option<(&[u8; 4], usize)> {
    let (id, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    Some((id, u32::from_le_bytes(*rest.first_chunk()?) as usize))
}

/// The frames of an AVI file's video stream.
#[derive(Debug)]
pub struct Avi<R> {
    input: BufReader<R>,
    stream: Stream,
    /// The head of the next chunk, if that was already read.
    head: Option<[u8; 8]>,
    lost: bool,
    ended: bool,
}

impl<R: Read> Avi<R> {
    /// Frames of the stream that was found in the head of the file, which `input` is the whole of.
    pub fn new(input: R, stream: Stream) -> Self {
        Self { input: BufReader::new(input), stream, head: None, lost: false, ended: false }
    }

    fn frame(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if std::mem::take(&mut self.lost) {
            self.head = self.find()?;
            if self.head.is_none() {
                return Ok(None);
            }
        }
        loop {
            let Some(head) = self.head.take().map_or_else(|| self.read_array(), |head| Ok(Some(head)))? else {
                return Ok(None);
            };
            let ([a, b, c, d, ..], size) = (head, u64::from(word(&head, 4)));
            let id = [a, b, c, d];
            match &id {
                // Entered: the next chunk is behind the kind of list.
                b"RIFF" | b"LIST" => match self.read_array::<4>()? {
                    Some(kind) if kind == *b"AVI " || kind == *b"AVIX" || kind == *b"movi" || kind == *b"rec " => {}
                    Some(_) => self.skip(padded(size).saturating_sub(4))?,
                    None => return Ok(None),
                },
                _ if self.is_frame(id) && size > MOST_BYTES as u64 => {
                    self.lost = true;
                    return Err(Error::frame(format!("a frame of {size} bytes: over the limit of {MOST_BYTES}")));
                }
                // Of no bytes: the picture stays what it was.
                _ if self.is_frame(id) && size == 0 => {}
                _ if self.is_frame(id) => {
                    let mut bytes = Vec::new();
                    self.input.by_ref().take(size).read_to_end(&mut bytes)?;
                    self.skip(padded(size) - size)?;
                    if (bytes.len() as u64) < size {
                        self.ended = true;
                        return Err(Error::frame(format!("the file ends after {} of the {size} bytes", bytes.len())));
                    }
                    return Ok(Some(bytes));
                }
                id if id.iter().all(|b| b.is_ascii_graphic() || *b == b' ') => self.skip(padded(size))?,
                _ => {
                    self.lost = true;
                    return Err(Error::frame("no chunk of AVI begins where the last one ends"));
                }
            }
        }
    }

    /// Whether a chunk is a frame of the stream: its number in two digits, `dc` or `db`.
    fn is_frame(&self, id: [u8; 4]) -> bool {
        let [tens, units, d, kind] = id;
        tens == b'0' + self.stream.number / 10
            && units == b'0' + self.stream.number % 10
            && d == b'd'
            && (kind == b'c' || kind == b'b')
    }

    /// Reads up to the head of a frame's chunk.
    fn find(&mut self) -> Result<Option<[u8; 8]>, Error> {
        let mut last = [0; 4];
        loop {
            let Some([byte]) = self.read_array()? else { return Ok(None) };
            last.rotate_left(1);
            last[3] = byte;
            if self.is_frame(last) {
                let Some(size) = self.read_array::<4>()? else { return Ok(None) };
                if u32::from_le_bytes(size) as usize <= MOST_BYTES {
                    let mut head = [0; 8];
                    head[..4].copy_from_slice(&last);
                    head[4..].copy_from_slice(&size);
                    return Ok(Some(head));
                }
            }
        }
    }

    /// So many bytes, or `None` at the end of the file.
    fn read_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Error> {
        let mut bytes = [0; N];
        match self.input.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn skip(&mut self, mut count: u64) -> Result<(), Error> {
        while count > 0 {
            let there = self.input.fill_buf()?.len();
            if there == 0 {
                break;
            }
            let step = count.min(there as u64);
            self.input.consume(step as usize);
            count -= step;
        }
        Ok(())
    }
}

/// Chunks begin at even places.
fn padded(size: u64) -> u64 {
    size.next_multiple_of(2)
}

impl<R: Read + Send> Iterator for Avi<R> {
    type Item = Result<Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let frame = self.frame().map(|f| f.map(Frame::Jpeg));
        given(frame, &mut self.ended)
    }
}

impl<R: Read + Send> Frames for Avi<R> {
    fn rate(&self) -> Option<Rate> {
        self.stream.rate
    }

    fn about(&self) -> String {
        let [width, height] = self.stream.size;
        format!("AVI with Motion JPEG, {width}x{height}")
    }
}
