//! Models of the Open Neural Network Exchange: a file becomes a [`Net`], and a [`Net`] a file.
//!
//! Shapes are not read from the file but follow from the layers. An operator is one entry of
//! `operators::OPERATORS`, with the rule by which it becomes a layer; what has no rule, or an attribute that a
//! rule does not know, is refused by the node's name. Weights may lie in files beside the model.

mod attributes;
mod ends;
mod export;
mod external;
mod graph;
mod numbers;
mod operators;
pub mod proto;
mod read;
mod tensors;
mod values;
mod write;

use std::ops::RangeInclusive;
use std::path::Path;

use synapress_model::{Net, Shape};

use crate::error::{Error, Fault};

pub use export::{quantized, single};
pub use operators::names as operator_names;
pub use read::{parse, read};
pub use write::{write, write_to};

/// Operator sets that are understood.
pub const OPSETS: RangeInclusive<u64> = 9..=21;

/// How a model is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The shape of the input, instead of what the model says of it.
    pub input_shape: Option<Shape>,
    /// The output that is meant, where there are several.
    pub output: Option<String>,
    /// Whether a softmax is appended to a network that ends in scores.
    pub softmax: bool,
}

/// Reads a network with its weights.
///
/// # Errors
/// Whatever is wrong with the file, with its name and the node or byte; whatever has no layer to stand for it, with what
/// to do about it.
pub fn load(path: &Path, options: &Options) -> Result<Net, Error> {
    let model = read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    net(&model, folder, options).map_err(|fault| fault.of(path))
}

/// The network of a model whose external data lies in a folder.
///
/// # Errors
/// As [`load`], without the file's name.
pub fn net(model: &proto::Model, folder: &Path, options: &Options) -> Result<Net, Fault> {
    graph::read(model, folder, options)
}
