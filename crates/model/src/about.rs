//! What travels with a network besides its layers: how images are prepared, class names, how it was made.

/// Order of the colour channels that the network was trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channels {
    /// Blue, green, red: Caffe's order.
    #[default]
    Bgr,
    /// Red, green, blue.
    Rgb,
}

/// How an image becomes the network's input: resize, crop, subtract the mean, multiply by the scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// Length in pixels that the short side is resized to; `None` leaves the image as it is.
    pub resize: Option<u32>,
    /// Side in pixels of the centre crop (an image that is smaller is enlarged to it); `None`: the network's input.
    pub crop: Option<u32>,
    /// Subtracted from each channel (0 to 255), in the order of `channels`.
    pub mean: [f32; 3],
    /// Multiplied after the mean was subtracted.
    pub scale: f32,
    /// Order of the channels. A network of one input channel takes the luminance, and the first mean.
    pub channels: Channels,
}

impl Default for Preprocess {
    fn default() -> Self {
        Self { resize: None, crop: None, mean: [0.0; 3], scale: 1.0, channels: Channels::Bgr }
    }
}

/// What a network says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// How images are prepared; `None` when nobody has said so yet.
    pub preprocess: Option<Preprocess>,
    /// Class names by index; empty when unknown.
    pub labels: Vec<String>,
    /// How it was made: one line for each command or stage, oldest first.
    pub history: Vec<String>,
}
