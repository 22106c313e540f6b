//! One budget of bytes for all layers: pruning, grouping and quantization of the weights in a single choice.
//!
//! A layer's weights become levels a step apart, zero among them, in an error-compensating sweep that weighs what a
//! level costs in error against what it costs in bits (rate-distortion optimized, as Frantar and Alistarh's OBC with
//! the assignment of entropy-constrained scalar quantization: Chou, Lookabaugh and Gray 1989). How much error a bit is
//! worth in each layer follows from one price for the whole network and each layer's measured [sensitivity](Scale):
//! where the sum of costs is least, the last bit saves the same in every layer (Shoham and Gersho 1988). Few bits are
//! bought rather by coarse steps than by many zeros; sparsity comes of itself.
//!
//! Layer outputs are quantized afterwards by [`crate::quantize`].

mod layer;
mod lengths;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use synapress_model::{Error, ErrorKind, Linear, Net, NodeId, Weights};

use crate::layerwise::probe::{self, Probe};
use crate::layerwise::problem::{Problem, pass};
use crate::layerwise::samples::Positions;
use crate::layerwise::study::{Study, dense_layers, fitting};
use crate::layerwise::walk::Walk;
use crate::prune::weights_of;
use layer::Coded;

/// How layers are coded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The most positions of one image that a layer is looked at.
    pub positions: usize,
    /// What is added to the diagonal of the normal equations, relative to its mean.
    pub damping: f64,
    /// Images that sensitivity is measured on; nothing is fitted to them.
    pub probes: usize,
    /// Bit width of centroids, 2 to 8.
    pub bits: u8,
    /// Weights of layers with more inputs to one output than this are settled one by one, which none makes up for: normal
    /// equations grow with the square.
    pub most_taps: usize,
    /// Bytes that activations may take; fewer images are used when they would take more.
    pub memory: usize,
    /// Seed of the sampled positions.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { positions: 32, damping: 0.01, probes: 64, bits: 8, most_taps: 8192, memory: 2 << 30, seed: 1 }
    }
}

/// How far the error of one layer moves the class scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Squared error of its outputs, relative to that of constant ones, that was tried.
    pub error: f64,
    /// Mean Kullback-Leibler divergence of the class scores from the float network's, in nats, with this layer alone
    /// coded so.
    pub divergence: f64,
}

impl Scale {
    /// Divergence for an error of one.
    fn slope(&self) -> f64 {
        self.divergence.max(1e-7) / self.error.max(1e-9)
    }
}

/// Scales of all layers by name.
pub type Scales = BTreeMap<String, Scale>;

/// What became of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Number of its weights.
    pub weights: u64,
    /// The distance between two levels.
    pub step: f32,
    /// Share of weights that are zero.
    pub sparsity: f64,
    /// Estimated bits of a weight.
    pub bits: f64,
    /// Squared error of its outputs, relative to that of constant ones, from what the coded layers before it give.
    pub error: f64,
}

/// A network whose layers are coded: weights grouped, centroids numbers of fixed point, biases corrected.
#[derive(Clone, Debug)]
pub struct Priced {
    /// The network.
    pub net: Net,
    /// Its layers in order.
    pub layers: Vec<Layer>,
}

/// Where sensitivity is measured.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// Where a layer's outputs have about this error.
    Error(f64),
    /// Where layers are at a price, by scales that were measured before.
    Price(f64, &'a Scales),
}

/// A float network at work on calibration images. What its layers put out there is computed once, for as many passes as
/// are wanted.
pub struct Bench<'a> {
    net: &'a Net,
    images: &'a [f32],
    options: Options,
    layers: Vec<NodeId>,
    study: Study<'a>,
    probes: std::ops::Range<usize>,
}

impl std::fmt::Debug for Bench<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("options", &self.options).field("layers", &self.layers).finish_non_exhaustive()
    }
}

impl<'a> Bench<'a> {
    /// Runs a float network on preprocessed images `(n, C, H, W)`; some hundreds suffice.
    ///
    /// # Errors
    /// [`ErrorKind::Attribute`] for options out of range, [`ErrorKind::Shape`] when `images` is no whole number of
    /// images, [`ErrorKind::Format`] when the network is grouped or quantized, and whatever [`Net::verify`] finds.
    pub fn new(net: &'a Net, images: &'a [f32], options: &Options) -> Result<Self, Error> {
        net.verify()?;
        if !(2..=8).contains(&options.bits) || options.damping.is_nan() || options.damping <= 0.0 {
            let message = "centroids have 2 to 8 bits, and damping is a number above 0";
            return Err(Error::new(ErrorKind::Attribute, message));
        }
        let images = fitting(net, images, options.memory)?;
        let count = images.len() / net.graph.shape(net.graph.input()?).len();
        let layers = dense_layers(net, "give the float one")?;
        let (fitted, probes) = probe::split(count, options.probes);
        let positions = Positions { images: fitted, most: options.positions.max(1), seed: options.seed };
        let study = Study::new(net, images, positions, &layers)?;
        Ok(Self { net, images, options: options.clone(), layers, study, probes })
    }

