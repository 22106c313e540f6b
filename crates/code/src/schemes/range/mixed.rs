//! Mixed: as range, but every decision is made under several contexts whose models are [mixed](super::mix). The
//! expected magnitude is one of the contexts; the others are what it blurs.

use super::super::{Book, Codec, Scheme, Tile};
use super::fit::scale;
use super::levels::{HEAD, Magnitudes, WHOLE, mantissa_at, pulled, start_mantissas, trust};
use super::mix::Mixer;
use super::rows::Rows;
use super::{Coded, Header, decode, encode};
use crate::bytes::{bit_length, place};
use crate::coder::{Bit, Coder, Part};
use crate::options::Effort;

pub(in super::super) const SCHEME: Scheme = Scheme {
    id: 5,
    name: "mixed",
    about: "as range, under several contexts that are mixed",
    effort: Effort::Max,
    codec: Codec::Levels {
        encode: |tile, levels| Some(encode::<Mixed>(tile, levels)),
        decode: |tile, book, reader, bits, sink| decode::<Mixed>(tile, book, reader, bits, sink),
    },
};

/// Steps of the expected magnitude.
const STEPS: usize = 64;

/// Steps of averages, four to three octaves.
const COARSE: usize = 28;

/// Places in a kernel that are told apart; later ones count as the last of them.
const PLACES: usize = 64;

/// Where the contexts of zeros begin: expected magnitude, which neighbours are not zero, place and mean of the kernel.
const ZEROS: [usize; 4] = [0, STEPS, STEPS + 1024, STEPS + 1024 + PLACES * COARSE];

/// Where the contexts of signs begin: prediction, signs in the kernel, signs in the rows before.
const SIGNS: [usize; 4] = [0, 32, 113, 140];

/// Where the contexts of classes begin: none, expected magnitude, neighbours, prediction of the sign.
const CLASSES: [usize; 5] = [0, 1, 1 + STEPS, 1 + STEPS + COARSE, 1 + STEPS + COARSE + STEPS / 4 * SIGNS[1]];

/// Where the contexts of mantissas begin: none, expected magnitude, prediction of the sign.
const MANTISSAS: [usize; 4] = [0, 1, 1 + STEPS / 4, 1 + STEPS / 4 + SIGNS[1]];

/// All models of a tile.
struct Mixed {
    header: Header,
    rows: Rows,
    bottom: u32,
    magnitudes: Magnitudes,
    zeros: Vec<Bit>,
    zero_mixer: Mixer<3>,
    signs: Vec<Bit>,
    sign_mixer: Mixer<3>,
    /// For each side and context a tree.
    classes: Vec<Bit>,
    class_mixer: Mixer<4>,
    /// For each side and context the trees of all classes.
    mantissas: Vec<Bit>,
    mantissa_mixer: Mixer<3>,
}

/// The step of an average in 1/16 of an amplitude.
fn coarse(average: i32) -> usize {
    place(scale(average) / 6).min(COARSE - 1)
}

impl Coded for Mixed {
    fn new(tile: &Tile, header: Header, book: Option<&Book>) -> Self {
        let magnitudes = Magnitudes::new(header, book);
        let tree = 1 << magnitudes.class_bits;
        let trees = mantissa_at(magnitudes.top + 1);
        let mut mixed = Self {
            header,
            rows: Rows::new(tile, &header.parameters),
            bottom: u32::from(header.parameters.top).saturating_sub(63),
            magnitudes,
            zeros: vec![Bit::NEW; ZEROS[3]],
            zero_mixer: Mixer::new(STEPS / 4 * PLACES, 21_000),
            signs: vec![Bit::NEW; SIGNS[3]],
            sign_mixer: Mixer::new(1, 21_000),
            classes: vec![Bit::NEW; 2 * CLASSES[4] * tree],
            class_mixer: Mixer::new(2 * tree * PLACES, 16_000),
            mantissas: vec![Bit::NEW; 2 * MANTISSAS[3] * trees],
            mantissa_mixer: Mixer::new(16 * 16, 21_000),
        };
        for (side, shape) in header.shapes(book).into_iter().enumerate() {
            let bits = mixed.magnitudes.class_bits;
            shape.classes(&mut mixed.classes[side * CLASSES[4] * tree..][..tree], bits);
            start_mantissas(&shape, &mut mixed.mantissas[side * MANTISSAS[3] * trees..][..trees], mixed.magnitudes.top);
        }
        mixed
    }

