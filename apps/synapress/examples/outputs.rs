//! What a network puts out for given pixels: `outputs MODEL INPUT OUTPUT`, both files of `f32`, little-endian, images one
//! after another. `MODEL` is an ONNX model, or a `.syn`, which is executed in integers once it is quantized. With
//! `outputs MODEL --list LIST INPUT OUTPUT` the images of a list are prepared as the network says, and `INPUT` is written.

use std::error::Error;
use std::fs;
use std::path::Path;

use synapress_compress::data::Dataset;
use synapress_images::apply;
use synapress_import::onnx;
use synapress_model::{Mode, Net};
use synapress_run::{Executor, Keep, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (model, list, input, output) = match words[..] {
        [model, "--list", list, input, output] => (model, Some(list), input, output),
        [model, input, output] => (model, None, input, output),
        _ => return Err("usage: outputs MODEL [--list LIST] INPUT OUTPUT".into()),
    };
    let path = Path::new(model);
    let net = if model.ends_with(".onnx") {
        onnx::load(path, &onnx::Options::default())?
    } else {
        synapress_code::read(path, &synapress_code::Limits::default())?
    };
    if let Some(list) = list {
        fs::write(input, prepared(&net, Path::new(list))?)?;
    }
    let bytes = fs::read(input)?;
    let pixels: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let scores: Vec<u8> = run(&net, &pixels)?.iter().flat_map(|v| v.to_le_bytes()).collect();
    Ok(fs::write(output, scores)?)
}

/// The pixels of a list's images.
fn prepared(net: &Net, list: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let (images, shape) = (Dataset::open(list)?, net.graph.shape(net.graph.input()?));
    let preprocess = net.about.preprocess.clone().unwrap_or_default();
    let (mut all, mut pixels) = (Vec::new(), vec![0.0; shape.len()]);
    for i in 0..images.len() {
        apply(&*images.image(i)?, &preprocess, shape, &mut pixels)?;
        all.extend(pixels.iter().flat_map(|v| v.to_le_bytes()));
    }
    Ok(all)
}

fn run(net: &Net, pixels: &[f32]) -> Result<Vec<f32>, Box<dyn Error>> {
    let len = net.graph.shape(net.graph.input()?).len();
    let mut all = Vec::new();
    if net.integers.is_some() {
        let mut session = Session::new(net)?;
        for image in pixels.chunks_exact(len) {
            all.extend_from_slice(session.run(image)?);
        }
        return Ok(all);
    }
    let mut executor: Executor = Executor::new(net, 1, Keep::Output)?;
    for image in pixels.chunks_exact(len) {
        all.extend_from_slice(executor.forward(image, Mode::Infer));
    }
    Ok(all)
}