    /// The float network.
    pub fn net(&self) -> &Net {
        self.net
    }

    /// Number of layers that are coded.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Measures how far the error of each layer moves the class scores. `progress` is told of each layer by name when
    /// it is done.
    ///
    /// # Errors
    /// When a fixed-point format cannot hold a layer's weights.
    pub fn measure(&mut self, at: At<'_>, progress: &mut dyn FnMut(&str)) -> Result<Scales, Error> {
        let (net, options) = (self.net, &self.options);
        let probe = Probe::new(net, self.images, self.probes.clone())?;
        let mut scales = Scales::new();
        pass(net, self.images, &self.layers, &mut self.study, &mut |study, walk, id, linear| {
            let (weights, name) = (weights_of(net, id)?, &net.graph.node(id).name);
            let Some(problem) = layer_of(study, walk, id, linear, weights, options) else { return Ok(None) };
            let coded = match at {
                At::Error(error) => near(&problem, error, weights.len(), options)?,
                At::Price(price, scales) => problem.code(price_of(scales, name, price), options.bits)?,
            };
            let divergence = probe.divergence(walk, id, &problem.weights(&coded, weights));
            scales.insert(name.clone(), Scale { error: coded.error, divergence });
            progress(name);
            Ok(None)
        })?;
        Ok(scales)
    }

    /// Codes all layers, each from what the coded ones before it give, such that the last bit of each saves `price`
    /// nats of divergence by the scales that were measured. `progress` is told of each layer when it is done.
    ///
    /// # Errors
    /// When a fixed-point format cannot hold a layer's weights.
    pub fn compress(&mut self, scales: &Scales, price: f64, progress: &mut dyn FnMut(&Layer)) -> Result<Priced, Error> {
        let (net, options) = (self.net, &self.options);
        let mut priced = Priced { net: net.clone(), layers: Vec::new() };
        let fitted = self.study.positions.images * net.graph.shape(net.graph.input()?).len();
        pass(net, &self.images[..fitted], &self.layers, &mut self.study, &mut |study, walk, id, linear| {
            let (weights, name) = (weights_of(net, id)?, &net.graph.node(id).name);
            let Some(problem) = layer_of(study, walk, id, linear, weights, options) else { return Ok(None) };
            let coded = problem.code(price_of(scales, name, price), options.bits)?;
            let zeros = coded.levels.iter().filter(|&&l| l == 0).count();
            let layer = Layer {
                name: name.clone(),
                weights: weights.len() as u64,
                step: coded.step,
                sparsity: zeros as f64 / weights.len().max(1) as f64,
                bits: coded.bits / weights.len().max(1) as f64,
                error: coded.error,
            };
            progress(&layer);
            priced.layers.push(layer);
            let next = problem.weights(&coded, weights);
            priced.net.weights[id] = Some(next.clone());
            Ok(Some(next))
        })?;
        Ok(priced)
    }
}

/// The layer that the walk runs next, with the float network's weights; `None` when its inputs do not vary at all.
fn layer_of(
    study: &Study<'_>,
    walk: &Walk<'_>,
    id: NodeId,
    linear: &Linear,
    weights: &Weights,
    options: &Options,
) -> Option<layer::Layer> {
    Problem::new(study, walk, id, linear, weights, None, options.damping, options.most_taps).map(layer::Layer::new)
}

/// Relative error that a bit of a layer is worth.
fn price_of(scales: &Scales, name: &str, price: f64) -> f64 {
    price / scales.get(name).map_or(1.0, Scale::slope)
}

/// The layer coded with an error within a factor of two of what is wanted.
fn near(problem: &layer::Layer, wanted: f64, weights: usize, options: &Options) -> Result<Coded, Error> {
    // At a rate of r bits a weight the error falls by half with every half bit.
    let mut price = wanted / weights.max(1) as f64;
    let mut coded = problem.code(price, options.bits)?;
    for _ in 0..8 {
        let off = coded.error / wanted;
        if (0.5..2.0).contains(&off) {
            break;
        }
        price /= off.clamp(0.05, 20.0);
        coded = problem.code(price, options.bits)?;
    }
    Ok(coded)
}

#[cfg(test)]
mod tests;
