//! Training through the integers: what is computed with is what the integers are, and they get better.

use synapress_model::layers::{BatchNorm, Convolution, InnerProduct, Input, Pooling, Relu, Scale};
use synapress_model::pass::Mode;
use synapress_model::{Form, Graph, Net, Shape, Weights};
use synapress_run::{Executor, Keep, Session};

use super::*;
use crate::group;
use crate::prune::tests::numbers;
use crate::quantize::{self, requantize, with_biases};

fn alone() -> Arc<dyn Peers> {
    Arc::new(synapress_peers::Alone)
}

const IMAGE: usize = 3 * 64;

/// A convolution, a pooling by means and a classifier.
fn net(seed: u64) -> Net {
    let mut g = Graph::new();
    let at = g.add("data", Input { shape: Shape::new(3, 8, 8).unwrap() }, &[]).unwrap();
    let at = g.add("conv", Convolution::square(6, 3, 1, 1), &[at]).unwrap();
    let at = g.add("relu", Relu::default(), &[at]).unwrap();
    let pool = Pooling::average(2, 2, 0);
    let at = g.add("pool", pool, &[at]).unwrap();
    g.add("fc", InnerProduct { outputs: 5, bias: true }, &[at]).unwrap();
    let mut net = Net { weights: vec![None; g.nodes().len()], graph: g, ..Net::default() };
    for id in net.synaptic() {
        let shape = net.graph.weight_shape(id).unwrap();
        let weights = numbers(shape.len(), seed + id as u64).iter().map(|w| w * 0.4).collect();
        net.weights[id] = Some(Weights::dense(shape.dims, weights, numbers(shape.bias_len(), seed + 9)));
    }
    net
}

/// A network as it is before quantization, and its integers of few bits.
fn stages(grouped: bool) -> (Net, Net, Net) {
    let float = net(3);
    let start = match grouped {
        true => group::group(&float, &group::Options { bits: 3, ..group::Options::default() }).unwrap(),
        false => float.clone(),
    };
    // A coarse code that flips moves all members of a centroid at once.
    let bits = if grouped { 8 } else { 4 };
    let options = quantize::Options { conv_bits: bits, fc_bits: bits, output_bits: 5, ..quantize::Options::default() };
    let integers = quantize::quantize(&start, &numbers(20 * IMAGE, 1), &options).unwrap();
    let start = with_biases(&start, &integers).unwrap();
    (float, start, integers)
}

fn scores(net: &Net, images: &[f32]) -> Vec<f32> {
    let mut session = Session::new(net).unwrap();
    images.chunks(IMAGE).flat_map(|image| session.run(image).unwrap().to_vec()).collect()
}

#[test]
fn what_is_computed_with_are_the_integers() {
    for grouped in [false, true] {
        let (_, start, integers) = stages(grouped);
        let images = numbers(12 * IMAGE, 8);
        let mut trainer = Trainer::new(&start, 12, true, Some(&integers)).unwrap();
        trainer.backend().forward(&images, Mode::Infer);
        let found = trainer.backend().output(start.graph.output()).into_owned();
        let wanted = scores(&integers, &images);
        let step = integers.integers.as_ref().unwrap().outputs.last().unwrap().step() as f32;
        // Means over a window are rounded in another order, and biases in their own format.
        let off = found.iter().zip(&wanted).filter(|(a, b)| (**a - **b).abs() > 1e-3 * step).count();
        assert!(off <= found.len() / 20, "{off} of {}", found.len());
        assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() <= 1.01 * step));
        let again = requantize(&trainer.net(), &integers).unwrap();
        assert_eq!(again.integers, integers.integers);
        let codes = |net: &Net| net.weights.iter().flatten().map(|w| w.values().into_owned()).collect::<Vec<_>>();
        assert_eq!(codes(&again), codes(&integers));
    }
}

/// Always the same images.
struct Same(Vec<f32>);

impl Batches for Same {
    fn batch(&mut self, _: usize, images: &mut Vec<f32>, labels: &mut Vec<usize>) -> Result<(), Fault> {
        images.clone_from(&self.0);
        *labels = vec![0; images.len() / IMAGE];
        Ok(())
    }
}

#[test]
fn the_integers_come_nearer_to_the_float_network() {
    for grouped in [false, true] {
        let (float, start, integers) = stages(grouped);
        let mut images = Same(numbers(32 * IMAGE, 8));
        let rate = 0.02;
        let options = Options { steps: 150, batch: 32, learning_rate: rate, temperature: 1.0, ..Options::default() };
        let mut go_on = |_: Progress, _: &mut dyn FnMut() -> Net| true;
        let trained =
            train(&start, Some(&float), &mut images, true, Some(&integers), &options, None, &alone(), &mut go_on)
                .unwrap();
        let trained = requantize(&trained, &integers).unwrap();
        let mut executor = Executor::<f32>::new(&float, 32, Keep::Output).unwrap();
        let teacher = executor.forward(&images.0, Mode::Infer).to_vec();
        let divergence = |net: &Net| {
            let scores = scores(net, &images.0);
            let target = Target::Teacher { logits: &teacher, temperature: 1.0 };
            loss(&scores, 5, target, 1.0, &mut vec![0.0; scores.len()])
        };
        let [before, after] = [&integers, &trained].map(divergence);
        assert!(after < 0.9 * before, "grouped {grouped}: {after} after {before}");
        if let (Some(Form::Coded { index, .. }), true) = (trained.weights[1].as_ref().map(|w| &w.form), grouped) {
            let Some(Form::Coded { index: first, .. }) = integers.weights[1].as_ref().map(|w| &w.form) else {
                panic!()
            };
            assert_eq!(index, first);
        }
    }
}

