//! One training step (forward, backward, update) of GoogLeNet without auxiliary classifiers, batch 16: prints the
//! median of several, in seconds. `benches/train_step/run.py` runs it beside PyTorch.

use std::time::Instant;

use synapress_compress::train::{Rates, Target, Trainer};
use synapress_import::{fill, zoo};

fn main() -> anyhow::Result<()> {
    let steps: usize = std::env::args().nth(1).map_or(Ok(8), |s| s.parse())?;
    let mut net = zoo::net("googlenet")?;
    fill(&mut net, 1)?;
    let batch = 16;
    let input = net.graph.shape(net.graph.input()?).len();
    let images: Vec<f32> = (0..batch * input).map(|i| (i * 7919 % 255) as f32 - 117.0).collect();
    let labels: Vec<usize> = (0..batch).collect();
    let rates = Rates { learn: 1e-3, momentum: 0.9, decay: 0.0, clip: f32::INFINITY };
    let mut trainer = Trainer::new(&net, batch, false)?;
    let mut seconds = Vec::new();
    for step in 0..steps + 2 {
        let start = Instant::now();
        trainer.step(&images, Target::Labels(&labels), rates, step as u64);
        seconds.push(start.elapsed().as_secs_f64());
    }
    let timed = &mut seconds[2..];
    timed.sort_by(f64::total_cmp);
    println!("{:.4}", timed[timed.len() / 2]);
    Ok(())
}
