//! A folder with a tiny network and tiny images, and the program run in it.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod page;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use synapress_compress::data::synthetic::Synthetic;
use tempfile::TempDir;

/// A network of ten classes for images of 16x16 pixels; with the data head that deploys have.
pub const TINY: &str = r#"
name: "tiny"
input: "data"
input_shape { dim: 1 dim: 3 dim: 16 dim: 16 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 12 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool2" top: "fc"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"#;

/// Flags that prepare images for [`TINY`].
pub const PREPARED: &[&str] = &["--mean", "128", "--scale", "0.0156"];

/// Files of one test.
pub struct Folder {
    folder: TempDir,
}

impl Folder {
    /// No files.
    pub fn empty() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// `tiny.prototxt`, `train.txt` (60 images) and `val.txt` (30 other images).
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("tiny.prototxt"), TINY).unwrap();
        let shapes = Synthetic { width: 16, height: 16, difficulty: 0.3, ..Synthetic::default() };
        for (name, numbers) in [("train", 0..60), ("val", 1000..1030)] {
            let mut list = String::new();
            for n in numbers {
                let image = shapes.image(n).unwrap();
                let mut bytes = b"P6 16 16 255\n".to_vec();
                bytes.extend_from_slice(image.pixels());
                fs::write(folder.path().join(format!("{name}{n}.ppm")), bytes).unwrap();
                list += &format!("{name}{n}.ppm {}\n", shapes.label(n));
            }
            fs::write(folder.path().join(format!("{name}.txt")), list).unwrap();
        }
        let this = Self { folder };
        fs::write(this.path("names.txt"), Synthetic::class_names().join("\n")).unwrap();
        this
    }

    /// The same, and `float.syn` trained a little.
    pub fn trained() -> Self {
        let this = Self::new();
        let args = "train tiny.prototxt --data train.txt -o float.syn --steps 40 --batch 10 --labels names.txt";
        this.ok(&[&words(args)[..], PREPARED].concat());
        this
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// The program, to be run in the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapress"));
        command.current_dir(self.folder.path()).args(args).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs what is to succeed, and returns its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let (out, err) = texts(&output);
        assert!(output.status.success(), "{args:?} ended with {}\n{out}\n{err}", output.status);
        out
    }

    /// Runs what is to succeed with `--json`: standard output is one object and nothing else.
    pub fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(&[args, &["--json"]].concat());
        let value: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}\n{out}"));
        assert!(value.is_object(), "{out}");
        value
    }

    /// Runs what is to fail: nothing on standard output, no panic, and a message that holds all of `says`.
    pub fn fails(&self, code: i32, args: &[&str], says: &[&str]) -> String {
        let output = self.run(args);
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        assert!(!err.contains("panicked"), "{args:?}\n{err}");
        assert_eq!(out, "", "{args:?}");
        for part in says {
            assert!(err.contains(part), "{args:?}: {part:?} is not in\n{err}");
        }
        err
    }
}

pub fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Splits a command line at its spaces.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Lengths to cut a file to: every 64th byte of a short one, about `most` places of a long one.
pub fn cuts(len: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by((len / most).max(64)).chain([len - 1])
}