#[test]
fn the_processor_conforms() {
    conformance::conformance(Cpu::new);
}

#[test]
fn integers_of_another_network_are_refused() {
    let (float, start, integers) = stages(false);
    assert!(Trainer::new(&start, 1, true, Some(&float)).unwrap_err().to_string().contains("quantized"));
    let other = crate::prune::tests::small_net(1);
    assert!(Trainer::new(&other, 1, true, Some(&integers)).is_err());
    assert!(requantize(&integers, &integers).is_err() && requantize(&start, &float).is_err());
}

/// Images whose class is the brightest of their channels.
struct Bright;

impl Batches for Bright {
    fn batch(&mut self, step: usize, images: &mut Vec<f32>, labels: &mut Vec<usize>) -> Result<(), Fault> {
        images.clear();
        labels.clear();
        for i in 0..16 {
            let class = (step * 7 + i) % 3;
            let noise = numbers(IMAGE, (step * 16 + i) as u64);
            // Far from zero mean and unit variance, so that normalization has something to do.
            images.extend(
                noise.iter().enumerate().map(|(at, x)| 40.0 + 5.0 * x + if at / 64 == class { 4.0 } else { 0.0 }),
            );
            labels.push(class);
        }
        Ok(())
    }
}

fn normalized() -> Net {
    let mut g = Graph::new();
    let at = g.add("data", Input { shape: Shape::new(3, 8, 8).unwrap() }, &[]).unwrap();
    let conv = Convolution { bias: false, ..Convolution::square(6, 3, 1, 1) };
    let at = g.add("conv", conv, &[at]).unwrap();
    let at = g.add("bn", BatchNorm { moving_average_fraction: 0.9, ..BatchNorm::default() }, &[at]).unwrap();
    let at = g.add("scale", Scale { bias: true }, &[at]).unwrap();
    let at = g.add("relu", Relu::default(), &[at]).unwrap();
    let at = g.add("pool", Pooling::average(8, 8, 0), &[at]).unwrap();
    g.add("fc", InnerProduct { outputs: 3, bias: true }, &[at]).unwrap();
    let mut net = Net { weights: vec![None; g.nodes().len()], graph: g, ..Net::default() };
    for id in 0..net.weights.len() {
        let Some(shape) = net.graph.weight_shape(id) else { continue };
        let values = match net.graph.node(id).layer.kind().name {
            "BatchNorm" => [[0.0; 6], [1.0; 6]].concat(),
            "Scale" => vec![1.0; 6],
            _ => numbers(shape.len(), id as u64).iter().map(|w| w * 0.4).collect(),
        };
        net.weights[id] = Some(Weights::dense(shape.dims, values, vec![0.0; shape.bias_len()]));
    }
    net
}

#[test]
fn networks_learn_from_batch_statistics_and_keep_their_averages() {
    let options = Options { steps: 60, learning_rate: 0.05, batch_statistics: true, ..Options::default() };
    let net = normalized();
    let folder = tempfile::tempdir().unwrap();
    let run = |checkpoint: Option<&Checkpoint>, until: usize| {
        train(&net, None, &mut Bright, false, None, &options, checkpoint, &alone(), &mut |p, _| p.step < until)
    };
    let trained = run(None, usize::MAX).unwrap();
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let mut right = 0;
    for step in 1000..1010 {
        Bright.batch(step, &mut images, &mut labels).unwrap();
        let mut executor = Executor::<f32>::new(&trained, 16, Keep::All).unwrap();
        let scores = executor.forward(&images, Mode::Infer).to_vec();
        let best = |s: &[f32]| (0..3).max_by(|&a, &b| s[a].total_cmp(&s[b])).unwrap();
        right += scores.chunks(3).zip(&labels).filter(|(s, l)| best(s) == **l).count();
        // What is stored are the means and variances of what the layer reads.
        let (conv, bn) = (trained.graph.find("conv").unwrap(), trained.graph.find("bn").unwrap());
        let stored = trained.weights[bn].as_ref().unwrap().values().into_owned();
        for c in 0..6 {
            let of_channel = |(i, _): &(usize, &f32)| i / 64 % 6 == c;
            let all = executor.activation(conv).iter().enumerate().filter(of_channel).map(|(_, x)| f64::from(*x));
            let (sum, squares) = all.fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
            let (mean, variance) = (sum / 1024.0, squares / 1024.0 - (sum / 1024.0).powi(2));
            let [m, v] = [stored[c], stored[6 + c]].map(f64::from);
            assert!(
                (m - mean).abs() < 0.3 * variance.sqrt() && (v / variance).ln().abs() < 0.3,
                "{m} {mean}, {v} {variance}"
            );
        }
    }
    assert!(right > 140, "{right} of 160");
    let checkpoint = Checkpoint { path: folder.path().join("training.syn"), every: 10 };
    assert!(matches!(run(Some(&checkpoint), 25), Err(Fault::Stopped { step: 25 })));
    assert_eq!(run(Some(&checkpoint), usize::MAX).unwrap().weights, trained.weights);
}
