//! Layer-wise re-solve: new values for the weights that survive, by least squares and without back-propagation.
//!
//! Layer after layer in the order of the graph, the surviving weights of each output are fitted so that the layer,
//! reading what the *pruned* network puts out before it, gives what the *float* network gives at the same places of
//! the same images; the bias takes up the means. This is the layer-wise reconstruction of Dong et al. 2017 (L-OBS)
//! and Frantar and Alistarh 2023 (SparseGPT), with the float network's outputs as the target and all survivors of a
//! row solved together. Retraining starts much nearer to the float network from here than from bare thresholds. The
//! layer's zeros either stay where they are or are [chosen anew](Masks::Choose) as the weights move.

pub(super) mod choose;
mod wide;

use serde::{Deserialize, Serialize};
use synapress_model::{Bias, Error, Form, Linear, Net, NodeId, Weights};

pub use choose::{Masks, Score};

use super::{Pattern, weights_of};
use crate::layerwise::normal::{self, Kept, Normal};
use crate::layerwise::problem::SAMPLES;
use crate::layerwise::samples::Positions;
use crate::layerwise::study::{Study, dense_layers, fitting};
use crate::layerwise::walk::Walk;
use wide::{Block, ROWS};

/// How layers are re-solved.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The most positions of one image that a layer is looked at.
    pub positions: usize,
    /// What is added to the diagonal of the normal equations, relative to its mean. It draws the solution towards the
    /// weights that are there.
    pub damping: f64,
    /// The most steps of conjugate gradients.
    pub iterations: usize,
    /// Whether zeros stay where they are.
    pub masks: Masks,
    /// Which weights fall together where zeros are chosen.
    pub pattern: Pattern,
    /// Layers with more inputs to one output than this are solved in the dual form, from the samples themselves: normal
    /// equations grow with the square.
    pub most_taps: usize,
    /// Bytes that the activations of all images may take. Fewer images, at more positions each, are used when they
    /// would take more.
    pub memory: usize,
    /// Seed of the sampled positions.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            positions: 32,
            damping: 0.01,
            iterations: 50,
            masks: Masks::Keep,
            pattern: Pattern::Single,
            most_taps: 8192,
            memory: 3 << 30,
            seed: 1,
        }
    }
}

/// What became of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Squared error of its outputs against the float network's before its weights were re-solved, relative to that
    /// of constant outputs (1 is useless).
    pub before: f64,
    /// The same afterwards.
    pub after: f64,
    /// Why its weights were left as they are, if they were.
    pub skipped: Option<String>,
}

/// A network with re-solved weights.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The network.
    pub net: Net,
    /// Its layers in order.
    pub layers: Vec<Layer>,
}

/// Re-solves the surviving weights of a pruned network.
///
/// `images` are preprocessed, `(n, C, H, W)`; some hundreds suffice. `progress` is told of each layer when it is done.
/// Time grows with images x positions x inputs of an output; memory with [`Options::memory`] and the samples.
///
/// # Errors
/// [`synapress_model::ErrorKind::Graph`] when the two networks differ in more than weights, `Format` when the pruned one
/// is grouped or quantized already, `Shape` when `images` is no whole number of images, and whatever
/// [`Net::verify`] finds.
pub fn resolve(
    float: &Net,
    pruned: &Net,
    images: &[f32],
    options: &Options,
    progress: &mut dyn FnMut(&Layer),
) -> Result<Resolved, Error> {
    float.verify()?;
    pruned.verify()?;
    float.graph.verify_same(&pruned.graph)?;
    let layers = dense_layers(pruned, "re-solve before that")?;
    let input = pruned.graph.input()?;
    let len = pruned.graph.shape(input).len();
    let given = images.len() / len;
    let images = fitting(pruned, images, options.memory)?;
    let count = images.len() / len;
    let positions =
        Positions { images: count, most: (options.positions.max(1) * given).div_ceil(count), seed: options.seed };
    let mut study = Study::new(float, images, positions, &layers)?;
    let mut net = pruned.clone();
    let mut done = Vec::with_capacity(layers.len());
    let mut walk = Walk::new(&pruned.graph, input, images);
    for id in 0..pruned.graph.nodes().len() {
        let name = &pruned.graph.node(id).name;
        study.pass(&walk, id);
        if !layers.contains(&id) {
            walk.run(id, pruned.weights[id].as_ref());
            continue;
        }
        let linear = pruned.linear(id).expect("a synaptic layer has a geometry");
        let work = Work { id, linear, study: &study, options };
        let weights = weights_of(pruned, id)?;
        let anchor = weights_of(float, id)?.values();
        let mut layer = Layer { name: name.clone(), before: 0.0, after: 0.0, skipped: None };
        let mut next = weights.clone();
        layer.skipped = work.too_much(weights);
        if layer.skipped.is_none() {
            work.solve(&walk, &anchor, &mut next, &mut layer);
        }
        walk.run(id, Some(&next));
        if layer.skipped.is_some() {
            work.correct_bias(walk.output(id), &mut next, &mut layer);
        }
        study.forget(id);
        progress(&layer);
        done.push(layer);
        net.weights[id] = Some(next);
    }
    Ok(Resolved { net, layers: done })
}

/// One layer at work.
struct Work<'a> {
    id: NodeId,
    linear: Linear,
    study: &'a Study<'a>,
    options: &'a Options,
}

