//! What a `.syn` file is made of: bytes of every layer, without decoding the weights.

use std::fmt;

use synapress_model::{Bias, Centroids, Form};

use crate::bytes::wide;
use crate::container::whole;
use crate::error::Error;
use crate::net::Parts;
use crate::options::Limits;

/// The stage of compression that a layer stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Floating point, fewer than one weight in a hundred zero.
    Dense,
    /// Floating point with zeros.
    Pruned,
    /// Indices into a codebook of floats.
    Grouped,
    /// Integers.
    Quantized,
    /// Indices into a codebook of integers.
    GroupedQuantized,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dense => "dense",
            Self::Pruned => "pruned",
            Self::Grouped => "grouped",
            Self::Quantized => "quantized",
            Self::GroupedQuantized => "grouped+quantized",
        })
    }
}

/// What one layer with weights is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// The layer's name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its stage.
    pub stage: Stage,
    /// The coding scheme of its weights; several are joined by `+`.
    pub scheme: String,
    /// Number of weights, without the bias.
    pub weights: u64,
    /// Number of weights that are not zero.
    pub nonzero: u64,
    /// Number of centroids; 0 unless grouped.
    pub centroids: u64,
    /// Bit width of a weight as it is computed with: 32 in floating point.
    pub bits: u8,
    /// Number of bias values.
    pub biases: u64,
    /// Bytes of the weights: raw, or their indices and gaps.
    pub weight_bytes: u64,
    /// Bytes of the codebook and its format.
    pub codebook_bytes: u64,
    /// Bytes of the bias.
    pub bias_bytes: u64,
    /// Bytes of the layer's chunk: all of the above, what holds them together, and the chunk's own name, length and
    /// checksum.
    pub bytes: u64,
}

impl LayerSummary {
    /// Bits of weights and codebook for each weight, pruned ones included.
    pub fn bits_per_weight(&self) -> f64 {
        bits_per_weight(self.weight_bytes + self.codebook_bytes, self.weights)
    }
}

/// Exact below 2^53, which no file reaches.
fn float(n: u64) -> f64 {
    let [high, low] = [n >> 32, n & 0xffff_ffff].map(|n| f64::from(u32::try_from(n).unwrap_or(u32::MAX)));
    high * 4_294_967_296.0 + low
}

fn bits_per_weight(bytes: u64, weights: u64) -> f64 {
    if weights == 0 { 0.0 } else { float(bytes) * 8.0 / float(weights) }
}

/// What a file is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The network's name.
    pub name: String,
    /// Number of layers, those without weights included.
    pub nodes: u64,
    /// Each layer that has weights.
    pub layers: Vec<LayerSummary>,
    /// Bytes of the graph.
    pub graph_bytes: u64,
    /// Bytes of preprocessing, class names and history.
    pub about_bytes: u64,
    /// Bytes of layer output formats and tables.
    pub integer_bytes: u64,
    /// Names of extra chunks and their bytes.
    pub extras: Vec<(String, u64)>,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Summary {
    fn sum(&self, of: impl Fn(&LayerSummary) -> u64) -> u64 {
        self.layers.iter().map(of).sum()
    }

    /// Number of weights of all layers, without biases.
    pub fn weights(&self) -> u64 {
        self.sum(|l| l.weights)
    }

    /// Number of weights that are not zero.
    pub fn nonzero(&self) -> u64 {
        self.sum(|l| l.nonzero)
    }

    /// Number of parameters, biases included.
    pub fn parameters(&self) -> u64 {
        self.sum(|l| l.weights + l.biases)
    }

    /// Bytes of all weights.
    pub fn weight_bytes(&self) -> u64 {
        self.sum(|l| l.weight_bytes)
    }

    /// Bytes of all codebooks.
    pub fn codebook_bytes(&self) -> u64 {
        self.sum(|l| l.codebook_bytes)
    }

    /// Bytes of all biases.
    pub fn bias_bytes(&self) -> u64 {
        self.sum(|l| l.bias_bytes)
    }

    /// Bits of weights and codebooks for each weight, pruned ones included.
    pub fn bits_per_weight(&self) -> f64 {
        bits_per_weight(self.weight_bytes() + self.codebook_bytes(), self.weights())
    }

    /// How many times smaller the file is than its parameters as floats of 32 bits.
    pub fn ratio(&self) -> f64 {
        float(self.parameters()) * 4.0 / float(self.bytes.max(1))
    }
}

/// What a file's bytes are made of. Checksums and graph are checked, weights are not decoded.
///
/// # Errors
/// As [`decode`](crate::decode), as far as it looks.
pub fn summary(bytes: &[u8]) -> Result<Summary, Error> {
    let parts = Parts::of(bytes, &Limits::default())?;
    let mut layers = Vec::new();
    for ((name, head), chunk) in parts.heads()?.into_iter().zip(&parts.weights) {
        let weights = head.dims.iter().fold(1u64, |n, &d| n.saturating_mul(wide(d)));
        let (stage, centroids, bits) = match &head.form {
            Form::Dense(_) if weights.saturating_sub(head.nonzero) <= weights / 100 => (Stage::Dense, 0, 32),
            Form::Dense(_) => (Stage::Pruned, 0, 32),
            Form::Coded { centroids: Centroids::Float(c), .. } => (Stage::Grouped, c.len(), 32),
            Form::Coded { centroids: Centroids::Fixed { q, format }, .. } => {
                (Stage::GroupedQuantized, q.len(), format.bits)
            }
            Form::Fixed { format, .. } => (Stage::Quantized, 0, format.bits),
        };
        let mut schemes: Vec<&str> = Vec::new();
        for (_, scheme, _) in &head.tiles {
            if !schemes.contains(&scheme.name) {
                schemes.push(scheme.name);
            }
        }
        layers.push(LayerSummary {
            kind: parts.graph.node(head.node).layer.kind().name.to_owned(),
            name,
            stage,
            scheme: schemes.join("+"),
            weights,
            nonzero: head.nonzero,
            centroids: wide(centroids),
            bits,
            biases: match &head.bias {
                Bias::None => 0,
                bias => wide(bias.len()),
            },
            weight_bytes: head.tiles.iter().map(|(_, _, reader)| wide(reader.left())).sum(),
            codebook_bytes: wide(head.codebook_bytes),
            bias_bytes: wide(head.bias_bytes),
            bytes: wide(whole(chunk.left())),
        });
    }
    let length = |reader: &Option<crate::bytes::Reader<'_>>| reader.as_ref().map_or(0, |r| wide(r.left()));
    let mut extras = Vec::new();
    for reader in &parts.extras {
        let mut reader = reader.clone();
        extras.push((reader.text("an extra chunk's name")?, wide(reader.left())));
    }
    Ok(Summary {
        nodes: wide(parts.graph.nodes().len()),
        layers,
        graph_bytes: parts.graph_bytes,
        about_bytes: parts.about_bytes,
        integer_bytes: length(&parts.integers),
        extras,
        bytes: wide(bytes.len()),
        name: parts.name,
    })
}
