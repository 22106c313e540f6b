//! Sorted numbers with cumulative sums: any run's count, sum and squared error in a few steps. This is what makes
//! k-means on one axis cheap: a cluster is a run of the sorted numbers.

use rayon::prelude::*;

/// Sums are kept at every so many numbers; between them they are taken anew. Memory beyond the numbers themselves is
/// then negligible.
const BLOCK: usize = 256;

/// Numbers in ascending order.
#[derive(Clone, Debug)]
pub(super) struct Sorted {
    values: Vec<f32>,
    /// Sum and sum of squares of all numbers before each block.
    sums: Vec<[f64; 2]>,
}

impl Sorted {
    /// Sorts the numbers that are not zero.
    pub fn survivors(weights: &[f32]) -> Self {
        let mut values: Vec<f32> = Vec::with_capacity(weights.iter().filter(|&&w| w != 0.0).count());
        values.extend(weights.iter().filter(|&&w| w != 0.0));
        values.par_sort_unstable_by(f32::total_cmp);
        let mut sums = Vec::with_capacity(values.len() / BLOCK + 2);
        let mut sum = [0.0; 2];
        for block in values.chunks(BLOCK) {
            sums.push(sum);
            sum = add(sum, block);
        }
        sums.push(sum);
        Self { values, sums }
    }

    pub fn values(&self) -> &[f32] {
        &self.values
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Sum and sum of squares of the first `n` numbers.
    fn first(&self, n: usize) -> [f64; 2] {
        let block = n / BLOCK;
        add(self.sums[block.min(self.sums.len() - 1)], &self.values[(block * BLOCK).min(n)..n])
    }

    /// The mean of a run that is not empty.
    pub fn mean(&self, from: usize, to: usize) -> f64 {
        let (a, b) = (self.first(from), self.first(to));
        // Rounding must not carry the mean out of its cluster.
        ((b[0] - a[0]) / (to - from) as f64).clamp(f64::from(self.values[from]), f64::from(self.values[to - 1]))
    }

    /// The sum of squared distances of a run to a centre.
    pub fn error(&self, from: usize, to: usize, centre: f64) -> f64 {
        if from >= to {
            return 0.0;
        }
        let (a, b) = (self.first(from), self.first(to));
        (b[1] - a[1] - 2.0 * centre * (b[0] - a[0]) + (to - from) as f64 * centre * centre).max(0.0)
    }

    /// How many numbers are smaller.
    pub fn before(&self, value: f64) -> usize {
        self.values.partition_point(|&v| f64::from(v) < value)
    }

    /// The distinct numbers, unless there are more than `most`.
    pub fn distinct(&self, most: usize) -> Option<Vec<f32>> {
        let mut distinct = Vec::new();
        let mut at = 0;
        while at < self.len() {
            if distinct.len() == most {
                return None;
            }
            let value = self.values[at];
            distinct.push(value);
            at += self.values[at..].partition_point(|&v| v <= value);
        }
        Some(distinct)
    }
}

fn add(sum: [f64; 2], values: &[f32]) -> [f64; 2] {
    values.iter().map(|&v| f64::from(v)).fold(sum, |[s, q], v| [s + v, q + v * v])
}
