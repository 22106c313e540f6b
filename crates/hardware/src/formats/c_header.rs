//! C headers: one a layer, with its parameters as macros and its memories as arrays.

use std::fmt::Write;

use super::{File, Format};
use crate::image::Image;
use crate::memory::Storage;

pub(super) const FORMAT: Format =
    Format { name: "c-header", about: "C headers with constant arrays", storage: Storage::Bytes, write };

/// Numbers in a line.
const ACROSS: usize = 16;

fn write(image: &Image) -> Vec<File> {
    let name = image.path.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let upper = name.to_uppercase();
    let mut out = format!("#ifndef {upper}_H\n#define {upper}_H\n\n#include <stdint.h>\n\n");
    for (constant, value) in &image.constants {
        let _ = writeln!(out, "#define {upper}_{constant} ({value})");
    }
    let mut memories = Vec::new();
    for memory in &image.memories {
        let sign = if memory.signed { "" } else { "u" };
        let (bits, len) = (Storage::Bytes.bits(memory.word_bits), memory.words.len());
        let _ = writeln!(out, "\nstatic const {sign}int{bits}_t {name}_{}[{len}] = {{", memory.name);
        for line in memory.words.chunks(ACROSS) {
            let numbers: Vec<String> = line.iter().map(|&word| memory.integer(word).to_string()).collect();
            out += &numbers.join(", ");
            out += ",\n";
        }
        // The last number has no comma after it.
        out.truncate(out.trim_end_matches([',', '\n']).len());
        out += "\n};\n";
        memories.push((memory.name, 0));
    }
    out += "\n#endif\n";
    vec![File { path: format!("{}.h", image.path), bytes: out.into_bytes(), memories }]
}
