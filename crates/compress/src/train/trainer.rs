//! Training steps: forward, loss, backward, update, for networks that are dense, pruned or grouped.

use rayon::prelude::*;
use synapress_model::{Centroids, Error, ErrorKind, Fixed, Form, Graph, Mode, Net, NodeId, Rate, Weights};
use synapress_run::{Executor, Keep};

use super::backward::Gradients;
use super::loss::{Target, loss};
use super::solver::{adapt, update};

/// Rates of one training step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Learning rate, before each parameter's own factor.
    pub learn: f32,
    /// Momentum.
    pub momentum: f32,
    /// Whether it is Nesterov's.
    pub nesterov: bool,
    /// Weight decay, before each parameter's own factor.
    pub decay: f32,
    /// Gradients are scaled down to this Euclidean norm over all parameters; infinite for no limit.
    pub clip: f32,
}

/// How a node's weights are represented while they are trained.
#[derive(Clone, Debug)]
enum Slot {
    /// Each weight learns by itself; zeros are held at zero if the network is pruned. With a format the executor has
    /// the nearest codes of the weights that are kept here.
    Dense { velocity: Vec<f32>, rounded: Option<(Fixed, Vec<f32>)> },
    /// The centroids learn: the gradient of one is the sum of its members'. Centroid 0 stays zero.
    Grouped {
        index: Vec<u16>,
        /// What the sum over the members of a centroid is multiplied by.
        scale: Vec<f32>,
        values: Vec<f32>,
        velocity: Vec<f32>,
        gradient: Vec<f32>,
        format: Option<Fixed>,
    },
    /// Nothing learns: no weights, or both rates are zero.
    Still,
}

/// Trains a network step by step. Same seed and batches, same bits, whatever the number of threads.
#[derive(Debug)]
pub struct Trainer {
    net: Net,
    executor: Executor<f32>,
    gradients: Gradients<f32>,
    slots: Vec<Slot>,
    bias_velocity: Vec<Vec<f32>>,
    /// For each node mean squared gradients of its weights, or centroids, and of its bias, if the solver is Adam.
    squares: Option<Vec<[Vec<f32>; 2]>>,
    steps: i32,
    /// Steps that running averages are of, if layers normalize by batches.
    averaged: Option<usize>,
    heads: Vec<(NodeId, f32)>,
    hold_zeros: bool,
}

/// The nodes whose outputs are scores before softmax, with the weight of their loss; the main classifier last.
pub fn logits(graph: &Graph) -> Vec<(NodeId, f32)> {
    let of = |&head: &NodeId| match (graph.node(head).layer.loss_weight(), &graph.node(head).inputs[..]) {
        (Some(weight), &[input]) => (input, weight),
        _ => (head, 1.0),
    };
    graph.heads().iter().map(of).collect()
}

impl Trainer {
    /// Prepares training of `net` in batches of up to `batch` images. With `hold_zeros`, weights that are exactly zero
    /// are pruned and stay so. With `through`, the same network quantized, weights and outputs have the nearest codes of
    /// its formats while they are computed with, and gradients pass straight through the rounding; biases are not
    /// rounded.
    ///
    /// # Errors
    /// When the network cannot be executed, or is quantized already; when `through` is not quantized or another
    /// network.
    pub fn new(net: &Net, batch: usize, hold_zeros: bool, through: Option<&Net>) -> Result<Self, Error> {
        let mut executor = Executor::new(net, batch, Keep::Train)?;
        if let Some(through) = through {
            net.graph.verify_same(&through.graph)?;
            let message = "integers to train through are those of a quantized network";
            let integers = through.integers.as_ref().ok_or_else(|| Error::new(ErrorKind::Format, message))?;
            executor.round_outputs(&integers.outputs);
        }
        let mut slots = Vec::new();
        for (id, (node, weights)) in net.graph.nodes().iter().zip(&net.weights).enumerate() {
            let format = through.and_then(|t| t.weights[id].as_ref()?.codes()).map(|(_, format)| format);
            let rates = [node.learning.weights.learn, node.learning.bias.learn];
            let slot = match weights {
                Some(w) if node.layer.learns() && rates != [0.0, 0.0] => {
                    slot(w, format).map_err(|e| e.at_layer(&node.name))?
                }
                _ => Slot::Still,
            };
            slots.push(slot);
        }
        let bias_velocity = net.weights.iter().map(|w| vec![0.0; w.as_ref().map_or(0, |w| w.bias.len())]).collect();
        let mut trainer = Self {
            heads: logits(&net.graph),
            gradients: Gradients::default(),
            net: net.clone(),
            executor,
            slots,
            bias_velocity,
            squares: None,
            steps: 0,
            averaged: None,
            hold_zeros,
        };
        let parts = trainer.executor.parts();
        trainer.slots.iter().zip(parts.parameters).for_each(|(slot, own)| slot.put(&mut own.weights));
        Ok(trainer)
    }

