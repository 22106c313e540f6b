//! How one training image is varied. What is drawn, and from which ranges, is training's affair.

/// Position, scale, shift, flip, colour and hole of one image, as they were drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Position of the crop, from 0 to 1 of the room it has, vertically and horizontally; `None`: the centre.
    pub position: Option<[f64; 2]>,
    /// Factors of the crop's height and width.
    pub scale: [f64; 2],
    /// Pixels to shift the network's input down and right.
    pub shift: [isize; 2],
    /// Mirror left to right.
    pub flip: bool,
    /// Factors of red, green and blue.
    pub gain: [f32; 3],
    /// A square that is blanked out.
    pub hole: Option<Hole>,
}

/// A square of the network's input that holds the mean in place of the image (Cutout: DeVries and Taylor 2017). What of
/// it lies outside the input is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hole {
    /// Where its centre is, from 0 to below 1 of the input, vertically and horizontally.
    pub centre: [f64; 2],
    /// Pixels of a side.
    pub side: u32,
}

impl Hole {
    /// The pixels of a dimension (0: vertical, 1: horizontal) of so many that it covers.
    pub fn range(&self, dimension: usize, pixels: usize) -> std::ops::Range<usize> {
        let centre = (self.centre[dimension] * pixels as f64) as usize;
        let half = self.side as usize / 2;
        let start = centre.saturating_sub(half);
        // A centre near the edge leaves less than a whole square.
        let end = (centre + self.side as usize - half).min(pixels);
        start.min(pixels)..end
    }
}

impl Draw {
    /// Nothing changes.
    pub const NONE: Self =
        Self { position: None, scale: [1.0; 2], shift: [0; 2], flip: false, gain: [1.0; 3], hole: None };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_end_at_the_edges() {
        let at = |centre: f64, side: u32| Hole { centre: [centre; 2], side }.range(0, 10);
        assert_eq!((at(0.5, 4), at(0.5, 3), at(0.0, 4), at(0.99, 4)), (3..7, 4..7, 0..2, 7..10));
        assert_eq!((at(0.3, 1), at(0.5, 99), at(0.5, 0).len()), (3..4, 0..10, 0));
    }
}
