//! Folding batch normalization keeps the scores.

mod common;

use common::Numbers;
use synapress_model::fold::fold_batch_norm;
use synapress_model::layers::{BatchNorm, Convolution, Eltwise, Flatten, InnerProduct, Input, Operation, Relu, Scale};
use synapress_model::pass::{Memo, Scratch};
use synapress_model::{ErrorKind, Forward, Graph, Mode, Net, NodeId, Shape, Weights};

/// Weights by seed for every layer; positive ones for statistics and factors.
fn filled(graph: Graph) -> Net {
    let mut numbers = Numbers(5);
    let mut even = |n: usize, range| numbers.even(n, range).into_iter().map(|x| x as f32).collect::<Vec<_>>();
    let weights = (0..graph.nodes().len())
        .map(|id| {
            let shape = graph.weight_shape(id)?;
            let range = if shape.dims[0] == 2 || shape.dims[1] == 1 { [0.1, 2.0] } else { [-0.5, 0.5] };
            let mut w = even(shape.len(), range);
            if graph.node(id).layer.linear(&graph.input_shapes(id)).is_some() {
                w.iter_mut().step_by(3).for_each(|w| *w = 0.0);
            }
            Some(Weights::dense(shape.dims, w, even(shape.bias_len(), [-1.0, 1.0])))
        })
        .collect();
    Net { name: "test".to_owned(), graph, weights, ..Net::default() }
}

/// The output of one image, every node in memory of its own.
fn scores(net: &Net) -> Vec<f32> {
    let g = &net.graph;
    let mut outputs: Vec<Vec<f32>> = Vec::new();
    for (id, node) in g.nodes().iter().enumerate() {
        let len = g.shape(id).len();
        if node.inputs.is_empty() {
            outputs.push(Numbers(11).even(len, [-2.0, 2.0]).into_iter().map(|x| x as f32).collect());
            continue;
        }
        let mut output = vec![0.0; len];
        let (weights, bias) = match &net.weights[id] {
            Some(w) => (w.values().into_owned(), w.bias.values().into_owned()),
            None => (vec![], vec![]),
        };
        node.layer.forward(Forward {
            batch: 1,
            inputs: &node.inputs.iter().map(|&i| outputs[i].as_slice()).collect::<Vec<_>>(),
            input_shapes: &g.input_shapes(id),
            output: &mut output,
            output_shape: g.shape(id),
            weights: &weights,
            bias: &bias,
            memo: &mut Memo::default(),
            scratch: &mut Scratch::default(),
            mode: Mode::Infer,
            rectified: false,
            scaled: None,
        });
        outputs.push(output);
    }
    outputs.swap_remove(g.output())
}

fn names(net: &Net) -> Vec<&str> {
    net.graph.nodes().iter().map(|n| n.name.as_str()).collect()
}

fn zeros(net: &Net, name: &str) -> usize {
    net.weights[net.graph.find(name).unwrap()].as_ref().unwrap().zeros()
}

fn check(net: &Net, expected: &[&str]) -> Net {
    let folded = fold_batch_norm(net).unwrap();
    assert_eq!(names(&folded), expected);
    assert!(folded.graph.nodes().iter().all(|n| n.layer.kind().name != "BatchNorm"));
    let (before, after) = (scores(net), scores(&folded));
    assert_eq!(before.len(), after.len());
    for (a, b) in before.iter().zip(&after) {
        assert!((a - b).abs() <= 1e-4 * (1.0 + a.abs()), "{a} became {b}");
    }
    let again = fold_batch_norm(&folded).unwrap();
    assert_eq!((names(&again), &again.weights), (names(&folded), &folded.weights), "nothing is left to fold");
    folded
}

fn image(g: &mut Graph) -> NodeId {
    g.add("data", Input { shape: Shape::new(3, 8, 8).unwrap() }, &[]).unwrap()
}

#[test]
fn a_residual_network_keeps_its_scores() {
    let mut g = Graph::new();
    let conv = |bias| Convolution { bias, ..Convolution::square(6, 3, 1, 1) };
    let data = image(&mut g);
    let first = g.add("bn0", BatchNorm::default(), &[data]).unwrap();
    let c1 = g.add("conv1", conv(false), &[first]).unwrap();
    let b1 = g.add("bn1", BatchNorm { eps: 0.01, ..BatchNorm::default() }, &[c1]).unwrap();
    let s1 = g.add("scale1", Scale { bias: true }, &[b1]).unwrap();
    let r1 = g.add("relu1", Relu::default(), &[s1]).unwrap();
    let c2 = g.add("conv2", Convolution { groups: 3, ..conv(true) }, &[r1]).unwrap();
    let b2 = g.add("bn2", BatchNorm::default(), &[c2]).unwrap();
    let sum = g.add("sum", Eltwise { operation: Operation::Sum(vec![]) }, &[b2, r1]).unwrap();
    let flat = g.add("flat", Flatten, &[sum]).unwrap();
    let fc = g.add("fc", InnerProduct { outputs: 10, bias: false }, &[flat]).unwrap();
    g.add("scale3", Scale { bias: false }, &[fc]).unwrap();
    let net = filled(g);
    let folded = check(&net, &["data", "bn0", "conv1", "relu1", "conv2", "sum", "flat", "fc"]);
    for name in ["conv1", "conv2", "fc"] {
        assert_eq!(zeros(&folded, name), zeros(&net, name), "{name}: pruned weights stay pruned");
    }
}

#[test]
fn a_layer_with_other_readers_is_left_alone() {
    let mut g = Graph::new();
    let data = image(&mut g);
    let c1 = g.add("conv1", Convolution::square(6, 1, 1, 0), &[data]).unwrap();
    let b1 = g.add("bn1", BatchNorm::default(), &[c1]).unwrap();
    let s1 = g.add("scale1", Scale { bias: true }, &[b1]).unwrap();
    g.add("sum", Eltwise { operation: Operation::Maximum }, &[s1, c1]).unwrap();
    check(&filled(g), &["data", "conv1", "bn1", "sum"]);
}

#[test]
fn heads_keep_their_order() {
    let mut g = Graph::new();
    let data = image(&mut g);
    let c1 = g.add("conv1", Convolution::square(6, 1, 1, 0), &[data]).unwrap();
    g.add("auxiliary", InnerProduct { outputs: 4, bias: true }, &[data]).unwrap();
    g.add("bn1", BatchNorm::default(), &[c1]).unwrap();
    check(&filled(g), &["data", "conv1", "auxiliary", "bn1"]);
}

#[test]
fn what_cannot_be_multiplied_is_refused_by_name() {
    let mut g = Graph::new();
    let data = image(&mut g);
    let c1 = g.add("conv1", Convolution::square(6, 1, 1, 0), &[data]).unwrap();
    g.add("bn1", BatchNorm { eps: 1e-30, ..BatchNorm::default() }, &[c1]).unwrap();
    let mut net = filled(g);
    net.weights[c1] = Some(Weights::dense([6, 3, 1, 1], vec![1e30; 18], vec![0.0; 6]));
    net.weights[2] = Some(Weights::dense([2, 6, 1, 1], vec![0.0; 12], vec![]));
    let error = fold_batch_norm(&net).unwrap_err();
    assert_eq!((error.kind(), error.layer()), (ErrorKind::Weights, Some("conv1")));
    net.weights[2] = None;
    let error = fold_batch_norm(&net).unwrap_err();
    assert_eq!((error.kind(), error.layer()), (ErrorKind::Weights, Some("bn1")));
}
