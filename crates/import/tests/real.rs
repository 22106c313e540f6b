//! Published networks from the directory beside the repository; skipped, and said so, where it is absent.

use std::path::PathBuf;

use synapress_import::caffe::{self, Options};
use synapress_model::Net;

fn load(name: &str) -> Option<Net> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/models")).join(name);
    let weights = root.join(format!("{name}.caffemodel"));
    if !weights.exists() {
        println!("skipped: {} is absent", weights.display());
        return None;
    }
    let net = caffe::load(&root.join("deploy.prototxt"), Some(&weights), &Options::default());
    Some(net.unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn bvlc_googlenet_in_the_old_encoding() {
    let Some(net) = load("bvlc_googlenet") else { return };
    net.verify().unwrap();
    assert_eq!((net.name.as_str(), net.parameters()), ("GoogleNet", 6_998_552));
    assert_eq!(net.graph.shape(net.graph.output()).channels, 1000);
    assert_eq!(net.synaptic().len(), 58);
    // The first weight of conv1/7x7_s2, read off the file.
    let first = net.weights[1].as_ref().unwrap();
    assert_eq!(first.dims, [64, 3, 7, 7]);
    assert_eq!(first.values()[0].to_bits(), 0x3db4_a4b7);
}

#[test]
fn squeezenet_in_the_current_encoding() {
    let Some(net) = load("squeezenet_v1.1") else { return };
    net.verify().unwrap();
    assert_eq!(net.parameters(), 1_235_496);
    assert_eq!(net.synaptic().len(), 26);
}
