//! The k-th smallest of very many scores without sorting or storing them: four counting passes over 16 bits each.

use rayon::prelude::*;

/// Weights of one layer and their standard deviation. The score of a weight is its magnitude over the deviation: the
/// pruning ratio at which it falls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scored<'a> {
    pub weights: &'a [f32],
    pub deviation: f64,
}

impl Scored<'_> {
    /// Where all weights are the same the deviation is zero and no ratio prunes any but zeros.
    fn score(&self, weight: f32) -> f64 {
        if weight == 0.0 { 0.0 } else { f64::from(weight.abs()) / self.deviation }
    }
}

const CHUNK: usize = 1 << 20;
const BUCKETS: usize = 1 << 16;

/// A ratio below which as nearly as possible `count` of the scores lie. Equal scores fall together, or not at all,
/// whichever is nearer.
pub(super) fn ratio_below(layers: &[Scored<'_>], count: u64) -> f64 {
    let all: u64 = layers.iter().map(|l| l.weights.len() as u64).sum();
    let count = count.min(all);
    if count == 0 {
        return 0.0;
    }
    let pivot = smallest(layers, count - 1);
    let around = neighbours(layers, pivot);
    let above = || match around.above {
        above if above.is_finite() => middle(pivot, above),
        _ => pivot * 2.0,
    };
    // Zeros are pruned already, and infinite scores never fall.
    if pivot == 0.0 {
        return 0.0;
    }
    if pivot.is_infinite() {
        return around.largest_below * 2.0;
    }
    match (around.below + around.equal).abs_diff(count) <= around.below.abs_diff(count) {
        true => above(),
        false => middle(around.largest_below, pivot),
    }
}

fn middle(a: f64, b: f64) -> f64 {
    a + (b - a) / 2.0
}

/// The score with `rank` others before it. Scores are not negative, so their order is that of their bits.
fn smallest(layers: &[Scored<'_>], mut rank: u64) -> f64 {
    let mut prefix = 0u64;
    for shift in [48, 32, 16, 0] {
        let known = |bits: u64| shift == 48 || bits >> (shift + 16) == prefix;
        let mut counts = vec![0u64; BUCKETS];
        for layer in layers {
            let partial: Vec<Vec<u32>> = layer
                .weights
                .par_chunks(CHUNK)
                .map(|chunk| {
                    let mut counts = vec![0u32; BUCKETS];
                    for bits in chunk.iter().map(|&w| layer.score(w).to_bits()).filter(|&b| known(b)) {
                        counts[(bits >> shift) as usize % BUCKETS] += 1;
                    }
                    counts
                })
                .collect();
            for chunk in partial {
                counts.iter_mut().zip(chunk).for_each(|(to, n)| *to += u64::from(n));
            }
        }
        let mut bucket = 0;
        while rank >= counts[bucket] && bucket + 1 < BUCKETS {
            rank -= counts[bucket];
            bucket += 1;
        }
        prefix = prefix << 16 | bucket as u64;
    }
    f64::from_bits(prefix)
}

/// What lies around a score.
struct Around {
    below: u64,
    equal: u64,
    largest_below: f64,
    above: f64,
}

fn neighbours(layers: &[Scored<'_>], pivot: f64) -> Around {
    let none = || Around { below: 0, equal: 0, largest_below: 0.0, above: f64::INFINITY };
    let join = |a: Around, b: Around| Around {
        below: a.below + b.below,
        equal: a.equal + b.equal,
        largest_below: a.largest_below.max(b.largest_below),
        above: a.above.min(b.above),
    };
    layers.iter().fold(none(), |sum, layer| {
        let of_layer = layer
            .weights
            .par_chunks(CHUNK)
            .map(|chunk| {
                chunk.iter().fold(none(), |mut a, &w| {
                    let score = layer.score(w);
                    if score < pivot {
                        a.below += 1;
                        a.largest_below = a.largest_below.max(score);
                    } else if score == pivot {
                        a.equal += 1;
                    } else {
                        a.above = a.above.min(score);
                    }
                    a
                })
            })
            .reduce(none, join);
        join(sum, of_layer)
    })
}
