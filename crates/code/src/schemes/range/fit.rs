//! How neighbours foretell a weight, learned by the encoder for each tile and sent as small integers: least squares on
//! a part of the tile's rows. The coder itself is not here.

use super::super::Tile;
use super::rows::{FEATURES, Rows, SIGNED};
use crate::bytes::{self, bit_length, count};
use crate::coder::Coder;

/// Weights of signed neighbours are sent if signs would take so many bits less.
const LEAST: f64 = 100.0;

/// About so many weights are looked at.
const ENOUGH: usize = 1 << 16;

/// Of those, one in so many is kept to find out how large expected magnitudes become.
const SPARSE: usize = 8;

/// Of a weight so many bits from the highest are sent.
const KEPT: u32 = 4;

/// What a tile says of its neighbourhoods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    /// Weights of the features that tell the magnitude.
    pub magnitude: [i8; FEATURES],
    /// Weights of the signed neighbours; all 0 where they tell nothing of signs.
    pub sign: [i8; SIGNED],
    /// The scale of the expected magnitude that is the highest step.
    pub top: u8,
    /// Difference of scales at which prediction and expected magnitude are equal, a multiple of 8 from -128 to 120.
    pub even: i8,
}

/// Codes a weight: how many bits it has, its sign, and those that are kept.
fn weight<C: Coder>(coder: &mut C, n: i8) -> i8 {
    let magnitude = u32::from(n.unsigned_abs());
    let bits = coder.direct(bit_length(magnitude), 3);
    if bits == 0 {
        return 0;
    }
    let negative = coder.direct(u32::from(n < 0), 1) == 1;
    let below = bits.min(KEPT) - 1;
    let left = bits - 1 - below;
    let low = coder.direct((magnitude >> left) & ((1 << below) - 1), below);
    let magnitude = i8::try_from((1 << below | low) << left).unwrap_or(i8::MAX);
    if negative { -magnitude } else { magnitude }
}

impl Parameters {
    /// Codes the parameters; those of signs where `signs` can be told apart.
    pub fn code<C: Coder>(&mut self, coder: &mut C, signs: bool) {
        let top = coder.direct(u32::from(self.top), 8);
        self.top = u8::try_from(top).unwrap_or(u8::MAX);
        for n in &mut self.magnitude {
            *n = weight(coder, *n);
        }
        let known = signs && coder.direct(u32::from(self.sign != [0; SIGNED]), 1) == 1;
        if !known {
            (self.even, self.sign) = (0, [0; SIGNED]);
            return;
        }
        let even = coder.direct((i32::from(self.even) / 8 + 16).cast_unsigned(), 5);
        self.even = i8::try_from(even.cast_signed() * 8 - 128).unwrap_or(0);
        for n in &mut self.sign {
            *n = weight(coder, *n);
        }
    }
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

/// The [scale](bytes::scale) of a sum, 0 if that is not positive.
#[inline]
pub(super) fn scale(n: i32) -> u32 {
    bytes::scale(n.max(0).cast_unsigned())
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
        let kept = |n: &i8| n.leading_zeros() + n.trailing_zeros() + KEPT >= i8::BITS;
        let distance = |n: &i8| (f64::from(*n) - (w * factor).abs()).abs();
        let magnitude = (0..=i8::MAX).filter(kept).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0);
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
    let (mut row, mut tap, mut nonzero, mut energy) = (0usize, 0, 0usize, 0.0);
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
                energy += f64::from(i32::from(signed).pow(2));
            }
        }
        nonzero += usize::from(signed != 0);
        rows.push(signed);
        tap += 1;
        if tap == taps {
            (row, tap) = (row + 1, 0);
        }
    }
    let (magnitude, doubled) = small(magnitude.solve(1e-4));
    let correlated = sign.right;
    let sign = sign.solve(1e-3);
    let explained: f64 = sign.iter().zip(correlated).map(|(w, r)| w * r).sum::<f64>() / f64::max(energy, 1.0);
    let (sign, twice) = small(sign);
    // A sign is worth about half a bit of what a prediction that explains all would tell.
    let (sign, twice) = if 0.46 * explained * count(nonzero) > LEAST { (sign, twice) } else { ([0; SIGNED], 0) };
    let expected = |f: &[i32; FEATURES]| f.iter().zip(&magnitude).map(|(f, &w)| f * i32::from(w)).sum::<i32>();
    let top = samples.iter().map(|f| scale(expected(f))).max().unwrap_or(0);
    // A prediction is in whole amplitudes, an expected magnitude in 1/16.
    let even = if sign == [0; SIGNED] { 0 } else { 8 * (twice - doubled - 4) };
    Parameters {
        magnitude,
        sign,
        top: u8::try_from(top).unwrap_or(u8::MAX),
        even: i8::try_from(even.clamp(-128, 120)).unwrap_or(0),
    }
}
