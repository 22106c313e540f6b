//! What the bits of a `.syn` file's layers say: whether weights are zero, their signs, their magnitudes. Arithmetic code
//! has no places where one ends and the next begins, so weights are decoded and every decision charged with what its
//! probability is worth.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::bytes::{count, wide};
use crate::coder::Bits;
use crate::container::whole;
use crate::error::Error;
use crate::layer::Head;
use crate::net::{Parts, in_layer};
use crate::options::Limits;
use crate::schemes::Codec;

/// Bytes of one layer by what they say; fractions, because decisions of arithmetic code share bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The layer's name.
    pub name: String,
    /// Number of weights.
    pub weights: u64,
    /// Which weights are zero.
    pub significance: f64,
    /// Signs; those that a fixed-width index holds are not told from its magnitude where only one occurs.
    pub sign: f64,
    /// Magnitudes of codes and floats, or which centroid of its sign an index names.
    pub magnitude: f64,
    /// The codebook and its format.
    pub codebook: f64,
    /// The bias.
    pub bias: f64,
    /// The rest of the layer's chunk: its own header, those of tiles, the ends of codes, the checksum.
    pub overhead: f64,
    /// Order-0 entropy of indices or codes: what a coder that knew how often each occurs, and nothing else, would need.
    /// `None` in floating point.
    pub entropy: Option<f64>,
}

impl Cost {
    /// All bytes of the layer's chunk.
    pub fn bytes(&self) -> f64 {
        self.weight_bytes() + self.codebook + self.bias + self.overhead
    }

    /// Bytes that the weights themselves take.
    pub fn weight_bytes(&self) -> f64 {
        self.significance + self.sign + self.magnitude
    }
}

/// What the bytes of every layer with weights say. Takes somewhat longer than [`decode`](crate::decode).
///
/// # Errors
/// As [`decode`](crate::decode), as far as layers with weights are concerned.
pub fn costs(bytes: &[u8], limits: &Limits) -> Result<Vec<Cost>, Error> {
    let parts = Parts::of(bytes, limits)?;
    parts.within(bytes.len(), limits)?;
    let heads: Vec<(String, Head<'_>)> = parts.heads()?;
    let cost =
        |((name, head), chunk): ((String, Head<'_>), usize)| cost(&name, &head, chunk).map_err(|e| in_layer(e, &name));
    let chunks = parts.weights.iter().map(|reader| whole(reader.left()));
    let costs: Vec<Result<Cost, Error>> =
        heads.into_iter().zip(chunks).collect::<Vec<_>>().into_par_iter().with_max_len(1).map(cost).collect();
    costs.into_iter().collect()
}

fn cost(name: &str, head: &Head<'_>, chunk: usize) -> Result<Cost, Error> {
    let book = head.ranked().map(|(_, book)| book);
    let (mut bits, mut counts) = (Bits::default(), HashMap::<i32, u64>::new());
    for (tile, scheme, reader) in &head.tiles {
        match scheme.codec {
            Codec::Levels { decode, .. } => {
                decode(tile, book.as_ref(), reader.clone(), Some(&mut bits), &mut |levels| {
                    levels.iter().for_each(|level| *counts.entry(*level).or_default() += 1);
                    Ok(())
                })?;
            }
            Codec::Floats { decode, .. } => {
                decode(tile, reader.clone(), Some(&mut bits))?;
            }
        }
    }
    let weights = head.dims.iter().fold(1u64, |n, &d| n.saturating_mul(wide(d)));
    let [significance, sign, magnitude] = [bits.significance, bits.sign, bits.magnitude].map(|n| n / 8.0);
    let (codebook, bias) = (count(head.codebook_bytes), count(head.bias_bytes));
    // The end of a code takes up to a byte less than its decisions are worth.
    let overhead = count(chunk) - significance - sign - magnitude - codebook - bias;
    let entropy = (!counts.is_empty()).then(|| entropy(counts.values().copied()));
    Ok(Cost { name: name.to_owned(), weights, significance, sign, magnitude, codebook, bias, overhead, entropy })
}

/// Bytes of symbols that come so often.
fn entropy(counts: impl Iterator<Item = u64>) -> f64 {
    let float = |n: u64| usize::try_from(n).map_or(f64::INFINITY, count);
    let mut counts: Vec<u64> = counts.collect();
    // Floating-point sums depend on their order, and a table has none.
    counts.sort_unstable();
    let total = float(counts.iter().sum());
    counts.into_iter().map(|n| float(n) * (total / float(n)).log2()).sum::<f64>() / 8.0
}