impl Work<'_> {
    /// Whether the layer is solved in the dual form.
    fn is_wide(&self) -> bool {
        self.linear.taps() > self.options.most_taps
    }

    /// Why the layer's weights are better left as they are, if so.
    fn too_much(&self, weights: &Weights) -> Option<String> {
        let taps = self.linear.taps();
        let samples = self.study.samples(self.id, &self.linear);
        if self.is_wide() {
            let bytes = samples.saturating_mul(taps).saturating_mul(size_of::<f32>());
            let much = bytes > self.options.memory / 4;
            return much.then(|| format!("{samples} samples of {taps} inputs are too many to be held"));
        }
        let survivors = (weights.len() - weights.zeros()).div_ceil(self.linear.output.channels);
        let few = samples < SAMPLES * survivors;
        few.then(|| format!("{samples} samples are too few for {survivors} weights of an output"))
    }

    /// Fits the weights of every group to the targets from what the layer reads.
    fn solve(&self, walk: &Walk<'_>, anchor: &[f32], weights: &mut Weights, layer: &mut Layer) {
        let [_, row @ ..] = weights.dims;
        let units = self.options.pattern.units(row);
        let Form::Dense(values) = &mut weights.form else { return };
        let (taps, all) = (self.linear.taps(), self.linear.output.channels);
        let of_group = all / self.linear.groups;
        let mut bias = weights.bias.values().into_owned();
        for group in 0..self.linear.groups {
            let first = group * of_group;
            let (mut patches, target) = self.study.read(walk, self.id, &self.linear, group);
            let has_bias = !bias.is_empty();
            let samples = target.len() / of_group;
            let Options { masks, iterations, mut damping, .. } = *self.options;
            let (mut block, mut kept) = (of_group, Kept::Primal);
            if self.is_wide() {
                (block, kept) = (ROWS, Kept::Dual);
                let block = Block { x: &patches, taps, y: &target, outputs: of_group, has_bias };
                let rows = first * taps..(first + ROWS.min(of_group)) * taps;
                let Some(strength) = block.strength(&values[rows.clone()], &anchor[rows], &units, self.options) else {
                    layer.skipped = Some(format!("no fit to a part of {samples} samples is better on the others"));
                    return;
                };
                damping *= strength;
            }
            for start in (0..of_group).step_by(block) {
                let outputs = block.min(of_group - start);
                let wanted = target.chunks(of_group).flat_map(|row| &row[start..start + outputs]).copied().collect();
                // The last block needs no copy.
                let last = start + outputs == of_group;
                let x = if last { std::mem::take(&mut patches) } else { patches.clone() };
                let normal = Normal::new(x, taps, wanted, outputs, has_bias, damping, kept);
                let Some(normal) = normal else { continue };
                let place = first + start;
                let rows = place * taps..(place + outputs) * taps;
                let values = &mut values[rows.clone()];
                let share = outputs as f64 / all as f64;
                layer.before += share * normal.error(values);
                choose::solve(&normal, values, &anchor[rows], masks, &units, iterations);
                layer.after += share * normal.error(values);
                if has_bias {
                    bias[place..place + outputs].copy_from_slice(&normal.bias(values));
                }
            }
        }
        if !bias.is_empty() {
            weights.bias = Bias::Float(bias);
        }
    }

    /// Shifts the outputs `(n, C, H, W)` of a layer that has run, and its bias, to the means of the targets.
    fn correct_bias(&self, output: &mut [f32], weights: &mut Weights, layer: &mut Layer) {
        let shape = self.linear.output;
        let positions = &self.study.positions;
        let target = self.study.target(self.id);
        let mut found = vec![0.0; positions.images * positions.count(shape) * shape.channels];
        positions.outputs(self.id, 0, shape, output, &mut found);
        if found.len() != target.len() {
            // Samples of parts of planes are not what the layer put out.
            return;
        }
        let error = |shift: &[f64]| {
            let pairs = found.chunks(shape.channels).zip(target.chunks(shape.channels));
            pairs
                .flat_map(|(f, t)| f.iter().zip(t).zip(shift).map(|((f, t), s)| (f64::from(f - t) + s).powi(2)))
                .sum::<f64>()
        };
        let mut shift = vec![0.0; shape.channels];
        let before = error(&shift);
        let mean = normal::means(target, shape.channels);
        if !weights.bias.is_empty() {
            shift = normal::means(&found, shape.channels).iter().zip(&mean).map(|(f, t)| t - f).collect();
            let bias = weights.bias.values().iter().zip(&shift).map(|(b, s)| (f64::from(*b) + s) as f32).collect();
            weights.bias = Bias::Float(bias);
            for (i, plane) in output.chunks_mut(shape.area()).enumerate() {
                plane.iter_mut().for_each(|y| *y += shift[i % shape.channels] as f32);
            }
        }
        let spread: f64 = target
            .chunks(shape.channels)
            .flat_map(|t| t.iter().zip(&mean))
            .map(|(t, m)| (f64::from(*t) - m).powi(2))
            .sum();
        let spread = spread.max(f64::MIN_POSITIVE);
        (layer.before, layer.after) = (before / spread, error(&shift) / spread);
    }
}

#[cfg(test)]
mod tests;
