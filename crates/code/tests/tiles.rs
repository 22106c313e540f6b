//! Tiles decoded by themselves, in whatever order and on however many threads, are the whole.

mod common;

use common::{net, plan};
use proptest::prelude::*;
use synapress_code::{Effort, Limits, Options, decode, encode, layers};
use synapress_model::layers::{InnerProduct, Input};
use synapress_model::{Bias, Centroids, Fixed, Form, Net, Shape, Weights};

/// Asserts that the tiles of a file, decoded last to first, are what the file decodes to.
fn assert_tiles_are_the_whole(bytes: &[u8]) {
    let whole = decode(bytes, &Limits::default()).unwrap();
    let coded = layers(bytes, &Limits::default()).unwrap();
    assert_eq!(coded.len(), whole.weights.iter().flatten().count());
    for layer in coded {
        let weights = whole.weights[layer.node()].as_ref().unwrap();
        assert_eq!((layer.dims(), layer.name()), (weights.dims, &*whole.graph.node(layer.node()).name));
        let taps: usize = layer.dims()[1..].iter().product();
        let mut end = if taps == 0 { 0 } else { layer.dims()[0] };
        for tile in (0..layer.tiles()).rev() {
            let rows = layer.rows(tile);
            assert_eq!((rows.end, rows.is_empty()), (end, false));
            end = rows.start;
            let range = rows.start * taps..rows.end * taps;
            let wanted = match &weights.form {
                Form::Dense(w) => Form::Dense(w[range].to_vec()),
                Form::Coded { centroids, index } => {
                    Form::Coded { centroids: centroids.clone(), index: index[range].to_vec() }
                }
                Form::Fixed { format, q } => Form::Fixed { format: *format, q: q[range].to_vec() },
            };
            assert_eq!(layer.tile(tile).unwrap(), wanted);
        }
        assert_eq!(end, 0);
    }
}

proptest! {
    #[test]
    fn tiles_are_the_whole(plan in plan(), effort in 0usize..3) {
        let effort = [Effort::Quick, Effort::Fast, Effort::Max][effort];
        assert_tiles_are_the_whole(&encode(&net(&plan), &Options { effort }).unwrap());
    }
}

/// Layers of several tiles in every form, the large ones not first.
fn large() -> Net {
    let format = Fixed::new(8, 7).unwrap();
    let mut net = Net::default();
    let mut last = net.graph.add("data", Input { shape: Shape::new(1000, 1, 1).unwrap() }, &[]).unwrap();
    net.weights.push(None);
    let mut state = 1u32;
    for (name, outputs, inputs) in
        [("small", 10, 1000), ("floats", 1300, 10), ("index", 1700, 1300), ("codes", 1900, 1700)]
    {
        last = net.graph.add(name, InnerProduct { outputs, bias: false }, &[last]).unwrap();
        let mut next = |n: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 28 == 0 { (state >> 12) % n } else { 0 }
        };
        let count = outputs * inputs;
        let form = match name {
            "floats" => Form::Dense((0..count).map(|_| next(999) as f32).collect()),
            "index" => {
                let centroids = Centroids::Float((0..20u8).map(f32::from).collect());
                Form::Coded { centroids, index: (0..count).map(|_| next(20) as u16).collect() }
            }
            _ => Form::Fixed { format, q: (0..count).map(|_| next(128) as i16).collect() },
        };
        net.weights.push(Some(Weights { dims: [outputs, inputs, 1, 1], form, bias: Bias::None }));
    }
    net
}

#[test]
fn large_layers_have_several_tiles_and_any_number_of_threads_decodes_them() {
    let bytes = encode(&large(), &Options::default()).unwrap();
    let tiles: Vec<usize> = layers(&bytes, &Limits::default()).unwrap().iter().map(|l| l.tiles()).collect();
    assert!(tiles[0] == 1 && tiles[2] > 2 && tiles[3] > 3, "{tiles:?}");
    assert_tiles_are_the_whole(&bytes);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let back = pool.install(|| decode(&bytes, &Limits::default())).unwrap();
        assert!(back.weights == large().weights);
    }
}

/// Of several faults the same one is told, whichever thread meets it first.
#[test]
fn the_same_fault_is_told_with_any_number_of_threads() {
    let mut bytes = encode(&large(), &Options::default()).unwrap();
    // Near the end of every large layer's chunk, where range code is changed but no length.
    let limits = Limits { checksums: false, ..Limits::default() };
    for at in (bytes.len() / 4..bytes.len() - 40).step_by(5000) {
        bytes[at..at + 8].fill(0xff);
    }
    let told = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| decode(&bytes, &limits)).unwrap_err().to_string()
    };
    let one = told(1);
    for _ in 0..5 {
        assert_eq!(told(3), one);
    }
}
