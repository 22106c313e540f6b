//! The models of levels: which decisions a level is made of, and in which context each is coded. The neighbourhood is
//! [`Rows`]' business, bytes are the coder's.

use super::super::{Book, Tile};
use super::fit::{Parameters, scale};
use super::rows::{Rows, amplitude};
use super::shape::Shape;
use super::{Coded, Header};
use crate::bytes::{bit_length, place};
use crate::coder::{Bit, Coder, Part};

/// Kinds of places in a kernel that zeros have models of their own for.
const EDGES: usize = 3;

/// Steps of the expected magnitude for zeros, for classes and for the highest bit of a mantissa.
const STEPS: usize = 64;
const CLASSES: usize = 32;
const FIRSTS: usize = 16;

/// Steps of the prediction over the expected magnitude, for either sign of the prediction.
const TRUSTS: u32 = 16;

/// Mantissas of up to so many bits are modelled whole.
pub(super) const WHOLE: u32 = 8;

/// Of longer ones so many bits are modelled, the rest are as good as random.
pub(super) const HEAD: u32 = 4;

/// Amplitudes of magnitudes up to this are computed once for a tile, others when they are met.
const KNOWN: u32 = 4095;

/// The models of magnitudes.
pub(super) struct Magnitudes {
    /// Bits of a class.
    pub class_bits: u32,
    /// The highest class: one less than the bits of the largest magnitude.
    pub top: u32,
    /// For each side a tree over classes for each step, and one over all steps.
    classes: Vec<Bit>,
    /// For each side and class the highest bit of the mantissa for each step, and a tree over all bits.
    firsts: Vec<Bit>,
    mantissas: Vec<Bit>,
    amplitudes: Vec<i16>,
}

/// Entries of the classes below among the mantissas; classes 0 to 8 need `2^class`, longer ones `2^HEAD`.
pub(super) fn mantissa_at(class: u32) -> usize {
    place(if class <= WHOLE + 1 { 1 << class } else { (2 << WHOLE) + ((class - WHOLE - 1) << HEAD) })
}

/// Starts the trees of all classes of a side.
pub(super) fn start_mantissas(shape: &Shape, trees: &mut [Bit], top: u32) {
    for class in 1..=top {
        let head = if class <= WHOLE { class } else { HEAD };
        shape.mantissas(&mut trees[mantissa_at(class)..][..1 << head], class, head);
    }
}

impl Magnitudes {
    /// The models before a tile's first level.
    pub fn new(header: Header, book: Option<&Book>) -> Self {
        let span = header.span();
        let top = bit_length(span + 1) - 1;
        let class_bits = bit_length(top);
        let mut models = Self {
            class_bits,
            top,
            classes: vec![Bit::NEW; (2 * (CLASSES + 1)) << class_bits],
            firsts: vec![Bit::NEW; 2 * FIRSTS * place(top + 1)],
            mantissas: vec![Bit::NEW; 2 * mantissa_at(top + 1)],
            amplitudes: (0..=(span + 1).min(KNOWN)).map(amplitude).collect(),
        };
        for (side, shape) in header.shapes(book).into_iter().enumerate() {
            let size = 1 << class_bits;
            shape.classes(&mut models.classes[side * (CLASSES + 1) * size..][..size], class_bits);
            let half = models.mantissas.len() / 2;
            start_mantissas(&shape, &mut models.mantissas[side * half..][..half], top);
        }
        models
    }

    /// The amplitude of a magnitude.
    #[inline]
    pub fn amplitude(&self, magnitude: u32) -> i16 {
        self.amplitudes.get(place(magnitude)).copied().unwrap_or_else(|| amplitude(magnitude))
    }

    /// Codes a class.
    #[inline]
    fn class<C: Coder>(&mut self, coder: &mut C, side: usize, step: usize, class: u32) -> u32 {
        let size = 1 << self.class_bits;
        let (all, steps) = self.classes[side * (CLASSES + 1) * size..].split_at_mut(size);
        let models = &mut steps[step * CLASSES / STEPS * size..][..size];
        let mut node = 1;
        for shift in (0..self.class_bits).rev() {
            let at = place(node);
            let bit = coder.hearsay(&mut models[at], &mut all[at], (class >> shift) & 1 == 1);
            node = node << 1 | u32::from(bit);
        }
        (node - (1 << self.class_bits)).min(self.top)
    }

    /// Codes a magnitude of a class.
    #[inline]
    pub fn mantissa<C: Coder>(&mut self, coder: &mut C, side: usize, step: usize, class: u32, magnitude: u32) -> u32 {
        if class == 0 {
            return 1;
        }
        let head = if class <= WHOLE { class } else { HEAD };
        let at = side * (self.mantissas.len() / 2) + mantissa_at(class);
        let models = &mut self.mantissas[at..][..1 << head];
        let tail = class - head;
        let first = (side * place(self.top + 1) + place(class)) * FIRSTS + step * FIRSTS / STEPS;
        let bit = (magnitude >> (class - 1)) & 1 == 1;
        let bit = coder.hearsay(&mut self.firsts[first], &mut models[1], bit);
        let mut coded = 2 | u32::from(bit);
        for shift in (tail..class - 1).rev() {
            let bit = coder.bit(&mut models[place(coded)], (magnitude >> shift) & 1 == 1);
            coded = coded << 1 | u32::from(bit);
        }
        if tail > 0 {
            coded = coded << tail | coder.direct(magnitude & ((1 << tail) - 1), tail);
        }
        coded
    }
}

