//! Bitmap: a bit for each weight that says whether it is nonzero, then the nonzero floats as they are.

use super::{Codec, Scheme, Tile};
use crate::bits::{BitReader, BitWriter, packed_len};
use crate::bytes::{Reader, count, put_floats, wide};
use crate::coder::{Bits, Part};
use crate::error::Error;
use crate::options::Effort;

pub(super) const SCHEME: Scheme = Scheme {
    id: 1,
    name: "bitmap",
    about: "one bit for each weight, then the nonzero floats of 32 bits",
    effort: Effort::Quick,
    codec: Codec::Floats { encode: |_, values| Some(encode(values)), decode },
};

/// Minus zero counts as nonzero, so that it comes back.
fn encode(values: &[f32]) -> Vec<u8> {
    let mut bits = BitWriter::default();
    for v in values {
        bits.put(u32::from(v.to_bits() != 0), 1);
    }
    let kept: Vec<f32> = values.iter().copied().filter(|v| v.to_bits() != 0).collect();
    let mut out = bits.finish();
    put_floats(&mut out, &kept);
    out
}

fn decode(tile: &Tile, mut reader: Reader<'_>, spent: Option<&mut Bits>) -> Result<Vec<f32>, Error> {
    let len = usize::try_from(packed_len(wide(tile.len()), 1)).unwrap_or(usize::MAX);
    let mut map = reader.part(len)?;
    let mut bits = BitReader::new(&mut map);
    let kept = reader.left() / 4;
    let mut values = Vec::with_capacity(tile.len());
    for _ in 0..tile.len() {
        values.push(if bits.get(1)? == 1 { f32::from_le_bytes(reader.array()?) } else { 0.0 });
    }
    bits.finish()?;
    reader.finish()?;
    if let Some(spent) = spent {
        spent.add(Part::Significance, count(tile.len()));
        spent.add(Part::Sign, count(kept));
        spent.add(Part::Magnitude, 31.0 * count(kept));
    }
    Ok(values)
}
