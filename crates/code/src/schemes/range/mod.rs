//! Range: levels through an adaptive binary range coder. Whether a weight is zero, then its sign, then how many bits
//! its magnitude has, then those bits; every decision under a model of its context, which is above all the magnitude
//! that its neighbours make expect. Here are the tile's header and the two directions.

mod fit;
mod levels;
mod mix;
mod mixed;
mod rows;
mod shape;

use super::{Book, Codec, Levels, STRIDE, Scheme, Sink, Tile};
use crate::bytes::{Reader, put_varint};
use crate::coder::{Bits, Coder, Costing, Decoder, Encoder};
use crate::error::{Error, ErrorKind};
use crate::options::Effort;
use fit::Parameters;
pub(super) use levels::Models;
pub(super) use mixed::SCHEME as MIXED;
use shape::Shape;

pub(super) const SCHEME: Scheme = Scheme {
    id: 4,
    name: "range",
    about: "adaptive range coding under the magnitude that neighbours make expect",
    effort: Effort::Fast,
    codec: Codec::Levels {
        encode: |tile, levels| Some(encode::<Models>(tile, levels)),
        decode: |tile, book, reader, bits, sink| decode::<Models>(tile, book, reader, bits, sink),
    },
};

/// The models of a tile's levels.
pub(super) trait Coded {
    /// The models before the first level.
    fn new(tile: &Tile, header: Header, book: Option<&Book>) -> Self;

    /// Codes the next level. A decoder may return one beyond the header's bounds.
    fn level<C: Coder>(&mut self, coder: &mut C, level: i32) -> i32;
}

/// The largest magnitude of a level.
const MOST: u32 = 65535;

/// What a tile's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Smallest magnitude of a nonzero level, at least 1.
    least: u32,
    /// Largest magnitude of a negative and of a positive level.
    low: u32,
    high: u32,
    ranked: bool,
    /// How the densities of positive and negative centroids fall off, if models start from these.
    slopes: Option<[u8; 2]>,
    /// Whether the parameters are the tile's own.
    fitted: bool,
    parameters: Parameters,
}

impl Header {
    fn of(levels: &Levels<'_>) -> Self {
        let parameters = Parameters::USUAL;
        let ranked = levels.book.is_some();
        let mut header = Self { least: MOST, low: 0, high: 0, ranked, slopes: None, fitted: false, parameters };
        for &v in levels.values.iter().filter(|&&v| v != 0) {
            let (side, n) =
                if v < 0 { (&mut header.low, v.unsigned_abs()) } else { (&mut header.high, v.unsigned_abs()) };
            *side = n.max(*side);
            header.least = n.min(header.least);
        }
        if header.low.max(header.high) == 0 { Self { least: 1, ..header } } else { header }
    }

    /// What models of magnitudes start from, for each side; nothing if they start from no guess.
    fn shapes(&self, book: Option<&Book>) -> Vec<Shape> {
        let both = book.iter().zip(self.slopes).flat_map(|(book, slopes)| book.iter().zip(slopes));
        both.map(|(side, slope)| Shape::new(side, slope, self.least)).collect()
    }

    /// Largest magnitude less the smallest.
    fn span(&self) -> u32 {
        self.low.max(self.high).saturating_sub(self.least)
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.ranked) | u8::from(self.fitted) << 1 | u8::from(self.slopes.is_some()) << 2);
        for n in [self.least, self.low, self.high] {
            put_varint(out, u64::from(n));
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let flags = reader.byte()?;
        if flags > 7 || flags & 5 == 4 {
            return Err(reader.malformed(format!("the flags {flags} are not known")));
        }
        let mut number = || match reader.varint()? {
            n if n <= u64::from(MOST) => Ok(u32::try_from(n).unwrap_or(MOST)),
            n => Err(reader.malformed(format!("{n} is too large for a level"))),
        };
        let (least, low, high) = (number()?, number()?, number()?);
        if least == 0 || least > low.max(high).max(1) {
            return Err(reader.malformed("the smallest magnitude is zero or beyond the largest"));
        }
        let [ranked, fitted, shaped] = [1, 2, 4].map(|flag| flags & flag != 0);
        let slopes = shaped.then_some([0; 2]);
        Ok(Self { least, low, high, ranked, slopes, fitted, parameters: Parameters::USUAL })
    }

    /// Codes what the flags say is there.
    fn code<C: Coder>(&mut self, coder: &mut C) {
        for slope in self.slopes.iter_mut().flatten() {
            let half = coder.direct(u32::from(*slope) / 2, 6);
            *slope = u8::try_from(2 * half).unwrap_or(u8::MAX);
        }
        if self.fitted {
            self.parameters.code(coder, self.low > 0 && self.high > 0);
        }
    }
}

