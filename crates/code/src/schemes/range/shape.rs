//! How often each rank of a codebook will come, before any has: a centroid stands for the weights around it, so the
//! space up to its neighbours times a density that falls off from zero, whose slope the encoder chooses. Trees of
//! magnitudes start from these guesses. Codes that are their own levels need none.

use super::super::Book;
use crate::bytes::place;
use crate::coder::Bit;

/// The number of slopes to choose from: quarters of an octave of density between zero and the largest centroid.
const SLOPES: u8 = 96;

/// A guess counts as much as so many bits that were seen.
const TRUST: u32 = 8;

/// Magnitudes of one side, by rank from 1, as parts of the largest in 1/65536; at most 65536 of them.
fn places(side: &[f32]) -> Vec<u64> {
    let largest = side.last().copied().map_or(1.0, |v| f64::from(v.abs()));
    side.iter().map(|&v| part(f64::from(v.abs()) / largest * 65536.0)).collect()
}

#[allow(clippy::as_conversions, reason = "rounds down and saturates, as is wanted; what is no number becomes 0")]
fn part(x: f64) -> u64 {
    (x as u64).min(65536)
}

/// Guesses of one side: for each rank from 1 a number that is large where it comes often.
fn guesses(places: &[u64], slope: u8) -> Vec<u64> {
    let last = places.len().saturating_sub(1);
    let guess = |i: usize| {
        let (below, above) = (places[i.saturating_sub(1)], places[(i + 1).min(last)]);
        let halves = if i == 0 || i == last { 2 } else { 1 };
        let space = above.saturating_sub(below) * halves + 1;
        // 2^-fall, its fraction by a straight line.
        let fall = (u64::from(slope) * places[i]) >> 10;
        let density = ((512 - (fall & 255)) << 16).checked_shr(u32::try_from(fall >> 8).unwrap_or(64)).unwrap_or(0);
        ((space * density) >> 8) + 1
    };
    (0..places.len()).map(guess).collect()
}

/// 256 log2 of a number that is not zero, its fraction by a straight line.
fn log(n: u64) -> u64 {
    let whole = n.ilog2();
    u64::from(whole) << 8 | ((n << (63 - whole)) >> 55) & 255
}

/// The slopes of both sides under which levels that came so often are coded in the fewest bits.
pub(super) fn slopes(book: &Book, levels: &[i32]) -> [u8; 2] {
    let mut counts = book.each_ref().map(|side| vec![0u64; side.len()]);
    for &level in levels.iter().filter(|&&l| l != 0) {
        let side = usize::from(level < 0);
        if let Some(count) = counts[side].get_mut(place(level.unsigned_abs() - 1)) {
            *count += 1;
        }
    }
    [0, 1].map(|side| {
        let (places, total) = (places(&book[side]), counts[side].iter().sum::<u64>());
        let bits = |slope: &u8| {
            let guesses = guesses(&places, *slope);
            let known: u64 = guesses.iter().zip(&counts[side]).map(|(&g, &n)| n * log(g)).sum();
            (total * log(guesses.iter().sum::<u64>().max(1))).saturating_sub(known)
        };
        (0..SLOPES).step_by(2).min_by_key(bits).unwrap_or(0)
    })
}

/// What trees over the magnitudes of one side start from.
pub(super) struct Shape {
    /// For each magnitude from 0 the sum of all guesses below it; the last entry is the sum of all.
    sums: Vec<u64>,
}

impl Shape {
    /// Of a side, whose smallest rank has magnitude 1.
    pub fn new(side: &[f32], slope: u8, least: u32) -> Self {
        let mut sums = vec![0, 0];
        let mut sum = 0;
        for guess in guesses(&places(side), slope).into_iter().skip(place(least.saturating_sub(1))) {
            sum += guess;
            sums.push(sum);
        }
        Self { sums }
    }

    /// All guesses of magnitudes from `low` and below `high`.
    fn sum(&self, low: u32, high: u32) -> u64 {
        let last = self.sums.len() - 1;
        self.sums[place(high).min(last)].saturating_sub(self.sums[place(low).min(last)])
    }

    /// The start of a model that asks whether a magnitude is from `middle` and below `high`, not from `low` and below
    /// `middle`.
    fn start(&self, low: u32, middle: u32, high: u32) -> Bit {
        let (zero, one) = (self.sum(low, middle) + 1, self.sum(middle, high) + 1);
        Bit::guess(one.saturating_mul(65536) / (zero + one), TRUST)
    }

    /// Starts a tree of `bits` over classes, which are magnitudes by their number of bits less one.
    pub fn classes(&self, tree: &mut [Bit], bits: u32) {
        for depth in 0..bits {
            for prefix in 0..1u32 << depth {
                let left = bits - depth;
                let bound = |class: u32| 1u32.checked_shl(class).unwrap_or(u32::MAX);
                let first = prefix << left;
                let start = self.start(bound(first), bound(first + (1 << (left - 1))), bound(first + (1 << left)));
                tree[place(1 << depth | prefix)] = start;
            }
        }
    }

    /// Starts a tree over the first `bits` bits below the highest of magnitudes of a class.
    pub fn mantissas(&self, tree: &mut [Bit], class: u32, bits: u32) {
        for node in 1..1u32 << bits {
            let depth = node.ilog2();
            let size = 1u32 << (class - depth);
            let low = node << (class - depth);
            tree[place(node)] = self.start(low, low + size / 2, low + size);
        }
    }
}
