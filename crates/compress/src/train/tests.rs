//! Training through the integers: what is computed with is what the integers are, and they get better.

use synapress_model::layer::Mode;
use synapress_model::layers::{Convolution, InnerProduct, Input, Pooling, Relu};
use synapress_model::{Form, Graph, Net, Shape, Weights};
use synapress_run::{Executor, Keep, Session};

use super::*;
use crate::group;
use crate::prune::tests::numbers;
use crate::quantize::{self, requantize, with_biases};

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
        let found = trainer.executor().forward(&images, Mode::Infer).to_vec();
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
        let mut go_on = |_: Progress| true;
        let trained =
            train(&start, Some(&float), &mut images, true, Some(&integers), &options, None, &mut go_on).unwrap();
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
fn integers_of_another_network_are_refused() {
    let (float, start, integers) = stages(false);
    assert!(Trainer::new(&start, 1, true, Some(&float)).unwrap_err().to_string().contains("quantized"));
    let other = crate::prune::tests::small_net(1);
    assert!(Trainer::new(&other, 1, true, Some(&integers)).is_err());
    assert!(requantize(&integers, &integers).is_err() && requantize(&start, &float).is_err());
}
