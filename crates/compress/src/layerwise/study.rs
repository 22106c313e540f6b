//! What layers read and what they are to put out: samples of both, over calibration images, for the least-squares
//! problem of each layer in turn.

use std::collections::BTreeMap;

use synapress_kernels::real::{Left, Mat, Real};
use synapress_model::linear::Linear;
use synapress_model::{Error, ErrorKind, Form, Mode, Net, NodeId};
use synapress_run::{Executor, Keep};

use super::pooled;
use super::samples::Positions;
use super::walk::{Walk, peak};
use crate::prune::weights_of;

/// Images of one pass of the float network.
const BATCH: usize = 8;

/// Samples of all layers of a float network.
pub(crate) struct Study<'a> {
    net: &'a Net,
    pub positions: Positions,
    /// Outputs `(samples, C)` of each layer.
    targets: Vec<Vec<f32>>,
    /// Classifiers behind a global mean, by the pooling layer; and what they read, once that is known.
    classifiers: BTreeMap<NodeId, NodeId>,
    pooled: BTreeMap<NodeId, Vec<f32>>,
}

/// As many of the images `(n, C, H, W)` as activations of all layers of a network fit into `memory` bytes, at least
/// one.
pub(crate) fn fitting<'i>(net: &Net, images: &'i [f32], memory: usize) -> Result<&'i [f32], Error> {
    let len = net.graph.shape(net.graph.input()?).len();
    if images.is_empty() || !images.len().is_multiple_of(len) {
        let message = format!("{} numbers are no whole number of images of {len}", images.len());
        return Err(Error::new(ErrorKind::Shape, message));
    }
    let most = (memory / (peak(&net.graph) * size_of::<f32>()).max(1)).max(1);
    Ok(&images[..images.len().min(most * len)])
}

/// The convolution and fully connected layers that the class scores need, each of which must still be dense: `advice`
/// says what to do about one that is not.
pub(crate) fn dense_layers(net: &Net, advice: &str) -> Result<Vec<NodeId>, Error> {
    let needed = net.graph.needed_for(&[net.graph.output()]);
    for id in net.synaptic() {
        if !matches!(weights_of(net, id)?.form, Form::Dense(_)) {
            let message = format!("the layer is grouped or quantized already; {advice}");
            return Err(Error::new(ErrorKind::Format, message).at_layer(&net.graph.node(id).name));
        }
    }
    Ok(net.synaptic().into_iter().filter(|&id| needed[id]).collect())
}

impl<'a> Study<'a> {
    /// Runs the float network on the sampled images, the first of `(n, C, H, W)`, and keeps what the wanted layers put
    /// out at the sampled positions.
    pub fn new(net: &'a Net, images: &[f32], positions: Positions, wanted: &[NodeId]) -> Result<Self, Error> {
        let graph = &net.graph;
        let mut executor = Executor::<f32>::new(net, BATCH, Keep::All)?;
        let len = executor.input_shape().len();
        let classifiers: BTreeMap<NodeId, NodeId> =
            wanted.iter().filter_map(|&id| Some((pooled::source(graph, id)?, id))).collect();
        let mut study = Self {
            net,
            positions,
            targets: vec![Vec::new(); graph.nodes().len()],
            classifiers,
            pooled: BTreeMap::new(),
        };
        let behind_mean = |id: &NodeId| study.classifiers.values().any(|c| c == id);
        let plain: Vec<NodeId> = wanted.iter().copied().filter(|id| !behind_mean(id)).collect();
        for &id in &plain {
            let shape = graph.shape(id);
            study.targets[id] = vec![0.0; positions.images * positions.count(shape) * shape.channels];
        }
        for (at, batch) in images[..positions.images * len].chunks(BATCH * len).enumerate() {
            executor.forward(batch, Mode::Infer);
            let n = batch.len() / len;
            for &id in &plain {
                let shape = graph.shape(id);
                let step = positions.count(shape) * shape.channels;
                let to = &mut study.targets[id][at * BATCH * step..][..n * step];
                positions.outputs(id, at * BATCH, shape, executor.activation(id), to);
            }
            for (&pooling, &id) in &study.classifiers {
                let source = graph.node(pooling).inputs[0];
                let x = positions.means(id, at * BATCH, graph.shape(source), executor.activation(source));
                let y = study.outputs(id, &x);
                study.targets[id].extend(y);
            }
        }
        Ok(study)
    }

    /// The float network's outputs of a classifier for inputs `(samples, inputs)`, with its bias.
    fn outputs(&self, id: NodeId, x: &[f32]) -> Vec<f32> {
        let Some(weights) = &self.net.weights[id] else { return Vec::new() };
        let taps = weights.len() / weights.dims[0];
        let (samples, outputs) = (x.len() / taps, weights.dims[0]);
        let mut y = vec![0.0; samples * outputs];
        let values = weights.values();
        f32::gemm(
            Left::Plain(Mat::new(x, samples, taps)),
            Mat::new(&values, outputs, taps).transposed(),
            &mut y,
            false,
            None,
        );
        let bias = weights.bias.values();
        if !bias.is_empty() {
            y.chunks_mut(outputs).for_each(|row| row.iter_mut().zip(bias.iter()).for_each(|(y, b)| *y += b));
        }
        y
    }

