//! What a layer's integer form does, where a runtime may do the same faster. The integer form stays the meaning.

use synapress_kernels::blocked::pooling::Windows;

/// The structure of a layer's integer form. Weighted sums tell theirs by [`crate::Layer::linear`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Structure {
    /// The largest code of windows, in the output's format.
    Largest(Windows),
    /// The mean of windows: sums by [`synapress_kernels::scalar::reciprocal`], and a rounding shift to the output's format.
    Mean(Windows),
    /// Inputs one after another along the channels, each in the output's format.
    Concatenation,
    /// The input in the output's format, and 0 where it is negative.
    Rectifier,
    /// The input in the output's format, limited to the nearest codes of two values.
    Clip {
        /// The smallest value.
        min: f32,
        /// The largest value.
        max: f32,
    },
    /// Each code by the multiplier that the layer's table holds for the sum of squares over so many neighbouring
    /// channels.
    Normalization {
        /// Channels of a sum, an odd number.
        channels: usize,
    },
    /// Anything else.
    Other,
}
