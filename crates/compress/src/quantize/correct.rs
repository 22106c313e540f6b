//! The network with its quantized weights, run once layer after layer: bias correction, and the ranges it has then.
//!
//! Rounding the weights of a layer moves the means of its outputs, and the bias moves them back. It also widens the
//! outputs, the more the fewer bits there are, so that formats look at these too.

use synapress_model::{Bias, Error, Net};

use super::Calibration;
use super::calibration::add_sums;
use super::histogram::Histogram;
use crate::layerwise::walk::Walk;

/// Pieces that the outputs of a layer are counted in.
const PIECES: usize = 4;

/// Runs the network with its quantized weights and, if `correct`, adds to each bias what the mean of its outputs is
/// short of the original network's. What a layer reads is corrected already. Layers without a bias stay. Returns how
/// every node's output is distributed, with and without quantized weights together.
pub(super) fn run(calibration: &Calibration<'_>, net: &mut Net, correct: bool) -> Result<Vec<Histogram>, Error> {
    let graph = calibration.net.graph.clone();
    let input = graph.input()?;
    let count = calibration.images.len() / graph.shape(input).len();
    let needed = graph.needed_for(&[graph.output()]);
    let mut histograms = calibration.histograms.clone();
    let mut walk = Walk::new(&graph, input, calibration.images);
    for id in (0..graph.nodes().len()).filter(|&id| needed[id] && id != input) {
        walk.run(id, net.weights[id].as_ref());
        let means = &calibration.means[id];
        if correct
            && !means.is_empty()
            && let Some(Bias::Float(bias)) = net.weights[id].as_mut().map(|w| &mut w.bias)
        {
            bring_back(means, count, bias, walk.output(id));
        }
        let output = walk.output(id);
        histograms[id].add_pieces(output, output.len().div_ceil(PIECES));
    }
    Ok(histograms)
}

/// Adds to a bias, and to the outputs `(n, C, H, W)`, what these are short of their means.
fn bring_back(means: &[f64], count: usize, bias: &mut [f32], output: &mut [f32]) {
    let area = output.len() / means.len() / count;
    let mut sums = vec![0.0; means.len()];
    add_sums(output, area, &mut sums);
    let short = |(mean, sum): (&f64, &f64)| (mean - sum / (count * area) as f64) as f32;
    let short: Vec<f32> = means.iter().zip(&sums).map(short).collect();
    bias.iter_mut().zip(&short).for_each(|(b, s)| *b += s);
    for image in output.chunks_exact_mut(area * short.len()) {
        for (channel, s) in image.chunks_exact_mut(area).zip(&short) {
            channel.iter_mut().for_each(|x| *x += s);
        }
    }
}
