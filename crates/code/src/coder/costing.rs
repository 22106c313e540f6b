//! A decoder that counts what each decision costs: the bits that its probability is worth, by what the decision says of
//! a weight.

use super::{Coder, Decoder, Part};

/// Bits by what they say of weights. Sums of arithmetic code, so not whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bits {
    /// Whether weights are zero.
    pub significance: f64,
    /// Their signs.
    pub sign: f64,
    /// Their magnitudes, or centroids.
    pub magnitude: f64,
}

impl Bits {
    /// Adds bits of one part.
    pub fn add(&mut self, part: Part, bits: f64) {
        *match part {
            Part::Significance => &mut self.significance,
            Part::Sign => &mut self.sign,
            Part::Magnitude => &mut self.magnitude,
        } += bits;
    }
}

/// Decodes and counts.
#[derive(Debug)]
pub(crate) struct Costing<'a> {
    decoder: Decoder<'a>,
    part: Part,
    bits: &'a mut Bits,
}

impl<'a> Costing<'a> {
    /// Adds to what was counted already.
    pub fn new(decoder: Decoder<'a>, bits: &'a mut Bits) -> Self {
        Self { decoder, part: Part::Significance, bits }
    }

    /// As [`Decoder::is_at_end`].
    pub fn is_at_end(&self) -> bool {
        self.decoder.is_at_end()
    }
}

impl Coder for Costing<'_> {
    fn part(&mut self, part: Part) {
        self.part = part;
    }

    fn coin(&mut self, probability: u32, bit: bool) -> bool {
        let bit = self.decoder.coin(probability, bit);
        let p = if bit { probability } else { 65536 - probability };
        self.bits.add(self.part, 16.0 - f64::from(p).log2());
        bit
    }

    fn direct(&mut self, value: u32, width: u32) -> u32 {
        self.bits.add(self.part, f64::from(width));
        self.decoder.direct(value, width)
    }

    fn uniform(&mut self, value: u32, count: u32) -> u32 {
        self.bits.add(self.part, f64::from(count).log2());
        self.decoder.uniform(value, count)
    }

    fn is_beyond(&self) -> bool {
        self.decoder.is_beyond()
    }
}
