//! Layers with far more inputs than there are samples: how much of a fit to so few is to be trusted.

use std::ops::Range;

use super::{Options, choose};
use crate::layerwise::normal::{Kept, Normal};
use crate::prune::Units;

/// Outputs of a wide layer that are solved for at a time.
pub(super) const ROWS: usize = 512;

/// How much stronger damping may have to be where there are fewer samples than weights.
const STRENGTHS: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];

/// What a wide layer reads, `(samples, taps)`, and is to put out, `(samples, outputs)`.
pub(super) struct Block<'a> {
    pub x: &'a [f32],
    pub taps: usize,
    pub y: &'a [f32],
    pub outputs: usize,
    pub has_bias: bool,
}

impl Block<'_> {
    /// The problem that some of the samples pose for the first `outputs`.
    fn normal(&self, samples: Range<usize>, outputs: usize, damping: f64) -> Option<Normal> {
        let x = self.x[samples.start * self.taps..samples.end * self.taps].to_vec();
        let y = self.y[samples.start * self.outputs..samples.end * self.outputs].chunks(self.outputs);
        let y = y.flat_map(|row| &row[..outputs]).copied().collect();
        Normal::new(x, self.taps, y, outputs, self.has_bias, damping, Kept::Dual)
    }

    /// How much stronger damping has to be for weights `(outputs, taps)` of the first outputs that are fitted to three
    /// quarters of the samples to be the best on the others; `None` when these are best left alone.
    pub fn strength(&self, weights: &[f32], anchor: &[f32], units: &Units, options: &Options) -> Option<f64> {
        let &Options { masks, iterations, damping, .. } = options;
        let (samples, outputs) = (self.x.len() / self.taps, weights.len() / self.taps);
        let fitted = samples - samples / 4;
        let others = self.normal(fitted..samples, outputs, damping)?;
        let mut best = (others.error(weights), None);
        for strength in STRENGTHS {
            let mut solved = weights.to_vec();
            let normal = self.normal(0..fitted, outputs, damping * strength)?;
            choose::solve(&normal, &mut solved, anchor, masks, units, iterations);
            let error = others.error(&solved);
            if error < best.0 {
                best = (error, Some(strength));
            }
        }
        best.1
    }
}
