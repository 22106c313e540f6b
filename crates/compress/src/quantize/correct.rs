//! Bias correction: rounding the weights of a layer moves the means of its outputs, and the bias moves them back.

use synapress_model::{Bias, Error, Net};

use super::Calibration;
use super::calibration::add_sums;
use crate::prune::resolve::walk::Walk;

/// Runs the network with its quantized weights, layer after layer, and adds to each bias what the mean of its
/// outputs is short of the original network's. What a layer reads is corrected already. Layers without a bias stay.
pub(super) fn biases(calibration: &Calibration<'_>, net: &mut Net) -> Result<(), Error> {
    let graph = calibration.net.graph.clone();
    let input = graph.input()?;
    let count = calibration.images.len() / graph.shape(input).len();
    let needed = graph.needed_for(&[graph.output()]);
    let mut walk = Walk::new(&graph, input, calibration.images);
    for id in (0..graph.nodes().len()).filter(|&id| needed[id]) {
        let Some(weights) = &mut net.weights[id] else {
            walk.run(id, &[], &[]);
            continue;
        };
        walk.run(id, &weights.values(), &weights.bias.values());
        let (Bias::Float(bias), means) = (&mut weights.bias, &calibration.means[id]) else { continue };
        if means.is_empty() {
            continue;
        }
        let area = graph.shape(id).area();
        let mut sums = vec![0.0; means.len()];
        add_sums(walk.output(id), area, &mut sums);
        let short: Vec<f32> =
            means.iter().zip(&sums).map(|(mean, sum)| (mean - sum / (count * area) as f64) as f32).collect();
        bias.iter_mut().zip(&short).for_each(|(b, s)| *b += s);
        for image in walk.output(id).chunks_exact_mut(area * short.len()) {
            for (channel, s) in image.chunks_exact_mut(area).zip(&short) {
                channel.iter_mut().for_each(|x| *x += s);
            }
        }
    }
    Ok(())
}
