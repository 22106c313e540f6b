//! How the numbers of one layer's output are distributed, as finely as formats need to know.

use rayon::prelude::*;
use synapress_model::Fixed;

use super::Range;

/// Mantissa bits that a bin is told by: 16 bins an octave.
const MANTISSA: u32 = 4;
const CUT: u32 = 23 - MANTISSA;
/// Bins of one sign: all exponents.
const BINS: usize = 1 << (8 + MANTISSA);

/// Numbers counted in bins whose width grows with the magnitude.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    /// Bins of numbers from zero upwards, then those of negative ones.
    bins: Vec<u64>,
    count: u64,
    power: f64,
    least: f32,
    most: f32,
    finite: bool,
}

impl Histogram {
    pub fn new() -> Self {
        Self { bins: vec![0; 2 * BINS], count: 0, power: 0.0, least: 0.0, most: 0.0, finite: true }
    }

    /// Counts more numbers.
    pub fn add(&mut self, numbers: &[f32]) {
        self.count += numbers.len() as u64;
        for &x in numbers {
            let bits = x.to_bits();
            let sign = (bits >> 31) as usize * BINS;
            self.bins[sign + ((bits & 0x7fff_ffff) >> CUT) as usize] += 1;
            self.power += f64::from(x) * f64::from(x);
            self.least = self.least.min(x);
            self.most = self.most.max(x);
        }
        self.finite &= self.power.is_finite();
    }

    /// Counts more numbers, in so many pieces at once as there are runs of `piece`; the result does not depend on the
    /// threads.
    pub fn add_pieces(&mut self, numbers: &[f32], piece: usize) {
        let count = |numbers: &[f32]| {
            let mut own = Self::new();
            own.add(numbers);
            own
        };
        let pieces: Vec<Self> = numbers.par_chunks(piece.max(1)).map(count).collect();
        pieces.iter().for_each(|p| self.merge(p));
    }

    /// Counts what another histogram has counted.
    pub fn merge(&mut self, other: &Self) {
        self.bins.iter_mut().zip(&other.bins).for_each(|(a, b)| *a += b);
        self.count += other.count;
        self.power += other.power;
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.finite &= other.finite;
    }

    /// Whether every number was finite.
    pub fn is_finite(&self) -> bool {
        self.finite
    }

    /// Sum of squares.
    pub fn power(&self) -> f64 {
        self.power
    }

    /// The least and the largest number; zero counts as one.
    pub fn ends(&self) -> [f32; 2] {
        [self.least, self.most]
    }

    /// Root of the mean square.
    pub fn rms(&self) -> f64 {
        (self.power / self.count.max(1) as f64).sqrt()
    }

    /// Whether a number was negative.
    pub fn has_negative(&self) -> bool {
        self.least < 0.0
    }

    /// Bins with numbers in them: signed lower and upper end (by magnitude), and how many.
    fn filled(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        self.bins.iter().enumerate().filter(|&(_, &n)| n > 0).map(|(i, &n)| {
            let (sign, bin) = (if i < BINS { 1.0 } else { -1.0 }, (i % BINS) as u32);
            let end = |bin: u32| sign * f64::from(f32::from_bits(bin << CUT).min(f32::MAX));
            (end(bin), end(bin + 1), n as f64)
        })
    }

    /// Sum of squared errors of the numbers in a format, as if they were spread evenly in their bins.
    pub fn error(&self, format: Fixed) -> f64 {
        let step = format.step();
        let (low, high) = (format.range().0 as f64 * step, format.range().1 as f64 * step);
        // The integral of the squared error from zero on. That of a whole step is step^3 / 12.
        let inside = |x: f64| {
            let nearest = (x / step + 0.5).floor();
            step.powi(3) * (nearest / 12.0 + (x / step - nearest).powi(3) / 3.0)
        };
        let integral = |x: f64| inside(x.clamp(low, high)) + (x - x.clamp(low, high)).powi(3) / 3.0;
        self.filled().map(|(from, to, n)| n * (integral(to) - integral(from)) / (to - from)).sum()
    }

    /// Share of the numbers that saturate in a format: those of bins that lie beyond its ends.
    pub fn saturated(&self, format: Fixed) -> f64 {
        let half = format.step() / 2.0;
        let (low, high) = format.range();
        let (low, high) = (low as f64 * format.step() - half, high as f64 * format.step() + half);
        let beyond = |&(from, _, _): &(f64, f64, f64)| from < low || from > high;
        self.filled().filter(beyond).map(|(_, _, n)| n).sum::<f64>() / (self.count.max(1) as f64)
    }

    /// The format of a width that suits the numbers.
    pub fn format(&self, bits: u8, signed: bool, range: Range) -> Fixed {
        let largest = if signed { self.most.max(-self.least) } else { self.most };
        let widest = Fixed::covering(bits, signed, largest);
        match range {
            Range::Max => widest,
            Range::SquaredError => least(widest, |f| self.error(f)),
        }
    }
}

/// The format of the least error, of equals the widest, among those with steps down to 2^-bits of the widest.
pub(super) fn least(widest: Fixed, error: impl Fn(Fixed) -> f64) -> Fixed {
    let finer = (0..=widest.bits.min(8) as i8).map(|d| Fixed { frac: widest.frac.saturating_add(d).min(64), ..widest });
    let mut best = (f64::INFINITY, widest);
    for format in finer {
        let error = error(format);
        if error < best.0 {
            best = (error, format);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    /// Numbers with a sign and an exponential tail, and some zeros.
    fn numbers(n: usize) -> Vec<f32> {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        (0..n)
            .map(|i| match i % 3 {
                0 => 0.0,
                _ => -rng.random_range(1e-6f32..1.0).ln() * if rng.random() { 2.0 } else { -2.0 },
            })
            .collect()
    }

    #[test]
    fn the_error_is_about_the_true_one() {
        let numbers = numbers(30_000);
        let mut histogram = Histogram::new();
        let (first, rest) = numbers.split_at(10_000);
        histogram.add(first);
        histogram.add_pieces(rest, 3000);
        for bits in [2, 4, 6, 8, 12, 16] {
            for frac in -2..14 {
                for signed in [true, bits == 16] {
                    let format = Fixed { bits, frac, signed };
                    let exact: f64 =
                        numbers.iter().map(|&x| f64::from(x - format.value(format.quantize(x))).powi(2)).sum();
                    let found = histogram.error(format);
                    assert!((found - exact).abs() <= 0.2 * exact + 1e-3, "{format}: {found} for {exact}");
                    let (low, high) = format.range();
                    let beyond = |x: f32| {
                        let code = (f64::from(x) * f64::from(frac).exp2() + 0.5).floor();
                        code < low as f64 || code > high as f64
                    };
                    let exact = numbers.iter().filter(|&&x| beyond(x)).count() as f64 / numbers.len() as f64;
                    assert!((histogram.saturated(format) - exact).abs() < 0.05, "{format}");
                }
            }
        }
    }

    #[test]
    fn few_bits_saturate_the_tail_and_many_do_not() {
        let mut histogram = Histogram::new();
        histogram.add(&numbers(30_000));
        let format = |bits, range| histogram.format(bits, true, range);
        assert!(format(4, Range::SquaredError).frac > format(4, Range::Max).frac);
        assert_eq!(format(16, Range::SquaredError), format(16, Range::Max));
        assert_eq!(histogram.saturated(format(4, Range::Max)), 0.0);
    }

    #[test]
    fn what_is_not_finite_is_noticed() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut histogram = Histogram::new();
            histogram.add(&[1.0, bad]);
            assert!(!histogram.is_finite());
        }
    }
}
