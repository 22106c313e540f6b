//! Golden vectors: what every layer of the integer network puts out for an image, by the definition of the layers.

use synapress_model::{Error as NetError, ErrorKind, Net};
use synapress_run::{Session, definition};

use crate::error::Error;

/// An image to compute golden vectors of.
#[derive(Clone, Debug, PartialEq)]
pub struct Stimulus {
    /// What to call it.
    pub name: String,
    /// The preprocessed image, `(C, H, W)`.
    pub pixels: Vec<f32>,
}

/// What a network makes of a stimulus.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// For each node its integers; empty for a softmax.
    pub outputs: Vec<Vec<i16>>,
    /// The node of the class scores.
    pub scores: usize,
    /// Class probabilities, or the scores as numbers.
    pub classes: Vec<f32>,
}

impl Stimulus {
    /// A random image of a quantized network: codes drawn evenly from the whole input format.
    ///
    /// # Errors
    /// [`Error::Net`] when the network is not quantized or has not one input.
    pub fn random(net: &Net, seed: u64) -> Result<Self, Error> {
        let input = net.graph.input()?;
        let format = integers(net)?.outputs[input];
        let (low, high) = format.range();
        let mut state = seed;
        let pixels = (0..net.graph.shape(input).len()).map(|_| {
            let drawn = (split_mix(&mut state) >> 32) as i64 % (high - low + 1);
            format.value((low + drawn) as i16)
        });
        Ok(Self { name: format!("random, seed {seed}"), pixels: pixels.collect() })
    }
}

/// The formats of a network, which must be quantized.
pub(crate) fn integers(net: &Net) -> Result<&synapress_model::Integers, Error> {
    let message = "the network is not quantized, and hardware computes in integers; run `synapress quantize` first";
    Ok(net.integers.as_ref().ok_or_else(|| NetError::new(ErrorKind::Format, message))?)
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers everywhere, for ever.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Runs a stimulus through the definition, and through a session, which must agree.
pub(crate) fn respond(net: &Net, session: &mut Session, stimulus: &Stimulus) -> Result<Response, Error> {
    let outputs = definition(net, &stimulus.pixels)?;
    let output = net.graph.output();
    let node = net.graph.node(output);
    let scores = if node.layer.loss_weight().is_some() { node.inputs[0] } else { output };
    let classes = session.run(&stimulus.pixels)?.to_vec();
    if session.codes().0 != outputs[scores] {
        let message = "the session's scores are not those of the definition; this is a fault of synapress, report it";
        return Err(NetError::new(ErrorKind::Format, message).into());
    }
    Ok(Response { outputs, scores, classes })
}
