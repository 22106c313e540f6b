//! Training steps: forward, loss, backward, update, for networks that are dense, pruned or grouped.

use std::sync::Arc;

use synapress_model::{Centroids, Error, ErrorKind, Form, Graph, Mode, Net, NodeId, Rate};
use synapress_peers::{Alone, Peers};

use super::backend::{Backend, Cpu, State};
use super::loss::Target;
use super::slot::{Slot, slot};
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

/// Trains a network step by step. Same seed and batches, same bits, whatever the number of threads and of peers.
#[derive(Debug)]
pub struct Trainer<B: Backend = Cpu> {
    net: Net,
    backend: B,
    peers: Arc<dyn Peers>,
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
    /// Prepares training of `net` on the processor, in batches of up to `batch` images. With `hold_zeros`, weights that
    /// are exactly zero are pruned and stay so. With `through`, the same network quantized, weights and outputs have the nearest codes of
    /// its formats while they are computed with, and gradients pass straight through the rounding; biases are not
    /// rounded.
    ///
    /// # Errors
    /// When the network cannot be executed, or is quantized already; when `through` is not quantized or another
    /// network.
    pub fn new(net: &Net, batch: usize, hold_zeros: bool, through: Option<&Net>) -> Result<Self, Error> {
        Self::with(Cpu::new(net, batch)?, net, hold_zeros, through)
    }
}

impl<B: Backend> Trainer<B> {
    /// [`Trainer::new`] for what was made to compute with `net`.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn with(mut backend: B, net: &Net, hold_zeros: bool, through: Option<&Net>) -> Result<Self, Error> {
        if let Some(through) = through {
            net.graph.verify_same(&through.graph)?;
            let message = "integers to train through are those of a quantized network";
            let integers = through.integers.as_ref().ok_or_else(|| Error::new(ErrorKind::Format, message))?;
            backend.round_outputs(&integers.outputs);
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
            net: net.clone(),
            backend,
            peers: Arc::new(Alone),
            slots,
            bias_velocity,
            squares: None,
            steps: 0,
            averaged: None,
            hold_zeros,
        };
        trainer.slots.iter().zip(trainer.backend.state().parameters).for_each(|(slot, own)| slot.put(&mut own.weights));
        (0..net.weights.len()).for_each(|id| trainer.backend.changed(id));
        Ok(trainer)
    }

    /// From now on a step is made together with peers, who all begin alike: each gives the images of [its
    /// share](synapress_model::share::own) of batches of `batch` images, and the target of all of them.
    ///
    /// # Errors
    /// When the batch cannot be shared out so.
    pub fn share(&mut self, peers: &Arc<dyn Peers>, batch: usize) -> Result<(), Error> {
        self.backend.share(Arc::clone(peers), batch)?;
        self.peers = Arc::clone(peers);
        Ok(())
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
        let mode = Mode::Train { seed, batch_statistics };
        let total = self.backend.learn(&*self.peers, images, target, &self.heads, mode);
        self.update(rates);
        self.average();
        total
    }

    /// Takes the statistics of the last batch into the running averages. As Caffe's, these are weighted by age and
    /// divided by the sum of all weights, so that early ones are not drawn to where they began.
    fn average(&mut self) {
        let Some(steps) = &mut self.averaged else { return };
        *steps += 1;
        for id in 0..self.slots.len() {
            let Some(kept) = self.backend.graph().node(id).layer.running_average() else { continue };
            let kept = f64::from(kept);
            let share = ((1.0 - kept) / (1.0 - kept.powf(*steps as f64))) as f32;
            let found = self.backend.statistics(id).into_owned();
            let averages = &mut self.backend.state().parameters[id].weights;
            averages.iter_mut().zip(&found).for_each(|(average, &new)| *average += share * (new - *average));
            self.backend.changed(id);
        }
    }

    fn update(&mut self, rates: Rates) {
        let scale = self.clip(rates.clip);
        self.steps = self.steps.saturating_add(1);
        for (id, slot) in self.slots.iter_mut().enumerate() {
            if matches!(slot, Slot::Still) {
                continue;
            }
            let State { graph, parameters, gradients } = self.backend.state();
            let learning = &graph.node(id).learning;
            let gradient = &mut gradients[id];
            if scale != 1.0 {
                gradient.weights.iter_mut().chain(&mut gradient.bias).for_each(|g| *g *= scale);
            }
            let own = &mut parameters[id];
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
            self.backend.changed(id);
        }
    }

    /// The factor that brings the gradients' norm down to `limit`.
    fn clip(&mut self, limit: f32) -> f32 {
        if !limit.is_finite() {
            return 1.0;
        }
        let square = |v: &[f32]| v.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
        let norm =
            self.backend.state().gradients.iter().map(|p| square(&p.weights) + square(&p.bias)).sum::<f64>().sqrt();
        if norm > f64::from(limit) { (f64::from(limit) / norm) as f32 } else { 1.0 }
    }

    /// What computes, for inference with the weights as they are.
    pub fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    /// The network as trained so far.
    pub fn net(&mut self) -> Net {
        let State { graph, parameters, .. } = self.backend.state();
        for (id, slot) in self.slots.iter().enumerate() {
            let averages = self.averaged.and(graph.node(id).layer.running_average());
            let Some(weights) = &mut self.net.weights[id] else { continue };
            if let (Some(_), Form::Dense(w)) = (averages, &mut weights.form) {
                w.copy_from_slice(&parameters[id].weights);
                continue;
            }
            match (slot, &mut weights.form) {
                (Slot::Dense { rounded: Some((_, from)), .. }, Form::Dense(w)) => w.copy_from_slice(from),
                (Slot::Dense { .. }, Form::Dense(w)) => w.copy_from_slice(&parameters[id].weights),
                (Slot::Grouped { values, .. }, Form::Coded { centroids, .. }) => {
                    *centroids = Centroids::Float(values.clone());
                }
                _ => continue,
            }
            if let synapress_model::Bias::Float(bias) = &mut weights.bias {
                bias.copy_from_slice(&parameters[id].bias);
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
