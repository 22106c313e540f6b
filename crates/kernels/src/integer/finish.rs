//! From exact sums to codes of the output's format: bias, one rounding shift, saturation.

use std::ops::Range;

use super::{Loops, Tile, whole};
use crate::scalar::{range, round_shift};

/// What becomes of the sums of one layer.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Added to the sum of each output; empty for nothing.
    bias: Vec<i64>,
    /// Right shift of sum and bias.
    shift: i32,
    low: i64,
    high: i64,
    /// The largest magnitude of a bias.
    largest: i64,
}

impl Finish {
    /// Adds `bias[o]` (or nothing, when there is none) to the sums of output `o`, shifts by `shift` with rounding,
    /// and saturates to `bits` bits.
    pub fn new(bias: Vec<i64>, shift: i32, bits: u8, signed: bool) -> Self {
        let (low, high) = range(bits, signed);
        let largest = bias.iter().map(|b| b.saturating_abs()).max().unwrap_or(0);
        Self { bias, shift, low, high, largest }
    }

    /// Whether sums up to a magnitude can be finished in 32 bits.
    pub(super) fn narrow(&self, sum: i64) -> bool {
        sum.saturating_add(self.largest) <= i64::from(i32::MAX) && (1..=31).contains(&self.shift)
    }

    fn bias(&self, output: usize) -> i64 {
        self.bias.get(output).copied().unwrap_or(0)
    }

    /// Codes of one output from its sums.
    #[inline(always)]
    fn line(&self, output: usize, from: Sums<'_>, out: &mut [i16]) {
        let bias = self.bias(output);
        match from {
            Sums::Narrow(sums) => {
                let (bias, shift) = (bias as i32, self.shift as u32);
                let (low, high) = (self.low as i32, self.high as i32);
                for (out, sum) in out.iter_mut().zip(sums) {
                    let value = sum + bias;
                    let rounded = (value >> shift) + ((value >> (shift - 1)) & 1);
                    *out = rounded.clamp(low, high) as i16;
                }
            }
            Sums::One(sums) => self.wide(out, bias, |i| i64::from(sums[i])),
            Sums::Two(low, high) => self.wide(out, bias, |i| whole(low[i], high[i])),
        }
    }

    #[inline(always)]
    fn wide(&self, out: &mut [i16], bias: i64, sum: impl Fn(usize) -> i64) {
        if (1..64).contains(&self.shift) {
            let shift = self.shift as u32;
            for (i, out) in out.iter_mut().enumerate() {
                let value = sum(i) + bias;
                let rounded = (value >> shift) + ((value >> (shift - 1)) & 1);
                *out = rounded.clamp(self.low, self.high) as i16;
            }
        } else {
            for (i, out) in out.iter_mut().enumerate() {
                *out = round_shift(sum(i) + bias, self.shift).clamp(self.low, self.high) as i16;
            }
        }
    }

    /// Codes of the rows of a tile: those of row `r` go to `out[r * stride..]`.
    #[inline(always)]
    fn rows(&self, sums: Rows<'_>, out: &mut [i16], stride: usize) {
        for (r, output) in sums.outputs.clone().enumerate() {
            self.line(output, sums.row(r), &mut out[r * stride..][..sums.columns]);
        }
    }

    /// Codes of the columns of a tile's first row: output `outputs.start + c` goes to `out[c]`.
    #[inline(always)]
    pub(super) fn columns(&self, tile: &Tile, outputs: Range<usize>, runs: usize, out: &mut [i16]) {
        for (c, (output, out)) in outputs.zip(out).enumerate() {
            let sum = if runs > 1 { whole(tile.low[0][c], tile.high[0][c]) } else { i64::from(tile.low[0][c]) };
            *out = round_shift(sum + self.bias(output), self.shift).clamp(self.low, self.high) as i16;
        }
    }
}

/// [`Finish::rows`] as loops of a kernel.
pub(super) struct FinishRows<'a> {
    pub finish: &'a Finish,
    pub sums: Rows<'a>,
    pub out: &'a mut [i16],
    pub stride: usize,
}

impl Loops for FinishRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.finish.rows(self.sums, self.out, self.stride);
    }
}

/// Rows of a tile that are ready.
pub(super) struct Rows<'a> {
    /// Their sums.
    pub tile: &'a Tile,
    /// The output of each row.
    pub outputs: Range<usize>,
    /// Into how many runs sums were cut.
    pub runs: usize,
    /// Whether 32 bits hold every sum and what finishing makes of it.
    pub narrow: bool,
    /// Columns in use.
    pub columns: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn row(&self, r: usize) -> Sums<'a> {
        let (low, high) = (&self.tile.low[r], &self.tile.high[r]);
        match (self.runs > 1, self.narrow) {
            (true, _) => Sums::Two(low, high),
            (false, true) => Sums::Narrow(low),
            (false, false) => Sums::One(low),
        }
    }
}

/// Sums of one row of a tile.
enum Sums<'a> {
    /// Sums that stay within 32 bits with the bias.
    Narrow(&'a [i32]),
    /// Sums of 32 bits.
    One(&'a [i32]),
    /// Sums in two parts.
    Two(&'a [i32], &'a [i32]),
}
