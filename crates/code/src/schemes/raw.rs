//! Raw: floats as they are, little-endian.

use super::{Codec, Scheme};
use crate::bytes::{count, put_floats};
use crate::coder::Part;
use crate::options::Effort;

pub(super) const SCHEME: Scheme = Scheme {
    id: 0,
    name: "raw",
    about: "floats of 32 bits as they are",
    effort: Effort::Quick,
    codec: Codec::Floats {
        encode: |_, values| {
            let mut out = Vec::new();
            put_floats(&mut out, values);
            Some(out)
        },
        decode: |tile, mut reader, bits| {
            let values = reader.floats(tile.len())?;
            if let Some(bits) = bits {
                bits.add(Part::Sign, count(values.len()));
                bits.add(Part::Magnitude, 31.0 * count(values.len()));
            }
            reader.finish()?;
            Ok(values)
        },
    },
};
