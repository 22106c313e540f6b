//! How small and how fast a network is coded at each effort: `coding FILE.syn [ZEROS] [LEVELS]`.
//!
//! With ZEROS, a share such as 0.9, layers in floating point are quantized to 8 bits first, that share of each layer's
//! smallest weights being zero. Prints a line of comma-separated values for each effort: effort, weights, those that are
//! not zero, order-0 entropy of the weights in bytes (each layer's own, without tables), bytes of weights, codebooks,
//! biases, of framing (headers, tiles, checksums) and of the file, and millions of weights that one thread encodes and decodes
//! in a second of its own time (Linux tells that; elsewhere it is time on the wall), and how many times faster two threads
//! decode than one, on the wall. With LEVELS, writes what other coders may code in place of the weights:
//! to the file of that name indices or codes, one byte each, or two where a layer needs them; to `LEVELS.i32` codes or, in
//! place of indices, ranks of centroids among those of their sign, as little-endian integers of 32 bits; to `LEVELS.layers`
//! a line for each layer: its sizes (outputs, inputs, height, width) and the number of its centroids, 0 for codes.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Instant;

use synapress_code::{Effort, Limits, Options, costs, decode, encode, read, summary};
use synapress_model::{Fixed, Form, Net};

/// Each timing is the best of so many.
const TIMES: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global()?;
    let two = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a .syn file")?;
    let mut net = read(&path, &Limits::default())?;
    if let Some(zeros) = arguments.next() {
        let zeros: f64 = zeros.parse()?;
        net.weights.iter_mut().flatten().for_each(|w| quantize(&mut w.form, zeros));
    }
    let layers = levels(&net);
    if let Some(path) = arguments.next() {
        std::fs::write(&path, layers.iter().flat_map(|l| bytes(l)).collect::<Vec<u8>>())?;
        let coded = net.weights.iter().flatten().filter(|w| !matches!(w.form, Form::Dense(_)));
        let (mut ranked, mut lines) = (Vec::new(), String::new());
        for (w, levels) in coded.zip(&layers) {
            let centroids = match &w.form {
                Form::Coded { centroids, .. } => centroids.values(),
                _ => Vec::new(),
            };
            ranked.extend(ranks(levels, &centroids).into_iter().flat_map(i32::to_le_bytes));
            lines += &format!("{:?} {}\n", w.dims, centroids.len()).replace(['[', ',', ']'], "");
        }
        std::fs::write(format!("{path}.i32"), ranked)?;
        std::fs::write(format!("{path}.layers"), lines)?;
    }
    let weights: usize = layers.iter().map(Vec::len).sum();
    let nonzero = layers.iter().flatten().filter(|&&l| l != 0).count();
    let entropy: f64 = layers.iter().map(|l| entropy(l)).sum();
    for effort in [Effort::Quick, Effort::Fast, Effort::Max] {
        let (mut coded, mut encoding, mut decoding) = (Vec::new(), f64::MAX, f64::MAX);
        let (mut one, mut both) = (f64::MAX, f64::MAX);
        for _ in 0..TIMES {
            let start = seconds();
            coded = encode(&net, &Options { effort })?;
            encoding = encoding.min(seconds() - start);
            let (start, begin) = (seconds(), Instant::now());
            let back = decode(&coded, &Limits::default())?;
            decoding = decoding.min(seconds() - start);
            one = one.min(begin.elapsed().as_secs_f64());
            let begin = Instant::now();
            two.install(|| decode(&coded, &Limits::default()))?;
            both = both.min(begin.elapsed().as_secs_f64());
            assert!(back.weights == net.weights, "the network does not come back");
        }
        let about = summary(&coded)?;
        let layers = costs(&coded, &Limits::default())?;
        let chunks: u64 = about.layers.iter().map(|l| l.bytes).sum();
        let others: u64 = about.graph_bytes + about.about_bytes + about.integer_bytes;
        let framing = layers.iter().map(|c| c.overhead).sum::<f64>() + (about.bytes - chunks - others) as f64;
        let speed = |seconds: f64| weights as f64 / seconds / 1e6;
        println!(
            "{},{weights},{nonzero},{entropy:.0},{},{},{},{framing:.0},{},{:.1},{:.1},{:.2}",
            format!("{effort:?}").to_lowercase(),
            about.weight_bytes(),
            about.codebook_bytes(),
            about.bias_bytes(),
            coded.len(),
            speed(encoding),
            speed(decoding),
            one / both
        );
    }
    Ok(())
}

/// Seconds that this thread ran, or that went by, since some beginning.
fn seconds() -> f64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let own = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let own = own.and_then(|s| s.split(' ').next()?.parse::<f64>().ok());
    own.map_or_else(|| BEGIN.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

/// Codes of 8 bits for floats, the smallest so many of them zero.
fn quantize(form: &mut Form, zeros: f64) {
    let Form::Dense(weights) = form else { return };
    let mut sizes: Vec<f32> = weights.iter().map(|w| w.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let threshold = sizes.get((sizes.len() as f64 * zeros) as usize).copied().unwrap_or(f32::INFINITY);
    let step = sizes.last().copied().unwrap_or(1.0).max(f32::MIN_POSITIVE) / 127.0;
    let code = |w: &f32| match (w / step).round() as i16 {
        _ if zeros > 0.0 && w.abs() < threshold => 0,
        0 if zeros > 0.0 && *w != 0.0 => w.signum() as i16,
        q => q,
    };
    let q = weights.iter().map(code).collect();
    *form = Form::Fixed { q, format: Fixed { bits: 8, frac: 7, signed: true } };
}

/// The indices or codes of each layer that is grouped or quantized.
fn levels(net: &Net) -> Vec<Vec<i32>> {
    let of = |form: &Form| match form {
        Form::Dense(_) => None,
        Form::Coded { index, .. } => Some(index.iter().map(|&i| i32::from(i)).collect()),
        Form::Fixed { q, .. } => Some(q.iter().map(|&q| i32::from(q)).collect()),
    };
    net.weights.iter().flatten().filter_map(|w| of(&w.form)).collect()
}

/// Indices as ranks of their centroids: 1, 2, ... for positive ones by rising value, -1, -2, ... for negative ones by
/// falling value. Codes stay as they are.
fn ranks(levels: &[i32], centroids: &[f32]) -> Vec<i32> {
    let mut order: Vec<usize> = (1..centroids.len()).collect();
    order.sort_by(|&a, &b| centroids[a].total_cmp(&centroids[b]));
    let negative = order.iter().filter(|&&i| centroids[i].is_sign_negative()).count() as i32;
    let mut ranks = vec![0; centroids.len()];
    for (at, i) in (0..).zip(order) {
        ranks[i] = if at < negative { at - negative } else { at - negative + 1 };
    }
    levels.iter().map(|&l| if centroids.is_empty() { l } else { ranks[l as usize] }).collect()
}

fn bytes(levels: &[i32]) -> Vec<u8> {
    let wide = levels.iter().any(|&l| !(-128..256).contains(&l));
    let width = if wide { 2 } else { 1 };
    levels.iter().flat_map(|l| l.to_le_bytes().into_iter().take(width)).collect()
}

fn entropy(levels: &[i32]) -> f64 {
    let mut counts: HashMap<i32, u32> = HashMap::new();
    levels.iter().for_each(|&l| *counts.entry(l).or_default() += 1);
    let n = levels.len() as f64;
    counts.values().map(|&c| f64::from(c) * (n / f64::from(c)).log2()).sum::<f64>() / 8.0
}
