//! Damaged files are refused with the place, and nothing panics.

use std::path::Path;

use crate::build::{Build, float, int, ints, numbers, same};
use synapress_import::onnx::{self, Options};
use synapress_import::wire::{write_head, write_number};
use synapress_model::Net;

/// A network with something of everything that a file holds.
fn build() -> Build {
    Build::new(13, &[2, 6, 6])
        .floats("w", &[2, 2, 3, 3], &numbers(36))
        .floats("b", &[2], &numbers(2))
        .floats("one", &[2], &[1.0, 2.0])
        .floats("fc", &[3, 8], &numbers(24))
        .ints("shape", &[0, -1])
        .node("Conv", &["x", "w", "b"], "c", &[ints("pads", &[0, 0, 1, 1]), ints("strides", &[1, 1])])
        .node("BatchNormalization", &["c", "one", "b", "b", "one"], "n", &[float("epsilon", 0.1)])
        .node("Relu", &["n"], "r", &[])
        .node("MaxPool", &["r"], "p", &[ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2])])
        .node("Reshape", &["p", "shape"], "f", &[])
        .node("Gemm", &["f", "fc"], "g", &[int("transB", 1)])
        .node("Softmax", &["g"], "y", &[])
}

fn read(bytes: &[u8]) -> Result<Net, String> {
    let model = onnx::parse(bytes, bytes.len() as u64);
    model.and_then(|m| onnx::net(&m, Path::new("/nowhere"), &Options::default())).map_err(|e| e.to_string())
}

#[test]
fn cut_files_are_refused() {
    let whole = build().bytes();
    let net = read(&whole).unwrap();
    for len in 0..whole.len() {
        match read(&whole[..len]) {
            Err(e) => assert!(e.contains("byte ") || e.contains("layer ") || e.contains("operator set"), "{len}: {e}"),
            Ok(other) => same(&net, &other),
        }
    }
}

#[test]
fn flipped_bytes_never_panic_and_never_give_numbers_that_are_not_finite() {
    let whole = build().bytes();
    let mut refused = 0;
    for at in 0..whole.len() {
        for flip in [0x01, 0x02, 0x04, 0x08, 0x20, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            match read(&bytes) {
                Ok(net) => net.verify().unwrap(),
                Err(e) => {
                    refused += 1;
                    assert!(!e.is_empty());
                }
            }
        }
    }
    assert!(refused > whole.len(), "{refused}");
}

#[test]
fn lengths_that_lie_are_refused_without_an_allocation() {
    for number in [2, 7, 8] {
        let mut bytes = Vec::new();
        write_head(&mut bytes, number, 1 << 60).unwrap();
        let e = read(&bytes).unwrap_err();
        assert!(e.contains("claims 1152921504606846976 bytes where 0 are left"), "{e}");
    }
    // A tensor that is larger than its numbers.
    for dims in [&[1 << 62, 4][..], &[u64::MAX], &[3, 3], &[1; 20]] {
        let mut build = build();
        build.model.graph.initializers[0].dims = dims.to_vec();
        let e = read(&build.bytes()).unwrap_err();
        assert!(e.contains("tensor \"w\"") && e.contains("byte "), "{e}");
    }
}

#[test]
fn files_of_very_many_things_are_refused() {
    let mut graph = Vec::new();
    for _ in 0..(1 << 20) + 1 {
        write_head(&mut graph, 1, 0).unwrap();
    }
    let mut bytes = Vec::new();
    write_head(&mut bytes, 7, graph.len() as u64).unwrap();
    bytes.extend(graph);
    assert!(read(&bytes).unwrap_err().contains("no real network has so many"));
}

#[test]
fn other_files_are_told_apart() {
    for bytes in [&b""[..], b"layer { name: 'x' }", &[0; 100], b"PK\x03\x04", &[0xff; 40]] {
        let e = read(bytes).unwrap_err();
        assert!(e.contains("not an ONNX model") || e.contains("cut short"), "{e}");
    }
    let mut version = Vec::new();
    write_number(&mut version, 1, 7).unwrap();
    assert!(read(&version).unwrap_err().contains("without a graph"));
    let missing = onnx::load(Path::new("/nowhere/net.onnx"), &Options::default()).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/net.onnx: "), "{missing}");
    assert!(onnx::load(Path::new("."), &Options::default()).unwrap_err().to_string().contains("regular file"));
}
