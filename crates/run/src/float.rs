//! Execution in floating point, of a network at any stage: forward only. Training reads its parts.

use std::sync::Arc;

use synapress_kernels::real::Real;
use synapress_model::pass::{Memo, Scratch};
use synapress_model::{Error, ErrorKind, Fixed, Float, Forward, Graph, Layer, Mode, Net, NodeId, Shape, share};
use synapress_peers::Peers;

use crate::parts::{Parameters, Parts};
use crate::plan::{Keep, Plan};
use crate::rounding::{Rounded, Rounding};

/// Executes a network in floating point, many images at a time. Owns parameters and buffers; allocates nothing after
/// the first pass of a batch size.
#[derive(Debug)]
pub struct Executor<T: Real = f32> {
    graph: Graph,
    keep: Keep,
    plan: Plan,
    batch: usize,
    count: usize,
    /// Images of the last pass at all peers together.
    whole: usize,
    /// Images of batches that are shared with peers.
    shared: Option<usize>,
    input: NodeId,
    output: NodeId,
    parameters: Vec<Parameters<T>>,
    buffers: Vec<Vec<T>>,
    memos: Vec<Memo<T>>,
    scratch: Scratch<T>,
    /// For each node the format that its output is rounded to; empty when none is.
    rounding: Vec<Option<Rounding<T>>>,
    dropout: bool,
    /// For each node whether the rectifier that would overwrite its output has joined it.
    rectified: Vec<bool>,
}

