//! Split: the exponents of floats through the adaptive coder, where most of what can be saved lies, and sign and
//! mantissa, which are noise, as they are.

use super::range::{self, Models};
use super::{Codec, Levels, Scheme, Tile};
use crate::bytes::{Reader, count, put_size};
use crate::coder::{Bits, Part};
use crate::error::Error;
use crate::options::Effort;

pub(super) const SCHEME: Scheme = Scheme {
    id: 3,
    name: "split",
    about: "exponents and zeros by adaptive range coding, signs and mantissas as they are",
    effort: Effort::Fast,
    codec: Codec::Floats { encode: |tile, values| Some(encode(tile, values)), decode },
};

/// Zero is level 0, any other float its exponent + 1; minus zero has exponent 0 and so is not zero.
fn level(value: f32) -> i32 {
    match value.to_bits() {
        0 => 0,
        bits => ((bits >> 23) & 0xff).cast_signed() + 1,
    }
}

fn encode(tile: &Tile, values: &[f32]) -> Vec<u8> {
    let levels: Vec<i32> = values.iter().map(|&v| level(v)).collect();
    let coded = range::encode::<Models>(tile, &Levels { values: &levels, book: None });
    let mut out = Vec::new();
    put_size(&mut out, coded.len());
    out.extend_from_slice(&coded);
    out.reserve(values.len().saturating_mul(3));
    for v in values.iter().filter(|v| v.to_bits() != 0) {
        let bits = v.to_bits();
        let [a, b, c, _] = (bits & 0x7f_ffff | bits >> 31 << 23).to_le_bytes();
        out.extend_from_slice(&[a, b, c]);
    }
    out
}

fn decode(tile: &Tile, mut reader: Reader<'_>, mut spent: Option<&mut Bits>) -> Result<Vec<f32>, Error> {
    let len = reader.count("bytes of exponents", 1)?;
    let (exponents, kept) = (reader.part(len)?, reader.left() / 3);
    let mut values = Vec::new();
    range::decode::<Models>(tile, None, exponents, spent.as_deref_mut(), &mut |levels| {
        values.reserve(levels.len());
        for &level in levels {
            let exponent = match u8::try_from(level - 1) {
                Ok(exponent) => u32::from(exponent),
                Err(_) if level == 0 => {
                    values.push(0.0);
                    continue;
                }
                Err(_) => return Err(reader.malformed(format!("{} is no exponent", level - 1))),
            };
            let [a, b, c] = reader.array()?;
            let low = u32::from_le_bytes([a, b, c, 0]);
            values.push(f32::from_bits(low & 0x7f_ffff | exponent << 23 | low >> 23 << 31));
        }
        Ok(())
    })?;
    if let Some(spent) = spent {
        spent.add(Part::Sign, count(kept));
        spent.add(Part::Magnitude, 23.0 * count(kept));
    }
    reader.finish()?;
    Ok(values)
}
