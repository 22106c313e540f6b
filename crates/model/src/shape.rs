//! The shape of one image's activations.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Channels, height and width of one image's activations; a batch is so many of these one after another (NCHW).
/// A vector, such as the output of a fully connected layer, has height and width 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Channels (feature maps).
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl Shape {
    /// The largest number of elements of one image's activations that a network may have: 2^28, 1 GiB of `f32`.
    pub const MOST: usize = 1 << 28;

    /// A shape of nonzero sizes with at most [`Shape::MOST`] elements.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when a size is zero or the product too large.
    pub fn new(channels: usize, height: usize, width: usize) -> Result<Self, Error> {
        let len = channels.checked_mul(height).and_then(|n| n.checked_mul(width));
        match len {
            Some(n) if n > 0 && n <= Self::MOST => Ok(Self { channels, height, width }),
            Some(0) => {
                Err(Error::new(ErrorKind::Shape, format!("a shape of {channels}x{height}x{width} has no elements")))
            }
            _ => Err(Error::new(
                ErrorKind::Shape,
                format!("a shape of {channels}x{height}x{width} has over {} elements", Self::MOST),
            )),
        }
    }

    /// Number of elements.
    #[expect(clippy::len_without_is_empty, reason = "a shape is never empty")]
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Pixels of one channel.
    pub fn area(&self) -> usize {
        self.height * self.width
    }

    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}x{}x{}", self.channels, self.height, self.width))
    }
}
