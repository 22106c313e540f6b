//! The least-squares problem of one layer as a whole, and the pass over a network that poses each layer's in turn.

use std::ops::Range;

use rayon::prelude::*;
use synapress_model::{Error, Linear, Net, NodeId, Weights};

use super::factor::{Choice, Factor, descend};
use super::normal::{Kept, Normal};
use super::samples::Positions;
use super::study::Study;
use super::walk::Walk;
use crate::prune::weights_of;

/// A layer's least-squares problems, one a group.
pub(crate) struct Problem {
    pub parts: Vec<Part>,
    /// Inputs of one output.
    pub taps: usize,
    /// Squared error of constant outputs, over all groups: what errors are relative to.
    pub power: f64,
    /// For each weight whether it may be other than zero; absent where all may.
    alive: Option<Vec<bool>>,
}

pub(crate) struct Part {
    pub normal: Normal,
    /// Absent where the layer is too wide: its weights are then settled one by one.
    pub factor: Option<Factor>,
    /// What is best among weights that may be other than zero, `(rows, taps)`.
    pub optimum: Vec<f32>,
    /// The group's weights among those of the layer.
    pub range: Range<usize>,
}

/// Samples that each unknown weight of a row needs at least: with about as many samples as unknowns a fit follows the
/// noise of the samples, and the weights are better left where they are.
pub(crate) const SAMPLES: usize = 2;

/// Steps of conjugate gradients to the optimum.
const ITERATIONS: usize = 50;

impl Part {
    /// Settles all weights as `choose` says, those still to come making up for the error of those before.
    pub fn sweep(&self, values: &mut [f32], choose: impl Fn(Choice) -> f32 + Sync) {
        let taps = self.normal.taps;
        match &self.factor {
            Some(factor) => values.copy_from_slice(&factor.sweep(&self.optimum, choose)),
            None => values.par_iter_mut().zip(&self.optimum).enumerate().for_each(|(i, (value, &best))| {
                let tap = i % taps;
                *value = choose(Choice { row: i / taps, tap, best, curvature: self.normal.curvature(tap) });
            }),
        }
    }

    /// Changes single weights in `passes` over them as long as that helps.
    pub fn descend(&self, values: &mut [f32], passes: usize, choose: impl Fn(Choice) -> f32 + Sync) {
        if self.factor.is_some() {
            descend(&self.normal, &self.optimum, values, passes, choose);
        }
    }

    /// The mean logarithm of what an error of one in a weight is worth.
    pub fn mean_log_curvature(&self) -> f64 {
        let taps = self.normal.taps;
        let diagonal = || (0..taps).map(|tap| f64::from(self.normal.curvature(tap)).ln()).sum::<f64>() / taps as f64;
        self.factor.as_ref().map_or_else(diagonal, Factor::mean_log_curvature)
    }
}

impl Problem {
    /// Of the layer that the walk runs next. Damping, relative to the mean of the diagonal, draws to `weights`, and the
    /// weights that `alive` does not name are zero for ever. With more than `most_taps` inputs of an output the weights
    /// that are there are the optimum. `None` when the inputs do not vary at all.
    pub fn new(
        study: &Study<'_>,
        walk: &Walk<'_>,
        id: NodeId,
        linear: &Linear,
        weights: &Weights,
        alive: Option<Vec<bool>>,
        damping: f64,
        most_taps: usize,
    ) -> Option<Self> {
        let (taps, outputs) = (linear.taps(), linear.output.channels);
        let of_group = outputs / linear.groups;
        let values = weights.values();
        let mut parts = Vec::with_capacity(linear.groups);
        for group in 0..linear.groups {
            let first = group * of_group;
            let (x, y) = study.read(walk, id, linear, group);
            let samples = x.len() / taps;
            let wide = taps > most_taps;
            let kept = if wide { Kept::Dual } else { Kept::Primal };
            let normal = Normal::new(x, taps, y, of_group, !weights.bias.is_empty(), damping, kept)?;
            let range = first * taps..(first + of_group) * taps;
            let anchor = &values[range.clone()];
            let mut optimum = anchor.to_vec();
            let mask = alive.as_ref().map_or_else(|| vec![true; anchor.len()], |alive| alive[range.clone()].to_vec());
            let unknowns = mask.iter().filter(|&&m| m).count().div_ceil(of_group);
            if !wide && samples >= SAMPLES * unknowns {
                normal.solve(&mut optimum, &mask, anchor, ITERATIONS);
            }
            let factor = if wide { None } else { Some(Factor::new(&normal)?) };
            parts.push(Part { factor, normal, optimum, range });
        }
        Some(Self { power: parts.iter().map(|p| p.normal.power()).sum(), parts, taps, alive })
    }

    /// The best weights, of all groups one after another.
    pub fn optimum(&self) -> Vec<f32> {
        self.parts.iter().flat_map(|p| &p.optimum).copied().collect()
    }

    /// Squared error of the outputs that weights give, relative to that of constant ones.
    pub fn error(&self, values: &[f32]) -> f64 {
        let of = |p: &Part| p.normal.error(&values[p.range.clone()]) * p.normal.power();
        self.parts.iter().map(of).sum::<f64>() / self.power
    }

