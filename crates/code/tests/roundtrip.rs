//! What was encoded comes back: random networks of every form, and one whose bytes are pinned.

mod common;

use common::{assert_same, net, plan, tiny};
use proptest::prelude::*;
use synapress_code::{
    Effort, Limits, Options, Stage, Stored, costs, decode, decode_with_extras, encode, encode_with_extras, read,
    read_with_extras, summary, write,
};
use synapress_model::layers::{Convolution, InnerProduct, Input};
use synapress_model::{Bias, Centroids, Form, Net, Shape, Source, Weights};

proptest! {
    #[test]
    fn every_network_comes_back(plan in plan(), effort in 0usize..3) {
        let net = net(&plan);
        let effort = [Effort::Quick, Effort::Fast, Effort::Max][effort];
        let bytes = encode(&net, &Options { effort }).unwrap();
        let whole = decode(&bytes, &Limits::default()).unwrap();
        assert_same(&net, &whole);
        let stored = Stored::new(bytes.clone(), &Limits::default()).unwrap();
        prop_assert!(stored.net().weights.iter().all(Option::is_none));
        for (id, weights) in whole.weights.iter().enumerate() {
            prop_assert_eq!(&stored.decode(id).unwrap(), weights);
            prop_assert_eq!(stored.format(id), weights.as_ref().and_then(|w| Some(w.codes()?.1)));
        }
        let summary = summary(&bytes).unwrap();
        prop_assert_eq!(summary.parameters(), net.parameters());
        let nonzero: usize = net.weights.iter().flatten().map(|w| w.len() - w.zeros()).sum();
        prop_assert_eq!(summary.nonzero(), nonzero as u64);
        prop_assert!(summary.layers.iter().all(|l| l.bytes >= l.weight_bytes + l.codebook_bytes + l.bias_bytes));
        prop_assert_eq!(summary.bytes, bytes.len() as u64);
        for (cost, layer) in costs(&bytes, &Limits::default()).unwrap().iter().zip(&summary.layers) {
            let [all, weights] = [layer.bytes, layer.weight_bytes].map(|n| n as f64);
            prop_assert!((cost.bytes() - all).abs() < 1e-6 && cost.overhead > 0.0, "{:?}", cost);
            prop_assert!(cost.weight_bytes() < weights + 1.0, "{:?}", cost);
        }
    }

    #[test]
    fn extras_come_back(extras in prop::collection::vec((".{0,6}", prop::collection::vec(any::<u8>(), 0..40)), 0..4)) {
        let bytes = encode_with_extras(&tiny(), &extras, &Options::default()).unwrap();
        let (net, back) = decode_with_extras(&bytes, &Limits::default()).unwrap();
        assert_same(&net, &tiny());
        prop_assert_eq!(back, extras);
        assert_same(&decode(&bytes, &Limits::default()).unwrap(), &tiny());
    }
}

/// Files of earlier releases must stay readable: if this fails, the version has to rise and the old decoder to stay.
#[test]
fn the_bytes_of_two_networks_are_pinned() {
    let pinned = |net: Net, effort, schemes: [&str; 2]| {
        let bytes = encode(&net, &Options { effort }).unwrap();
        let found = summary(&bytes).unwrap().layers;
        assert_eq!([&*found[0].scheme, &*found[1].scheme], schemes);
        (bytes.len(), crc32fast::hash(&bytes))
    };
    let found = [
        pinned(tiny(), Effort::Fast, ["bitmap", "gap"]),
        pinned(layered(), Effort::Fast, ["split", "range"]),
        pinned(layered(), Effort::Max, ["split", "mixed"]),
    ];
    assert_eq!(found, [(312, 1811846808), (6293, 1026748179), (6284, 2881284183)]);
}

