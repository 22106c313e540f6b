//! How far the class scores move when one layer alone is another: the Kullback-Leibler divergence from the float
//! network's scores on some images. What lies before the layer is not computed again.

use std::ops::Range;

use synapress_model::{Mode, Net, NodeId, Weights};
use synapress_run::{Executor, Keep};

use super::walk::Walk;
use crate::train::{logits, softmax};

/// Images of one pass of the float network.
const BATCH: usize = 16;

/// The float network's scores on some images of a walk.
pub(crate) struct Probe<'a> {
    net: &'a Net,
    /// Which images of the walk these are.
    images: Range<usize>,
    logits: NodeId,
    /// Probabilities of the float network.
    reference: Vec<f32>,
}

/// How many images, the first ones, layers are fitted to, and which ones the scores are looked at: the last `probes`,
/// at most half; a single image serves for both.
pub(crate) fn split(images: usize, probes: usize) -> (usize, Range<usize>) {
    let fitted = images - probes.clamp(1, (images / 2).max(1)).min(images - 1);
    (fitted, if images == 1 { 0..1 } else { fitted..images })
}

impl<'a> Probe<'a> {
    /// On some of the images `(n, C, H, W)` of a walk. They tell more if nothing was fitted to them.
    ///
    /// # Errors
    /// When the network cannot be executed.
    pub fn new(net: &'a Net, images: &[f32], some: Range<usize>) -> Result<Self, synapress_model::Error> {
        let mut executor = Executor::<f32>::new(net, BATCH, Keep::All)?;
        let logits = logits(&net.graph).last().map_or(net.graph.output(), |head| head.0);
        let len = executor.input_shape().len();
        let mut probe = Self { net, images: some.clone(), logits, reference: Vec::new() };
        for batch in images[some.start * len..some.end * len].chunks(BATCH * len) {
            executor.forward(batch, Mode::Infer);
            probe.reference.extend(probe.probabilities(executor.activation(logits)));
        }
        Ok(probe)
    }

    fn probabilities(&self, scores: &[f32]) -> Vec<f32> {
        let classes = self.net.graph.shape(self.logits).len();
        let mut all = vec![0.0; scores.len()];
        scores.chunks(classes).zip(all.chunks_mut(classes)).for_each(|(from, to)| softmax(from, 1.0, to));
        all
    }

    /// In nats, mean over the images: how far the scores are off when the node that `walk` runs next has other
    /// weights and all behind it are the float network's. The walk, over at least these images, stays where it is.
    pub fn divergence(&self, walk: &Walk<'_>, id: NodeId, weights: &Weights) -> f64 {
        let mut walk = walk.fork(self.images.clone());
        walk.run(id, Some(weights));
        for id in id + 1..=self.logits {
            walk.run(id, self.net.weights[id].as_ref());
        }
        self.distance(&self.probabilities(walk.output(self.logits)))
    }

    fn distance(&self, found: &[f32]) -> f64 {
        let term = |(&p, &q): (&f32, &f32)| {
            let (p, q) = (f64::from(p).max(1e-12), f64::from(q).max(1e-12));
            p * (p / q).ln()
        };
        let sum: f64 = self.reference.iter().zip(found).map(term).sum();
        (sum / self.images.len() as f64).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layerwise::tests::pooled_net;
    use crate::prune::tests::numbers;

    #[test]
    fn the_divergence_is_that_of_the_whole_network_with_the_layer_replaced() {
        let net = pooled_net(4);
        let images = numbers(21 * 3 * 64, 6);
        let probe = Probe::new(&net, &images, 4..21).unwrap();
        let mut walk = Walk::new(&net.graph, net.graph.input().unwrap(), &images);
        for id in 0..net.graph.nodes().len() {
            if let Some(weights) = &net.weights[id] {
                assert!(probe.divergence(&walk, id, weights) < 1e-6);
                let values = weights.values().iter().map(|w| w * 0.7).collect();
                let other = Weights::dense(weights.dims, values, weights.bias.values().into_owned());
                let mut changed = net.clone();
                changed.weights[id] = Some(other.clone());
                let mut executor = Executor::<f32>::new(&changed, 17, Keep::All).unwrap();
                executor.forward(&images[4 * 3 * 64..], Mode::Infer);
                let wanted = probe.distance(&probe.probabilities(executor.activation(probe.logits)));
                let found = probe.divergence(&walk, id, &other);
                assert!(wanted > 1e-4 && (found - wanted).abs() < 1e-4 * wanted, "{id}: {found} {wanted}");
            }
            walk.run(id, net.weights[id].as_ref());
        }
    }
}
