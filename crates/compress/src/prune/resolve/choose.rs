//! Which weights of a layer are zero while it is re-solved: those that were, or as many chosen anew step by step.

use serde::{Deserialize, Serialize};

use crate::layerwise::normal::Normal;
use crate::prune::Units;
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

/// Re-solves weights `(outputs, taps)`. `anchor` are the float network's, `units` the taps that fall together.
pub(super) fn solve(
    normal: &Normal,
    weights: &mut [f32],
    anchor: &[f32],
    masks: Masks,
    units: &Units,
    iterations: usize,
) {
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
            gradually(normal, weights, anchor, &counts, score, units, iterations, &mut |_, _| {});
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
    units: &Units,
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
        prune(weights, &mut mask, &worth, units, zeros);
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

/// Zeros the least worthy units of weights, by the mean worth of their weights, until as nearly as possible `wanted`
/// weights are zero. Of equals the first ones fall.
fn prune(weights: &mut [f32], mask: &mut [bool], worth: &[f64], units: &Units, wanted: usize) {
    let zeros = mask.iter().filter(|&&m| !m).count();
    if wanted <= zeros {
        return;
    }
    let taps = units.taps();
    let unit = |i: usize| i / taps * units.count + units.of(i % taps);
    let mut sums = vec![(0.0f64, 0usize); weights.len() / taps * units.count];
    for i in (0..weights.len()).filter(|&i| mask[i]) {
        let (sum, count) = &mut sums[unit(i)];
        *sum += f64::from(weights[i]).powi(2) * worth[i % taps];
        *count += 1;
    }
    let alive = sums.iter().enumerate().filter(|(_, (_, n))| *n > 0);
    let mut alive: Vec<(f64, usize, usize)> = alive.map(|(u, &(sum, n))| (sum / n as f64, u, n)).collect();
    alive.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut left = wanted - zeros;
    let mut falls = vec![false; sums.len()];
    for (_, u, n) in alive {
        // The last unit falls if that comes nearer to what is wanted.
        if left == 0 || n > 2 * left {
            break;
        }
        falls[u] = true;
        left = left.saturating_sub(n);
    }
    for i in 0..weights.len() {
        if mask[i] && falls[unit(i)] {
            mask[i] = false;
            weights[i] = 0.0;
        }
    }
}