/// Tiles of up to so many weights are coded both with parameters of their own and with the usual ones.
const SMALL: usize = 1 << 14;

/// The code of a tile.
pub(super) fn encode<M: Coded>(tile: &Tile, levels: &Levels<'_>) -> Vec<u8> {
    let usual = Header::of(levels);
    if usual.low == 0 && usual.high == 0 {
        return encode_with::<M>(tile, levels, usual);
    }
    let amplitude = |&level: &i32| match level.unsigned_abs() {
        0 => 0,
        n if level < 0 => -rows::amplitude(n + 1 - usual.least),
        n => rows::amplitude(n + 1 - usual.least),
    };
    let parameters = fit::fit(tile, levels.values.iter().map(amplitude));
    let fitted = encode_with::<M>(
        tile,
        levels,
        Header {
            fitted: true,
            parameters,
            slopes: levels.book.map(|book| shape::slopes(book, levels.values)),
            ..usual
        },
    );
    if tile.len() > SMALL {
        return fitted;
    }
    let plain = encode_with::<M>(tile, levels, usual);
    if plain.len() <= fitted.len() { plain } else { fitted }
}

fn encode_with<M: Coded>(tile: &Tile, levels: &Levels<'_>, mut header: Header) -> Vec<u8> {
    let mut out = Vec::new();
    header.put(&mut out);
    let mut coder = Encoder::after(out);
    header.code(&mut coder);
    let mut models = M::new(tile, header, levels.book);
    for &level in levels.values {
        models.level(&mut coder, level);
    }
    coder.finish()
}

/// Gives the levels of a tile; with `bits`, what they cost is added there.
pub(super) fn decode<M: Coded>(
    tile: &Tile,
    book: Option<&Book>,
    mut reader: Reader<'_>,
    bits: Option<&mut Bits>,
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    let mut header = Header::read(&mut reader)?;
    if header.ranked != book.is_some() {
        return Err(reader.malformed("levels are marked as ranks where there is no codebook, or the other way round"));
    }
    let start = reader.clone();
    let mut decoder = Decoder::new(reader.rest());
    header.code(&mut decoder);
    let models = M::new(tile, header, book);
    let (low, high) = (-header.low.cast_signed(), header.high.cast_signed());
    let mut checked = |levels: &[i32]| match levels.iter().find(|v| !(low..=high).contains(*v)) {
        Some(v) => Err(start.malformed(format!("the level {v} is not from {low} to {high}"))),
        None => sink(levels),
    };
    let ended = match bits {
        None => {
            let mut coder = decoder;
            all(tile, models, &mut coder, &reader, &mut checked)?;
            coder.is_at_end()
        }
        Some(bits) => {
            let mut coder = Costing::new(decoder, bits);
            all(tile, models, &mut coder, &reader, &mut checked)?;
            coder.is_at_end()
        }
    };
    if !ended {
        return Err(start.malformed("the code goes on after the last weight"));
    }
    Ok(())
}

/// Decodes as many levels as the tile has.
fn all<M: Coded, C: Coder>(
    tile: &Tile,
    mut models: M,
    coder: &mut C,
    reader: &Reader<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    let (mut levels, mut left) = (Vec::with_capacity(STRIDE.min(tile.len())), tile.len());
    while left > 0 {
        levels.clear();
        for _ in 0..STRIDE.min(left) {
            levels.push(models.level(coder, 0));
        }
        left -= levels.len();
        // Looked at now and then: what is read beyond the end is zeros.
        if coder.is_beyond() {
            return Err(reader.fault(ErrorKind::Truncated, "the code ends before the last weight"));
        }
        sink(&levels)?;
    }
    Ok(())
}
