//! A network run one node at a time over all calibration images, keeping only outputs that are still to be read.
//!
//! The executor runs a batch through all layers; here every layer sees all images before the next one, so that its
//! weights can be replaced in between and each layer still runs once.

use std::ops::Range;

use synapress_model::pass::{Memo, Scratch};
use synapress_model::{Float, Forward, Graph, Layer, Mode, NodeId, Weights};

/// Images of one pass of a layer.
const BATCH: usize = 16;

/// A run that has come to some node.
#[derive(Debug)]
pub(crate) struct Walk<'g> {
    graph: &'g Graph,
    needed: Vec<bool>,
    images: usize,
    /// Readers of each node that are still to come.
    readers: Vec<usize>,
    outputs: Vec<Vec<f32>>,
    scratch: Scratch<f32>,
}

/// Which nodes the class scores need, and how many of these read each node.
fn readers(graph: &Graph) -> (Vec<bool>, Vec<usize>) {
    let needed = graph.needed_for(&[graph.output()]);
    let mut readers = vec![0; needed.len()];
    for (_, node) in graph.nodes().iter().enumerate().filter(|&(id, _)| needed[id]) {
        node.inputs.iter().for_each(|&i| readers[i] += 1);
    }
    (needed, readers)
}

/// Whether a node can take over its only input's memory, this being its last reader.
fn takes_over(graph: &Graph, id: NodeId, readers: &[usize]) -> bool {
    let node = graph.node(id);
    node.layer.in_place() && matches!(node.inputs[..], [i] if readers[i] == 1)
}

/// The most numbers that are held at once for one image.
pub(crate) fn peak(graph: &Graph) -> usize {
    let (needed, mut readers) = readers(graph);
    let (mut held, mut peak) = (0, 0);
    for (id, node) in graph.nodes().iter().enumerate().filter(|&(id, _)| needed[id]) {
        if !takes_over(graph, id, &readers) {
            held += graph.shape(id).len();
            peak = peak.max(held);
            for &i in &node.inputs {
                if readers[i] == 1 {
                    held -= graph.shape(i).len();
                }
                readers[i] -= 1;
            }
        }
    }
    peak
}

impl<'g> Walk<'g> {
    /// Starts with the images, `(n, C, H, W)`, at the network's input.
    pub fn new(graph: &'g Graph, input: NodeId, images: &[f32]) -> Self {
        let (needed, readers) = readers(graph);
        let mut outputs = vec![Vec::new(); needed.len()];
        outputs[input] = images.to_vec();
        let images = images.len() / graph.shape(input).len();
        Self { graph, needed, images, readers, outputs, scratch: Scratch::default() }
    }

    /// The same run, from here on for some of the images only.
    ///
    /// # Panics
    /// When there are no such images.
    pub fn fork(&self, images: Range<usize>) -> Self {
        let some = |output: &Vec<f32>| {
            let len = output.len() / self.images.max(1);
            output[images.start * len..images.end * len].to_vec()
        };
        Self {
            graph: self.graph,
            needed: self.needed.clone(),
            images: images.len(),
            readers: self.readers.clone(),
            outputs: self.outputs.iter().map(some).collect(),
            scratch: Scratch::default(),
        }
    }

    /// The first input of a node, `(n, C, H, W)`, before the node has run.
    pub fn input(&self, id: NodeId) -> &[f32] {
        &self.outputs[self.graph.node(id).inputs[0]]
    }

    /// The output of the node that ran last.
    pub fn output(&mut self, id: NodeId) -> &mut [f32] {
        &mut self.outputs[id]
    }

    /// Runs a node with its weights, if it has any, over all images and drops what nobody reads any more. Does nothing
    /// for the input and for nodes that the class scores do not need.
    pub fn run(&mut self, id: NodeId, weights: Option<&Weights>) {
        let node = self.graph.node(id);
        if !self.needed[id] || node.inputs.is_empty() {
            return;
        }
        let shape = self.graph.shape(id);
        let input_shapes = self.graph.input_shapes(id);
        let (values, bias) = weights.map_or_else(Default::default, |w| (w.values(), w.bias.values()));
        let in_place = takes_over(self.graph, id, &self.readers);
        let mut output = if in_place {
            std::mem::take(&mut self.outputs[node.inputs[0]])
        } else {
            vec![0.0; self.images * shape.len()]
        };
        if !(in_place && node.layer.is_view()) {
            self.compute(&*node.layer, id, &mut output, &input_shapes, in_place, &values, &bias);
        }
        self.outputs[id] = output;
        for &i in &node.inputs {
            self.readers[i] -= 1;
            if self.readers[i] == 0 {
                self.outputs[i] = Vec::new();
            }
        }
    }

    fn compute(
        &mut self,
        layer: &dyn Layer,
        id: NodeId,
        output: &mut [f32],
        input_shapes: &[synapress_model::Shape],
        in_place: bool,
        weights: &[f32],
        bias: &[f32],
    ) {
        let shape = self.graph.shape(id);
        let mut memo = Memo::default();
        for (at, output) in output.chunks_mut(BATCH * shape.len()).enumerate() {
            let batch = output.len() / shape.len();
            let inputs: Vec<&[f32]> = self
                .graph
                .node(id)
                .inputs
                .iter()
                .zip(input_shapes)
                .map(|(&i, s)| match in_place {
                    true => &[][..],
                    false => &self.outputs[i][at * BATCH * s.len()..][..batch * s.len()],
                })
                .collect();
            Float::<f32>::forward(
                layer,
                Forward {
                    batch,
                    inputs: &inputs,
                    input_shapes,
                    output,
                    output_shape: shape,
                    weights,
                    bias,
                    memo: &mut memo,
                    scratch: &mut self.scratch,
                    mode: Mode::Infer,
                    rectified: false,
                    scaled: None,
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::{numbers, small_net};
    use synapress_run::{Executor, Keep};

    #[test]
    fn a_walk_ends_with_the_scores_of_the_executor() {
        let net = small_net(1);
        let images = numbers(37 * 4 * 81, 9);
        let mut walk = Walk::new(&net.graph, net.graph.input().unwrap(), &images);
        for id in 0..net.graph.nodes().len() {
            walk.run(id, net.weights[id].as_ref());
        }
        let mut executor = Executor::<f32>::new(&net, 37, Keep::Output).unwrap();
        let scores = executor.forward(&images, Mode::Infer);
        let found = walk.output(net.graph.output());
        assert!(scores.iter().zip(found.iter()).all(|(a, b)| (a - b).abs() < 1e-4 * (1.0 + a.abs())));
        assert_eq!(walk.outputs.iter().filter(|o| !o.is_empty()).count(), 1);
        // The input and the first convolution; the second one is smaller.
        assert_eq!(peak(&net.graph), 4 * 81 + 8 * 81);
    }
}
