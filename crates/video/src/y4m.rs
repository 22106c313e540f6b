//! YUV4MPEG2, the uncompressed videos that tools pass to each other: a line about the stream, then each frame behind a
//! line `FRAME`. 8 bits a sample, 4:2:0, 4:2:2, 4:4:4 or luma alone.

use std::io::{BufRead, BufReader, Read};

use crate::frame::given;
use crate::yuv::{Layout, Packing};
use crate::{Error, Frame, Frames, Rate};

/// What every file begins with.
pub const MAGIC: &[u8] = b"YUV4MPEG2";
const FRAME: &[u8] = b"FRAME";
/// The most bytes of a line; those that are written have less than a hundred.
const MOST_LINE: u64 = 4096;

/// The frames of a Y4M stream.
#[derive(Debug)]
pub struct Y4m<R> {
    input: BufReader<R>,
    layout: Layout,
    rate: Option<Rate>,
    /// The last frame did not end where the next begins: look for that.
    lost: bool,
    ended: bool,
}

impl<R: Read> Y4m<R> {
    /// Reads the stream's header.
    ///
    /// # Errors
    /// [`Error::Source`] when it is none, its pixels are of a kind that is not supported, or there are too many.
    pub fn new(input: R) -> Result<Self, Error> {
        let mut input = BufReader::new(input);
        let (line, whole) = line(&mut input)?;
        if !whole {
            return Err(Error::source("the Y4M header ends early"));
        }
        let (layout, rate) = header(&line)?;
        Ok(Self { input, layout, rate, lost: false, ended: false })
    }

    fn frame(&mut self) -> Result<Option<Frame>, Error> {
        let begins = if std::mem::take(&mut self.lost) {
            find(&mut self.input)? && line(&mut self.input)?.1
        } else {
            let (line, whole) = line(&mut self.input)?;
            // At the end of the input there is neither a line nor its end.
            let expected = if whole { is_frame(&line) } else { line.is_empty() };
            if !expected {
                self.lost = true;
                return Err(Error::frame("no frame begins where the last one of this Y4M file ends"));
            }
            whole
        };
        if !begins {
            return Ok(None);
        }
        let length = self.layout.bytes();
        // Grows with what is there, whatever the header claims.
        let mut bytes = Vec::new();
        self.input.by_ref().take(length as u64).read_to_end(&mut bytes)?;
        match bytes.len() {
            n if n == length => Ok(Some(Frame::Yuv(self.layout, bytes))),
            n => {
                self.ended = true;
                Err(Error::frame(format!("the Y4M file ends after {n} of the {length} bytes of a frame")))
            }
        }
    }
}

impl<R: Read + Send> Iterator for Y4m<R> {
    type Item = Result<Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let frame = self.frame();
        given(frame, &mut self.ended)
    }
}

impl<R: Read + Send> Frames for Y4m<R> {
    fn rate(&self) -> Option<Rate> {
        self.rate
    }

    fn about(&self) -> String {
        let [width, height] = self.layout.size();
        format!("Y4M, {width}x{height}")
    }
}

fn is_frame(line: &[u8]) -> bool {
    line.strip_prefix(FRAME).is_some_and(|rest| rest.is_empty() || rest[0] == b' ')
}

/// A line without its end, and whether it has one: the input may end before, or the line be too long.
fn line(input: &mut impl BufRead) -> Result<(Vec<u8>, bool), Error> {
    let mut line = Vec::new();
    input.take(MOST_LINE).read_until(b'\n', &mut line)?;
    let whole = line.pop_if(|last| *last == b'\n').is_some();
    Ok((line, whole))
}

/// Reads up to and with the next `FRAME` that ends its line or is followed by a parameter; false if there is none.
fn find(input: &mut impl BufRead) -> Result<bool, Error> {
    let mut seen = 0;
    loop {
        let buffer = input.fill_buf()?;
        let Some(&byte) = buffer.first() else { return Ok(false) };
        if seen == FRAME.len() {
            if byte == b'\n' || byte == b' ' {
                return Ok(true);
            }
            seen = 0;
        }
        input.consume(1);
        seen = match byte {
            b if b == FRAME[seen] => seen + 1,
            b if b == FRAME[0] => 1,
            _ => 0,
        };
    }
}

fn header(line: &[u8]) -> Result<(Layout, Option<Rate>), Error> {
    let text = std::str::from_utf8(line).map_err(|_| Error::source("the Y4M header is damaged"))?;
    let mut words = text.split(' ');
    if words.next().map(str::as_bytes) != Some(MAGIC) {
        return Err(Error::source("not a Y4M file: it does not begin with YUV4MPEG2"));
    }
    let (mut width, mut height, mut rate) = (None, None, None);
    let (mut packing, mut full) = (Packing::Yuv420, false);
    for word in words {
        let wrong = || Error::source(format!("the Y4M header has {word:?}"));
        let Some((tag, value)) = word.split_at_checked(1) else { continue };
        match tag {
            "W" => width = Some(value.parse().map_err(|_| wrong())?),
            "H" => height = Some(value.parse().map_err(|_| wrong())?),
            "F" => {
                let (frames, seconds) = value.split_once(':').ok_or_else(wrong)?;
                rate = Rate::new(frames.parse().map_err(|_| wrong())?, seconds.parse().map_err(|_| wrong())?);
            }
            "C" => packing = colours(value)?,
            "X" if value == "COLORRANGE=FULL" => full = true,
            _ => {}
        }
    }
    let side = |side: Option<u32>, tag: &str| side.ok_or_else(|| Error::source(format!("the Y4M header has no {tag}")));
    let layout = Layout::new(side(width, "width")?, side(height, "height")?, packing)?;
    Ok((if full { layout.full_range() } else { layout }, rate))
}

