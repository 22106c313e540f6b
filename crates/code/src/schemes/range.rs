//! Range: levels through an adaptive binary range coder. Whether a weight is zero, then its sign, then how many bits
//! its magnitude has, then those bits; every decision under a model of its context.

use super::neighbours::{EXPECTED, Neighbours, SIGNS, amplitude};
use super::{Codec, Levels, Scheme, Tile};
use crate::bytes::{Reader, bit_length, place, put_varint};
use crate::coder::{Bit, Coder, Decoder, Encoder};
use crate::error::{Error, ErrorKind};

pub(super) const SCHEME: Scheme = Scheme {
    id: 4,
    name: "range",
    about: "adaptive range coding in the context of neighbouring weights",
    slow: true,
    codec: Codec::Levels { encode: |tile, levels| Some(encode(tile, levels)), decode },
};

/// The largest magnitude of a level.
const MOST: u32 = 65535;

/// Magnitudes of up to so many bits after the highest are modelled whole.
const WHOLE: u32 = 8;

/// Of longer magnitudes so many bits are modelled, the rest are as good as random.
const HEAD: u32 = 4;

/// Contexts of a magnitude's class.
const CLASSES: usize = 32;

/// Steps of the expected magnitude for each of them.
const STEPS_A_CLASS: usize = EXPECTED / CLASSES;

/// Amplitudes of magnitudes up to this are computed once for a tile, others when they are met.
const KNOWN: u32 = 4095;

/// What a tile's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// Smallest magnitude of a nonzero level, at least 1.
    least: u32,
    /// Largest magnitude of a negative and of a positive level.
    low: u32,
    high: u32,
    ranked: bool,
}

impl Header {
    fn of(levels: &Levels<'_>) -> Self {
        let mut header = Self { least: MOST, low: 0, high: 0, ranked: levels.ranked };
        for &v in levels.values.iter().filter(|&&v| v != 0) {
            let (side, n) =
                if v < 0 { (&mut header.low, v.unsigned_abs()) } else { (&mut header.high, v.unsigned_abs()) };
            *side = n.max(*side);
            header.least = n.min(header.least);
        }
        if header.low.max(header.high) == 0 { Self { least: 1, ..header } } else { header }
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.ranked));
        for n in [self.least, self.low, self.high] {
            put_varint(out, u64::from(n));
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let ranked = reader.flag("the mark of ranks")?;
        let mut number = || match reader.varint()? {
            n if n <= u64::from(MOST) => Ok(u32::try_from(n).unwrap_or(MOST)),
            n => Err(reader.malformed(format!("{n} is too large for a level"))),
        };
        let header = Self { least: number()?, low: number()?, high: number()?, ranked };
        if header.least == 0 || header.least > header.low.max(header.high).max(1) {
            return Err(reader.malformed("the smallest magnitude is zero or beyond the largest"));
        }
        Ok(header)
    }
}

/// All models of a tile.
struct Models {
    header: Header,
    neighbours: Neighbours,
    zero: [Bit; EXPECTED],
    sign: [Bit; SIGNS],
    /// For each side and step of the expected magnitude a tree over classes.
    classes: Vec<Bit>,
    class_bits: u32,
    /// The highest class: one less than the bits of the largest magnitude.
    top: u32,
    /// For each side and class a tree over the bits after the highest.
    mantissas: Vec<Bit>,
    amplitudes: Vec<u16>,
}

/// Entries of one class among the mantissas; classes 0 to 8 need `2^class`, longer ones `2^HEAD`.
fn mantissa_at(class: u32) -> usize {
    place(if class <= WHOLE + 1 { 1 << class } else { (2 << WHOLE) + ((class - WHOLE - 1) << HEAD) })
}

impl Models {
    fn new(tile: &Tile, header: Header) -> Self {
        let span = header.low.max(header.high).saturating_sub(header.least);
        let top = bit_length(span + 1) - 1;
        let class_bits = bit_length(top);
        Self {
            header,
            neighbours: Neighbours::new(tile),
            zero: [Bit::NEW; EXPECTED],
            sign: [Bit::NEW; SIGNS],
            classes: vec![Bit::NEW; (2 * CLASSES) << class_bits],
            class_bits,
            top,
            mantissas: vec![Bit::NEW; 2 * mantissa_at(top + 1)],
            amplitudes: (0..=(span + 1).min(KNOWN)).map(amplitude).collect(),
        }
    }

    /// Codes the next level. A decoder may return one beyond the header's bounds.
    #[inline]
    fn level<C: Coder>(&mut self, coder: &mut C, level: i32) -> i32 {
        let (expected, signs) = self.neighbours.next();
        if coder.bit(&mut self.zero[expected], level == 0) {
            self.neighbours.push(0, false);
            return 0;
        }
        let negative = match (self.header.low, self.header.high) {
            (0, _) => false,
            (_, 0) => true,
            _ => coder.bit(&mut self.sign[signs], level < 0),
        };
        let side = usize::from(negative && self.header.ranked);
        // From 1 up; the class is the number of bits below the highest.
        let magnitude = level.unsigned_abs().wrapping_sub(self.header.least).wrapping_add(1);
        let class = bit_length(magnitude).wrapping_sub(1);
        let tree = (side * CLASSES + expected / STEPS_A_CLASS) << self.class_bits;
        let models = &mut self.classes[tree..][..1 << self.class_bits];
        let class = coder.tree(models, class, self.class_bits).min(self.top);
        let head = if class <= WHOLE { class } else { HEAD };
        let at = side * (self.mantissas.len() / 2) + mantissa_at(class);
        let tail = class - head;
        let models = &mut self.mantissas[at..][..1 << head];
        let mut coded = 1 << head | coder.tree(models, (magnitude >> tail) & ((1 << head) - 1), head);
        if tail > 0 {
            coded = coded << tail | coder.direct(magnitude & ((1 << tail) - 1), tail);
        }
        let loud = self.amplitudes.get(place(coded)).copied().unwrap_or_else(|| amplitude(coded));
        self.neighbours.push(loud, negative);
        let level = (coded - 1 + self.header.least).cast_signed();
        if negative { -level } else { level }
    }
}

/// The code of a tile.
pub(super) fn encode(tile: &Tile, levels: &Levels<'_>) -> Vec<u8> {
    let header = Header::of(levels);
    let mut out = Vec::new();
    header.put(&mut out);
    let mut models = Models::new(tile, header);
    let mut coder = Encoder::after(out);
    for &level in levels.values {
        models.level(&mut coder, level);
    }
    coder.finish()
}

/// The levels of a tile.
pub(super) fn decode(tile: &Tile, mut reader: Reader<'_>) -> Result<Vec<i32>, Error> {
    /// Levels between two looks at how far the coder has read.
    const STRIDE: usize = 4096;
    let header = Header::read(&mut reader)?;
    let start = reader.clone();
    let mut coder = Decoder::new(reader.rest());
    let mut models = Models::new(tile, header);
    let (low, high) = (-header.low.cast_signed(), header.high.cast_signed());
    let mut values = Vec::new();
    while values.len() < tile.len() {
        for _ in 0..STRIDE.min(tile.len() - values.len()) {
            values.push(models.level(&mut coder, 0));
        }
        if coder.is_beyond() {
            return Err(reader.fault(ErrorKind::Truncated, "the code ends before the last weight"));
        }
    }
    if !coder.is_at_end() {
        return Err(start.malformed("the code goes on after the last weight"));
    }
    match values.iter().find(|v| !(low..=high).contains(*v)) {
        Some(v) => Err(start.malformed(format!("the level {v} is not from {low} to {high}"))),
        None => Ok(values),
    }
}
