//! One frame as its source has it. Sources only cut streams into frames: those that nobody looks at are never decoded.

use synapress_images::Image;

use crate::yuv::Layout;
use crate::{Error, Rate, jpeg};

/// The most bytes of one compressed frame: 2^26.
pub const MOST_BYTES: usize = 1 << 26;

/// One frame, not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A JPEG file; its Huffman tables may be missing, as Motion JPEG allows.
    Jpeg(Vec<u8>),
    /// Luma and chroma, uncompressed.
    Yuv(Layout, Vec<u8>),
}

impl Frame {
    /// The picture: 8 bits a channel, red, green, blue.
    ///
    /// # Errors
    /// [`Error::Frame`] when the frame is damaged.
    pub fn decode(&self) -> Result<Image, Error> {
        match self {
            Self::Jpeg(bytes) => Image::decode(&jpeg::with_tables(bytes)).map_err(Error::Frame),
            Self::Yuv(layout, bytes) => layout.image(bytes),
        }
    }
}

/// What a source of frames gives of one that it has read. At the end, and where the source fails, it has ended.
pub(crate) fn given(frame: Result<Option<Frame>, Error>, ended: &mut bool) -> Option<Result<Frame, Error>> {
    *ended |= matches!(frame, Ok(None) | Err(Error::Source(_)));
    frame.transpose()
}

/// A source of frames. After [`Error::Frame`] there may be more of them, after [`Error::Source`] there are none.
pub trait Frames: Iterator<Item = Result<Frame, Error>> + Send {
    /// Frames a second, where the source tells.
    fn rate(&self) -> Option<Rate>;

    /// What it is, in words, such as `Y4M, 640x480`.
    fn about(&self) -> String;
}
