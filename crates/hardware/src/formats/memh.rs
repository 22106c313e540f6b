//! Hexadecimal text for Verilog's `$readmemh`, a word a line, and each layer's parameters as a Verilog header.

use std::fmt::Write;

use super::{File, Format, hex, text};
use crate::image::Image;
use crate::memory::{Memory, Storage};

pub(super) const FORMAT: Format =
    Format { name: "memh", about: "hexadecimal text for Verilog's $readmemh", storage: Storage::Bits, write };

/// Memories whose files the parameters name; empty where a layer has none.
const FILES: [&str; 4] = ["weights", "rows", "codebook", "bias"];

fn write(image: &Image) -> Vec<File> {
    let lines = |memory: &Memory| {
        let mut out = String::new();
        for &word in &memory.words {
            out += &hex(word, memory);
            out.push('\n');
        }
        text(image, memory, "memh", out)
    };
    let mut files: Vec<File> = image.memories.iter().map(lines).collect();
    if !image.constants.is_empty() {
        let mut out = String::new();
        for (name, value) in &image.constants {
            let _ = writeln!(out, "localparam {name} = {value};");
        }
        for (name, value) in &image.names {
            let _ = writeln!(out, "localparam {name} = \"{value}\";");
        }
        for name in FILES {
            let file = files.iter().find(|f| f.memories.iter().any(|m| m.0 == name));
            let path = file.map_or("", |f| &f.path);
            let _ = writeln!(out, "localparam {}_FILE = \"{path}\";", name.to_uppercase());
        }
        files.push(File { path: format!("{}.vh", image.path), bytes: out.into_bytes(), memories: Vec::new() });
    }
    files
}
