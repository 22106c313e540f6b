//! How neighbours foretell a weight, learned by the encoder for each tile and sent as small integers: least squares on
//! a part of the tile's rows. The coder itself is not here.

use super::super::Tile;
use super::rows::{FEATURES, Rows, SIGNED};

/// About so many weights are looked at.
const ENOUGH: usize = 1 << 16;

/// Of those, one in so many is kept to find out how large expected magnitudes become.
const SPARSE: usize = 8;

/// What a tile's header says of its neighbourhoods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    /// Weights of the features that tell the magnitude.
    pub magnitude: [i8; FEATURES],
    /// Weights of the signed neighbours.
    pub sign: [i8; SIGNED],
    /// The scale of the expected magnitude that is the highest step.
    pub top: u8,
    /// Difference of scales at which prediction and expected magnitude are equal.
    pub even: i8,
}

impl Parameters {
    /// What is true of most layers, for tiles too small to say more.
    pub const USUAL: Self = Self {
        magnitude: [18, 6, 4, 6, 14, 2, 2, 2, 2, 6, 10, 14, 10, 6, 4],
        sign: [40, 40, -10, 4, -4, -4, 8, 4, 8, 4],
        top: 124,
        even: -16,
    };
}

/// Eighths of an octave: 8 log2 of a number, up to a constant, rounded down; 0 of what is not positive.
#[inline]
pub(super) fn scale(n: i32) -> u32 {
    let n = n.max(0).cast_unsigned();
    let bits = u32::BITS - n.leading_zeros();
    if bits < 4 { n } else { 8 * (bits - 3) + ((n >> (bits - 4)) & 7) }
}

/// Normal equations of a least-squares fit. All terms are integers below 2^53, so that their sums are exact in any
/// order. Only the upper triangle of the symmetric left side is summed up.
struct Normal<const N: usize> {
    left: [[f64; N]; N],
    right: [f64; N],
}

impl<const N: usize> Normal<N> {
    fn new() -> Self {
        Self { left: [[0.0; N]; N], right: [0.0; N] }
    }

    #[inline]
    fn add(&mut self, terms: &[i32; N], target: i32) {
        let (terms, target) = (terms.map(f64::from), f64::from(target));
        for i in 0..N {
            if terms[i] == 0.0 {
                continue;
            }
            for j in i..N {
                self.left[i][j] += terms[i] * terms[j];
            }
            self.right[i] += terms[i] * target;
        }
    }

    /// The weights, by Gaussian elimination; slightly drawn towards zero, so that there is always a solution.
    fn solve(mut self, draw: f64) -> [f64; N] {
        let mean = (0..N).map(|i| self.left[i][i]).sum::<f64>() / (0..N).map(|_| 1.0).sum::<f64>();
        for i in 0..N {
            self.left[i][i] += draw * mean + 1.0;
            for j in 0..i {
                self.left[i][j] = self.left[j][i];
            }
        }
        for i in 0..N {
            for j in i + 1..N {
                let factor = self.left[j][i] / self.left[i][i];
                for k in i..N {
                    self.left[j][k] -= factor * self.left[i][k];
                }
                self.right[j] -= factor * self.right[i];
            }
        }
        for i in (0..N).rev() {
            for k in i + 1..N {
                self.right[i] -= self.left[i][k] * self.right[k];
            }
            self.right[i] /= self.left[i][i];
        }
        self.right
    }
}

/// Weights as small integers, and how many times 2 they were doubled.
fn small<const N: usize>(weights: [f64; N]) -> ([i8; N], i32) {
    let largest = weights.iter().fold(0.0f64, |m, w| m.max(w.abs()));
    let (mut factor, mut doubled) = (1.0, 0);
    while largest * factor > 127.0 && doubled > -32 {
        (factor, doubled) = (factor / 2.0, doubled - 1);
    }
    while largest * factor * 2.0 <= 127.0 && doubled < 16 {
        (factor, doubled) = (factor * 2.0, doubled + 1);
    }
    // By counting, as there is no lossless conversion; at most 127 steps.
    let whole = |w: f64| {
        let magnitude = (1..=i8::MAX).take_while(|&n| f64::from(n) - 0.5 <= (w * factor).abs()).last().unwrap_or(0);
        if w < 0.0 { -magnitude } else { magnitude }
    };
    (weights.map(whole), doubled)
}

/// The parameters of a tile of signed amplitudes.
pub(super) fn fit(tile: &Tile, amplitudes: impl Iterator<Item = i16>) -> Parameters {
    let taps = tile.taps().max(1);
    let step = tile.rows.div_ceil((ENOUGH / taps).max(1)).max(1);
    let mut rows = Rows::new(tile, &Parameters { magnitude: [0; FEATURES], sign: [0; SIGNED], top: 0, even: 0 });
    let (mut seen, mut samples): (usize, Vec<[i32; FEATURES]>) = (0, Vec::with_capacity(2 * ENOUGH / SPARSE));
    let (mut magnitude, mut sign) = (Normal::new(), Normal::new());
    let (mut row, mut tap) = (0usize, 0);
    for signed in amplitudes {
        if row.is_multiple_of(step) && seen < 2 * ENOUGH {
            let features = rows.features();
            magnitude.add(&features, i32::from(signed).abs() << 4);
            if seen.is_multiple_of(SPARSE) {
                samples.push(features);
            }
            seen += 1;
            if signed != 0 {
                sign.add(&rows.signed(), i32::from(signed));
            }
        }
        rows.push(signed);
        tap += 1;
        if tap == taps {
            (row, tap) = (row + 1, 0);
        }
    }
    let (magnitude, doubled) = small(magnitude.solve(1e-4));
    let (sign, twice) = small(sign.solve(1e-3));
    let expected = |f: &[i32; FEATURES]| f.iter().zip(&magnitude).map(|(f, &w)| f * i32::from(w)).sum::<i32>();
    let top = samples.iter().map(|f| scale(expected(f))).max().unwrap_or(0);
    // A prediction is in whole amplitudes, an expected magnitude in 1/16.
    let even = 8 * (twice - doubled - 4);
    Parameters {
        magnitude,
        sign,
        top: u8::try_from(top).unwrap_or(u8::MAX),
        even: i8::try_from(even.clamp(-128, 127)).unwrap_or(0),
    }
}