/// The context of a sign: that of the prediction, and how large it is beside the expected magnitude.
#[inline]
pub(super) fn trust(predicted: i32, expected: u32, parameters: &Parameters) -> usize {
    let ratio = scale(predicted.saturating_abs()).cast_signed() - expected.cast_signed() - i32::from(parameters.even);
    let trust = ((ratio >> 1) + 12).clamp(0, 15).cast_unsigned();
    place(if predicted < 0 { TRUSTS - 1 - trust } else { TRUSTS + trust })
}

/// The expected magnitude once the sign is known: the prediction adds a quarter of itself if it has that sign and takes it
/// away otherwise, but leaves a quarter of the whole.
#[inline]
pub(super) fn pulled(expected: i32, predicted: i32, negative: bool, parameters: &Parameters) -> i32 {
    let predicted = i64::from(if negative { -predicted } else { predicted });
    let down = i32::from(parameters.even) / 8 + 2;
    let pull = if down >= 0 { predicted >> down } else { predicted << -down };
    i32::try_from(i64::from(expected) + pull).unwrap_or(i32::MAX).max(expected >> 2)
}

/// All models of a tile.
pub(in super::super) struct Models {
    header: Header,
    rows: Rows,
    /// What is subtracted from the scale of an expected magnitude to have its step.
    bottom: u32,
    /// For each kind of place a model for each step.
    zero: [Bit; EDGES * STEPS],
    sign: [Bit; 32],
    magnitudes: Magnitudes,
}

impl Coded for Models {
    fn new(tile: &Tile, header: Header, book: Option<&Book>) -> Self {
        Self {
            header,
            rows: Rows::new(tile, &header.parameters),
            bottom: u32::from(header.parameters.top).saturating_sub(63),
            zero: [Bit::NEW; EDGES * STEPS],
            sign: [Bit::NEW; 32],
            magnitudes: Magnitudes::new(header, book),
        }
    }

    #[inline]
    fn level<C: Coder>(&mut self, coder: &mut C, level: i32) -> i32 {
        let expected = self.rows.expected();
        let step = self.step(scale(expected));
        let zero = self.rows.edge() * STEPS + step;
        if self.zero[zero].is_new() {
            self.zero_of(zero);
        }
        coder.part(Part::Significance);
        if coder.bit(&mut self.zero[zero], level == 0) {
            self.rows.push(0);
            return 0;
        }
        self.nonzero(coder, level, expected, step)
    }
}

impl Models {
    /// The step of a scale of expected magnitudes.
    #[inline]
    fn step(&self, scale: u32) -> usize {
        place(scale.saturating_sub(self.bottom)).min(STEPS - 1)
    }

    /// A new step starts from the nearest one of its kind of place that is not.
    #[cold]
    fn zero_of(&mut self, zero: usize) {
        let (first, step) = (zero / STEPS * STEPS, zero % STEPS);
        let near = (1..8).flat_map(|d| [step.checked_sub(d), Some(step + d)]).flatten().filter(|&i| i < STEPS);
        let known = near.map(|i| self.zero[first + i]).find(|b| !b.is_new());
        if let Some(known) = known {
            self.zero[zero] = known.younger();
        }
    }

    #[inline]
    fn nonzero<C: Coder>(&mut self, coder: &mut C, level: i32, expected: i32, mut step: usize) -> i32 {
        let negative = match (self.header.low, self.header.high) {
            (0, _) => false,
            (_, 0) => true,
            _ => {
                let predicted = self.rows.predicted();
                let context = trust(predicted, scale(expected), &self.header.parameters);
                coder.part(Part::Sign);
                let negative = coder.bit(&mut self.sign[context], level < 0);
                if !self.header.ranked {
                    let expected = pulled(expected, predicted, negative, &self.header.parameters);
                    step = self.step(scale(expected));
                }
                negative
            }
        };
        let side = usize::from(negative && self.header.ranked);
        coder.part(Part::Magnitude);
        // From 1 up; the class is the number of bits below the highest.
        let magnitude = level.unsigned_abs().wrapping_sub(self.header.least).wrapping_add(1);
        let class = self.magnitudes.class(coder, side, step, bit_length(magnitude).wrapping_sub(1));
        let coded = self.magnitudes.mantissa(coder, side, step, class, magnitude);
        let loud = self.magnitudes.amplitude(coded);
        self.rows.push(if negative { -loud } else { loud });
        let level = (coded - 1 + self.header.least).cast_signed();
        if negative { -level } else { level }
    }
}
