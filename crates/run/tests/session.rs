//! A session gives exactly the integers of the definition, whatever the network, the kernel and the thread.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

#[cfg(not(target_family = "wasm"))]
use proptest::prelude::*;
use rand::Rng;
use synapress_code::{Effort, Limits, Options, Stored, decode, encode};
use synapress_kernels::integer::Kernel;
use synapress_model::layers::{Convolution, InnerProduct, Input, LAYERS, Softmax};
use synapress_model::{Bias, Centroids, ErrorKind, Fixed, Form, Graph, Integers, Net, Shape, Weights};
use synapress_run::{Scores, Session, definition};

/// The scores of a network by its definition.
fn expected(net: &Net, image: &[f32]) -> Vec<i16> {
    let output = net.graph.output();
    let scores = match net.graph.node(output).layer.loss_weight() {
        Some(_) => net.graph.node(output).inputs[0],
        None => output,
    };
    definition(net, image).unwrap().swap_remove(scores)
}

/// Sessions of a network, however its weights come.
fn sessions(net: &Net, kernel: Kernel) -> Vec<Session> {
    let bytes = encode(net, &Options { effort: Effort::Quick }).unwrap();
    let source = Arc::new(Stored::new(bytes, &Limits::default()).unwrap());
    vec![
        Session::with_kernel(net, kernel).unwrap(),
        Session::consume(net.clone(), kernel).unwrap().with_threads(if kernel == Kernel::best() { 3 } else { 1 }),
        Session::stored(source.clone(), kernel, false).unwrap(),
        Session::stored(source, kernel, true).unwrap(),
    ]
}

/// Runs a network on two images in turn with every kernel.
fn check(net: &Net, seed: u64) {
    let images = [common::image(net, seed), common::image(net, seed + 1)];
    let wanted = [expected(net, &images[0]), expected(net, &images[1])];
    for kernel in Kernel::available() {
        for mut session in sessions(net, kernel) {
            for (image, wanted) in images.iter().zip(&wanted).chain(images.iter().zip(&wanted)) {
                let scores = session.run(image).unwrap().to_vec();
                assert_eq!(session.codes().0, wanted, "{}: {:?}", kernel.name(), net.graph);
                assert!(scores.iter().all(|s| s.is_finite()));
                if session.kind() == Scores::Probabilities && net.graph.shape(net.graph.output()).area() == 1 {
                    assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-3, "{scores:?}");
                }
            }
        }
    }
}

#[cfg(not(target_family = "wasm"))]
proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_session_equals_the_definition(seed: u64, layers in 0usize..14) {
        // Random formats may be refused for what could overflow.
        if let Ok(net) = common::network(seed, layers) {
            check(&net, seed ^ 1);
        }
    }
}

/// Layers of many weights are decoded in pieces, of several tiles too, and some of whose sums 32 bits do
/// not hold.
#[test]
fn large_layers_in_pieces_give_the_same() {
    let mut graph = Graph::new();
    let data = graph.add("data", Input { shape: Shape::new(66, 5, 6).unwrap() }, &[]).unwrap();
    let conv = graph.add("conv", Convolution::square(237, 3, 1, 1), &[data]).unwrap();
    graph.add("fc", InnerProduct { outputs: 150, bias: true }, &[conv]).unwrap();
    let mut random = common::generator(5);
    for (bits, width) in [(8, 8), (8, 16), (16, 16)] {
        let format = Fixed::new(bits, 11).unwrap();
        let (low, high) = format.range();
        let mut code = || random.random_range(low as i16..=high as i16);
        let table = [0].into_iter().chain((0..40).map(|_| code())).collect();
        let index = (0..237 * 66 * 9).map(|i| if i % 3 == 0 { (i / 3 % 41) as u16 } else { 0 }).collect();
        let conv = Form::Coded { centroids: Centroids::Fixed { q: table, format }, index };
        let fc = Form::Fixed { q: (0..150 * 237 * 30).map(|_| code()).collect(), format };
        let bias = |n| Bias::Fixed { q: (0..n).map(|i| i * 100 - 7000).collect(), frac: 12 };
        let weights = [(conv, [237, 66, 3, 3]), (fc, [150, 237 * 30, 1, 1])];
        let weights = weights.map(|(form, dims)| Some(Weights { dims, form, bias: bias(dims[0] as i32) }));
        let outputs = [4, 2, -2].map(|frac| Fixed::new(width, frac).unwrap()).to_vec();
        let integers = Some(Integers { outputs, tables: vec![Vec::new(); 3] });
        let weights = [None].into_iter().chain(weights).collect();
        check(&Net { name: String::new(), graph: graph.clone(), weights, integers, ..Net::default() }, 3);
    }
}

#[test]
fn networks_from_files_run() {
    let networks: Vec<_> = (0..60).filter_map(|seed| common::network(seed, 4 + seed as usize % 10).ok()).collect();
    assert!(networks.len() > 30, "{} networks", networks.len());
    for net in networks {
        let bytes = encode(&net, &Options::default()).unwrap();
        check(&decode(&bytes, &Limits::default()).unwrap(), 7);
    }
}

