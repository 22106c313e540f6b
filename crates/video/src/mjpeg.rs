//! Motion JPEG without a container: JPEG files one behind the other. What lies between them, such as the headers that a
//! network camera sends, is passed over.

use std::io::{BufRead, BufReader, Read};

use crate::frame::given;
use crate::jpeg::marker;
use crate::{Error, Frame, Frames, MOST_BYTES, Rate};

/// The frames of a stream of JPEG files.
#[derive(Debug)]
pub struct Mjpeg<R> {
    input: BufReader<R>,
    /// The start marker of the next frame was already read.
    begun: bool,
    ended: bool,
}

impl<R: Read> Mjpeg<R> {
    /// A stream that begins with a frame or before one.
    pub fn new(input: R) -> Self {
        Self { input: BufReader::new(input), begun: false, ended: false }
    }

    fn frame(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if !std::mem::take(&mut self.begun) && !self.find()? {
            return Ok(None);
        }
        let mut frame = vec![0xff, marker::START];
        while self.read_until_marker(&mut frame)? {
            let code = frame[frame.len() - 1];
            match code {
                marker::END => return Ok(Some(frame)),
                marker::START => {
                    self.begun = true;
                    return Err(Error::frame("the JPEG file ends early: another one begins"));
                }
                _ if marker::is_alone(code) => {}
                _ if !self.read_segment(&mut frame)? => break,
                _ => {}
            }
        }
        match frame.len() > MOST_BYTES {
            true => Err(Error::frame(format!("over the limit of {MOST_BYTES} bytes for a frame"))),
            false => {
                self.ended = true;
                Err(Error::frame("the JPEG file ends early"))
            }
        }
    }

    /// Reads up to the start marker of a frame.
    fn find(&mut self) -> Result<bool, Error> {
        loop {
            self.input.skip_until(0xff)?;
            match self.input.fill_buf()?.first() {
                None => return Ok(false),
                Some(&marker::START) => self.input.consume(1),
                Some(_) => continue,
            }
            match self.input.fill_buf()?.first() {
                Some(0xff) => return Ok(true),
                None => return Ok(false),
                Some(_) => {}
            }
        }
    }

    /// Reads up to a marker and its code; false if the input ends before, or the frame is too long.
    fn read_until_marker(&mut self, frame: &mut Vec<u8>) -> Result<bool, Error> {
        let room = (MOST_BYTES + 1).saturating_sub(frame.len()) as u64;
        self.input.by_ref().take(room).read_until(0xff, frame)?;
        if frame.last() != Some(&0xff) || frame.len() > MOST_BYTES {
            return Ok(false);
        }
        loop {
            let Some(&code) = self.input.fill_buf()?.first() else { return Ok(false) };
            self.input.consume(1);
            // Any number of these may stand before a code.
            if code != 0xff {
                frame.push(code);
                return Ok(true);
            }
        }
    }

    /// Reads what belongs to a marker; false if the input ends before. A length that cannot be is taken for none, and
    /// left to the decoder.
    fn read_segment(&mut self, frame: &mut Vec<u8>) -> Result<bool, Error> {
        let at = frame.len();
        self.input.by_ref().take(2).read_to_end(frame)?;
        let Some(&length) = frame.get(at..).and_then(|b| b.first_chunk::<2>()) else { return Ok(false) };
        let rest = u16::from_be_bytes(length).saturating_sub(2).into();
        Ok(self.input.by_ref().take(rest).read_to_end(frame)? as u64 == rest)
    }
}

impl<R: Read + Send> Iterator for Mjpeg<R> {
    type Item = Result<Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let frame = self.frame().map(|f| f.map(Frame::Jpeg));
        given(frame, &mut self.ended)
    }
}

impl<R: Read + Send> Frames for Mjpeg<R> {
    fn rate(&self) -> Option<Rate> {
        None
    }

    fn about(&self) -> String {
        "Motion JPEG".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::jpeg;

    fn frames(bytes: &[u8]) -> Vec<Result<Frame, Error>> {
        Mjpeg::new(bytes).collect()
    }

    #[test]
    fn frames_are_the_files() {
        let files: Vec<Vec<u8>> = (0..4).map(|i| jpeg(24, 16, i)).collect();
        let expected: Vec<_> = files.iter().map(|f| Ok(Frame::Jpeg(f.clone()))).collect();
        assert_eq!(frames(&files.concat()), expected);
        let between: Vec<u8> =
            files.iter().flat_map(|f| [b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n", &f[..]].concat()).collect();
        assert_eq!(frames(&between), expected);
        assert!(frames(b"").is_empty() && frames(b"no frames here \xff").is_empty());
    }

    #[test]
    fn a_picture_within_a_picture_is_no_frame() {
        let (outer, inner) = (jpeg(24, 16, 1), jpeg(8, 8, 2));
        let mut length = (inner.len() as u16 + 2).to_be_bytes().to_vec();
        length.extend_from_slice(&inner);
        let file = [&outer[..2], &[0xff, 0xe1], &length, &outer[2..]].concat();
        assert_eq!(frames(&file), [Ok(Frame::Jpeg(file.clone()))]);
    }

    #[test]
    fn a_cut_frame_costs_no_other() {
        let files: Vec<Vec<u8>> = (0..3).map(|i| jpeg(24, 16, i)).collect();
        let scan = files[1].windows(2).position(|w| w == [0xff, marker::SCAN]).unwrap();
        for end in (2..files[1].len()).step_by(3) {
            let found = frames(&[&files[0], &files[1][..end], &files[2]].concat());
            let good = found.iter().filter(|f| f.is_ok()).count();
            assert!(good >= 1 && found.len() - good <= 2, "{end}: {found:?}");
            assert_eq!(found[0], Ok(Frame::Jpeg(files[0].clone())), "{end}");
            // Unless the cut lies in a segment's length or data, which then takes from the next file.
            if end > scan + 14 {
                assert_eq!(found.last(), Some(&Ok(Frame::Jpeg(files[2].clone()))), "{end}");
            }
        }
        let whole = files.concat();
        for end in 0..whole.len() {
            let good = frames(&whole[..end]).iter().filter(|f| f.is_ok()).count();
            let ends = files.iter().scan(0, |at, f| {
                *at += f.len();
                Some(*at)
            });
            assert_eq!(good, ends.filter(|&at| at <= end).count(), "{end}");
        }
    }
}
