//! Synapse quantization (SQ): weights, biases and layer outputs become integers of dynamic fixed point.
//!
//! Every layer's weights and every layer's output have a format of their own: a bit width and a fractional length
//! (Courbariaux et al. 2014; Gysel et al. 2016, "Ristretto"). Range analysis on calibration images decides the
//! fractional lengths. The result is integers and nothing is simulated: what it computes is the meaning of
//! [`Layer::forward_integer`](synapress_model::Layer::forward_integer), and `synapress_run::Session` runs it.
//!
//! How wide the integers have to be may be [searched](search). Batch normalization is to be folded before
//! (`synapress_model::fold`).

mod calibration;
mod compensate;
mod correct;
mod formats;
mod histogram;
mod parameters;
pub mod ranges;
pub mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use synapress_model::{Bias, Error, ErrorKind, Fixed, Integers, Net, NodeId};

pub use calibration::Calibration;
pub use compensate::compensate;

pub use crate::layerwise::problem::Look;

use crate::prune::layer_named;

/// How a network is quantized. Bit widths include the sign: 2 to 16.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Bit width of convolution weights.
    pub conv_bits: u8,
    /// Bit width of fully connected weights.
    pub fc_bits: u8,
    /// Bit width of layer outputs.
    pub output_bits: u8,
    /// Bit width of the network's input; absent: that of layer outputs.
    pub input_bits: Option<u8>,
    /// Bit widths of single layers' weights, by name.
    pub weights: BTreeMap<String, u8>,
    /// Bit widths of single layers' outputs, by name.
    pub outputs: BTreeMap<String, u8>,
    /// How fractional lengths are chosen.
    pub range: Range,
    /// Whether outputs that are never negative (behind a ReLU) have formats without a sign, which saves a bit. Codes
    /// have at most 15 bits without a sign, so that 16-bit outputs keep it.
    pub unsigned: bool,
    /// Whether biases take up what rounding the weights does to the mean of each output on the calibration images
    /// (Nagel et al. 2019, section 4.2, from data).
    pub correct_bias: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            conv_bits: 8,
            fc_bits: 8,
            output_bits: 8,
            input_bits: None,
            weights: BTreeMap::new(),
            outputs: BTreeMap::new(),
            range: Range::default(),
            unsigned: true,
            correct_bias: true,
        }
    }
}

/// How the fractional length of a format is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// The finest step at which the largest magnitude does not saturate (Ristretto's rule).
    Max,
    /// The step of the least squared error: large, rare magnitudes may saturate. The class scores follow
    /// [`Range::Max`] all the same, because their largest decide, and so do weights of more than 5 bits.
    #[default]
    SquaredError,
}

/// A quantized network and what quantization did to each layer.
#[derive(Clone, Debug)]
pub struct Quantized {
    /// The network.
    pub net: Net,
    /// Its layers in order.
    pub layers: Vec<Layer>,
}

/// What quantization did to one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its weights, if it has any.
    pub weights: Option<Loss>,
    /// Its output on the calibration images. Where a ReLU is the only reader, what the ReLU lets pass.
    pub output: Loss,
}

/// A format and what it loses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Loss {
    /// Bit width.
    pub bits: u8,
    /// Fractional length.
    pub frac: i8,
    /// Whether there is a sign.
    pub signed: bool,
    /// Share of the numbers that saturate, 0 to 1.
    pub saturated: f64,
    /// Ratio of signal to quantization noise in dB; absent where nothing is lost.
    pub sqnr: Option<f64>,
}

impl Loss {
    fn new(format: Fixed, saturated: f64, power: f64, error: f64) -> Self {
        let sqnr = (error > 0.0 && power > 0.0).then(|| 10.0 * (power / error).log10());
        Self { bits: format.bits, frac: format.frac, signed: format.signed, saturated, sqnr }
    }
}

/// Quantizes a network with the ranges that it has on calibration images, preprocessed, `(n, C, H, W)`; some dozens
/// suffice. Zero weights stay zero. See [`Calibration::quantize`] for what else it did.
///
/// # Errors
/// As [`Calibration::new`] and [`Calibration::quantize`].
pub fn quantize(net: &Net, images: &[f32], options: &Options) -> Result<Net, Error> {
    Ok(Calibration::new(net, images)?.quantize(options)?.net)
}

/// Where training through the integers of `like` starts: a network in floating point with the biases of that, which make
/// up for rounding.
///
/// # Errors
/// [`ErrorKind::Graph`] when the two have different layers.
pub fn with_biases(net: &Net, like: &Net) -> Result<Net, Error> {
    net.graph.verify_same(&like.graph)?;
    let mut out = net.clone();
    for (weights, like) in out.weights.iter_mut().zip(&like.weights) {
        if let (Some(weights), Some(like)) = (weights, like)
            && !like.bias.is_empty()
        {
            weights.bias = Bias::Float(like.bias.values().into_owned());
        }
    }
    Ok(out)
}

