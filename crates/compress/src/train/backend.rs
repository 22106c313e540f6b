//! What a trainer asks of those who compute: the seam between how a network learns and what it is computed with.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use synapress_model::{Error, Fixed, Graph, Mode, Net, NodeId, share};
use synapress_peers::Peers;
use synapress_run::{Executor, Keep, Parameters};

use super::backward::Gradients;
use super::loss::{Target, loss};

/// Computes the passes of a network in training. The parameters that [`Backend::state`] gives are what it computes with;
/// [`conformance`](super::conformance::conformance) is what every implementation must pass.
pub trait Backend: Debug {
    /// The network's layers.
    fn graph(&self) -> &Graph;

    /// Runs images `(n, C, H, W)` through the network; in training what a backward pass needs is kept.
    ///
    /// # Panics
    /// When these are not from one image to the batch that it was made for, or not [this one's
    /// share](share::own).
    fn forward(&mut self, images: &[f32], mode: Mode);

    /// A node's output `(n, C, H, W)` in the last forward pass. Those of heads and of what they read are kept.
    fn output(&self, node: NodeId) -> Cow<'_, [f32]>;

    /// Computes the gradients of the last forward pass, which was one in training, from those of some nodes' outputs.
    fn backward(&mut self, from: Vec<(NodeId, Vec<f32>)>);

    /// Parameters and their gradients.
    fn state(&mut self) -> State<'_>;

    /// A node's parameters were changed.
    fn changed(&mut self, node: NodeId);

    /// What a layer that keeps [running averages](synapress_model::Layer::running_average) found in the last batch, in the
    /// order of its weights; empty when it did not look.
    fn statistics(&self, node: NodeId) -> Cow<'_, [f32]>;

    /// From now on rounds every node's output to fixed point of these formats, as [`Executor::round_outputs`].
    fn round_outputs(&mut self, formats: &[Fixed]);

    /// From now on nothing drops out.
    fn without_dropout(&mut self);

    /// From now on works on [its share](share::own) of batches of `batch` images: gradients and statistics are those of the
    /// whole batch, with the same bits at all peers and as without any.
    ///
    /// # Errors
    /// When the batch cannot be shared out so.
    fn share(&mut self, peers: Arc<dyn Peers>, batch: usize) -> Result<(), Error>;

    /// Forward pass of this one's images, loss against the target of the whole batch, and gradients of all parameters. `heads`
    /// are the nodes that the loss is of, with its weight; returned is the mean loss at the last one.
    fn learn(
        &mut self,
        peers: &dyn Peers,
        images: &[f32],
        target: Target<'_>,
        heads: &[(NodeId, f32)],
        mode: Mode,
    ) -> f64 {
        self.forward(images, mode);
        let mut from = Vec::with_capacity(heads.len());
        let mut total = 0.0;
        for &(node, weight) in heads {
            let classes = self.graph().shape(node).len();
            let output = self.output(node);
            // Outputs are little beside what they are made of: everybody computes the loss of all images.
            let batch = target.images(classes);
            let all = share::rows(peers, batch, classes, &output);
            let own = share::own(batch, peers);
            let mut gradient = vec![0.0; all.len()];
            total = loss(&all, classes, target, weight, &mut gradient);
            gradient.truncate(own.end * classes);
            gradient.drain(..own.start * classes);
            drop(all);
            drop(output);
            from.push((node, gradient));
        }
        self.backward(from);
        total
    }
}

/// The numbers that learn, for each node, and their gradients; empty where there are none.
#[derive(Debug)]
pub struct State<'a> {
    /// The network's layers.
    pub graph: &'a Graph,
    /// Parameters: after a change, [`Backend::changed`] must be called.
    pub parameters: &'a mut [Parameters<f32>],
    /// Gradients by the whole batch of the last backward pass.
    pub gradients: &'a mut [Parameters<f32>],
}

/// Computes on the processor's cores.
#[derive(Debug)]
pub struct Cpu {
    executor: Executor<f32>,
    gradients: Gradients<f32>,
}

impl Cpu {
    /// Prepares training in batches of up to `batch` images here.
    ///
    /// # Errors
    /// When the network cannot be executed.
    pub fn new(net: &Net, batch: usize) -> Result<Self, Error> {
        Ok(Self { executor: Executor::new(net, batch, Keep::Train)?, gradients: Gradients::default() })
    }
}

impl Backend for Cpu {
    fn graph(&self) -> &Graph {
        self.executor.graph()
    }

    fn forward(&mut self, images: &[f32], mode: Mode) {
        self.executor.forward(images, mode);
    }

    fn output(&self, node: NodeId) -> Cow<'_, [f32]> {
        Cow::Borrowed(self.executor.activation(node))
    }

    fn backward(&mut self, from: Vec<(NodeId, Vec<f32>)>) {
        self.gradients.compute(&mut self.executor, from);
    }

    fn state(&mut self) -> State<'_> {
        let parts = self.executor.parts();
        State { graph: parts.graph, parameters: parts.parameters, gradients: &mut self.gradients.parameters }
    }

    fn changed(&mut self, node: NodeId) {
        self.executor.parts().memos[node].weights_changed();
    }

    fn statistics(&self, node: NodeId) -> Cow<'_, [f32]> {
        Cow::Borrowed(&self.executor.memo(node).saved)
    }

    fn round_outputs(&mut self, formats: &[Fixed]) {
        self.executor.round_outputs(formats);
    }

    fn without_dropout(&mut self) {
        self.executor.without_dropout();
    }

    fn share(&mut self, peers: Arc<dyn Peers>, batch: usize) -> Result<(), Error> {
        self.executor.share(peers, batch)
    }
}