    /// From now on the solver is Adam: every parameter has a pace of its own. Weight decay is not used then.
    pub fn adapt(&mut self) {
        let of = |(slot, bias): (&Slot, &Vec<f32>)| [slot.velocity(), bias].map(|v| vec![0.0; v.len()]);
        self.squares = Some(self.slots.iter().zip(&self.bias_velocity).map(of).collect());
        self.steps = 0;
    }

    /// From now on layers normalize by the statistics of each batch (Ioffe and Szegedy 2015), and what they have stored
    /// become running averages of these. `steps` have been made so before; with 0 nothing is kept of what was stored.
    pub fn normalize_by_batch(&mut self, steps: usize) {
        self.averaged = Some(steps);
    }

    /// One step on a batch of images `(n, C, H, W)`; returns the mean loss of the main classifier before the update.
    pub fn step(&mut self, images: &[f32], target: Target<'_>, rates: Rates, seed: u64) -> f64 {
        let batch_statistics = self.averaged.is_some();
        self.executor.forward(images, Mode::Train { seed, batch_statistics });
        let mut from = Vec::with_capacity(self.heads.len());
        let mut total = 0.0;
        for &(node, weight) in &self.heads {
            let scores = self.executor.activation(node);
            let classes = self.executor.graph().shape(node).len();
            let mut gradient = vec![0.0; scores.len()];
            total = loss(scores, classes, target, weight, &mut gradient);
            from.push((node, gradient));
        }
        self.gradients.compute(&mut self.executor, from);
        self.update(rates);
        self.average();
        total
    }

    /// Takes the statistics of the last batch into the running averages. As Caffe's, these are weighted by age and
    /// divided by the sum of all weights, so that early ones are not drawn to where they began.
    fn average(&mut self) {
        let Some(steps) = &mut self.averaged else { return };
        *steps += 1;
        let parts = self.executor.parts();
        for (id, memo) in parts.memos.iter().enumerate() {
            let Some(kept) = parts.graph.node(id).layer.running_average() else { continue };
            let kept = f64::from(kept);
            let share = ((1.0 - kept) / (1.0 - kept.powf(*steps as f64))) as f32;
            let averages = &mut parts.parameters[id].weights;
            averages.iter_mut().zip(&memo.saved).for_each(|(average, &new)| *average += share * (new - *average));
        }
    }

    fn update(&mut self, rates: Rates) {
        let scale = self.clip(rates.clip);
        self.steps = self.steps.saturating_add(1);
        let parts = self.executor.parts();
        for (id, slot) in self.slots.iter_mut().enumerate() {
            if matches!(slot, Slot::Still) {
                continue;
            }
            let learning = &parts.graph.node(id).learning;
            let gradient = &mut self.gradients.parameters[id];
            if scale != 1.0 {
                gradient.weights.iter_mut().chain(&mut gradient.bias).for_each(|g| *g *= scale);
            }
            let own = &mut parts.parameters[id];
            let [squares, bias_squares] = match &mut self.squares {
                Some(all) => {
                    let [weights, bias] = &mut all[id];
                    [Some(weights), Some(bias)]
                }
                None => [None, None],
            };
            let steps = self.steps;
            let follow = |w: &mut [f32], v: &mut [f32], s: Option<&mut Vec<f32>>, g: &[f32], by: Rate, hold: bool| {
                let rate = rates.learn * by.learn;
                match s {
                    Some(s) => adapt(w, v, s, g, rate, rates.momentum, steps, hold),
                    None => update(w, v, g, rate, &Rates { decay: rates.decay * by.decay, ..rates }, hold),
                }
            };
            match slot {
                Slot::Dense { velocity, rounded } => {
                    let weights = rounded.as_mut().map_or(&mut own.weights, |(_, weights)| weights);
                    follow(weights, velocity, squares, &gradient.weights, learning.weights, self.hold_zeros);
                }
                Slot::Grouped { index, scale, values, velocity, gradient: sums, .. } => {
                    sums.fill(0.0);
                    for (&i, &g) in index.iter().zip(&gradient.weights) {
                        sums[usize::from(i)] += g;
                    }
                    sums.iter_mut().zip(scale.iter()).for_each(|(sum, scale)| *sum *= scale);
                    sums[0] = 0.0;
                    follow(values, velocity, squares, sums, learning.weights, true);
                }
                Slot::Still => {}
            }
            slot.put(&mut own.weights);
            follow(&mut own.bias, &mut self.bias_velocity[id], bias_squares, &gradient.bias, learning.bias, false);
            parts.memos[id].weights_changed();
        }
    }

    /// The factor that brings the gradients' norm down to `limit`.
    fn clip(&self, limit: f32) -> f32 {
        if !limit.is_finite() {
            return 1.0;
        }
        let square = |v: &[f32]| v.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
        let norm = self.gradients.parameters.iter().map(|p| square(&p.weights) + square(&p.bias)).sum::<f64>().sqrt();
        if norm > f64::from(limit) { (f64::from(limit) / norm) as f32 } else { 1.0 }
    }

