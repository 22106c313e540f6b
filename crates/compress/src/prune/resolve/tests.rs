//! Re-solving random networks: errors fall, zeros stay, the same seed gives the same bits.

use super::*;
use crate::prune::tests::{numbers, small_net};
use crate::prune::{apply, ratios_for, sparsity};
use synapress_model::layers::{Convolution, InnerProduct, Input, Relu};
use synapress_model::{Graph, Mode, Shape};
use synapress_run::{Executor, Keep};

fn pruned(net: &Net, sparsity: f64) -> Net {
    apply(net, &ratios_for(net, &sparsity.into()).unwrap()).unwrap()
}

fn images(n: usize) -> Vec<f32> {
    numbers(n * 4 * 81, 77)
}

/// The mean squared difference of the scores of two networks on images that nothing was fitted to.
fn difference(a: &Net, b: &Net) -> f64 {
    let fresh = numbers(64 * 4 * 81, 123);
    let scores = |net| Executor::<f32>::new(net, 64, Keep::Output).unwrap().forward(&fresh, Mode::Infer).to_vec();
    scores(a).iter().zip(&scores(b)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / 320.0
}

#[test]
fn every_layer_and_the_net_come_nearer_to_the_float_net() {
    let float = small_net(8);
    let start = pruned(&float, 0.5);
    let rounds = |score| Masks::Choose { rounds: 4, score };
    for masks in [Masks::Keep, rounds(Score::Magnitude), rounds(Score::Curvature)] {
        let options = Options { masks, ..Options::default() };
        let mut told = Vec::new();
        let resolved = resolve(&float, &start, &images(300), &options, &mut |l| told.push(l.clone())).unwrap();
        assert_eq!(told, resolved.layers);
        assert_eq!(told.len(), 3);
        for layer in &told {
            assert!(layer.after < layer.before && layer.skipped.is_none(), "{masks:?} {layer:?}");
        }
        let (before, after) = (difference(&float, &start), difference(&float, &resolved.net));
        assert!(after < 0.7 * before, "{masks:?}: {after} of {before}");
        assert_eq!(sparsity(&resolved.net), sparsity(&start), "{masks:?}");
        resolved.net.verify().unwrap();
        if masks == Masks::Keep {
            for id in float.synaptic() {
                let (a, b) = (weights_of(&start, id).unwrap(), weights_of(&resolved.net, id).unwrap());
                assert!(a.values().iter().zip(b.values().iter()).all(|(a, b)| *a != 0.0 || *b == 0.0));
            }
        }
    }
}

#[test]
fn a_net_that_was_not_pruned_stays_as_it_is() {
    let float = small_net(9);
    let resolved = resolve(&float, &float, &images(64), &Options::default(), &mut |_| {}).unwrap();
    assert!(difference(&float, &resolved.net) < 1e-6);
}

#[test]
fn the_threads_do_not_change_a_bit_and_the_seed_does() {
    let float = small_net(10);
    let start = pruned(&float, 0.6);
    let masks = Masks::Choose { rounds: 3, score: Score::Curvature };
    let with = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = Options { positions: 8, seed, masks, ..Options::default() };
        pool.install(|| resolve(&float, &start, &images(40), &options, &mut |_| {}).unwrap().net.weights)
    };
    assert_eq!(with(1, 1), with(3, 1));
    assert_ne!(with(1, 1), with(1, 2));
}

/// Images that vary in few ways, as real ones do, and hardly besides.
fn alike(n: usize, seed: u64) -> Vec<f32> {
    let ways = numbers(12 * 4 * 81, 4);
    let mut images: Vec<f32> = numbers(n * 4 * 81, seed).iter().map(|v| 0.1 * v).collect();
    for (image, shares) in images.chunks_mut(4 * 81).zip(numbers(12 * n, seed + 1).chunks(12)) {
        for (way, share) in ways.chunks(4 * 81).zip(shares) {
            image.iter_mut().zip(way).for_each(|(v, w)| *v += share * w);
        }
    }
    images
}

