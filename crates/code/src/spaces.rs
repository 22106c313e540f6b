//! Sorted magnitudes of centroids through the range coder, as spaces between neighbours: each is about as wide as the one
//! before it, and how nearly so is learned. Which magnitudes there are is the codebook's business.

use crate::bytes::{bit_length, place, scale};
use crate::coder::{Bit, Coder};
use crate::numbers::{Numbers, plain};

/// Steps of a space lie an eighth of an octave apart; this is the highest of 32 bits.
const HIGHEST: u32 = 239;

/// How far spaces lately were from what was expected, as the number of bits of a mean of steps.
const NOISES: usize = 6;

/// Distances from the expected step that have models of their own.
const NEAR: usize = 25;

/// A model of a distance starts as if from so many bits.
const TRUST: u32 = 20;

/// The models of the spaces of a codebook.
pub(crate) struct Spaces {
    starts: Numbers,
    /// For each noise and distance whether it is this one.
    distances: Vec<Bit>,
    narrower: Bit,
    /// Mean distance lately, in 1/16.
    noise: u32,
}

/// How much more than `last` the next magnitude is if it lies as far above as `last` above `before`. Magnitudes are bits of
/// floats without their sign; small integers are the same as if they were floats too small for an exponent.
fn expected([before, last]: [u32; 2]) -> u32 {
    let mantissa = |bits: u32| bits & 0x7f_ffff | u32::from(bits >> 23 > 0) << 23;
    let exponent = |bits: u32| (bits >> 23).max(1);
    let down = exponent(last).saturating_sub(exponent(before)).min(31);
    let space = mantissa(last).saturating_sub(mantissa(before) >> down);
    // Above the next power of two numbers lie twice as far apart.
    let room = (1 << 24) - mantissa(last);
    if space <= room { space } else { room + (space - room) / 2 }
}

impl Spaces {
    /// Nothing seen yet.
    pub fn new() -> Self {
        let start = |noise: u32| Bit::guess((2 << 16) / (4 + (1 << noise)), TRUST);
        let distances = (0..).take(NOISES).flat_map(|noise| [start(noise); NEAR]).collect();
        Self { starts: Numbers::new(), distances, narrower: Bit::NEW, noise: 6 << 4 }
    }

    /// Codes a list of `count` magnitudes that rises. When decoding, it is filled, and ends early where the code does.
    pub fn code<C: Coder>(&mut self, coder: &mut C, list: &mut Vec<u32>, count: usize) {
        for i in 0..count {
            let given = list.get(i).copied().unwrap_or(0);
            let last = i.checked_sub(1).map_or(0, |i| list[i]);
            let space = given.saturating_sub(last);
            let space = match i {
                0 | 1 => self.starts.code(coder, u32::from(i == 1), space),
                _ => self.space(coder, expected([list[i - 2], last]), space),
            };
            if i >= list.len() {
                list.push(last.saturating_add(space));
            }
            if coder.is_beyond() {
                return;
            }
        }
    }

    fn space<C: Coder>(&mut self, coder: &mut C, expected: u32, space: u32) -> u32 {
        let (from, to) = (scale(expected), scale(space));
        let noise = place(bit_length(self.noise >> 4)).min(NOISES - 1);
        let models = &mut self.distances[noise * NEAR..][..NEAR];
        let mut distance = 0;
        while distance < HIGHEST
            && !coder.bit(&mut models[place(distance).min(NEAR - 1)], distance == from.abs_diff(to))
        {
            distance += 1;
        }
        self.noise = self.noise - (self.noise >> 2) + 4 * distance;
        let narrower = distance > 0 && coder.bit(&mut self.narrower, to < from);
        let step = if narrower { from.saturating_sub(distance) } else { (from + distance).min(HIGHEST) };
        let left = (step / 8).saturating_sub(1);
        let head = if step < 8 { step } else { 8 | step & 7 };
        head << left | plain(coder, space & ((1 << left) - 1), left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::{Decoder, Encoder};

    #[test]
    fn the_next_centroid_is_expected_as_far_away() {
        let bits = f32::to_bits;
        for [before, last, next] in
            [[1.0, 1.25, 1.5], [0.5, 1.5, 2.5], [1.5, 1.75, 2.0], [3.0, 7.0, 11.0], [0.0, 0.1, 0.2]]
        {
            assert_eq!(expected([before, last].map(bits)), bits(next) - bits(last), "{before} {last}");
        }
        assert_eq!(expected([3, 10]), 7);
        assert_eq!(expected([u32::MAX, 0]), 0);
    }

    #[test]
    fn rising_magnitudes_come_back() {
        let regular: Vec<u32> = (1..300u16).map(|i| (f32::from(i) * 0.01).to_bits()).collect();
        let lists = [regular, vec![0, 0, 5, 5, 1 << 30, 0x7fff_ffff], vec![7], vec![], vec![0x7fff_ffff, u32::MAX]];
        for list in lists {
            let (mut encoder, mut decoder) = (Encoder::after(Vec::new()), Vec::new());
            Spaces::new().code(&mut encoder, &mut list.clone(), list.len());
            let bytes = encoder.finish();
            Spaces::new().code(&mut Decoder::new(&bytes), &mut decoder, list.len());
            assert_eq!(decoder, list);
            assert!(bytes.len() <= 10 + 5 * list.len(), "{}", bytes.len());
        }
    }
}
