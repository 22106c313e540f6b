//! How long a `.syn` file takes to decode on all threads, and the peak memory of doing so where the system tells it:
//! `decode FILE.syn`. The number of threads is that of `RAYON_NUM_THREADS`, else that of the machine.
//!
//! Prints a line of comma-separated values: weights, seconds, bytes of the decoded weights, peak memory in bytes.

use std::time::Instant;

use synapress_code::{Limits, read};
use synapress_model::{Bias, Form};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a .syn file")?;
    let start = Instant::now();
    let net = read(path, &Limits::default())?;
    let seconds = start.elapsed().as_secs_f64();
    let weights: usize = net.weights.iter().flatten().map(|w| w.len()).sum();
    let bytes = |w: &synapress_model::Weights| {
        let form = match &w.form {
            Form::Dense(values) => 4 * values.len(),
            Form::Coded { index, .. } => 2 * index.len(),
            Form::Fixed { q, .. } => 2 * q.len(),
        };
        form + if w.bias == Bias::None { 0 } else { 4 * w.bias.len() }
    };
    let decoded: usize = net.weights.iter().flatten().map(bytes).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.trim().strip_suffix(" kB"));
    let peak = peak.and_then(|n| n.trim().parse::<u64>().ok()).map_or(0, |n| 1024 * n);
    println!("{weights},{seconds:.2},{decoded},{peak}");
    Ok(())
}