    /// Is to be told of each node before it runs: what a classifier reads is to be had only where it is pooled.
    pub fn pass(&mut self, walk: &Walk<'_>, id: NodeId) {
        if let Some(&classifier) = self.classifiers.get(&id) {
            let shape = self.net.graph.shape(self.net.graph.node(id).inputs[0]);
            let planes = &walk.input(id)[..self.positions.images * shape.len()];
            self.pooled.insert(classifier, self.positions.means(classifier, 0, shape, planes));
        }
    }

    /// Samples of what a layer puts out.
    pub fn samples(&self, id: NodeId, linear: &Linear) -> usize {
        self.targets[id].len() / linear.output.channels.max(1)
    }

    /// What one group of a layer, the next node to run, reads, `(samples, taps)`, and is to put out,
    /// `(samples, outputs of the group)`.
    pub fn read(&self, walk: &Walk<'_>, id: NodeId, linear: &Linear, group: usize) -> (Vec<f32>, Vec<f32>) {
        let outputs = linear.output.channels;
        let of_group = outputs / linear.groups;
        let first = group * of_group;
        let x = match self.pooled.get(&id) {
            Some(x) => x.clone(),
            None => self.positions.patches(id, linear, group, walk.input(id)),
        };
        let y = self.targets[id].chunks(outputs).flat_map(|row| &row[first..first + of_group]).copied().collect();
        (x, y)
    }

    /// Drops what is kept of a layer.
    pub fn forget(&mut self, id: NodeId) {
        self.targets[id] = Vec::new();
        self.pooled.remove(&id);
    }

    /// The float network's outputs `(samples, C)` of a layer.
    pub fn target(&self, id: NodeId) -> &[f32] {
        &self.targets[id]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::{numbers, small_net};
    use crate::prune::weights_of;
    use synapress_model::layers::{Convolution, InnerProduct, Input};
    use synapress_model::{Graph, Shape};

    #[test]
    fn weights_times_patches_are_the_outputs() {
        let net = small_net(4);
        let images = numbers(11 * 4 * 81, 3);
        let positions = Positions { images: 11, most: 7, seed: 5 };
        let layers = net.synaptic();
        let study = Study::new(&net, &images, positions, &layers).unwrap();
        let mut executor = Executor::<f32>::new(&net, 11, Keep::All).unwrap();
        executor.forward(&images, Mode::Infer);
        for &id in &layers {
            let linear = net.linear(id).unwrap();
            let weights = weights_of(&net, id).unwrap();
            let (taps, outputs) = (linear.taps(), linear.output.channels);
            let input = executor.activation(net.graph.node(id).inputs[0]);
            let of_group = outputs / linear.groups;
            for group in 0..linear.groups {
                let patches = positions.patches(id, &linear, group, input);
                assert_eq!(patches.len(), 11 * positions.count(linear.output) * taps);
                for (patch, y) in patches.chunks(taps).zip(study.target(id).chunks(outputs)) {
                    for o in group * of_group..(group + 1) * of_group {
                        let row = &weights.values()[o * taps..][..taps];
                        let sum = row.iter().zip(patch).map(|(w, x)| w * x).sum::<f32>() + weights.bias.values()[o];
                        assert!((sum - y[o]).abs() < 1e-4 * (1.0 + sum.abs()), "{sum} {}", y[o]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_classifier_behind_a_global_mean_has_many_samples_that_it_explains() {
        let net = crate::layerwise::tests::pooled_net(3);
        let id = net.graph.find("fc").unwrap();
        assert_eq!(pooled::source(&net.graph, id), net.graph.find("pool"));
        let images = numbers(6 * 3 * 64, 5);
        let positions = Positions { images: 6, most: 9, seed: 1 };
        let mut study = Study::new(&net, &images, positions, &net.synaptic()).unwrap();
        let mut walk = Walk::new(&net.graph, net.graph.input().unwrap(), &images);
        for node in 0..net.graph.nodes().len() {
            study.pass(&walk, node);
            if node == id {
                let linear = net.linear(id).unwrap();
                let (x, y) = study.read(&walk, id, &linear, 0);
                assert_eq!((x.len(), y.len(), study.samples(id, &linear)), (54 * 7, 54 * 4, 54));
                let found = study.outputs(id, &x);
                assert!(found.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-4));
                // The first sample of an image is what the layer really reads.
                let real = walk.input(id);
                assert!(x[..7].iter().zip(&real[..7]).all(|(a, b)| (a - b).abs() < 1e-5));
                assert!(x[7..14].iter().zip(&real[..7]).any(|(a, b)| (a - b).abs() > 1e-3));
            }
            walk.run(node, net.weights[node].as_ref());
        }
    }

    #[test]
    fn other_layers_are_no_such_classifiers() {
        let mut g = Graph::new();
        let data = g.add("data", Input { shape: Shape::new(3, 4, 4).unwrap() }, &[]).unwrap();
        let conv = g.add("conv", Convolution::square(5, 4, 1, 0), &[data]).unwrap();
        g.add("fc", InnerProduct { outputs: 4, bias: true }, &[conv]).unwrap();
        assert!((0..3).all(|id| pooled::source(&g, id).is_none()));
    }
}
