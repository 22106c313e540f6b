//! How probable a one is in one context, learned from the bits seen there.

use super::FLOOR;
use crate::bytes::place;

/// An estimate ends as an average over so many bits.
const MEMORY: u32 = 1023;

/// Steps of an estimate: 1/(n + 1.6) after n bits, in 1/65536.
const RATES: [u32; 1024] = {
    let mut rates = [0; 1024];
    let (mut n, mut divisor) = (0, 16);
    while n < rates.len() {
        rates[n] = 655_360 / divisor;
        n += 1;
        divisor += 10;
    }
    rates
};

/// A new context starts from another's estimate as if that had seen at most so many bits.
const HEARSAY: u32 = 4;

/// An adaptive estimate of how probable a one is, from the bits seen in one context: their average, and that of the
/// last thousand once there are more. The upper 22 bits are the probability, the lower 10 count the bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bit(u32);

impl Bit {
    /// Nothing seen yet.
    pub const NEW: Self = Self(1 << 31);

    /// A guess of the probability of a one, in 1/65536, as if from so many bits.
    pub fn guess(probability: u64, count: u32) -> Self {
        let p = u32::try_from(probability.clamp(1024, 65536 - 1024)).unwrap_or(1 << 15);
        Self(p << 16 | count.min(MEMORY))
    }

    /// Whether nothing was seen yet.
    #[inline]
    pub fn is_new(self) -> bool {
        self.0 & MEMORY == 0
    }

    /// The same estimate, but as if from few bits: a start for a context that is much like this one.
    #[inline]
    pub fn younger(self) -> Self {
        Self(self.0 & !MEMORY | (self.0 & MEMORY).min(HEARSAY))
    }

    /// The probability of a one, in 1/65536.
    #[inline]
    pub fn probability(self) -> u32 {
        (self.0 >> 16).clamp(FLOOR, 65536 - FLOOR)
    }

    /// Learns of a bit.
    #[inline]
    pub fn update(&mut self, bit: bool) {
        let count = self.0 & MEMORY;
        let rate = RATES[place(count)];
        let p = self.0 >> 10;
        // 16 bits of the distance times 16 of the rate.
        let p = if bit { p + ((((0x3f_ffff - p) >> 6) * rate) >> 10) } else { p - (((p >> 6) * rate) >> 10) };
        self.0 = p << 10 | (count + 1).min(MEMORY);
    }
}
