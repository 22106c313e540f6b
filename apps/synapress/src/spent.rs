//! What the bytes of a `.syn` file say, layer by layer and in total, as a table and as JSON.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use synapress_code::{self as code, Cost, Limits, Summary};

use crate::output::table;

/// The parts of a layer's bytes, in the order of the table.
const PARTS: [&str; 6] = ["significance", "sign", "magnitude_or_index", "codebook", "bias", "overhead"];

/// The bytes of a file by what they say.
pub struct Spent {
    layers: Vec<Cost>,
    /// Bytes of graph, preprocessing, class names, history, formats of layer outputs, extra chunks.
    other: u64,
    /// Bytes of the file's header and its end, and of the other chunks' tags, lengths and checksums.
    framing: u64,
}

impl Spent {
    /// Decodes a file and counts.
    pub fn of(path: &Path, summary: &Summary) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let layers = code::costs(&bytes, &Limits::default()).map_err(|e| e.in_file(path))?;
        let extras: u64 = summary.extras.iter().map(|(_, n)| n).sum();
        let other = summary.graph_bytes + summary.about_bytes + summary.integer_bytes + extras;
        let chunks: u64 = summary.layers.iter().map(|l| l.bytes).sum();
        Ok(Self { layers, other, framing: summary.bytes - chunks - other })
    }

    /// All layers as one.
    fn total(&self) -> Cost {
        let sum = |of: fn(&Cost) -> f64| self.layers.iter().map(of).sum();
        Cost {
            name: "all layers".to_owned(),
            weights: self.layers.iter().map(|c| c.weights).sum(),
            significance: sum(|c| c.significance),
            sign: sum(|c| c.sign),
            magnitude: sum(|c| c.magnitude),
            codebook: sum(|c| c.codebook),
            bias: sum(|c| c.bias),
            overhead: sum(|c| c.overhead),
            entropy: self.layers.iter().filter_map(|c| c.entropy).reduce(|a, b| a + b),
        }
    }

    /// Bytes and bits per weight of each layer and of all, and what is not of any layer.
    pub fn json(&self) -> Value {
        let row = |c: &Cost| {
            let bits = |bytes: f64| bytes * 8.0 / c.weights.max(1) as f64;
            let each = |unit: &dyn Fn(f64) -> f64| {
                let parts = PARTS.into_iter().zip(parts(c)).map(|(name, n)| (name.to_owned(), json!(unit(n))));
                let mut parts: serde_json::Map<String, Value> = parts.collect();
                parts.insert("sum".to_owned(), json!(unit(c.bytes())));
                parts.insert("entropy".to_owned(), json!(c.entropy.map(unit)));
                Value::Object(parts)
            };
            json!({"name": c.name, "weights": c.weights, "bytes": each(&|n| n), "bits_per_weight": each(&bits)})
        };
        json!({
            "layers": self.layers.iter().map(row).collect::<Vec<_>>(),
            "total": row(&self.total()),
            "other_chunks": self.other,
            "file_framing": self.framing,
        })
    }

    /// A table of bytes, and of bits per weight in brackets.
    pub fn text(&self) -> String {
        let headings =
            ["layer", "zero or not", "sign", "magnitude or index", "codebook", "bias", "overhead", "sum", "entropy"];
        let mut out = table(&headings);
        for c in self.layers.iter().chain([&self.total()]) {
            let cell = |n: f64| format!("{n:.0} ({:.3})", n * 8.0 / c.weights.max(1) as f64);
            let mut cells = vec![c.name.clone()];
            cells.extend(parts(c).map(cell));
            cells.extend([cell(c.bytes()), c.entropy.map(cell).unwrap_or_default()]);
            out.add_row(cells);
        }
        let all = self.total().bytes() + (self.other + self.framing) as f64;
        let framing = self.total().overhead + self.framing as f64;
        format!(
            "Bytes (bits per weight) by what they say, beside the order-0 entropy of indices or codes:\n{out}\n\n\
             other chunks {} bytes, framing of file and layers {framing:.0} bytes ({:.2}% of {all:.0})",
            self.other,
            100.0 * framing / all
        )
    }
}

/// The parts of a layer's bytes.
fn parts(c: &Cost) -> [f64; 6] {
    [c.significance, c.sign, c.magnitude, c.codebook, c.bias, c.overhead]
}
