//! An adaptive binary range coder in integers alone: the same bytes on every machine.
//!
//! One code path serves both directions: a model asks its [`Coder`] for a bit, the encoder writes the bit it was
//! given, the decoder ignores that and returns what it read. Carry propagation after Schindler's range coder, with a
//! 64-bit range that is renormalized by 32 bits.

mod costing;
mod decoder;
mod encoder;
mod model;

pub(crate) use costing::{Bits, Costing};
pub(crate) use decoder::Decoder;
pub(crate) use encoder::Encoder;
pub(crate) use model::Bit;

/// The least probability of either bit, in 1/65536. It bounds how many weights one byte can stand for: a certain bit
/// still costs 0.0007 bits, so 8 / 0.0007 = 11,400 of them fill a byte.
pub(crate) const FLOOR: u32 = 32;

/// What a decision says of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Whether it is zero.
    Significance,
    /// Its sign.
    Sign,
    /// Its magnitude, or which centroid of its sign it names.
    Magnitude,
}

/// Either direction of the range coder.
pub(crate) trait Coder {
    /// Tells what the decisions that follow say of a weight. Only who counts bits cares.
    #[inline]
    fn part(&mut self, _part: Part) {}

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
