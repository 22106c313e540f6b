//! Raw bytes: one file a layer, words of one, two or four bytes, little-endian, signs extended. Each memory begins at a
//! multiple of four bytes.

use super::{File, Format};
use crate::image::Image;
use crate::memory::Storage;

pub(super) const FORMAT: Format =
    Format { name: "bin", about: "raw little-endian bytes, one file a layer", storage: Storage::Bytes, write };

/// Where memories may begin.
const ALIGNMENT: usize = 4;

fn write(image: &Image) -> Vec<File> {
    let (mut bytes, mut memories) = (Vec::new(), Vec::new());
    for memory in &image.memories {
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        memories.push((memory.name, bytes.len()));
        let width = Storage::Bytes.bits(memory.word_bits) as usize / 8;
        for &word in &memory.words {
            bytes.extend_from_slice(&memory.integer(word).to_le_bytes()[..width]);
        }
    }
    vec![File { path: format!("{}.bin", image.path), bytes, memories }]
}
