//! How small the coder makes weights that have nothing but their distribution to offer, against the order-0 entropy.

use std::collections::HashMap;

use rand::Rng;
use synapress_code::{Options, Summary, encode, summary};
use synapress_model::layers::{InnerProduct, Input};
use synapress_model::{Bias, Centroids, Fixed, Form, Net, Shape, Weights};

const ROWS: usize = 1000;
const TAPS: usize = 1000;

/// A million heavy-tailed weights (products of two normal numbers), the smallest 67% of them zero.
fn pruned() -> Vec<f32> {
    let mut random = rand_pcg::Pcg64Mcg::new(11);
    let mut normal = || -> f32 { (0..12).map(|_| random.random::<f32>()).sum::<f32>() - 6.0 };
    let mut weights: Vec<f32> = (0..ROWS * TAPS).map(|_| normal() * normal()).collect();
    let mut sizes: Vec<f32> = weights.iter().map(|w| w.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let threshold = sizes[sizes.len() * 67 / 100];
    weights.iter_mut().filter(|w| w.abs() < threshold).for_each(|w| *w = 0.0);
    weights
}

/// Bytes of symbols that are independent and of known distribution, the distribution itself not counted.
fn entropy<T: std::hash::Hash + Eq + Copy>(symbols: &[T]) -> f64 {
    let mut counts: HashMap<T, u32> = HashMap::new();
    symbols.iter().for_each(|&s| *counts.entry(s).or_default() += 1);
    let n = symbols.len() as f64;
    counts.values().map(|&c| f64::from(c) * (n / f64::from(c)).log2()).sum::<f64>() / 8.0
}

fn coded(form: Form) -> Summary {
    let mut net = Net::default();
    let data = net.graph.add("data", Input { shape: Shape::new(TAPS, 1, 1).unwrap() }, &[]).unwrap();
    net.graph.add("fc", InnerProduct { outputs: ROWS, bias: false }, &[data]).unwrap();
    net.weights = vec![None, Some(Weights { dims: [ROWS, TAPS, 1, 1], form, bias: Bias::None })];
    summary(&encode(&net, &Options::default()).unwrap()).unwrap()
}

#[test]
fn weights_take_little_more_than_their_entropy() {
    let weights = pruned();
    let largest = weights.iter().fold(0.0f32, |m, w| m.max(w.abs()));
    // Of 330,000 codes of 16 bits most values are seen a few times at most: their entropy, which knows how often each
    // will come, is no bound that a coder without that table could reach.
    for (bits, over) in [(4, 1.01), (8, 1.01), (12, 1.01), (16, 1.06)] {
        let format = Fixed::covering(bits, true, largest);
        let q: Vec<i16> = weights.iter().map(|&w| format.quantize(w)).collect();
        let bound = entropy(&q);
        let layer = &coded(Form::Fixed { q, format }).layers[0];
        println!(
            "{bits:2} bits: {} bytes, entropy {bound:.0} ({:+.2}%), {:.3} bits a weight, {}",
            layer.weight_bytes,
            100.0 * (layer.weight_bytes as f64 / bound - 1.0),
            layer.bits_per_weight(),
            layer.scheme
        );
        assert!((layer.weight_bytes as f64) < over * bound, "{bits} bits: {} bytes, {bound}", layer.weight_bytes);
    }
    let centroids: Vec<f32> = (0..64).map(|i| if i == 0 { 0.0 } else { (i as f32 - 31.5) * largest / 80.0 }).collect();
    let nearest = |w: f32| {
        (1..64u16).min_by(|&a, &b| {
            let distance = |i: u16| (centroids[usize::from(i)] - w).abs();
            distance(a).total_cmp(&distance(b))
        })
    };
    let index: Vec<u16> = weights.iter().map(|&w| if w == 0.0 { 0 } else { nearest(w).unwrap() }).collect();
    let bound = entropy(&index);
    let layer = &coded(Form::Coded { centroids: Centroids::Float(centroids), index }).layers[0];
    println!("64 centroids: {} bytes, entropy {bound:.0}", layer.weight_bytes);
    assert!((layer.weight_bytes as f64) < 1.01 * bound);
}
