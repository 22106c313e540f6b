//! A network as a model: each layer by the [rule](layers) of its kind. Of a quantized network weights and layer outputs are
//! rounded by QuantizeLinear and DequantizeLinear with scales that are powers of two.

mod emitter;
mod layers;
mod normalization;
mod pooling;
mod rounding;

use synapress_model::{Error, ErrorKind, Net};

use super::proto::Model;
use emitter::Emitter;

/// A network at any stage in single precision.
///
/// # Errors
/// [`ErrorKind::Weights`] when weights are missing, [`ErrorKind::Graph`] without an image input.
pub fn single(net: &Net) -> Result<Model, Error> {
    model(net, false)
}

/// A quantized network whose weights and layer outputs are rounded as its own are: types of 8 and 16 bits. Ties are
/// rounded to even numbers there and up here, and means, tables and normalizations are in floating point there.
///
/// # Errors
/// As [`single`], and [`ErrorKind::Format`] for a network that is not quantized.
pub fn quantized(net: &Net) -> Result<Model, Error> {
    if net.integers.is_none() {
        return Err(Error::new(ErrorKind::Format, "the network is not quantized; run `quantize` first"));
    }
    model(net, true)
}

fn model(net: &Net, rounded: bool) -> Result<Model, Error> {
    net.verify()?;
    net.graph.input()?;
    let mut emitter = Emitter::new(net, rounded);
    for (id, node) in net.graph.nodes().iter().enumerate() {
        layers::write(&mut emitter, id).map_err(|e| e.at_layer(&node.name))?;
    }
    Ok(emitter.finish())
}
