//! An adaptive binary range coder in integers alone: the same bytes on every machine.
//!
//! One code path serves both directions: a model asks its [`Coder`] for a bit, the encoder writes the bit it was
//! given, the decoder ignores that and returns what it read. Carry propagation after Schindler's range coder, with a
//! 64-bit range that is renormalized by 32 bits.

use crate::bytes::place;

/// The least probability of either bit, in 1/65536. It bounds how many weights one byte can stand for: a certain bit
/// still costs 0.0007 bits, so 8 / 0.0007 = 11,400 of them fill a byte.
pub(crate) const FLOOR: u32 = 32;

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

/// Either direction of the range coder.
pub(crate) trait Coder {
    /// Codes a bit of which a one has this probability in 1/65536, from 32 to 65504: the bit given when encoding, the
    /// one returned in both.
    fn coin(&mut self, probability: u32, bit: bool) -> bool;

    /// Codes a bit under its model.
    #[inline]
    fn bit(&mut self, model: &mut Bit, bit: bool) -> bool {
        let bit = self.coin(model.probability(), bit);
        model.update(bit);
        bit
    }

    /// Codes `width` (at most 16) bits that are as good as random.
    fn direct(&mut self, value: u32, width: u32) -> u32;

    /// Codes one of `count` (1 to 65536) values that are equally probable.
    fn uniform(&mut self, value: u32, count: u32) -> u32;

    /// Whether a decoder read more than any encoder leaves off: what it returned lately means nothing.
    fn is_beyond(&self) -> bool;

    /// Codes a bit under a model that starts, when it is new, from one that learns in all contexts.
    #[inline]
    fn hearsay(&mut self, model: &mut Bit, all: &mut Bit, bit: bool) -> bool {
        if model.is_new() {
            *model = all.younger();
        }
        let bit = self.bit(model, bit);
        all.update(bit);
        bit
    }
}

/// Writes bits.
#[derive(Debug)]
pub(crate) struct Encoder {
    out: Vec<u8>,
    low: u64,
    range: u64,
}

impl Encoder {
    /// Appends to bytes that are there already.
    pub fn after(out: Vec<u8>) -> Self {
        Self { out, low: 0, range: u64::MAX }
    }

    fn carry(&mut self) {
        for byte in self.out.iter_mut().rev() {
            let (sum, again) = byte.overflowing_add(1);
            *byte = sum;
            if !again {
                return;
            }
        }
    }

    #[inline]
    fn add(&mut self, n: u64) {
        let (low, carry) = self.low.overflowing_add(n);
        self.low = low;
        if carry {
            self.carry();
        }
    }

    #[inline]
    fn normalize(&mut self) {
        if self.range < 1 << 32 {
            let [a, b, c, d, ..] = self.low.to_be_bytes();
            self.out.extend_from_slice(&[a, b, c, d]);
            self.low <<= 32;
            self.range <<= 32;
        }
    }

    /// Ends the code with the fewest bytes that identify it, zeros being read beyond the end.
    pub fn finish(mut self) -> Vec<u8> {
        for bytes in 0..=8 {
            let mask = u64::MAX.checked_shr(8 * bytes).unwrap_or(0);
            let (sum, carry) = self.low.overflowing_add(mask);
            let end = sum & !mask;
            if end.wrapping_sub(self.low) < self.range {
                if carry {
                    self.carry();
                }
                self.out.extend_from_slice(&end.to_be_bytes()[..place(bytes)]);
                break;
            }
        }
        self.out
    }
}

impl Coder for Encoder {
    #[inline]
    fn coin(&mut self, probability: u32, bit: bool) -> bool {
        let bound = (self.range >> 16) * u64::from(probability);
        if bit {
            self.range = bound;
        } else {
            self.add(bound);
            self.range -= bound;
        }
        self.normalize();
        bit
    }

    #[inline]
    fn direct(&mut self, value: u32, width: u32) -> u32 {
        self.range >>= width;
        self.add(self.range * u64::from(value));
        self.normalize();
        value
    }

    fn uniform(&mut self, value: u32, count: u32) -> u32 {
        self.range /= u64::from(count);
        self.add(self.range * u64::from(value));
        self.normalize();
        value
    }

    fn is_beyond(&self) -> bool {
        false
    }
}

