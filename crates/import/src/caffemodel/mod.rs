//! Caffe's binary weights files: each layer's name and blobs, in the current encoding (`layer`) or the old one
//! (`layers`, "V1"). What a file says of the layers' attributes is passed over: that is the prototxt's business.

mod read;
mod write;

use std::fmt;

pub use read::{parse, read};
pub use write::{Array, Writer, write};

/// A blob may have this many axes, as in Caffe.
pub const AXES: usize = 32;

/// An array of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blob {
    /// Sizes along each axis, slowest first; four (num, channels, height, width) in old files.
    pub dims: Vec<u64>,
    /// As many numbers, row-major.
    pub data: Vec<f32>,
    /// Place of the first number in the file, in bytes.
    pub offset: u64,
}

/// Sizes as in `64x3x7x7`.
pub(crate) struct Dims<'a>(pub &'a [u64]);

impl fmt::Display for Dims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(if sizes.is_empty() { "1".to_owned() } else { sizes.join("x") }.as_str())
    }
}

/// A layer as a weights file has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Its type; in old files the enumerator's number.
    pub kind: String,
    /// Its learned arrays.
    pub blobs: Vec<Blob>,
}

/// A weights file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caffemodel {
    /// The network's name.
    pub name: String,
    /// Its layers in order.
    pub layers: Vec<Layer>,
}