#[test]
fn a_wide_layer_is_solved_from_few_samples_if_that_helps() {
    let float = small_net(11);
    let start = pruned(&float, 0.5);
    // The classifier has 96 inputs and as many samples as there are images.
    let solve = |images: &[f32], most_taps| {
        let options = Options { most_taps, ..Options::default() };
        let resolved = resolve(&float, &start, images, &options, &mut |_| {}).unwrap();
        (resolved.layers.last().unwrap().clone(), resolved.net)
    };
    let scores = |net: &Net, images: &[f32]| {
        Executor::<f32>::new(net, 100, Keep::Output).unwrap().forward(images, Mode::Infer).to_vec()
    };
    let error = |net: &Net, images: &[f32]| {
        let (a, b) = (scores(net, images), scores(&float, images));
        a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
    };
    let few = alike(60, 7);
    let (layer, dual) = solve(&few, 90);
    assert!(layer.skipped.is_none() && layer.after < layer.before, "{layer:?}");
    let (layer, bias_alone) = solve(&few, 8192);
    assert!(layer.skipped.is_some(), "too few samples for the primal form");
    let others = alike(100, 99);
    let [solved, without] = [&dual, &bias_alone].map(|net| error(net, &others));
    assert!(solved < 0.9 * without, "{solved} {without}");
    // Noise tells nothing about what is better, and then nearly nothing is changed.
    let others = numbers(100 * 4 * 81, 5);
    let [solved, without] = [90, 8192].map(|most| error(&solve(&images(60), most).1, &others));
    assert!(solved < 1.1 * without, "{solved} {without}");
}

#[test]
fn a_layer_that_is_left_as_it_is_has_its_bias_corrected() {
    let float = small_net(11);
    let start = pruned(&float, 0.5);
    let resolved = resolve(&float, &start, &images(60), &Options::default(), &mut |_| {}).unwrap();
    let fc = resolved.layers.last().unwrap();
    assert!(fc.skipped.as_ref().unwrap().contains("60 samples") && fc.after <= fc.before, "{fc:?}");
    let id = float.graph.find("fc").unwrap();
    assert_eq!(resolved.net.weights[id].as_ref().unwrap().form, start.weights[id].as_ref().unwrap().form);
    assert_ne!(resolved.net.weights[id].as_ref().unwrap().bias, start.weights[id].as_ref().unwrap().bias);
}

#[test]
fn little_memory_takes_fewer_images() {
    let float = small_net(12);
    let start = pruned(&float, 0.5);
    let options = Options { memory: 20 * 972 * 4, positions: 2, ..Options::default() };
    let resolved = resolve(&float, &start, &images(100), &options, &mut |_| {}).unwrap();
    assert!(difference(&float, &resolved.net) < difference(&float, &start));
}

#[test]
fn what_does_not_fit_is_refused() {
    let float = small_net(13);
    let refusal = |pruned: &Net, images: &[f32]| {
        resolve(&float, pruned, images, &Options::default(), &mut |_| {}).unwrap_err().to_string()
    };
    let grouped = crate::group::group(&float, &crate::group::Options::default()).unwrap();
    assert!(refusal(&grouped, &images(2)).contains("grouped"));
    assert!(refusal(&float, &images(2)[1..]).contains("whole number"));
    assert!(refusal(&float, &[]).contains("whole number"));
    let mut g = Graph::new();
    let data = g.add("data", Input { shape: Shape::new(4, 9, 9).unwrap() }, &[]).unwrap();
    let conv = g.add("conv1", Convolution::square(8, 3, 1, 1), &[data]).unwrap();
    let relu = g.add("relu1", Relu::default(), &[conv]).unwrap();
    g.add("fc", InnerProduct { outputs: 5, bias: true }, &[relu]).unwrap();
    let mut other = Net { weights: vec![None; 4], graph: g, ..Net::default() };
    for id in other.synaptic() {
        let shape = other.graph.weight_shape(id).unwrap();
        other.weights[id] = Some(Weights::dense(shape.dims, numbers(shape.len(), 1), numbers(shape.bias_len(), 2)));
    }
    assert!(refusal(&other, &images(2)).contains("different layers"));
}