/// Reads bits; beyond its end it reads zeros and takes note.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    bytes: &'a [u8],
    /// Bytes read, beyond the end included.
    read: usize,
    code: u64,
    range: u64,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { bytes, read: 0, code: 0, range: u64::MAX };
        decoder.word();
        decoder.word();
        decoder
    }

    #[inline]
    fn word(&mut self) {
        let word = match self.bytes.get(self.read..self.read + 4) {
            Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]),
            _ => self.last_word(),
        };
        self.read += 4;
        self.code = self.code << 32 | u64::from(word);
    }

    #[cold]
    fn last_word(&self) -> u32 {
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(self.bytes.iter().skip(self.read)) {
            *to = *from;
        }
        u32::from_be_bytes(last)
    }

    #[inline]
    fn normalize(&mut self) {
        if self.range < 1 << 32 {
            self.range <<= 32;
            self.word();
        }
    }

    /// Whether just so many bytes were read as an encoder would have written for the same bits.
    pub fn is_at_end(&self) -> bool {
        !self.is_beyond() && self.read >= self.bytes.len()
    }
}

impl Coder for Decoder<'_> {
    #[inline]
    fn coin(&mut self, probability: u32, _bit: bool) -> bool {
        let bound = (self.range >> 16) * u64::from(probability);
        let bit = self.code < bound;
        if bit {
            self.range = bound;
        } else {
            self.code -= bound;
            self.range -= bound;
        }
        self.normalize();
        bit
    }

    #[inline]
    fn direct(&mut self, _value: u32, width: u32) -> u32 {
        self.range >>= width;
        // A code that no encoder wrote may lie beyond the range.
        let value = (self.code / self.range).min((1 << width) - 1);
        self.code -= value * self.range;
        self.normalize();
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    fn uniform(&mut self, _value: u32, count: u32) -> u32 {
        self.range /= u64::from(count);
        let value = (self.code / self.range).min(u64::from(count) - 1);
        self.code -= value * self.range;
        self.normalize();
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    #[inline]
    fn is_beyond(&self) -> bool {
        self.read > self.bytes.len() + 8
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_come_back(steps in proptest::collection::vec((any::<bool>(), 0u32..=16, any::<u16>(), 0usize..3), 0..3000)) {
            let mut models = [Bit::NEW; 3];
            let mut encoder = Encoder::after(Vec::new());
            for &(bit, width, value, context) in &steps {
                encoder.bit(&mut models[context], bit || context == 2);
                encoder.direct(u32::from(value) & ((1 << width) - 1), width);
            }
            let bytes = encoder.finish();
            let mut models = [Bit::NEW; 3];
            let mut decoder = Decoder::new(&bytes);
            for &(bit, width, value, context) in &steps {
                prop_assert_eq!(decoder.bit(&mut models[context], false), bit || context == 2);
                prop_assert_eq!(decoder.direct(0, width), u32::from(value) & ((1 << width) - 1));
            }
            prop_assert!(decoder.is_at_end());
        }
    }

    #[test]
    fn carries_run_through_any_number_of_bytes() {
        // Always the improbable half keeps `low` near the top, so that carries run far.
        let mut model = Bit::NEW;
        let mut encoder = Encoder::after(Vec::new());
        let bits: Vec<bool> = (0..20000u32).map(|i| i.wrapping_mul(2654435761) >> 20 == 0).collect();
        for &bit in &bits {
            encoder.bit(&mut model, bit);
        }
        let bytes = encoder.finish();
        let (mut model, mut decoder) = (Bit::NEW, Decoder::new(&bytes));
        assert!(bits.iter().all(|&bit| decoder.bit(&mut model, false) == bit));
        assert!(decoder.is_at_end());
    }

    #[test]
    fn a_byte_stands_for_few_certain_bits() {
        let mut model = Bit::NEW;
        let mut encoder = Encoder::after(Vec::new());
        for _ in 0..1 << 22 {
            encoder.bit(&mut model, false);
        }
        let len = encoder.finish().len();
        assert!(len > (1 << 22) / 12_000, "{len}");
    }

    #[test]
    fn reading_beyond_the_end_is_noticed() {
        let (mut model, mut decoder) = (Bit::NEW, Decoder::new(&[1, 2, 3]));
        let read = (0..100_000).take_while(|_| {
            decoder.direct(0, 8);
            decoder.bit(&mut model, false);
            !decoder.is_beyond()
        });
        assert!(read.count() < 32);
    }
}