    /// The bias that makes the means right.
    pub fn correct(&self, values: &[f32], bias: &mut [f32]) {
        if bias.is_empty() {
            return;
        }
        for part in &self.parts {
            let of_part = part.normal.bias(&values[part.range.clone()]);
            let first = part.range.start / self.taps;
            bias[first..first + of_part.len()].copy_from_slice(&of_part);
        }
    }

    /// What an error of one in each weight of a row costs while the others stay: the curvatures of the taps, of all
    /// groups on average.
    pub fn curvatures(&self) -> Vec<f32> {
        let mean = |tap| self.parts.iter().map(|p| p.normal.curvature(tap)).sum::<f32>() / self.parts.len() as f32;
        (0..self.taps).map(mean).collect()
    }

    /// Settles all weights that may be other than zero one after another as `choose` says, then changes single ones in
    /// `passes` over them as long as that helps.
    pub fn settle(&self, passes: usize, choose: impl Fn(Choice) -> f32 + Sync) -> Vec<f32> {
        let mut values = vec![0.0; self.parts.iter().map(|p| p.range.len()).sum()];
        for part in &self.parts {
            let first = part.range.start / self.taps;
            let may = |c: Choice| self.alive.as_ref().is_none_or(|alive| alive[(first + c.row) * self.taps + c.tap]);
            let choose = |c: Choice| if may(c) { choose(c) } else { 0.0 };
            let values = &mut values[part.range.clone()];
            part.sweep(values, choose);
            part.descend(values, passes, choose);
        }
        values
    }
}

/// What is done with a layer before the walk runs it: other weights for it, or none. What is kept of the layer may be
/// dropped then, if it is not needed for another pass.
pub(crate) type Act<'f, 'a> =
    dyn FnMut(&mut Study<'a>, &Walk<'_>, NodeId, &Linear) -> Result<Option<Weights>, Error> + 'f;

/// Goes through a network on images `(n, C, H, W)` and hands each of `layers` to `act`, which may replace its weights
/// for those behind it.
pub(crate) fn pass<'a>(
    net: &Net,
    images: &[f32],
    layers: &[NodeId],
    study: &mut Study<'a>,
    act: &mut Act<'_, 'a>,
) -> Result<(), Error> {
    let mut walk = Walk::new(&net.graph, net.graph.input()?, images);
    for id in 0..net.graph.nodes().len() {
        study.pass(&walk, id);
        let mut replaced = None;
        if let (true, Some(linear)) = (layers.contains(&id), net.linear(id)) {
            replaced = act(study, &walk, id, &linear)?;
        }
        walk.run(id, replaced.as_ref().or(net.weights[id].as_ref()));
    }
    Ok(())
}

/// How layers are looked at while weights are settled.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The most positions of one image that a layer is looked at.
    pub positions: usize,
    /// What is added to the diagonal of the normal equations, relative to its mean.
    pub damping: f64,
    /// Passes of single changes after the sweep.
    pub passes: usize,
    /// Layers with more inputs to one output than this take the nearest values: normal equations grow with the square.
    pub most_taps: usize,
    /// Bytes that the activations of all images may take; fewer images are used when they would take more.
    pub memory: usize,
    /// Seed of the sampled positions.
    pub seed: u64,
}

impl Default for Look {
    fn default() -> Self {
        Self { positions: 32, damping: 0.01, passes: 3, most_taps: 8192, memory: 2 << 30, seed: 1 }
    }
}

/// Makes the weights of a layer from those it has and its problem, if it has one.
pub(crate) type Settle<'f> = dyn FnMut(NodeId, &Weights, Option<&Problem>) -> Result<Weights, Error> + 'f;

/// Replaces the weights of a dense or pruned network layer after layer: `settle` makes those of a layer from its problem,
/// in which zeros stay, or without one where it is too wide. The problem's targets are the outputs of `float`, its
/// inputs those of the layers that were replaced before.
pub(crate) fn settle_layers(
    float: &Net,
    net: &Net,
    images: &[f32],
    look: &Look,
    settle: &mut Settle<'_>,
) -> Result<Net, Error> {
    float.verify()?;
    net.verify()?;
    float.graph.verify_same(&net.graph)?;
    let layers = super::study::dense_layers(net, "give the network as it was before")?;
    let images = super::study::fitting(net, images, look.memory)?;
    let count = images.len() / net.graph.shape(net.graph.input()?).len();
    let positions = Positions { images: count, most: look.positions.max(1), seed: look.seed };
    let mut study = Study::new(float, images, positions, &layers)?;
    let mut out = net.clone();
    pass(net, images, &layers, &mut study, &mut |study, walk, id, linear| {
        let weights = weights_of(net, id)?;
        let problem = match linear.taps() <= look.most_taps {
            true => {
                let alive: Vec<bool> = weights.values().iter().map(|&w| w != 0.0).collect();
                Problem::new(study, walk, id, linear, weights, Some(alive), look.damping, look.most_taps)
            }
            false => None,
        };
        study.forget(id);
        let next = settle(id, weights, problem.as_ref())?;
        out.weights[id] = Some(next.clone());
        Ok(Some(next))
    })?;
    Ok(out)
}
