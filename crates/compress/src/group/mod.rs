//! Synapse grouping (SG): the surviving weights of a layer share the layer's own few centroids.
//!
//! Every weight becomes an index into the layer's centroid set (codebook). Entry 0 is zero and belongs to the pruned
//! weights alone, so that a layer of `b` index bits has `2^b - 1` centroids besides it (Han et al. 2016, section 3).
//! Which index width a layer takes may be [searched](search),
//! and which centroid a weight takes be [fitted](fit) to the layer's outputs. Training the centroids is not done here.

pub mod fit;
mod kmeans;
mod optimal;
pub mod search;
mod sorted;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use synapress_model::{Centroids, Error, ErrorKind, Form, Net, Weights};

pub use kmeans::Init;
use sorted::Sorted;

use crate::prune::{layer_named, weights_of};

/// How weights are grouped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Index width in bits of every layer that `layers` does not name: 1 to 16.
    pub bits: u8,
    /// Index widths of single layers, by name.
    pub layers: BTreeMap<String, u8>,
    /// Where centroids start.
    pub init: Init,
    /// The most refinements of Lloyd's.
    pub iterations: usize,
    /// Seed of [`Init::PlusPlus`].
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { bits: 8, layers: BTreeMap::new(), init: Init::default(), iterations: 100, seed: 1 }
    }
}

impl Options {
    /// Refuses names of no layer and widths out of range.
    fn check(&self, net: &Net) -> Result<(), Error> {
        for name in self.layers.keys() {
            layer_named(net, name)?;
            self.bits_of(name)?;
        }
        Ok(())
    }

    /// The index width of a layer.
    ///
    /// # Errors
    /// [`ErrorKind::Attribute`] unless it is 1 to 16.
    pub fn bits_of(&self, layer: &str) -> Result<u8, Error> {
        let bits = self.layers.get(layer).copied().unwrap_or(self.bits);
        if (1..=16).contains(&bits) {
            Ok(bits)
        } else {
            let message = format!("an index width of {bits} bits is not supported; 1 to 16 are");
            Err(Error::new(ErrorKind::Attribute, message).at_layer(layer))
        }
    }
}

/// Groups the weights of every convolution and fully connected layer. Zeros stay zero; biases are untouched.
///
/// # Errors
/// [`ErrorKind::Attribute`] for an index width out of range or a name that is no layer's; [`ErrorKind::Weights`] when
/// a layer has no weights; [`ErrorKind::Format`] when it is quantized already.
pub fn group(net: &Net, options: &Options) -> Result<Net, Error> {
    options.check(net)?;
    let mut grouped = net.clone();
    for id in net.synaptic() {
        let name = &net.graph.node(id).name;
        let weights = weights_of(net, id)?;
        let at = |e: Error| e.at_layer(name);
        let next = group_layer(weights, options.bits_of(name)?, options, seed_of(options.seed, id)).map_err(at)?;
        grouped.weights[id] = Some(next);
    }
    Ok(grouped)
}

/// Groups the weights of one layer to indices of `bits` bits. A layer of fewer distinct weights gets a smaller table.
///
/// # Errors
/// [`ErrorKind::Format`] when the layer is quantized already.
pub fn group_layer(weights: &Weights, bits: u8, options: &Options, seed: u64) -> Result<Weights, Error> {
    if weights.codes().is_some() {
        return Err(Error::new(ErrorKind::Format, "the layer is quantized already; group before `quantize`"));
    }
    let values = weights.values();
    let sorted = Sorted::survivors(&values);
    Ok(coded(weights, &values, &sorted, bits, options, seed))
}

/// Each layer draws its own numbers.
fn seed_of(seed: u64, id: usize) -> u64 {
    seed ^ (id as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn coded(weights: &Weights, values: &[f32], sorted: &Sorted, bits: u8, options: &Options, seed: u64) -> Weights {
    let k = (1usize << bits.clamp(1, 16)) - 1;
    let found = if sorted.len() == 0 {
        Vec::new()
    } else {
        kmeans::centroids(sorted, k, options.init, options.iterations, seed)
    };
    let index = nearest(values, &found);
    let mut table = Vec::with_capacity(found.len() + 1);
    table.push(0.0);
    table.extend(found);
    Weights {
        dims: weights.dims,
        form: Form::Coded { centroids: Centroids::Float(table), index },
        bias: weights.bias.clone(),
    }
}

/// For each weight one more than the place of the nearest of the ascending centroids (of the upper one in the
/// middle); 0 for zero.
fn nearest(weights: &[f32], centroids: &[f32]) -> Vec<u16> {
    let borders: Vec<f64> = centroids.windows(2).map(|c| (f64::from(c[0]) + f64::from(c[1])) / 2.0).collect();
    let place = |w: f32| borders.partition_point(|&b| b <= f64::from(w)) + 1;
    let index = |&w: &f32| if w == 0.0 { 0 } else { u16::try_from(place(w)).unwrap_or(u16::MAX) };
    weights.par_iter().map(index).collect()
}

/// Index widths of a grouped network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Widths {
    /// Each grouped layer's name and the bits that an index into its table takes.
    pub layers: Vec<(String, u8)>,
    /// The mean over layers, as the paper has it.
    pub mean: f64,
    /// The mean over weights.
    pub weighted: f64,
}

/// Index widths of the grouped convolution and fully connected layers; `None` when none is grouped.
pub fn widths(net: &Net) -> Option<Widths> {
    let mut widths = Widths::default();
    let (mut sum, mut bits_of_all, mut all) = (0.0, 0.0, 0.0);
    for id in net.synaptic() {
        let Some(Some(weights)) = net.weights.get(id) else { continue };
        let Form::Coded { centroids, .. } = &weights.form else { continue };
        let bits = index_bits(centroids.len());
        sum += f64::from(bits);
        bits_of_all += f64::from(bits) * weights.len() as f64;
        all += weights.len() as f64;
        widths.layers.push((net.graph.node(id).name.clone(), bits));
    }
    if widths.layers.is_empty() {
        return None;
    }
    widths.mean = sum / widths.layers.len() as f64;
    widths.weighted = bits_of_all / f64::max(all, 1.0);
    Some(widths)
}

/// The bits of an index into a table of so many entries, at least 1.
pub fn index_bits(entries: usize) -> u8 {
    (usize::BITS - entries.saturating_sub(1).leading_zeros()).max(1) as u8
}

#[cfg(test)]
mod tests;
