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
    /// What the error of each number counts; empty when all count alike.
    worth: Vec<f32>,
    /// Sums of worth, of numbers and of squares, each times its worth, of all numbers before each block.
    sums: Vec<[f64; 3]>,
}

impl Sorted {
    /// Sorts the numbers that are not zero; all count alike.
    pub fn survivors(weights: &[f32]) -> Self {
        let mut values: Vec<f32> = Vec::with_capacity(weights.iter().filter(|&&w| w != 0.0).count());
        values.extend(weights.iter().filter(|&&w| w != 0.0));
        values.par_sort_unstable_by(f32::total_cmp);
        Self::of(values, Vec::new())
    }

    /// Sorts the numbers that are not zero. `worth`, above zero, is what the squared error of each number counts; it
    /// repeats if it is shorter.
    pub fn weighted(weights: &[f32], worth: &[f32]) -> Self {
        let mut pairs: Vec<(f32, f32)> = Vec::with_capacity(weights.iter().filter(|&&w| w != 0.0).count());
        pairs.extend(weights.iter().copied().zip(worth.iter().copied().cycle()).filter(|&(w, _)| w != 0.0));
        pairs.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (values, worth) = pairs.into_iter().unzip();
        Self::of(values, worth)
    }

    fn of(values: Vec<f32>, worth: Vec<f32>) -> Self {
        let mut sorted = Self { sums: Vec::with_capacity(values.len() / BLOCK + 2), values, worth };
        let mut sum = [0.0; 3];
        for start in (0..sorted.values.len()).step_by(BLOCK) {
            sorted.sums.push(sum);
            sum = sorted.add(sum, start, (start + BLOCK).min(sorted.values.len()));
        }
        sorted.sums.push(sum);
        sorted
    }

    fn add(&self, sum: [f64; 3], from: usize, to: usize) -> [f64; 3] {
        let worth = |i: usize| self.worth.get(i).map_or(1.0, |&w| f64::from(w));
        (from..to).fold(sum, |[n, s, q], i| {
            let (w, v) = (worth(i), f64::from(self.values[i]));
            [n + w, s + w * v, q + w * v * v]
        })
    }

    pub fn values(&self) -> &[f32] {
        &self.values
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Sums of worth, numbers and squares over the first `n` numbers.
    pub fn first(&self, n: usize) -> [f64; 3] {
        let block = (n / BLOCK).min(self.sums.len() - 1);
        self.add(self.sums[block], (block * BLOCK).min(n), n)
    }

    /// The mean of a run that is not empty.
    pub fn mean(&self, from: usize, to: usize) -> f64 {
        let (a, b) = (self.first(from), self.first(to));
        // Rounding must not carry the mean out of its cluster.
        ((b[1] - a[1]) / (b[0] - a[0])).clamp(f64::from(self.values[from]), f64::from(self.values[to - 1]))
    }

    /// The sum of squared distances of a run to a centre, each times its worth.
    pub fn error(&self, from: usize, to: usize, centre: f64) -> f64 {
        if from >= to {
            return 0.0;
        }
        let (a, b) = (self.first(from), self.first(to));
        (b[2] - a[2] - 2.0 * centre * (b[1] - a[1]) + (b[0] - a[0]) * centre * centre).max(0.0)
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
