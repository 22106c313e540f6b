//! Weights in files beside the model, and files that are not beside it.

use std::fs;
use std::path::Path;

use crate::build::{Build, bytes, close, int, numbers, run};
use synapress_import::onnx::proto::{Data, External, Tensor, kinds};
use synapress_import::onnx::{self, Options};
use synapress_model::Net;

/// A fully connected layer of two outputs whose weights lie at a place.
fn build(place: External) -> Build {
    let mut build = Build::new(13, &[12]).node("Gemm", &["x", "w"], "y", &[int("transB", 1)]);
    let (name, dims, data) = ("w".to_owned(), vec![2, 12], Data::External(place));
    build.model.graph.initializers.push(Tensor { name, kind: kinds::FLOAT, dims, data });
    build
}

fn place(location: &str, offset: u64, length: Option<u64>) -> External {
    External { location: location.to_owned(), offset, length }
}

fn load(folder: &Path, build: &Build) -> Result<Net, String> {
    let path = folder.join("net.onnx");
    fs::write(&path, bytes(&build.model)).unwrap();
    onnx::load(&path, &Options::default()).map_err(|e| e.to_string())
}

fn content() -> Vec<u8> {
    numbers(24).iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn weights_beside_the_model_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let shifted = [vec![7; 64], content()].concat();
    fs::write(folder.path().join("weights.bin"), &shifted).unwrap();
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::write(folder.path().join("more/weights.bin"), content()).unwrap();
    let expected: Vec<f32> =
        numbers(24).chunks(12).map(|w| w.iter().zip(numbers(12)).map(|(w, x)| w * x).sum()).collect();
    for place in
        [place("weights.bin", 64, Some(96)), place("./weights.bin", 64, None), place("more/weights.bin", 0, Some(96))]
    {
        let net = load(folder.path(), &build(place)).unwrap_or_else(|e| panic!("{e}"));
        close(&run(&net, &numbers(12)), &expected);
    }
}

#[test]
fn places_that_are_not_there_or_elsewhere_are_refused() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    fs::create_dir(&folder).unwrap();
    fs::write(outer.path().join("secret.bin"), content()).unwrap();
    fs::write(folder.join("weights.bin"), content()).unwrap();
    fs::write(folder.join("short.bin"), [0; 95]).unwrap();
    let absolute = outer.path().join("secret.bin");
    let mut cases = vec![
        (place("../secret.bin", 0, None), "own folder"),
        (place("more/../../secret.bin", 0, None), "own folder"),
        (place(absolute.to_str().unwrap(), 0, None), "own folder"),
        (place("..\\secret.bin", 0, None), "own folder"),
        (place("", 0, None), "own folder"),
        (place(".", 0, None), "not a regular file"),
        (place("missing.bin", 0, None), "missing.bin"),
        (place("short.bin", 0, None), "96 bytes from byte 0 on, but the file has 95"),
        (place("weights.bin", 1, None), "96 bytes from byte 1 on, but the file has 96"),
        (place("weights.bin", u64::MAX, None), "from byte 18446744073709551615"),
        (place("weights.bin", 0, Some(95)), "95 bytes are given"),
    ];
    if cfg!(unix) {
        #[cfg(unix)]
        std::os::unix::fs::symlink(&absolute, folder.join("link.bin")).unwrap();
        cases.push((place("link.bin", 0, None), "leads out of the model's folder"));
    }
    for (place, part) in cases {
        let e = load(&folder, &build(place)).unwrap_err();
        assert!(e.contains(part) && e.contains("tensor \"w\"") && e.contains("net.onnx"), "{e}\nlacks {part}");
    }
    let mut huge = build(place("weights.bin", 0, None));
    huge.model.graph.initializers[0].dims = vec![1 << 62, 12];
    assert!(load(&folder, &huge).unwrap_err().contains("too large"));
    huge.model.graph.initializers[0].dims = vec![1 << 40, 12];
    assert!(load(&folder, &huge).unwrap_err().contains("but the file has 96"));
}
