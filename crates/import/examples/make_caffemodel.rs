//! Makes a real caffemodel for a prototxt or a network of the zoo, with weights drawn by seed from a heavy-tailed
//! distribution (Laplace, standard deviation sqrt(2 / inputs)). For tests that need a full-size file; it streams, so
//! 553 MB need little memory.
//!
//! `cargo run --release -p synapress-import --example make_caffemodel -- zoo:vgg16 OUT.caffemodel --seed 1`

use std::path::Path;
use std::process::ExitCode;

use rand::Rng;
use synapress_import::caffe::{self, Options};
use synapress_import::caffemodel::{Array, Writer};
use synapress_import::{Error, generator, zoo};
use synapress_model::Net;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (model, out, seed) = match arguments[..] {
        [model, out] => (model, out, Some(1)),
        [model, out, "--seed", seed] => (model, out, seed.parse().ok()),
        _ => ("", "", None),
    };
    let Some(seed) = seed else {
        eprintln!("usage: make_caffemodel (zoo:NAME | PROTOTXT) OUT.caffemodel [--seed N]");
        return ExitCode::from(2);
    };
    match make(model, Path::new(out), seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn make(model: &str, out: &Path, seed: u64) -> Result<(), Error> {
    let net: Net = match model.strip_prefix("zoo:") {
        Some(name) => zoo::net(name)?,
        None => caffe::load(Path::new(model), None, &Options::default())?,
    };
    let mut writer = Writer::create(out, &net.name)?;
    for (id, node) in net.graph.nodes().iter().enumerate() {
        let kind = node.layer.kind().name;
        let inputs: Vec<&str> = node.inputs.iter().map(|&i| net.graph.node(i).name.as_str()).collect();
        let mut arrays = Vec::new();
        if let Some(shape) = net.graph.weight_shape(id) {
            let dims = shape.dims.map(|d| d as u64);
            match kind {
                "Convolution" | "InnerProduct" => {
                    let fan_in = (shape.len() / shape.dims[0]) as f64;
                    let axes = if kind == "Convolution" { 4 } else { 2 };
                    arrays.push(laplace(&dims[..axes], (1.0 / fan_in).sqrt(), seed, &node.name));
                }
                "BatchNorm" => {
                    arrays.push(constant(dims[1], 0.0));
                    arrays.push(constant(dims[1], 1.0));
                    arrays.push(constant(1, 1.0));
                }
                _ => arrays.push(constant(dims[0], if kind == "PReLU" { 0.25 } else { 1.0 })),
            }
            if shape.bias {
                arrays.push(laplace(&dims[..1], 0.01, seed, &format!("{} bias", node.name)));
            }
        }
        writer.layer(&node.name, kind, &inputs, arrays)?;
    }
    writer.finish()
}

/// Numbers of the density `exp(-|x| / scale) / (2 scale)`.
fn laplace(dims: &[u64], scale: f64, seed: u64, name: &str) -> Array<'static> {
    let mut rng = generator(seed, name);
    let draw = move || {
        let u: f64 = rng.random::<f64>() - 0.5;
        Some((-scale * u.signum() * (1.0 - 2.0 * u.abs()).max(f64::MIN_POSITIVE).ln()) as f32)
    };
    Array { dims: dims.to_vec(), numbers: Box::new(std::iter::from_fn(draw)) }
}

fn constant(count: u64, value: f32) -> Array<'static> {
    Array { dims: vec![count], numbers: Box::new(std::iter::repeat(value)) }
}
