//! About how many bits the synapse code spends on a weight: the entropy of its level among weights of which about the
//! same magnitude is expected. What the coder makes of it is [`synapress_code`]'s affair; this is what a choice between
//! two levels goes by.

use rayon::prelude::*;

/// Classes of expected magnitude.
pub(super) const CLASSES: usize = 8;

/// The class of each weight `(rows, taps)`: its expected magnitude is the mean of its row times that of its column, as
/// the coder learns both; classes are of equal size.
pub(super) fn classes(weights: &[f32], taps: usize) -> Vec<u8> {
    let rows = weights.len() / taps;
    let mut columns = vec![0.0f64; taps];
    let mut lines = vec![0.0f64; rows];
    for (row, line) in weights.chunks_exact(taps).zip(&mut lines) {
        for (w, column) in row.iter().zip(&mut columns) {
            let magnitude = f64::from(w.abs());
            *column += magnitude;
            *line += magnitude;
        }
    }
    let expected = |i: usize| lines[i / taps] * columns[i % taps];
    let mut sorted: Vec<f64> = (0..weights.len()).map(expected).collect();
    sorted.par_sort_unstable_by(f64::total_cmp);
    let borders: Vec<f64> = (1..CLASSES).map(|c| sorted[c * sorted.len() / CLASSES]).collect();
    (0..weights.len()).map(|i| borders.partition_point(|&b| b < expected(i)) as u8).collect()
}

/// Bits of every level from `-reach` to `reach` in every class.
#[derive(Clone, Debug)]
pub(super) struct Lengths {
    reach: i32,
    bits: Vec<f32>,
}

impl Lengths {
    /// From levels as they are, with some weight on levels that do not occur: the more, the nearer to zero.
    pub fn of(levels: &[i16], classes: &[u8], reach: i32) -> Self {
        let width = (2 * reach + 1) as usize;
        let mut counts = vec![0.0f64; CLASSES * width];
        for (&level, &class) in levels.iter().zip(classes) {
            counts[usize::from(class) * width + (i32::from(level) + reach) as usize] += 1.0;
        }
        // What all classes have in common stands for what a class has not seen.
        let mean = levels.iter().map(|&l| f64::from(l.unsigned_abs())).sum::<f64>() / levels.len().max(1) as f64;
        let ratio = (mean.max(0.05) / (1.0 + mean.max(0.05))).max(0.3);
        let mut common: Vec<f64> = (-reach..=reach).map(|l| 0.5 * ratio.powi(l.abs())).collect();
        for class in counts.chunks(width) {
            common.iter_mut().zip(class).for_each(|(c, n)| *c += n);
        }
        let all: f64 = common.iter().sum();
        const PRIOR: f64 = 20.0;
        let bits = counts.chunks(width).flat_map(|class| {
            let total = class.iter().sum::<f64>() + PRIOR;
            let share = class.iter().zip(&common).map(move |(n, c)| (n + PRIOR * c / all) / total);
            share.map(|p| -(p.log2()) as f32).collect::<Vec<_>>()
        });
        Self { reach, bits: bits.collect() }
    }

    /// Bits of one level.
    pub fn bits(&self, class: u8, level: i32) -> f32 {
        self.bits[usize::from(class) * (2 * self.reach + 1) as usize + (level + self.reach) as usize]
    }

    /// Bits of all levels together.
    pub fn total(&self, levels: &[i16], classes: &[u8]) -> f64 {
        levels.iter().zip(classes).map(|(&l, &c)| f64::from(self.bits(c, i32::from(l)))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::numbers;

    #[test]
    fn classes_are_of_equal_size_and_rise_with_the_magnitude() {
        let weights: Vec<f32> = numbers(4000, 1).iter().enumerate().map(|(i, w)| w * (1.0 + (i / 40) as f32)).collect();
        let found = classes(&weights, 40);
        let mean = |class: u8| {
            let of: Vec<f32> = (0..4000).filter(|&i| found[i] == class).map(|i| weights[i].abs()).collect();
            assert!(of.len().abs_diff(500) < 50, "{}", of.len());
            of.iter().sum::<f32>() / of.len() as f32
        };
        assert!((1..CLASSES as u8).all(|c| mean(c) > mean(c - 1)));
    }

    #[test]
    fn lengths_are_the_entropy_where_there_is_much_to_count() {
        let levels: Vec<i16> = (0..40_000).map(|i| [0, 0, 0, 0, 1, -1, 2, 0][i % 8]).collect();
        let classes = vec![0; levels.len()];
        let lengths = Lengths::of(&levels, &classes, 5);
        // 5/8 zero, 1/8 each of the others.
        let entropy = 0.625 * (1.0f64 / 0.625).log2() + 0.375 * 3.0;
        assert!((lengths.total(&levels, &classes) / 40_000.0 - entropy).abs() < 0.01);
        assert!(lengths.bits(0, 5) > lengths.bits(0, 3) && lengths.bits(0, 3) > 8.0);
        // A class that was never seen goes by the others.
        assert!((f64::from(lengths.bits(3, 0)) - (1.0f64 / 0.625).log2()).abs() < 0.05);
    }
}