impl<T: Real> Executor<T>
where
    dyn Layer: Float<T>,
{
    /// Prepares execution of up to `batch` images at a time.
    ///
    /// # Errors
    /// When the network has not exactly one input, no weights, or weights that do not fit.
    pub fn new(net: &Net, batch: usize, keep: Keep) -> Result<Self, Error> {
        net.verify()?;
        let graph = net.graph.clone();
        let input = graph.input()?;
        let plan = Plan::new(&graph, keep, true);
        let count = graph.nodes().len();
        let mut executor = Self {
            output: graph.output(),
            buffers: vec![Vec::new(); plan.lengths.len()],
            memos: (0..count).map(|_| Memo::default()).collect(),
            scratch: Scratch::default(),
            rounding: Vec::new(),
            dropout: true,
            rectified: Vec::new(),
            parameters: vec![Parameters::default(); count],
            count: 0,
            whole: 0,
            shared: None,
            batch: batch.max(1),
            graph,
            keep,
            plan,
            input,
        };
        if executor.plan.buffer[input] == usize::MAX {
            return Err(Error::new(ErrorKind::Graph, "the output does not depend on the input"));
        }
        executor.reload(net);
        executor.join();
        Ok(executor)
    }

    /// Takes the weights of a network with the same graph.
    ///
    /// # Panics
    /// When the graph is another one.
    pub fn reload(&mut self, net: &Net) {
        assert_eq!(net.weights.len(), self.parameters.len(), "the graph is the same");
        for (id, weights) in net.weights.iter().enumerate() {
            self.memos[id].weights_changed();
            if let (Some(w), true) = (weights, self.plan.needed[id]) {
                let wide = |values: &[f32], to: &mut Vec<T>| {
                    to.clear();
                    to.extend(values.iter().map(|&v| T::of(v)));
                };
                wide(&w.values(), &mut self.parameters[id].weights);
                wide(&w.bias.values(), &mut self.parameters[id].bias);
            }
        }
    }

    /// From now on rounds every node's output, the image included, to fixed point of these formats: the values that an
    /// integer execution computes with, but for what it approximates by tables. Class probabilities stay.
    ///
    /// # Panics
    /// Unless there is a format for each node.
    pub fn round_outputs(&mut self, formats: &[Fixed]) {
        assert_eq!(formats.len(), self.graph.nodes().len(), "a format for each node");
        // What is rounded before it is scaled must be written before.
        self.plan = Plan::new(&self.graph, self.keep, false);
        self.buffers = vec![Vec::new(); self.plan.lengths.len()];
        let of = |(id, &format): (NodeId, &Fixed)| {
            let node = self.graph.node(id);
            let done = self.plan.in_place[id] && format == formats[node.inputs[0]];
            let rounds = !node.layer.keeps_format() && node.layer.loss_weight().is_none() && !done;
            // Where another format has overwritten the output it no longer tells what saturated.
            let overwritten =
                |r: NodeId| self.plan.in_place[r] && self.graph.node(r).inputs[0] == id && formats[r] != format;
            let passes_all = (0..formats.len()).any(overwritten);
            rounds.then(|| Rounding::new(format, passes_all))
        };
        self.rounding = formats.iter().enumerate().map(of).collect();
        self.join();
    }

    /// Decides which rectifiers join the sums that they would overwrite; where these are rounded first none does.
    fn join(&mut self) {
        self.rectified = vec![false; self.graph.nodes().len()];
        for (id, node) in self.graph.nodes().iter().enumerate() {
            let Some(&input) = node.inputs.first() else { continue };
            let rounded = self.rounding.get(input).is_some_and(Option::is_some);
            self.rectified[input] |= self.plan.in_place[id]
                && !rounded
                && node.layer.is_rectifier()
                && self.graph.node(input).layer.forgets_output();
        }
    }

    /// From now on nothing drops out in training: the scores are those of inference.
    pub fn without_dropout(&mut self) {
        self.dropout = false;
    }

    /// From now on passes are over [this one's share](share::own) of batches of `batch` images, and layers ask its peers for
    /// what the others' images add: numbers have the bits of the whole batch.
    ///
    /// # Errors
    /// As [`share::check`].
    pub fn share(&mut self, peers: Arc<dyn Peers>, batch: usize) -> Result<(), Error> {
        share::check(batch, &*peers)?;
        self.scratch.peers = peers;
        self.shared = Some(batch);
        Ok(())
    }

    /// Shape of the input image.
    pub fn input_shape(&self) -> Shape {
        self.graph.shape(self.input)
    }

    /// Number of class scores.
    pub fn classes(&self) -> usize {
        self.graph.shape(self.output).len()
    }

    /// The most images of one pass.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The network's layers.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Runs images `(n, C, H, W)` through the network and returns the class scores `(n, classes)`.
    ///
    /// # Panics
    /// When `images` is no whole number of images from 1 to the batch, or not this one's share of a batch.
    pub fn forward(&mut self, images: &[T], mode: Mode) -> &[T] {
        self.forward_observed(images, mode, |_| ())
    }

    /// As [`Executor::forward`]; calls `observe` after every node.
    ///
    /// # Panics
    /// As [`Executor::forward`].
    pub fn forward_observed(&mut self, images: &[T], mode: Mode, mut observe: impl FnMut(NodeId)) -> &[T] {
        let len = self.input_shape().len();
        let n = images.len() / len;
        assert!(images.len() == n * len && (1..=self.batch).contains(&n), "1 to {} whole images", self.batch);
        self.count = n;
        self.whole = self.shared.unwrap_or(n);
        assert_eq!(share::own(self.whole, &*self.scratch.peers).len(), n, "images of this one's share");
        let at = self.plan.buffer[self.input];
        let buffer = &mut self.buffers[at];
        buffer.resize(buffer.len().max(n * len), T::default());
        buffer[..n * len].copy_from_slice(images);
        if let Some(Some(rounding)) = self.rounding.get(self.input) {
            rounding.apply(&mut buffer[..n * len]);
        }
        for id in 0..self.graph.nodes().len() {
            if id != self.input && self.plan.needed[id] {
                self.run(id, mode);
                observe(id);
            }
        }
        self.activation(self.output)
    }

    fn run(&mut self, id: NodeId, mode: Mode) {
        let node = self.graph.node(id);
        let n = self.count;
        let drops = self.dropout || node.layer.kind().name != "Dropout";
        if self.plan.in_place[id] && node.layer.is_view() && mode == Mode::Infer {
            return;
        }
        let shape = self.graph.shape(id);
        let at = self.plan.buffer[id];
        let mut output = std::mem::take(&mut self.buffers[at]);
        if node.inputs.first().is_some_and(|&input| self.rectified[input] || self.plan.scaled[input] == Some(id)) {
            self.round(id, &mut output[..n * shape.len()]);
            self.buffers[at] = output;
            return;
        }
        if output.len() < n * shape.len() {
            output.resize(n * shape.len(), T::default());
        }
        let input_shapes = self.graph.input_shapes(id);
        let inputs: Vec<&[T]> = node
            .inputs
            .iter()
            .map(|&i| match self.plan.in_place[id] {
                true => &[],
                false => &self.buffers[self.plan.buffer[i]][..n * self.graph.shape(i).len()],
            })
            .collect();
        let parameters = &self.parameters[id];
        let scale = self.plan.scaled[id];
        let scaled = scale.map(|scale| &self.parameters[scale]).map(|p| [&p.weights[..], &p.bias[..]]);
        node.layer.forward(Forward {
            batch: self.whole,
            inputs: &inputs,
            input_shapes: &input_shapes,
            output: &mut output[..n * shape.len()],
            output_shape: shape,
            weights: &parameters.weights,
            bias: &parameters.bias,
            memo: &mut self.memos[id],
            scratch: &mut self.scratch,
            mode: match mode {
                Mode::Train { .. } if !drops => Mode::Infer,
                Mode::Infer => Mode::Infer,
                // Each layer draws its own numbers.
                Mode::Train { seed, batch_statistics } => {
                    let seed = seed ^ (id as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    Mode::Train { seed, batch_statistics }
                }
            },
            rectified: self.rectified[scale.unwrap_or(id)],
            scaled,
        });
        self.round(id, &mut output[..n * shape.len()]);
        self.buffers[at] = output;
    }

    fn round(&self, id: NodeId, output: &mut [T]) {
        if let Some(Some(rounding)) = self.rounding.get(id) {
            rounding.apply(output);
        }
    }

    /// A node's output for the images of the last pass, `(n, C, H, W)`. What it holds depends on what was to be
    /// [kept](Keep).
    pub fn activation(&self, id: NodeId) -> &[T] {
        &self.buffers[self.plan.buffer[id]][..self.count * self.graph.shape(id).len()]
    }

    /// What a node's layer kept of the last pass.
    pub fn memo(&self, id: NodeId) -> &Memo<T> {
        &self.memos[id]
    }

    /// The parts that a backward pass works on.
    pub fn parts(&mut self) -> Parts<'_, T> {
        Parts {
            graph: &self.graph,
            plan: &self.plan,
            rectified: &self.rectified,
            count: self.count,
            whole: self.whole,
            buffers: &self.buffers,
            parameters: &mut self.parameters,
            memos: &mut self.memos,
            scratch: &mut self.scratch,
            rounded: Rounded(&self.rounding),
        }
    }
}
