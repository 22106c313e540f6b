//! Caffe networks: a prototxt, and the caffemodel with its weights if there is one, become a [`Net`].
//!
//! Both encodings of layers (`layer`, and the old `layers`), both old forms of inputs, data layers, phase rules and
//! in-place layers are understood as Caffe understands them. What is not understood is refused, never passed over.

mod blobs;
mod data;
mod graph;
mod learning;
mod rules;
mod solver;

pub(crate) use graph::MOST_WEIGHTS;
pub use solver::Solver;

use std::fs;
use std::path::Path;

use synapress_model::{Attributes, Net, Shape};

use crate::caffemodel::{self, Caffemodel};
use crate::error::{Error, Fault};
use crate::prototxt;

/// Which part of a network is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Training: layers that include `phase: TRAIN`.
    Train,
    /// Testing and deployment.
    #[default]
    Test,
}

/// How a network is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The phase that `include` and `exclude` rules are asked for.
    pub phase: Phase,
    /// The level likewise.
    pub level: i64,
    /// The stages likewise.
    pub stages: Vec<String>,
    /// The shape of the input, instead of what the prototxt says of it. Data layers often say nothing.
    pub input_shape: Option<Shape>,
}

/// Reads a network and, when a caffemodel is given, its weights.
///
/// Weights are matched by the layers' names; layers that the prototxt lacks are passed over. With weights the network
/// is complete: each layer that takes any has them, they fit, and they are finite.
///
/// # Errors
/// Whatever is wrong with either file, with the file's name and the line, layer or byte.
pub fn load(prototxt: &Path, weights: Option<&Path>, options: &Options) -> Result<Net, Error> {
    let bytes = fs::read(prototxt).map_err(|e| Fault::from(e).of(prototxt))?;
    let mut net = prototxt::parse_bytes(&bytes).and_then(|a| read(&a, options)).map_err(|fault| fault.of(prototxt))?;
    if let Some(path) = weights {
        attach(&mut net, caffemodel::read(path)?).map_err(|fault| fault.of(path))?;
    }
    Ok(net)
}

/// Reads a network without weights from a text; `name` stands for the file in messages.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, name: &str, options: &Options) -> Result<Net, Error> {
    prototxt::parse(text).and_then(|a| read(&a, options)).map_err(|fault| fault.of(Path::new(name)))
}

/// Gives a network the weights of a caffemodel.
///
/// # Errors
/// [`Fault::Net`] naming the layer whose blobs are missing, do not fit or are not finite.
pub fn attach(net: &mut Net, weights: Caffemodel) -> Result<(), Fault> {
    blobs::attach(net, weights)
}

fn read(attributes: &Attributes, options: &Options) -> Result<Net, Fault> {
    graph::read(attributes, options)
}