/// Two layers large enough for the adaptive schemes, from plain integers: kernels in floats, then indices.
fn layered() -> Net {
    let mut state = 1u32;
    let mut next = |n: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % n
    };
    let mut net = Net::default();
    let data = net.graph.add("data", Input { shape: Shape::new(16, 3, 3).unwrap() }, &[]).unwrap();
    let conv = net.graph.add("conv", Convolution::square(20, 3, 1, 0), &[data]).unwrap();
    net.graph.add("fc", InnerProduct { outputs: 1000, bias: false }, &[conv]).unwrap();
    let kernel = (0..2880).map(|i| if next(3) == 0 { (next(4001) as f32 - 2000.0) / (256 + i) as f32 } else { 0.0 });
    let conv = Weights::dense([20, 16, 3, 3], kernel.collect(), vec![0.0; 20]);
    let index =
        (0..20_000).map(|i| if next(2 + 3 * (i % 20 % 7)) == 0 { (next(8) * next(5)) as u16 } else { 0 }).collect();
    let centroids =
        Centroids::Float((0..32u8).map(|i| if i == 0 { 0.0 } else { f32::from(i) / 16.0 - 1.03 }).collect());
    let fc = Weights { dims: [1000, 20, 1, 1], form: Form::Coded { centroids, index }, bias: Bias::None };
    net.weights = vec![None, Some(conv), Some(fc)];
    net
}

#[test]
fn the_bytes_do_not_depend_on_threads() {
    let net = large(300, 20_000, 0.9);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| encode(&net, &Options::default()).unwrap())
    };
    let bytes = with(1);
    assert!(bytes == with(2) && bytes == with(7));
    assert_same(&net, &decode(&bytes, &Limits::default()).unwrap());
}

/// A fully connected layer of `rows x taps` weights of which a part is zero, large enough for several tiles.
fn large(rows: usize, taps: usize, zeros: f64) -> Net {
    use rand::Rng;
    let mut random = rand_pcg::Pcg64Mcg::new(5);
    let mut net = Net::default();
    let data = net.graph.add("data", Input { shape: Shape::new(taps, 1, 1).unwrap() }, &[]).unwrap();
    net.graph.add("fc", InnerProduct { outputs: rows, bias: false }, &[data]).unwrap();
    let weight = |_| if random.random_bool(zeros) { 0.0 } else { random.random_range(-1.0f32..1.0) };
    net.weights = vec![None, Some(Weights::dense([rows, taps, 1, 1], (0..rows * taps).map(weight).collect(), vec![]))];
    net
}

#[test]
fn the_default_limits_allow_a_network_of_zeros() {
    let net = large(1000, 30_000, 1.0);
    let bytes = encode(&net, &Options::default()).unwrap();
    assert!(bytes.len() < 10_000);
    assert_same(&net, &decode(&bytes, &Limits::default()).unwrap());
}

#[test]
fn a_summary_says_what_a_file_is_made_of() {
    let extras = [("optimizer".to_owned(), vec![1, 2, 3])];
    let bytes = encode_with_extras(&tiny(), &extras, &Options::default()).unwrap();
    let summary = summary(&bytes).unwrap();
    assert_eq!((summary.name.as_str(), summary.nodes, summary.layers.len()), ("tiny", 3, 2));
    let [conv, fc] = &summary.layers[..] else { panic!() };
    assert_eq!((conv.name.as_str(), conv.kind.as_str(), conv.stage), ("conv", "Convolution", Stage::Pruned));
    assert_eq!((conv.weights, conv.nonzero, conv.biases, conv.bits, conv.centroids), (24, 7, 3, 32, 0));
    assert_eq!((fc.stage, fc.weights, fc.bits, fc.centroids), (Stage::GroupedQuantized, 48, 6, 5));
    assert_eq!((summary.weights(), summary.parameters()), (72, 79));
    assert_eq!(summary.extras, [("optimizer".to_owned(), 3)]);
    assert!(fc.bits_per_weight() < 8.0 && summary.ratio() > 0.1 && !fc.scheme.is_empty());
}

#[test]
fn files_come_back_and_are_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.syn");
    write(&path, &tiny(), &[]).unwrap();
    assert_same(&read(&path, &Limits::default()).unwrap(), &tiny());
    write(&path, &tiny(), &[("a".to_owned(), vec![9; 9])]).unwrap();
    let (net, extras) = read_with_extras(&path, &Limits::default()).unwrap();
    assert_same(&net, &tiny());
    assert_eq!(extras, [("a".to_owned(), vec![9; 9])]);
    // A network that does not verify leaves the file as it was, and nothing beside it.
    let broken = Net { weights: vec![], ..tiny() };
    let error = write(&path, &broken, &[]).unwrap_err();
    assert_eq!(error.file(), Some(&*path));
    assert_same(&read(&path, &Limits::default()).unwrap(), &tiny());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
