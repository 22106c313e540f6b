//! How one training image is varied. What is drawn, and from which ranges, is training's affair.

/// Position, scale, shift, flip and colour of one image, as they were drawn.
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
}

impl Draw {
    /// Nothing changes.
    pub const NONE: Self = Self { position: None, scale: [1.0; 2], shift: [0; 2], flip: false, gain: [1.0; 3] };
}