    #[inline]
    fn level<C: Coder>(&mut self, coder: &mut C, level: i32) -> i32 {
        let header = self.header;
        let expected = self.rows.expected();
        let step = self.step(scale(expected));
        let (pattern, so_far) = self.rows.pattern();
        let inside = self.rows.inside().min(PLACES - 1);
        let places = [step, ZEROS[1] + (pattern << 4 | step >> 2), ZEROS[2] + inside * COARSE + coarse(so_far)];
        coder.part(Part::Significance);
        if self.zero_mixer.code(coder, (step >> 2) * PLACES + inside, &mut self.zeros, places, level == 0) {
            self.rows.push(0);
            return 0;
        }
        let predicted = self.rows.predicted();
        let trust = trust(predicted, scale(expected), &header.parameters);
        let negative = match (header.low, header.high) {
            (0, _) => false,
            (_, 0) => true,
            _ => self.sign(coder, trust, level < 0),
        };
        let side = usize::from(negative && header.ranked);
        coder.part(Part::Magnitude);
        let magnitude = level.unsigned_abs().wrapping_sub(header.least).wrapping_add(1);
        let f = self.rows.features();
        let around = coarse((f[5] + f[10] + f[11] + f[12]) >> 2);
        let step = match header.ranked || header.low == 0 || header.high == 0 {
            true => step,
            false => self.step(scale(pulled(expected, predicted, negative, &header.parameters))),
        };
        // Trust in the sign that the weight has.
        let trust = if negative { SIGNS[1] - 1 - trust } else { trust };
        let contexts = [0, CLASSES[1] + step, CLASSES[2] + around, CLASSES[3] + (step >> 2) * SIGNS[1] + trust];
        let class = self.class(coder, side, contexts, bit_length(magnitude).wrapping_sub(1));
        let contexts = [0, MANTISSAS[1] + step / 4, MANTISSAS[2] + trust];
        let coded = self.mantissa(coder, side, contexts, class, magnitude);
        let loud = self.magnitudes.amplitude(coded);
        self.rows.push(if negative { -loud } else { loud });
        let level = (coded - 1 + header.least).cast_signed();
        if negative { -level } else { level }
    }
}

impl Mixed {
    #[inline]
    fn step(&self, scale: u32) -> usize {
        place(scale.saturating_sub(self.bottom)).min(STEPS - 1)
    }

    #[inline]
    fn sign<C: Coder>(&mut self, coder: &mut C, trust: usize, negative: bool) -> bool {
        coder.part(Part::Sign);
        let signed = self.rows.signed();
        let of = |i: usize| place((signed[i].signum() + 1).cast_unsigned());
        let places = [
            trust,
            SIGNS[1] + ((of(0) * 3 + of(1)) * 3 + of(6)) * 3 + of(2),
            SIGNS[2] + (of(8) * 3 + of(9)) * 3 + of(7),
        ];
        self.sign_mixer.code(coder, 0, &mut self.signs, places, negative)
    }

    #[inline]
    fn class<C: Coder>(&mut self, coder: &mut C, side: usize, contexts: [usize; 4], class: u32) -> u32 {
        let bits = self.magnitudes.class_bits;
        let inside = self.rows.inside().min(PLACES - 1);
        let mut node = 1;
        for shift in (0..bits).rev() {
            let places = contexts.map(|c| ((side * CLASSES[4] + c) << bits) + place(node));
            let set = (side << bits | place(node)) * PLACES + inside;
            let bit = self.class_mixer.code(coder, set, &mut self.classes, places, (class >> shift) & 1 == 1);
            node = node << 1 | u32::from(bit);
        }
        (node - (1 << bits)).min(self.magnitudes.top)
    }

    #[inline]
    fn mantissa<C: Coder>(
        &mut self,
        coder: &mut C,
        side: usize,
        contexts: [usize; 3],
        class: u32,
        magnitude: u32,
    ) -> u32 {
        let head = if class <= WHOLE { class } else { HEAD };
        let tail = class - head;
        let trees = mantissa_at(self.magnitudes.top + 1);
        let mut coded = 1;
        for shift in (tail..class).rev() {
            let at = mantissa_at(class) + place(coded);
            let places = contexts.map(|c| (side * MANTISSAS[3] + c) * trees + at);
            let set = place(class * 16 + class - shift);
            let bit = self.mantissa_mixer.code(coder, set, &mut self.mantissas, places, (magnitude >> shift) & 1 == 1);
            coded = coded << 1 | u32::from(bit);
        }
        if tail > 0 {
            coded = coded << tail | coder.direct(magnitude & ((1 << tail) - 1), tail);
        }
        coded
    }
}