    /// The executor, for inference with the weights as they are.
    pub fn executor(&mut self) -> &mut Executor<f32> {
        &mut self.executor
    }

    /// The network as trained so far.
    pub fn net(&mut self) -> Net {
        let parts = self.executor.parts();
        for (id, slot) in self.slots.iter().enumerate() {
            let averages = self.averaged.and(parts.graph.node(id).layer.running_average());
            let Some(weights) = &mut self.net.weights[id] else { continue };
            if let (Some(_), Form::Dense(w)) = (averages, &mut weights.form) {
                w.copy_from_slice(&parts.parameters[id].weights);
                continue;
            }
            match (slot, &mut weights.form) {
                (Slot::Dense { rounded: Some((_, from)), .. }, Form::Dense(w)) => w.copy_from_slice(from),
                (Slot::Dense { .. }, Form::Dense(w)) => w.copy_from_slice(&parts.parameters[id].weights),
                (Slot::Grouped { values, .. }, Form::Coded { centroids, .. }) => {
                    *centroids = Centroids::Float(values.clone());
                }
                _ => continue,
            }
            if let synapress_model::Bias::Float(bias) = &mut weights.bias {
                bias.copy_from_slice(&parts.parameters[id].bias);
            }
        }
        self.net.clone()
    }

    /// Momentum of every parameter, in a fixed order: what a checkpoint keeps besides the network.
    pub fn momentum(&self) -> impl Iterator<Item = &[f32]> {
        self.slots.iter().zip(&self.bias_velocity).flat_map(|(slot, bias)| [slot.velocity(), bias])
    }

    /// Takes momentum that [`Trainer::momentum`] gave, one after the other.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] when it has another length.
    pub fn set_momentum(&mut self, mut from: &[f32]) -> Result<(), Error> {
        let fault = || Error::new(ErrorKind::Weights, "the checkpoint's momentum is of another network");
        for (slot, bias) in self.slots.iter_mut().zip(&mut self.bias_velocity) {
            let weights: &mut [f32] = match slot {
                Slot::Dense { velocity, .. } | Slot::Grouped { velocity, .. } => velocity,
                Slot::Still => &mut [],
            };
            for to in [weights, bias] {
                let (front, rest) = from.split_at_checked(to.len()).ok_or_else(fault)?;
                to.copy_from_slice(front);
                from = rest;
            }
        }
        if from.is_empty() { Ok(()) } else { Err(fault()) }
    }
}

impl Slot {
    fn velocity(&self) -> &[f32] {
        match self {
            Self::Dense { velocity, .. } | Self::Grouped { velocity, .. } => velocity,
            Self::Still => &[],
        }
    }

    /// The weights as they are computed with.
    fn put(&self, to: &mut [f32]) {
        match self {
            Self::Dense { rounded: Some((format, weights)), .. } => {
                let round = |(to, &w): (&mut f32, &f32)| *to = format.value(format.quantize(w));
                to.par_iter_mut().zip(weights).for_each(round);
            }
            Self::Grouped { index, values, format, .. } => {
                let value = |&v: &f32| format.map_or(v, |f| f.value(f.quantize(v)));
                let table: Vec<f32> = values.iter().map(value).collect();
                to.par_iter_mut().zip(index).for_each(|(to, &i)| *to = table[usize::from(i)]);
            }
            Self::Dense { rounded: None, .. } | Self::Still => {}
        }
    }
}

/// The gradient of a centroid is the sum of its members' (Han et al. 2016, section 3.3). Through integers it is their
/// mean: a code that flips moves all members at once, and those of a large group would flip to and fro.
fn scales(index: &[u16], centroids: usize, format: Option<Fixed>) -> Vec<f32> {
    let mut counts = vec![1u32; centroids];
    if format.is_some() {
        counts.fill(0);
        index.iter().for_each(|&i| counts[usize::from(i)] += 1);
    }
    counts.iter().map(|&n| 1.0 / n.max(1) as f32).collect()
}

fn slot(weights: &Weights, format: Option<Fixed>) -> Result<Slot, Error> {
    match &weights.form {
        Form::Dense(w) => {
            Ok(Slot::Dense { velocity: vec![0.0; w.len()], rounded: format.map(|format| (format, w.clone())) })
        }
        Form::Coded { centroids: Centroids::Float(values), index } => Ok(Slot::Grouped {
            scale: scales(index, values.len(), format),
            index: index.clone(),
            values: values.clone(),
            velocity: vec![0.0; values.len()],
            gradient: vec![0.0; values.len()],
            format,
        }),
        _ => Err(Error::new(ErrorKind::Format, "the layer is quantized; retrain the network that it was made from")),
    }
}
