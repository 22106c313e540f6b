//! One training step (forward, backward, update) of GoogLeNet without auxiliary classifiers, batch 16, beside what the
//! machine could do at best. Prints, each on a line with its name: the median of several steps in seconds, the
//! arithmetic of a step in GFLOP, and the GFLOP/s of a large square product by the same kernel. The arithmetic over the
//! speed is the least time that a step can take here. `benches/train_step/run.py` runs it beside PyTorch.

use std::time::Instant;

use synapress_compress::train::{Rates, Target, Trainer};
use synapress_import::{fill, zoo};
use synapress_kernels::real::{Left, Mat, Real};
use synapress_model::Net;

const BATCH: usize = 16;

/// Side of the square product: its operands are far beyond the caches, as those of a step are together.
const SIDE: usize = 2048;

fn main() -> anyhow::Result<()> {
    let steps: usize = std::env::args().nth(1).map_or(Ok(8), |s| s.parse())?;
    let mut net = zoo::net("googlenet")?;
    fill(&mut net, 1)?;
    println!("seconds {:.4}", step(&net, steps)?);
    println!("gflop {:.2}", arithmetic(&net)?);
    println!("gemm {:.2}", product(steps));
    Ok(())
}

/// Median seconds of a step.
fn step(net: &Net, steps: usize) -> anyhow::Result<f64> {
    let input = net.graph.shape(net.graph.input()?).len();
    let images: Vec<f32> = (0..BATCH * input).map(|i| (i * 7919 % 255) as f32 - 117.0).collect();
    let labels: Vec<usize> = (0..BATCH).collect();
    let rates = Rates { learn: 1e-3, momentum: 0.9, nesterov: false, decay: 0.0, clip: f32::INFINITY };
    let mut trainer = Trainer::new(net, BATCH, false, None)?;
    let mut seconds = Vec::new();
    for step in 0..steps + 2 {
        let start = Instant::now();
        trainer.step(&images, Target::Labels { labels: &labels, smoothing: 0.0 }, rates, step as u64);
        seconds.push(start.elapsed().as_secs_f64());
    }
    let timed = &mut seconds[2..];
    timed.sort_by(f64::total_cmp);
    Ok(timed[timed.len() / 2])
}

/// GFLOP of a step: the multiply-accumulates of convolution and fully connected layers, two operations each, forward,
/// for the gradient of the weights and for that of the input; the last one not for layers that read the image.
fn arithmetic(net: &Net) -> anyhow::Result<f64> {
    let image = net.graph.input()?;
    let of = |id: usize| {
        let products = net.linear(id).map_or(0, |linear| linear.connections());
        products * if net.graph.node(id).inputs.contains(&image) { 2 } else { 3 }
    };
    let products: u64 = (0..net.graph.nodes().len()).map(of).sum();
    Ok(2.0 * BATCH as f64 * products as f64 / 1e9)
}

/// GFLOP/s of a square product, the best of several.
fn product(times: usize) -> f64 {
    let numbers = |seed: usize| (0..SIDE * SIDE).map(move |i| ((i * 7919 + seed) % 255) as f32 / 128.0 - 1.0);
    let [a, b] = [1, 2].map(|seed| numbers(seed).collect::<Vec<f32>>());
    let mut c = vec![0.0; SIDE * SIDE];
    let once = |c: &mut [f32]| {
        let start = Instant::now();
        f32::gemm(Left::Plain(Mat::new(&a, SIDE, SIDE)), Mat::new(&b, SIDE, SIDE), c, false, None);
        start.elapsed().as_secs_f64()
    };
    let least = (0..times + 2).map(|_| once(&mut c)).fold(f64::INFINITY, f64::min);
    2.0 * (SIDE as f64).powi(3) / 1e9 / least
}
