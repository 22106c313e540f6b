//! Random networks within a budget of bits.

use super::*;
use crate::layerwise::tests::pooled_net;
use crate::prune::tests::{numbers, small_net};
use synapress_model::Form;
use synapress_model::Mode;
use synapress_run::{Executor, Keep};

fn coded(net: &Net, images: &[f32], price: f64) -> Priced {
    let mut bench = Bench::new(net, images, &Options::default()).unwrap();
    let scales = bench.measure(At::Error(0.02), &mut |_| {}).unwrap();
    bench.compress(&scales, price, &mut |_| {}).unwrap()
}

/// The mean squared difference of the class scores on images that nothing was fitted to.
fn difference(a: &Net, b: &Net) -> f64 {
    let len = a.graph.shape(a.graph.input().unwrap()).len();
    let fresh = numbers(40 * len, 321);
    let scores = |net| Executor::<f32>::new(net, 40, Keep::Output).unwrap().forward(&fresh, Mode::Infer).to_vec();
    let (a, b) = (scores(a), scores(b));
    a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64
}

fn bits(priced: &Priced) -> f64 {
    priced.layers.iter().map(|l| l.bits * l.weights as f64).sum()
}

#[test]
fn a_higher_price_buys_fewer_bits_and_more_error() {
    // The mean over noise hardly varies, and so do the scores of the second network.
    for (net, len, unit) in [(small_net(60), 4 * 81, 1e-4), (pooled_net(61), 3 * 64, 1e-11)] {
        let images = numbers(120 * len, 9);
        let runs: Vec<Priced> = [0.01, 1.0, 100.0].iter().map(|p| coded(&net, &images, p * unit)).collect();
        let sizes: Vec<f64> = runs.iter().map(bits).collect();
        let errors: Vec<f64> = runs.iter().map(|r| difference(&net, &r.net)).collect();
        assert!(sizes[0] > sizes[1] && sizes[1] > 1.1 * sizes[2], "{sizes:?}");
        assert!(errors[0] < errors[2], "{errors:?}");
        runs.iter().for_each(|r| r.net.verify().unwrap());
    }
}

#[test]
fn error_is_less_than_that_of_rounding_to_the_same_steps() {
    let net = small_net(62);
    let images = numbers(200 * 4 * 81, 8);
    let found = coded(&net, &images, 1e-4);
    let mut rounded = net.clone();
    for layer in &found.layers {
        let id = net.graph.find(&layer.name).unwrap();
        let Some(Form::Dense(w)) = rounded.weights[id].as_mut().map(|w| &mut w.form) else { panic!("dense") };
        w.iter_mut().for_each(|w| *w = (*w / layer.step).round() * layer.step);
    }
    let (ours, plain) = (difference(&net, &found.net), difference(&net, &rounded));
    assert!(ours < plain, "{ours} {plain}");
}

#[test]
fn centroids_are_numbers_of_fixed_point_and_zero_is_the_first() {
    let net = small_net(63);
    let found = coded(&net, &numbers(100 * 4 * 81, 7), 1e-4);
    for id in net.synaptic() {
        let Some(Form::Coded { centroids, index }) = found.net.weights[id].as_ref().map(|w| &w.form) else {
            panic!("grouped")
        };
        let values = centroids.values();
        assert!(values[0] == 0.0 && values.len() <= 256 && index.iter().all(|&i| usize::from(i) < values.len()));
        let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let format = synapress_model::Fixed::covering(8, true, largest);
        assert!(values.iter().all(|&v| format.value(format.quantize(v)) == v));
    }
}

#[test]
fn the_threads_do_not_change_a_bit() {
    let net = pooled_net(64);
    let images = numbers(60 * 3 * 64, 6);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| coded(&net, &images, 1e-4).net.weights)
    };
    assert_eq!(with(1), with(2));
}

#[test]
fn a_layer_too_wide_is_coded_weight_by_weight() {
    let net = small_net(66);
    let images = numbers(80 * 4 * 81, 5);
    let coded = |most_taps| {
        let mut bench = Bench::new(&net, &images, &Options { most_taps, ..Options::default() }).unwrap();
        let scales = bench.measure(At::Error(0.02), &mut |_| {}).unwrap();
        bench.compress(&scales, 1e-4, &mut |_| {}).unwrap()
    };
    let (narrow, wide) = (coded(8192), coded(90));
    assert_eq!(narrow.net.weights[1], wide.net.weights[1], "layers before it are as they were");
    let [narrow, wide] = [narrow, wide].map(|p| p.layers.last().unwrap().clone());
    assert!(wide.error > 0.0 && wide.error < 0.5 && wide.bits < 10.0, "{wide:?} {narrow:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let net = small_net(65);
    let images = numbers(4 * 4 * 81, 5);
    let refusal =
        |net: &Net, images: &[f32], options: &Options| Bench::new(net, images, options).unwrap_err().to_string();
    assert!(refusal(&net, &images[1..], &Options::default()).contains("whole number"));
    assert!(refusal(&net, &images, &Options { bits: 9, ..Options::default() }).contains("2 to 8 bits"));
    let grouped = crate::group::group(&net, &crate::group::Options::default()).unwrap();
    assert!(refusal(&grouped, &images, &Options::default()).contains("grouped"));
}
