//! Which weights of a layer are zero while it is re-solved: those that were, or as many chosen anew step by step.

use serde::{Deserialize, Serialize};

use crate::layerwise::normal::Normal;
use crate::prune::ramp::level;

/// Where the zeros of a layer are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Masks {
    /// Where they were.
    Keep,
    /// As many as there were, but chosen anew: the layer is solved without zeros first, then pruned in rounds and
    /// solved again after each, so that weights can take over for others before the next ones fall.
    Choose {
        /// Number of rounds.
        rounds: usize,
        /// What decides which weights fall.
        score: Score,
    },
}

/// What a weight is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// Its magnitude: the threshold of synapse pruning, on weights that move.
    Magnitude,
    /// The error that removing it costs when the others of its row make up for it: its square over the diagonal of
    /// the inverse of the normal equations (Hassibi and Stork 1993).
    #[default]
    Curvature,
}

/// Re-solves weights `(outputs, taps)`. `anchor` are the float network's.
pub(super) fn solve(normal: &Normal, weights: &mut [f32], anchor: &[f32], masks: Masks, iterations: usize) {
    match masks {
        Masks::Keep => {
            let mask: Vec<bool> = weights.iter().map(|&w| w != 0.0).collect();
            let anchor = weights.to_vec();
            normal.solve(weights, &mask, &anchor, iterations);
        }
        Masks::Choose { rounds, score } => {
            let zeros = weights.iter().filter(|&&w| w == 0.0).count();
            let rounds = rounds.max(1);
            let counts: Vec<usize> =
                (1..=rounds).map(|round| level(zeros as f64, round, rounds).round() as usize).collect();
            gradually(normal, weights, anchor, &counts, score, iterations, &mut |_, _| {});
        }
    }
}

/// Solves weights `(outputs, taps)` without zeros, then with so many zeros one after another. `each` sees the weights
/// that every count, by its place, ends with.
pub(in crate::prune) fn gradually(
    normal: &Normal,
    weights: &mut [f32],
    anchor: &[f32],
    counts: &[usize],
    score: Score,
    iterations: usize,
    each: &mut dyn FnMut(usize, &[f32]),
) {
    let mut mask = vec![true; weights.len()];
    weights.copy_from_slice(anchor);
    normal.solve(weights, &mask, anchor, iterations);
    let alike = || vec![1.0; normal.taps];
    let worth: Vec<f64> = match score {
        Score::Magnitude => alike(),
        Score::Curvature => normal.inverse_diagonal().map_or_else(alike, |d| d.iter().map(|d| 1.0 / d).collect()),
    };
    for (place, &zeros) in counts.iter().enumerate() {
        prune(weights, &mut mask, &worth, zeros);
        normal.solve(weights, &mask, anchor, iterations);
        // A survivor that was solved to zero would count as pruned.
        for ((w, &m), &a) in weights.iter_mut().zip(&mask).zip(anchor) {
            if m && *w == 0.0 {
                *w = f32::MIN_POSITIVE.copysign(a);
            }
        }
        each(place, weights);
    }
}

/// Zeros the least worthy weights until `wanted` are zero. Of equals the first ones fall.
fn prune(weights: &mut [f32], mask: &mut [bool], worth: &[f64], wanted: usize) {
    let zeros = mask.iter().filter(|&&m| !m).count();
    if wanted <= zeros {
        return;
    }
    let scores = |i: usize| f64::from(weights[i]).powi(2) * worth[i % worth.len()];
    let mut alive: Vec<(f64, usize)> = (0..weights.len()).filter(|&i| mask[i]).map(|i| (scores(i), i)).collect();
    let fall = (wanted - zeros).min(alive.len());
    alive.select_nth_unstable_by(fall - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for &(_, i) in &alive[..fall] {
        mask[i] = false;
        weights[i] = 0.0;
    }
}
