//! Deep Compression's files: what is written comes back, damage is named, and nothing panics.

use std::fs;
use std::path::PathBuf;

use synapress_import::{caffe, deep_compression};
use synapress_model::{Bias, Centroids, Form, Net, Weights};

const NET: &str = "
name: 'small'
layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [1, 2, 9, 9] } } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' convolution_param { num_output: 3 kernel_size: 3 } }
layer { name: 'bare' type: 'Convolution' bottom: 'conv' top: 'bare' convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'bare' top: 'fc' inner_product_param { num_output: 3 } }
";

fn graph() -> Net {
    caffe::parse(NET, "small", &caffe::Options::default()).unwrap()
}

/// The small network, each layer with so many centroids and every `step`th weight not pruned.
fn small(step: usize) -> Net {
    let mut net = graph();
    for id in net.synaptic() {
        let shape = net.graph.weight_shape(id).unwrap();
        let count = if net.graph.node(id).layer.kind().name == "InnerProduct" { 16 } else { 256 };
        let index = (0..shape.len()).map(|i| if i % step == step - 1 { (i % count) as u16 } else { 0 }).collect();
        let centroids = (0..count).map(|i| if i == 0 { 0.0 } else { ((i * 37 % count) as f32 - 100.5) / 64.0 });
        let form = Form::Coded { centroids: Centroids::Float(centroids.collect()), index };
        let bias = match shape.bias_len() {
            0 => Bias::None,
            n => Bias::Float((0..n).map(|i| i as f32 - 0.5).collect()),
        };
        net.weights[id] = Some(Weights { dims: shape.dims, form, bias });
    }
    net.verify().unwrap();
    net
}

#[test]
fn written_files_come_back_with_the_same_bytes() {
    for step in [1, 2, 7, 16, 17, 23, 40] {
        let net = small(step);
        let bytes = deep_compression::to_bytes(&net).unwrap();
        let mut back = graph();
        deep_compression::parse(&mut back, &bytes).unwrap();
        assert_eq!(back.weights, net.weights);
        assert_eq!(deep_compression::to_bytes(&back).unwrap(), bytes);
    }
}

#[test]
fn damage_is_named_with_layer_and_byte_or_gives_another_network() {
    let bytes = deep_compression::to_bytes(&small(7)).unwrap();
    for n in 0..bytes.len() {
        let mut net = graph();
        let error = deep_compression::parse(&mut net, &bytes[..n]).unwrap_err().to_string();
        assert!(error.contains("byte ") && (n < 12 || error.contains("layer")), "{n}: {error}");
        assert!(net.weights.iter().all(Option::is_none));
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let mut net = graph();
            if deep_compression::parse(&mut net, &damaged).is_ok() {
                net.verify().unwrap();
                let _ = deep_compression::to_bytes(&net).unwrap();
            }
        }
    }
    let longer = [&bytes[..], &[0]].concat();
    let error = deep_compression::parse(&mut graph(), &longer).unwrap_err().to_string();
    assert!(error.contains("left over"), "{error}");
}

#[test]
fn sorting_changes_no_weight() {
    let net = small(2);
    let mut sorted = net.clone();
    deep_compression::sort(&mut sorted);
    for (a, b) in net.weights.iter().flatten().zip(sorted.weights.iter().flatten()) {
        assert_eq!(a.values(), b.values());
        let Form::Coded { centroids, .. } = &b.form else { panic!() };
        assert!(centroids.values()[1..].is_sorted() && centroids.values()[0] == 0.0);
    }
}

#[test]
fn what_does_not_fit_the_layout_is_not_written() {
    let mut net = small(3);
    let fc = net.weights.last_mut().unwrap().as_mut().unwrap();
    fc.form = Form::Dense(fc.values().into_owned());
    let error = deep_compression::to_bytes(&net).unwrap_err().to_string();
    assert!(error.contains("fc") && error.contains("grouped"), "{error}");
    assert!(deep_compression::to_bytes(&graph()).is_err());
}

/// The published SqueezeNet from the directory beside the repository; skipped, and said so, where it is absent.
#[test]
fn the_published_squeezenet_comes_back_to_the_byte() {
    let root =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/models/squeezenet_deep_compression"));
    let path = root.join("compressed_SqueezeNet.net");
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return;
    }
    let mut net = caffe::load(&root.join("SqueezeNet_deploy.prototxt"), None, &caffe::Options::default()).unwrap();
    deep_compression::load(&mut net, &path).unwrap();
    let nonzero: usize = net.weights.iter().flatten().map(|w| w.len() - w.zeros()).sum();
    assert_eq!((net.parameters(), nonzero), (1_248_424, 415_921));
    assert!(deep_compression::to_bytes(&net).unwrap() == fs::read(path).unwrap());
}
