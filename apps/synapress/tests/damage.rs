//! Altered, absurd and forged files through the program, which may use no more memory than honest ones take: a message
//! that names the file, exit code 1, no panic. Truncated files are in `faults.rs`, single readers in their crates.

#![cfg(unix)]

mod common;

use std::process::{Command, Output, Stdio};

use common::{Folder, cuts, texts};

/// Runs the program with at most a GiB of addresses, far below what any of the forged files claims.
fn limited(folder: &Folder, line: &str) -> Output {
    let command = format!("ulimit -v 1048576; exec \"$0\" {line}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &command, env!("CARGO_BIN_EXE_synapress")]).current_dir(folder.path("."));
    shell.env("RAYON_NUM_THREADS", "2").stdin(Stdio::null()).output().unwrap()
}

/// Runs what must be refused; the message holds all of `says`.
fn refused(folder: &Folder, line: &str, says: &[&str]) {
    let output = limited(folder, line);
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{line}\n{out}\n{err}");
    assert!(!err.contains("panicked") && out.is_empty(), "{line}\n{out}\n{err}");
    for part in says {
        assert!(err.contains(part), "{line}: {part:?} is not in\n{err}");
    }
}

/// Runs what may succeed; if it does not, the message names one of the files. Whether it was refused.
fn survived(folder: &Folder, line: &str, files: &[&str]) -> bool {
    let output = limited(folder, line);
    let (out, err) = texts(&output);
    assert!(!err.contains("panicked"), "{line}\n{err}");
    match output.status.code() {
        Some(0) => false,
        Some(1) => {
            assert!(files.iter().any(|file| err.contains(file)) && out.is_empty(), "{line}\n{out}\n{err}");
            true
        }
        other => panic!("{line} ended with {other:?}\n{err}"),
    }
}

/// The weights of the tiny network as a file, `tiny.caffemodel`, and the last number of its last layer with weights.
fn with_weights(folder: &Folder) -> (Vec<u8>, [u8; 4]) {
    let mut net = synapress_import::caffe::parse(common::TINY, "tiny", &Default::default()).unwrap();
    synapress_import::fill(&mut net, 3).unwrap();
    synapress_import::caffemodel::write(&folder.path("tiny.caffemodel"), &net).unwrap();
    let fc = net.weights[net.graph.find("fc").unwrap()].as_ref().unwrap();
    (folder.read("tiny.caffemodel"), fc.values().last().unwrap().to_le_bytes())
}

#[test]
fn numbers_that_are_not_finite_are_refused_by_layer_and_place() {
    let folder = Folder::new();
    let (model, number) = with_weights(&folder);
    let at = model.windows(4).position(|w| w == number).expect("the number is there");
    for bad in [f32::NAN, f32::INFINITY] {
        let mut altered = model.clone();
        altered[at..at + 4].copy_from_slice(&bad.to_le_bytes());
        folder.write("bad.caffemodel", altered);
        for command in ["inspect tiny.prototxt bad.caffemodel", "encode tiny.prototxt bad.caffemodel -o x.syn"] {
            refused(&folder, command, &["bad.caffemodel", "layer \"fc\"", "number 1919", "byte "]);
        }
    }
    assert!(!folder.path("x.syn").exists());
}

#[test]
fn altered_bytes_are_refused_or_do_no_harm() {
    let folder = Folder::trained();
    let (model, _) = with_weights(&folder);
    let (text, list) = (common::TINY.as_bytes().to_vec(), folder.read("val.txt"));
    let image = folder.read("val1000.ppm");
    for (bytes, file, line, most) in [
        (text, "bad.prototxt", "inspect bad.prototxt", 24),
        (model, "bad.caffemodel", "encode tiny.prototxt bad.caffemodel -o x.syn", 24),
        (list, "bad.txt", "eval float.syn --data bad.txt", 8),
        (image, "bad.ppm", "classify float.syn bad.ppm", 8),
    ] {
        let mut faults = 0;
        // The first bytes, where sizes are, and some of all others.
        for at in (0..10).chain(cuts(bytes.len(), most)) {
            let mut altered = bytes.clone();
            altered[at] ^= 0x11;
            folder.write(file, altered);
            // A path in a list that is altered names an image that is not there.
            faults += usize::from(survived(&folder, line, &[file, "line "]));
        }
        assert!(faults > 0, "{file}");
    }
}

#[test]
fn lists_that_end_anywhere_are_read_or_refused_by_name() {
    let folder = Folder::trained();
    let list = folder.read("val.txt");
    for end in cuts(list.len(), 40) {
        folder.write("cut.txt", &list[..end]);
        let line = "eval float.syn --data cut.txt";
        // A cut leaves a whole line, a part of one, or a path that names no image.
        survived(&folder, line, &["cut.txt", "val10"]);
    }
}

#[test]
fn absurd_sizes_are_refused_within_little_memory() {
    let folder = Folder::trained();
    let tiny = common::TINY;
    for (name, text, says) in [
        ("input", tiny.replace("dim: 16 dim: 16", "dim: 16 dim: 1600000000"), "line 3"),
        ("overflow", tiny.replace("dim: 3 ", "dim: 18446744073709551615 "), "18446744073709551615"),
        ("outputs", tiny.replace("num_output: 8", "num_output: 4000000000"), "conv1"),
        ("weights", tiny.replace("num_output: 10", "num_output: 200000000"), "fc"),
        ("kernel", tiny.replace("kernel_size: 3", "kernel_size: 4294967295"), "conv1"),
        ("deep", "a { ".repeat(100_000), "line 1"),
    ] {
        folder.write(&format!("{name}.prototxt"), text);
        refused(&folder, &format!("inspect {name}.prototxt"), &[&format!("{name}.prototxt"), says]);
    }
    for (name, image) in [
        ("wide.ppm", "P6 60000 60000 255\nxxxx"),
        ("wider.ppm", "P6 4000000000 4000000000 255\nxxxx"),
        ("flat.ppm", "P6 0 5 255\n"),
    ] {
        folder.write(name, image);
        refused(&folder, &format!("classify float.syn {name}"), &[name]);
    }
    folder.write("labels.txt", "val1000.ppm 99999999999\n");
    refused(&folder, "eval float.syn --data labels.txt", &["labels.txt, line 1", "99999999999"]);
    // Field 100, a layer, of 2^60 bytes.
    folder.write("long.caffemodel", [0xa2, 0x06, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
    refused(&folder, "inspect tiny.prototxt long.caffemodel", &["long.caffemodel", "byte 2", "1152921504606846976"]);
    // A chunk of 2^62 bytes.
    let mut syn = folder.read("float.syn");
    syn[16..25].copy_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
    folder.write("long.syn", syn);
    refused(&folder, "inspect long.syn", &["long.syn", "byte 12", "4611686018427387904"]);
    refused(&folder, "eval long.syn --data val.txt", &["long.syn", "byte 12"]);
}
