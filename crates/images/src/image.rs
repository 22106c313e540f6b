//! One decoded image. Where its pixels come from is others' affair.

/// The most pixels of one image: 2^26, 192 MiB decoded.
pub const MOST_PIXELS: u64 = 1 << 26;

/// A decoded image: 8 bits a channel, red, green, blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Image {
    /// An image of pixels `(height, width, 3)`.
    ///
    /// # Errors
    /// When a side is zero or the number of pixels is not what the sides say.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, String> {
        let area = u64::from(width) * u64::from(height);
        if area == 0 || area > MOST_PIXELS || pixels.len() as u64 != area * 3 {
            return Err(format!("an image of {width}x{height} does not have {} bytes of pixels", pixels.len()));
        }
        Ok(Self { width, height, pixels })
    }

    /// An image of pixels `(height, width, 4)`: red, green, blue and transparency, which is dropped.
    ///
    /// # Errors
    /// As [`Image::new`].
    pub fn from_rgba(width: u32, height: u32, rgba: &[u8]) -> Result<Self, String> {
        let (pixels, rest) = rgba.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(format!("{} bytes are not four for each pixel", rgba.len()));
        }
        Self::new(width, height, pixels.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect())
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Pixels `(height, width, 3)`, red, green, blue.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparency_is_dropped_and_sides_must_fit() {
        let image = Image::from_rgba(2, 1, &[1, 2, 3, 0, 4, 5, 6, 255]).unwrap();
        assert_eq!((image.width(), image.height(), image.pixels()), (2, 1, &[1, 2, 3, 4, 5, 6][..]));
        for (width, height, bytes) in [(2, 1, 7), (2, 2, 8), (0, 1, 0), (1, 1, 8), (u32::MAX, u32::MAX, 4)] {
            assert!(Image::from_rgba(width, height, &vec![0; bytes]).is_err(), "{width}x{height} of {bytes}");
        }
    }
}
