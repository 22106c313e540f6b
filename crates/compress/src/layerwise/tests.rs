//! A network for the tests of this module.

use crate::prune::tests::numbers;
use synapress_model::layers::{Convolution, Dropout, InnerProduct, Input, Method, Pooling, Relu, Softmax};
use synapress_model::{Graph, Net, Shape, Weights};

/// Two convolutions, a global mean, dropout and a classifier, with random weights.
pub(crate) fn pooled_net(seed: u64) -> Net {
    let mut g = Graph::new();
    let data = g.add("data", Input { shape: Shape::new(3, 8, 8).unwrap() }, &[]).unwrap();
    let a = g.add("conv1", Convolution::square(6, 3, 1, 1), &[data]).unwrap();
    let a = g.add("relu1", Relu::default(), &[a]).unwrap();
    let a = g.add("conv2", Convolution::square(7, 3, 1, 1), &[a]).unwrap();
    let a = g.add("pool", Pooling::global(Method::Average), &[a]).unwrap();
    let a = g.add("drop", Dropout { ratio: 0.4 }, &[a]).unwrap();
    let a = g.add("fc", InnerProduct { outputs: 4, bias: true }, &[a]).unwrap();
    g.add("prob", Softmax::default(), &[a]).unwrap();
    let mut net = Net { weights: vec![None; g.nodes().len()], graph: g, ..Net::default() };
    for id in net.synaptic() {
        let shape = net.graph.weight_shape(id).unwrap();
        let weights = numbers(shape.len(), seed * 100 + id as u64);
        net.weights[id] = Some(Weights::dense(shape.dims, weights, numbers(shape.bias_len(), seed + 7)));
    }
    net
}
