//! Blocks come nearer to the float network's, whatever the stage, and what is pruned stays so.

use synapress_model::layers::{Concat, Convolution, Dropout, InnerProduct, Input, Pooling, Relu, Softmax};
use synapress_model::{Graph, Net, Shape, Weights};
use synapress_run::{Executor, Keep};

use super::*;
use crate::prune::tests::numbers;
use crate::prune::{apply, ratios_for, weights_of};
use crate::quantize::{self, requantize, with_biases};
use crate::{group, layerwise};

const IMAGE: usize = 3 * 100;

/// A convolution, a module of two branches, and a classifier.
pub(super) fn forked(seed: u64) -> Net {
    let mut g = Graph::new();
    let at = g.add("data", Input { shape: Shape::new(3, 10, 10).unwrap() }, &[]).unwrap();
    let at = g.add("conv", Convolution::square(6, 3, 1, 1), &[at]).unwrap();
    let at = g.add("relu", Relu::default(), &[at]).unwrap();
    let pool = g.add("pool", Pooling::average(2, 2, 0), &[at]).unwrap();
    let left = g.add("left", Convolution::square(5, 1, 1, 0), &[pool]).unwrap();
    let left = g.add("left relu", Relu::default(), &[left]).unwrap();
    let right = g.add("right reduce", Convolution::square(4, 1, 1, 0), &[pool]).unwrap();
    let right = g.add("right relu", Relu::default(), &[right]).unwrap();
    let right = g.add("right", Convolution::square(5, 3, 1, 1), &[right]).unwrap();
    let join = g.add("join", Concat, &[left, right]).unwrap();
    let drop = g.add("drop", Dropout { ratio: 0.4 }, &[join]).unwrap();
    let fc = g.add("fc", InnerProduct { outputs: 5, bias: true }, &[drop]).unwrap();
    g.add("prob", Softmax::default(), &[fc]).unwrap();
    let mut net = Net { name: "forked".into(), weights: vec![None; g.nodes().len()], graph: g, ..Net::default() };
    for id in net.synaptic() {
        let shape = net.graph.weight_shape(id).unwrap();
        let scale = (3.0 / (shape.len() / shape.dims[0]) as f32).sqrt();
        let weights = numbers(shape.len(), seed * 100 + id as u64).iter().map(|w| w * scale).collect();
        net.weights[id] = Some(Weights::dense(shape.dims, weights, numbers(shape.bias_len(), seed + 9)));
    }
    net
}

pub(super) fn pooled(seed: u64) -> Net {
    layerwise::tests::pooled_net(seed)
}

fn options() -> Options {
    Options { steps: 150, learning_rate: 0.01, layers: 1, ..Options::default() }
}

fn rebuilt(float: &Net, net: &Net, through: Option<&Net>, images: &[f32], options: &Options) -> (Net, Vec<Rebuilt>) {
    let mut run = Reconstruction::new(float, net, through, images, options).unwrap();
    let told = (0..run.blocks()).map(|at| run.rebuild(at).unwrap()).collect();
    (run.net().clone(), told)
}

fn error(float: &Net, net: &Net) -> f64 {
    let images = numbers(30 * IMAGE, 77);
    let id = float.graph.find("fc").unwrap();
    let [a, b] = [float, net].map(|net| {
        let mut executor = Executor::<f32>::new(net, 30, Keep::All).unwrap();
        if let Some(integers) = &net.integers {
            executor.round_outputs(&integers.outputs);
        }
        executor.forward(&images, Mode::Infer);
        executor.activation(id).to_vec()
    });
    a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

#[test]
fn a_pruned_network_comes_nearer_and_zeros_stay() {
    let float = forked(3);
    let pruned = apply(&float, &ratios_for(&float, &0.5.into()).unwrap()).unwrap();
    let images = numbers(120 * IMAGE, 5);
    let (found, told) = rebuilt(&float, &pruned, None, &images, &options());
    assert_eq!(told.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["pool", "drop", "fc"]);
    assert!(told.iter().all(|t| t.images == 120 && 0.0 < t.after && t.after < 0.9 * t.before), "{told:?}");
    let [before, after] = [&pruned, &found].map(|net| error(&float, net));
    assert!(after < 0.5 * before, "{after} {before}");
    for id in float.synaptic() {
        let [before, after] = [&pruned, &found].map(|net| weights_of(net, id).unwrap().values());
        assert!(before.iter().zip(after.iter()).all(|(b, a)| (*b == 0.0) == (*a == 0.0)));
        assert!(before != after);
    }
}

#[test]
fn centroids_and_integers_come_nearer_too() {
    let float = forked(4);
    let pruned = apply(&float, &ratios_for(&float, &0.3.into()).unwrap()).unwrap();
    let images = numbers(120 * IMAGE, 5);
    let grouped = group::group(&pruned, &group::Options { bits: 3, ..group::Options::default() }).unwrap();
    let (found, _) = rebuilt(&float, &grouped, None, &images, &options());
    assert!(error(&float, &found) < 0.7 * error(&float, &grouped));
    for bits in [4, 8] {
        let start = if bits == 4 { &pruned } else { &grouped };
        let widths = quantize::Options { conv_bits: bits, fc_bits: bits, output_bits: 6, ..Default::default() };
        let integers = quantize::quantize(start, &images[..40 * IMAGE], &widths).unwrap();
        let start = with_biases(start, &integers).unwrap();
        let (found, told) = rebuilt(&float, &start, Some(&integers), &images, &options());
        let made = requantize(&found, &integers).unwrap();
        let [before, after] = [&integers, &made].map(|net| error(&float, net));
        assert!(after < 0.8 * before, "{bits}: {after} {before}, {told:?}");
        for id in float.synaptic() {
            let [before, after] = [&start, &made].map(|net| weights_of(net, id).unwrap().values());
            assert!(before.iter().zip(after.iter()).all(|(b, a)| *b != 0.0 || *a == 0.0));
        }
    }
    assert!(Reconstruction::new(&float, &pruned, Some(&grouped), &images, &options()).is_err());
    assert!(Reconstruction::new(&float, &pruned, None, &images[1..], &options()).is_err());
}

#[test]
fn what_does_not_help_is_not_kept() {
    let float = forked(5);
    let pruned = apply(&float, &ratios_for(&float, &0.2.into()).unwrap()).unwrap();
    let images = numbers(40 * IMAGE, 5);
    let wild = Options { learning_rate: 50.0, steps: 4, ..options() };
    let (found, told) = rebuilt(&float, &pruned, None, &images, &wild);
    assert!(told.iter().all(|t| t.after == t.before), "{told:?}");
    assert_eq!(found.weights, pruned.weights);
}

#[test]
fn with_little_room_and_after_a_break_the_bits_are_the_same() {
    let float = forked(6);
    let pruned = apply(&float, &ratios_for(&float, &0.5.into()).unwrap()).unwrap();
    let images = numbers(50 * IMAGE, 5);
    // The first block has room for fewer images than the others.
    let options = Options { steps: 12, memory: 33 * 4 * (2 * IMAGE + 150), ..options() };
    let (whole, told) = rebuilt(&float, &pruned, None, &images, &options);
    assert_eq!(told.iter().map(|t| t.images).collect::<Vec<_>>(), [32, 32, 48]);
    let mut run = Reconstruction::new(&float, &pruned, None, &images, &options).unwrap();
    for at in 0..run.blocks() {
        run.rebuild(at).unwrap();
        let net = run.net().clone();
        run = Reconstruction::new(&float, &pruned, None, &images, &options).unwrap();
        run.resume(net);
    }
    assert_eq!(run.net().weights, whole.weights);
}
