//! What the weights coded so far say about the next one: its expected magnitude and its likely sign.
//!
//! Amplitudes are square roots of magnitudes, so that a running average is not ruled by a few large weights. All in
//! integers: encoder and decoder agree on every machine.

use super::Tile;
use crate::bytes::{bit_length, place};

/// Steps of the expected magnitude.
pub(super) const EXPECTED: usize = 64;

/// Combinations of neighbouring signs.
pub(super) const SIGNS: usize = 27;

/// Amplitudes end here, so that sums of them stay within 32 bits.
const LOUDEST: u32 = 4095;

/// The amplitude of a magnitude: 16 times its square root.
pub(super) fn amplitude(magnitude: u32) -> u16 {
    let root = magnitude.saturating_mul(256).isqrt().min(LOUDEST);
    u16::try_from(root).unwrap_or(u16::MAX)
}

/// A weight as its neighbours see it.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    amplitude: u16,
    /// 0 for zero, 1 for positive, 2 for negative.
    sign: u8,
}

/// One tap of the row: the same input and kernel position in every row.
#[derive(Clone, Copy, Debug, Default)]
struct Tap {
    /// In the row that is being coded, or the one before where it has not come to yet.
    seen: Seen,
    /// Whether the kernel goes on to the left and above.
    left: bool,
    above: bool,
    /// Running average over rows, in 1/16 of an amplitude.
    average: u32,
}

/// The neighbourhood of the next weight of a tile.
#[derive(Debug)]
pub(super) struct Neighbours {
    taps: Vec<Tap>,
    width: usize,
    area: usize,
    /// Running averages along the row, in 1/256 of an amplitude: over 16 weights and over 128.
    fast: u32,
    slow: u32,
    /// 2^24 / average of all rows so far in 1/256 of an amplitude.
    inverse: u64,
    /// Sum of all amplitudes of the rows before, and of this row.
    sum: u64,
    count: u64,
    at: usize,
}

impl Neighbours {
    /// The neighbourhood of a tile's first weight.
    pub fn new(tile: &Tile) -> Self {
        let [_, height, width] = tile.row.map(|n| n.max(1));
        let area = height.saturating_mul(width);
        let tap = |i| Tap { left: i % width != 0, above: i % area >= width, ..Tap::default() };
        let taps = (0..tile.taps()).map(tap).collect();
        Self { taps, width, area, fast: 0, slow: 0, inverse: 0, sum: 0, count: 0, at: 0 }
    }

    /// The step of the expected magnitude, below [`EXPECTED`], and the signs around, below [`SIGNS`].
    #[inline]
    pub fn next(&self) -> (usize, usize) {
        let tap = &self.taps[self.at];
        let before = |distance: usize| match self.at.checked_sub(distance) {
            Some(i) => self.taps[i].seen,
            None => Seen::default(),
        };
        let fast = self.fast >> 4;
        // What a layer of rank one would have here: average of the row times that of the tap, by that of all.
        let product = u64::from(self.slow) * u64::from(tap.average) * self.inverse;
        let model = if self.count == 0 { fast } else { u32::try_from(product >> 24).unwrap_or(u32::MAX).min(65535) };
        let loud = |s: Seen| u32::from(s.amplitude) << 4;
        let channel = if self.at >= self.area { before(self.area) } else { tap.seen };
        let (left, above) = if self.area == 1 {
            (channel, tap.seen)
        } else {
            (if tap.left { before(1) } else { channel }, if tap.above { before(self.width) } else { channel })
        };
        let sum = if self.area == 1 {
            12 * model + 2 * fast + loud(channel) + loud(tap.seen)
        } else {
            3 * model + 5 * loud(left) + 5 * loud(above) + 2 * loud(channel) + loud(tap.seen)
        };
        let signs = usize::from(left.sign) + 3 * usize::from(above.sign) + 9 * usize::from(channel.sign);
        (step(sum >> 4), signs)
    }

    /// Goes on to the next weight after one of this amplitude.
    #[inline]
    pub fn push(&mut self, amplitude: u16, negative: bool) {
        let tap = &mut self.taps[self.at];
        let loud = u32::from(amplitude);
        let sign = if amplitude == 0 { 0 } else { 1 + u8::from(negative) };
        tap.seen = Seen { amplitude, sign };
        tap.average = tap.average + loud - (tap.average >> 4);
        self.fast = self.fast + (loud << 4) - (self.fast >> 4);
        self.slow = self.slow + (loud << 1) - (self.slow >> 7);
        self.sum += u64::from(loud);
        self.at += 1;
        if self.at == self.taps.len() {
            self.at = 0;
            self.count += 1;
            let mean = (self.sum << 8) / self.count.saturating_mul(u64::try_from(self.taps.len()).unwrap_or(u64::MAX));
            self.inverse = (1 << 24) / mean.max(1);
        }
    }
}

/// Quarters of an octave, from 0.
#[inline]
fn step(expected: u32) -> usize {
    let octave = bit_length(expected >> 3);
    let quarter = if octave == 0 { expected >> 1 } else { (expected >> octave) & 3 };
    place(octave << 2 | quarter)
}
