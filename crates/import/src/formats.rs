//! Files of other tools that a network can be written to; this list is the only place that names them all.

use std::path::Path;

use synapress_model::Net;

use crate::error::{Error, Fault};
use crate::{caffemodel, onnx, safetensors};

/// A format of files.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Writes a network to a file, beside its place until it is complete.
    pub write: fn(&Path, &Net) -> Result<(), Error>,
}

/// Every format.
pub const FORMATS: &[Format] = &[
    Format {
        name: "onnx",
        about: "ONNX in floating point, of a network at any stage",
        write: |path, net| {
            let model = onnx::single(net).map_err(|e| Fault::from(e).of(path))?;
            onnx::write(path, &model)
        },
    },
    Format {
        name: "onnx-qdq",
        about: "ONNX of a quantized network: integers of 8 and 16 bits, QuantizeLinear and DequantizeLinear",
        write: |path, net| {
            let model = onnx::quantized(net).map_err(|e| Fault::from(e).of(path))?;
            onnx::write(path, &model)
        },
    },
    Format {
        name: "safetensors",
        about: "weights and biases in floating point, and masks of the weights that are not pruned",
        write: safetensors::write,
    },
    Format {
        name: "caffemodel",
        about: "Caffe's weights file, in floating point; its prototxt is the one that the network came from",
        write: caffemodel::write,
    },
];

/// The format of this name.
pub fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|f| f.name == name)
}