/// A network that was trained [through the integers](crate::train::Trainer::new) of a quantized one, quantized with the
/// very formats of that: weights and centroids take their nearest codes, biases become as fine as they can be.
///
/// # Errors
/// [`ErrorKind::Format`] when `like` is not quantized, or `net` is; [`ErrorKind::Graph`] when they have different layers;
/// and whatever [`Net::verify`] finds.
pub fn requantize(net: &Net, like: &Net) -> Result<Net, Error> {
    net.graph.verify_same(&like.graph)?;
    let fault = |message| Error::new(ErrorKind::Format, message);
    let integers = like.integers.clone().ok_or_else(|| fault("the network to take formats from is not quantized"))?;
    let mut out = net.clone();
    for (id, node) in net.graph.nodes().iter().enumerate() {
        let Some(weights) = &mut out.weights[id] else { continue };
        let format = like.weights[id].as_ref().and_then(|w| w.codes()).map(|(_, format)| format);
        let (Some(format), None) = (format, weights.codes()) else {
            return Err(fault("only a network in floating point can take the formats of another").at_layer(&node.name));
        };
        parameters::put(weights, format);
        if let Some(&input) = node.inputs.first() {
            parameters::fix_bias(weights, integers.outputs[input]);
        }
    }
    out.integers = Some(integers);
    out.verify()?;
    Ok(out)
}

impl Options {
    /// Refuses widths out of range and names of no layer.
    fn check(&self, net: &Net) -> Result<(), Error> {
        let wrong = |bits: u8| {
            Error::new(ErrorKind::Attribute, format!("a width of {bits} bits is not supported; 2 to 16 are"))
        };
        let whole = [self.conv_bits, self.fc_bits, self.output_bits, self.input_bits.unwrap_or(self.output_bits)];
        if let Some(&bits) = whole.iter().find(|b| !(2..=16).contains(*b)) {
            return Err(wrong(bits));
        }
        for (name, &bits) in self.weights.iter().chain(&self.outputs) {
            if !(2..=16).contains(&bits) {
                return Err(wrong(bits).at_layer(name));
            }
        }
        for name in self.weights.keys() {
            layer_named(net, name)?;
        }
        match self.outputs.keys().find(|name| net.graph.find(name).is_none()) {
            Some(name) => Err(Error::new(ErrorKind::Attribute, format!("the network has no layer {name:?}"))),
            None => Ok(()),
        }
    }

    /// Bit width of a node's weights; 16 for layers with one weight a channel.
    fn weight_bits(&self, net: &Net, id: NodeId) -> u8 {
        match net.linear(id) {
            None => 16,
            Some(linear) => {
                let all = if linear.fully_connected { self.fc_bits } else { self.conv_bits };
                self.weights.get(&net.graph.node(id).name).copied().unwrap_or(all)
            }
        }
    }

    /// Bit width of a node's output.
    fn output_bits(&self, net: &Net, id: NodeId) -> u8 {
        let node = net.graph.node(id);
        let all = if node.inputs.is_empty() { self.input_bits } else { None };
        self.outputs.get(&node.name).copied().or(all).unwrap_or(self.output_bits)
    }
}

impl Calibration<'_> {
    /// Quantizes the network with these ranges.
    ///
    /// A layer that keeps its input's format by nature (max pooling, flatten, dropout) has that; a convolution or
    /// fully connected layer that only a ReLU reads has the ReLU's, since what saturates below is what the ReLU
    /// clears. Biases have up to 24 bits; layers with one weight a channel have 16-bit weights. Grouped weights keep
    /// their indices: their centroids are quantized, and a centroid becomes zero only where that is its nearest code.
    ///
    /// # Errors
    /// [`ErrorKind::Attribute`] for widths that are not supported or names of no layer; [`ErrorKind::Format`] when an
    /// accumulator could overflow.
    pub fn quantize(&self, options: &Options) -> Result<Quantized, Error> {
        options.check(self.net)?;
        let mut net = self.net.clone();
        let mut losses = parameters::quantize(&mut net, options)?;
        let histograms = correct::run(self, &mut net, options.correct_bias)?;
        let outputs = formats::choose(&net, &histograms, options);
        let mut tables = Vec::new();
        for (id, node) in net.graph.nodes().iter().enumerate() {
            let inputs: Vec<Fixed> = node.inputs.iter().map(|&i| outputs[i]).collect();
            tables.push(node.layer.table(&inputs, outputs[id], &net.graph.input_shapes(id)));
            if let (Some(weights), Some(input)) = (&mut net.weights[id], inputs.first()) {
                parameters::fix_bias(weights, *input);
            }
        }
        let describe = |(id, output): (usize, &Fixed)| {
            let node = net.graph.node(id);
            let seen = &histograms[formats::rectifier(&net.graph, id).unwrap_or(id)];
            let output = Loss::new(*output, seen.saturated(*output), seen.power(), seen.error(*output));
            Layer {
                name: node.name.clone(),
                kind: node.layer.kind().name.to_owned(),
                weights: losses[id].take(),
                output,
            }
        };
        let layers = outputs.iter().enumerate().map(describe).collect();
        net.integers = Some(Integers { outputs, tables });
        net.verify()?;
        Ok(Quantized { net, layers })
    }
}
