//! Coefficient files for the block memories of Xilinx (Vivado's Block Memory Generator).

use super::{File, Format, hex, text};
use crate::image::Image;
use crate::memory::{Memory, Storage};

pub(super) const FORMAT: Format =
    Format { name: "coe", about: "coefficient files for Xilinx block memories", storage: Storage::Bits, write };

fn write(image: &Image) -> Vec<File> {
    let file = |memory: &Memory| {
        let mut out = "memory_initialization_radix=16;\nmemory_initialization_vector=\n".to_owned();
        for (at, &word) in memory.words.iter().enumerate() {
            out += &hex(word, memory);
            out += if at + 1 == memory.words.len() { ";\n" } else { ",\n" };
        }
        text(image, memory, "coe", out)
    };
    image.memories.iter().map(file).collect()
}
