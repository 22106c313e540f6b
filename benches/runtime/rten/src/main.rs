//! One measurement of RTen in a process of its own: `rten-peer MODEL.onnx BATCH THREADS SECONDS INPUT.f32`, the last being
//! the little-endian floats of at least `BATCH` images of the model's input shape. Prints `{"ms": [...], "note": ""}`.
//!
//! With `BATCH` 0 it prints instead, for every image of the input, the class of the highest score.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rten::{Dimension, Model, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, batch, threads, seconds, input] = &arguments[..] else {
        return Err("usage: rten-peer MODEL.onnx BATCH THREADS SECONDS INPUT.f32".into());
    };
    let (batch, threads, seconds): (usize, usize, f64) = (batch.parse()?, threads.parse()?, seconds.parse()?);
    let model = Model::load_file(model)?;
    let (id, output) = (*model.input_ids().first().ok_or("no input")?, *model.output_ids().first().ok_or("no output")?);
    let dims = model.node_info(id).and_then(|node| node.shape()).ok_or("the model's input has no shape")?;
    let dims: Vec<usize> =
        dims.iter().filter_map(|d| if let Dimension::Fixed(n) = d { Some(*n) } else { None }).collect();
    let &[.., c, h, w] = &dims[..] else { return Err("the model's input has no shape".into()) };
    let bytes = std::fs::read(input)?;
    let data: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let options = RunOptions::default().with_thread_pool(Some(Arc::new(ThreadPool::with_num_threads(threads))));
    let run = |images: &NdTensor<f32, 4>| -> Result<Tensor<f32>, Box<dyn Error>> {
        let mut scores = model.run(vec![(id, images.view().into())], &[output], Some(options.clone()))?;
        Ok(scores.remove(0).try_into()?)
    };
    if batch == 0 {
        for image in data.chunks_exact(c * h * w) {
            let scores = run(&NdTensor::from_data([1, c, h, w], image.to_vec()))?;
            let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).ok_or("no score")?;
            println!("{}", best.0);
        }
        return Ok(());
    }
    let images = data.get(..batch * c * h * w).ok_or("the input has fewer images")?;
    let images = NdTensor::from_data([batch, c, h, w], images.to_vec());
    let mut times = Vec::new();
    for (budget, least) in [(seconds / 5.0, 1), (seconds, 3)] {
        times.clear();
        let begin = Instant::now();
        while times.len() < least || begin.elapsed() < Duration::from_secs_f64(budget) {
            let start = Instant::now();
            run(&images)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!("{{\"ms\": {times:?}, \"note\": \"\"}}");
    Ok(())
}
