//! Names and other text through the range coder: what followed the same four bytes before is expected to follow again,
//! and other bytes come in the context of the one before. Which chunks are text is decided elsewhere.

use std::collections::HashMap;

use crate::bytes::{Reader, put_size, wide};
use crate::coder::{Bit, Coder};
use crate::error::Error;
use crate::numbers::{coded, put_coded};

/// Bytes that must have been the same for the next to be expected.
const SAME: usize = 4;

/// The most bytes that a text may have for each byte of its code, and those that any may have. No text that means
/// anything comes near.
const EXPANSION: usize = 1 << 10;
const FREE: usize = 1 << 12;

/// Codes `count` bytes. When decoding, `bytes` is filled, and ends early where the code does.
fn code<C: Coder>(coder: &mut C, bytes: &mut Vec<u8>, count: usize) {
    let mut last: HashMap<[u8; SAME], usize> = HashMap::new();
    let mut hits = [Bit::NEW; 16];
    let mut trees = vec![Bit::NEW; 257 * 256];
    let (all, trees) = trees.split_at_mut(256);
    let mut lucky = 0usize;
    for i in 0..count {
        let given = bytes.get(i).copied().unwrap_or(0);
        let recent = bytes.get(i.saturating_sub(SAME)..i).and_then(|b| <[u8; SAME]>::try_from(b).ok());
        let expected = recent.and_then(|recent| last.insert(recent, i)).and_then(|at| bytes.get(at).copied());
        let mut found = None;
        if let Some(expected) = expected {
            let hit = coder.bit(&mut hits[lucky.min(15)], given == expected);
            lucky = if hit { lucky + 1 } else { 0 };
            found = hit.then_some(expected);
        }
        let byte = match found {
            Some(byte) => byte,
            None => {
                let before = if i == 0 { 0 } else { bytes.get(i - 1).copied().unwrap_or(0) };
                let models = &mut trees[usize::from(before) * 256..][..256];
                let mut node = 1usize;
                for shift in (0..8).rev() {
                    let bit = coder.hearsay(&mut models[node], &mut all[node], (given >> shift) & 1 == 1);
                    node = node << 1 | usize::from(bit);
                }
                u8::try_from(node & 0xff).unwrap_or(0)
            }
        };
        if i >= bytes.len() {
            bytes.push(byte);
        }
        if coder.is_beyond() {
            return;
        }
    }
}

/// The body of a chunk of text: 0 and the text, or 1 and its code, whichever is shorter.
pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![1];
    put_size(&mut out, bytes.len());
    put_coded(&mut out, |coder| code(coder, &mut bytes.to_vec(), bytes.len()));
    if out.len() > bytes.len() { [&[0], bytes].concat() } else { out }
}

/// The text of a chunk's body.
pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Vec<u8>, Error> {
    if !reader.flag("the mark of a coded text")? {
        return Ok(reader.rest().to_vec());
    }
    let n = reader.varint()?;
    let most = reader.left().saturating_mul(EXPANSION).saturating_add(FREE);
    let n = match usize::try_from(n) {
        Ok(n) if n <= most => n,
        _ => return Err(reader.malformed(format!("{n} bytes cannot come from {}", wide(reader.left())))),
    };
    let mut bytes = Vec::new();
    coded(&mut reader, "a text", |coder| code(coder, &mut bytes, n))?;
    reader.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_come_back(text in "[ab]{0,40}|.{0,20}", times in 0usize..5, noise in any::<Vec<u8>>()) {
            let bytes = [text.repeat(times).as_bytes(), &noise, text.as_bytes()].concat();
            let coded = encode(&bytes);
            prop_assert!(coded.len() <= bytes.len() + 1);
            prop_assert_eq!(decode(Reader::new(&coded, 0, "test")).unwrap(), bytes);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(Reader::new(&[&[1], &bytes[..]].concat(), 0, "test"));
        }
    }
}