#[test]
fn the_random_networks_have_every_kind() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let Ok(net) = common::network(seed, 10) else { continue };
        let needed = net.graph.needed_for(&[net.graph.output()]);
        seen.extend(net.graph.nodes().iter().zip(needed).filter(|(_, n)| *n).map(|(n, _)| n.layer.kind().name));
    }
    let without_integers = ["BatchNorm"];
    let missing: Vec<_> = LAYERS.iter().map(|k| k.name).filter(|n| !seen.contains(n)).collect();
    assert_eq!(missing, without_integers);
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "no threads")]
fn sessions_on_several_threads_give_the_same() {
    for seed in 0..30 {
        let Ok(net) = common::network(seed, 10) else { continue };
        let session = Session::new(&net).unwrap();
        let images: Vec<_> = (0..8).map(|i| common::image(&net, seed * 100 + i)).collect();
        let run = |images: &[Vec<f32>], mut session: Session| -> Vec<Vec<u32>> {
            images.iter().map(|i| session.run(i).unwrap().iter().map(|p| p.to_bits()).collect()).collect()
        };
        let alone = run(&images, session.clone());
        let (a, b) = images.split_at(4);
        let two = std::thread::scope(|scope| {
            let threads = [a, b].map(|images| scope.spawn(|| run(images, session.clone())));
            threads.into_iter().flat_map(|t| t.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(alone, two);
    }
}

/// A convolution of 3x3 over 4 channels with these weights, 16 bits everywhere.
fn convolution(q: i16, bias: i32) -> Net {
    let mut graph = Graph::new();
    let data = graph.add("data", Input { shape: Shape::new(4, 6, 6).unwrap() }, &[]).unwrap();
    graph.add("conv", Convolution::square(3, 3, 1, 1), &[data]).unwrap();
    let (format, wide) = (Fixed::new(16, 15).unwrap(), Fixed::new(16, 0).unwrap());
    let form = Form::Fixed { q: vec![q; 3 * 36], format };
    let weights = Weights { dims: [3, 4, 3, 3], form, bias: Bias::Fixed { q: vec![bias; 3], frac: 0 } };
    let integers = Integers { outputs: vec![wide, wide], tables: vec![vec![], vec![]] };
    Net { graph, weights: vec![None, Some(weights)], integers: Some(integers), ..Net::default() }
}

#[test]
fn the_largest_products_are_exact() {
    // Two products of 2^30 do not fit 32 bits: the kernels leave the layer to its definition.
    for (q, pixel) in [(-32768, -40000.0), (-32768, 40000.0), (32767, 40000.0), (-32767, -40000.0)] {
        let net = convolution(q, i32::MAX);
        let image = vec![pixel; 4 * 36];
        let mut session = Session::new(&net).unwrap();
        session.run(&image).unwrap();
        assert_eq!(session.codes().0, expected(&net, &image));
    }
}

#[test]
fn what_cannot_run_is_refused() {
    let net = convolution(1, 0);
    let mut session = Session::new(&net).unwrap();
    assert_eq!(session.run(&[0.0; 7]).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(definition(&net, &[0.0; 7]).unwrap_err().kind(), ErrorKind::Shape);
    let float = Net { integers: None, ..net.clone() };
    assert_eq!(Session::new(&float).unwrap_err().kind(), ErrorKind::Format);

    let mut middle = net.clone();
    let prob = middle.graph.add("prob", Softmax::default(), &[1]).unwrap();
    middle.graph.add("after", synapress_model::layers::Split, &[prob]).unwrap();
    middle.weights.extend([None, None]);
    let integers = middle.integers.as_mut().unwrap();
    integers.outputs.extend([Fixed::new(8, 7).unwrap(); 2]);
    integers.tables.extend([vec![], vec![]]);
    let error = Session::new(&middle).unwrap_err();
    assert_eq!((error.kind(), error.layer()), (ErrorKind::Unsupported, Some("prob")));
}

/// Most steps of networks of 8 bits are done by the kernels, and rectifiers take none.
#[test]
fn steps_are_done_by_kernels() {
    let mut loops = BTreeSet::new();
    let (mut by_kernels, mut all) = (0, 0);
    for seed in 0..300 {
        let Ok(net) = common::network(seed, 10) else { continue };
        for (id, how) in Session::new(&net).unwrap().steps() {
            loops.insert(how.loops);
            if net.linear(id).is_some() {
                all += 1;
                by_kernels += usize::from(how.multiplications.is_some());
            }
        }
    }
    assert!(by_kernels * 2 > all, "{by_kernels} of {all} weighted sums by kernels");
    for known in ["8-bit sums", "16-bit sums", "64-bit sums", "sparse 8-bit sums", "pooling", "table", "definition"] {
        assert!(loops.contains(known), "{known} is not among {loops:?}");
    }
}