/// The packing of a colour space. Those of 4:2:0 differ in where chroma samples lie between luma samples, by less than a
/// pixel.
fn colours(name: &str) -> Result<Packing, Error> {
    match name {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(Packing::Yuv420),
        "422" => Ok(Packing::Yuv422),
        "444" => Ok(Packing::Yuv444),
        "mono" => Ok(Packing::Mono),
        _ => Err(Error::source(format!(
            "Y4M pixels C{name} are not supported: 420, 422, 444 and mono are, in 8 bits; convert with \
             `ffmpeg -i IN -pix_fmt yuv420p OUT.y4m`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(header: &str, frames: &[&[u8]]) -> Vec<u8> {
        let mut bytes = format!("YUV4MPEG2 {header}\n").into_bytes();
        for frame in frames {
            bytes.extend_from_slice(b"FRAME\n");
            bytes.extend_from_slice(frame);
        }
        bytes
    }

    #[test]
    fn headers_say_size_rate_and_packing() {
        for (text, bytes, rate) in [
            ("W4 H2 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG", 12, Rate::new(30000, 1001)),
            ("H2 W4", 12, None),
            ("W4 H2 F0:0 C422", 16, None),
            ("W4 H2 F25:1 C444", 24, Some(Rate::USUAL)),
            ("W4 H2 C420mpeg2", 12, None),
            ("W4 H2 Cmono", 8, None),
        ] {
            let frames = [vec![1; bytes], vec![2; bytes]];
            let file = video(text, &[&frames[0], &frames[1]]);
            let mut read = Y4m::new(&file[..]).unwrap();
            assert_eq!(read.rate(), rate, "{text}");
            let found: Vec<Frame> = read.by_ref().collect::<Result<_, _>>().unwrap();
            assert!(matches!(&found[1], Frame::Yuv(layout, b) if *b == frames[1] && layout.size() == [4, 2]), "{text}");
            assert_eq!(found.len(), 2, "{text}");
        }
    }

    #[test]
    fn full_range_is_heeded() {
        let file = video("W1 H1 Cmono XCOLORRANGE=FULL", &[&[16]]);
        let frame = Y4m::new(&file[..]).unwrap().next().unwrap().unwrap();
        assert_eq!(frame.decode().unwrap().pixels(), [16; 3]);
    }

    #[test]
    fn headers_that_cannot_be_are_refused_before_memory_is_taken() {
        for (text, says) in [
            ("W999999 H999999", "999999x999999"),
            ("W4294967295 H4294967295", "4294967295"),
            ("W4294967296 H1", "W4294967296"),
            ("W0 H4", "0x4"),
            ("W-1 H4", "W-1"),
            ("H4", "width"),
            ("W4 H4 C420p10", "C420p10"),
            ("W4 H4 C444alpha", "C444alpha"),
            ("W4 H4 F25", "F25"),
        ] {
            let error = Y4m::new(&video(text, &[])[..]).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(Y4m::new(&b"YUV4MPEG2 W4 H4"[..]).is_err());
        assert!(Y4m::new(&vec![b'W'; 1 << 20][..]).is_err());
        // The largest that is allowed, of which nothing is there.
        let file = video("W8192 H8192 C444", &[&[1, 2, 3]]);
        assert!(matches!(Y4m::new(&file[..]).unwrap().next(), Some(Err(Error::Frame(_)))));
    }

    #[test]
    fn a_damaged_frame_costs_no_other_behind_it() {
        let mut file = video("W2 H2 Cmono", &[&[1; 4], &[2; 4], &[3; 4], &[4; 4]]);
        let second = file.len() - 3 * 10;
        file[second] = b'G';
        let mut blank = file.clone();
        blank.drain(second..second + 5);
        for file in [file, blank] {
            let found: Vec<_> = Y4m::new(&file[..]).unwrap().collect();
            let late = |f: &Frame| matches!(f, Frame::Yuv(_, bytes) if bytes[0] > 2);
            let numbers: Vec<_> = found.iter().map(|f| f.as_ref().map(late)).collect();
            assert!(matches!(numbers[..], [Ok(false), Err(Error::Frame(_)), Ok(true), Ok(true)]), "{found:?}");
        }
    }

    #[test]
    fn a_cut_file_has_the_frames_before_the_cut() {
        let file = video("W2 H2 Cmono", &[&[1; 4], &[2; 4], &[3; 4]]);
        let head = file.len() - 3 * 10;
        for end in 0..file.len() {
            let Ok(read) = Y4m::new(&file[..end]) else {
                assert!(end < head, "{end}");
                continue;
            };
            let found: Vec<_> = read.collect();
            let good = found.iter().filter(|f| f.is_ok()).count();
            assert_eq!(good, (end - head) / 10, "{end}");
            assert_eq!(found.len() - good, usize::from(!(end - head).is_multiple_of(10)), "{end}");
        }
    }
}
