//! Raw: floats as they are, little-endian.

use super::{Codec, Scheme};
use crate::bytes::put_floats;
use crate::options::Effort;

pub(super) const SCHEME: Scheme = Scheme {
    id: 0,
    name: "raw",
    about: "floats of 32 bits as they are",
    effort: Effort::Fast,
    codec: Codec::Floats {
        encode: |_, values| {
            let mut out = Vec::new();
            put_floats(&mut out, values);
            Some(out)
        },
        decode: |tile, mut reader| {
            let values = reader.floats(tile.len())?;
            reader.finish()?;
            Ok(values)
        },
    },
};
