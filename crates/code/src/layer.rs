//! The chunk of one layer's weights: form, codebook, bias and the coded tiles.

use rayon::prelude::*;
use synapress_model::{Bias, Centroids, Fixed, Form, WeightShape, Weights};

use crate::bytes::{Reader, put_size};
use crate::codebook;
use crate::error::{Error, ErrorKind};
use crate::numbers::{bias, put_bias};
use crate::options::Effort;
use crate::part::{Part, Values};
use crate::ranks::{Ranks, codes_to_levels, levels_to_codes, located};
use crate::schemes::{self, Book, Codec, Levels, SCHEMES, Scheme, Tile};

/// A tile has about so many weights, in whole rows: enough that learning anew costs nothing, few enough that threads
/// share a large layer and nothing but the layer itself is large.
const TILE: usize = 1 << 20;

/// A layer of several tiles has at least so many weights in each but the last: a file cannot make the decoder begin
/// anew with every byte.
const LEAST: usize = 1 << 16;

/// What a layer's chunk says before its tiles.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// The node.
    pub node: usize,
    /// Sizes of the weights.
    pub dims: [usize; 4],
    /// Form and codebook; without weights yet.
    pub form: Form,
    /// The bias.
    pub bias: Bias,
    /// Number of weights that are not zero.
    pub nonzero: u64,
    /// Bytes of the codebook and its format.
    pub codebook_bytes: usize,
    /// Bytes of the bias.
    pub bias_bytes: usize,
    /// The coded tiles in order.
    pub tiles: Vec<(Tile, &'static Scheme, Reader<'a>)>,
    end: Reader<'a>,
}

/// Appends a format.
pub(crate) fn put_fixed(out: &mut Vec<u8>, f: Fixed) {
    let [frac] = f.frac.to_le_bytes();
    out.extend_from_slice(&[f.bits, frac, u8::from(f.signed)]);
}

/// Reads a format.
pub(crate) fn fixed(reader: &mut Reader<'_>) -> Result<Fixed, Error> {
    let at = reader.clone();
    let bits = reader.byte()?;
    let frac = i8::from_le_bytes(reader.array()?);
    let format = Fixed { bits, frac, signed: reader.flag("the sign of a format")? };
    format.checked().map_err(|e| at.malformed(e.to_string()))
}

/// The scheme and bytes of a tile that make it smallest; the first of [`SCHEMES`] among equals.
fn smallest(effort: Effort, encode: impl Fn(&Scheme) -> Option<Vec<u8>>) -> Option<(&'static Scheme, Vec<u8>)> {
    let mut best: Option<(&Scheme, Vec<u8>)> = None;
    for scheme in SCHEMES.iter().filter(|s| s.effort <= effort) {
        if let Some(bytes) = encode(scheme)
            && best.as_ref().is_none_or(|(_, b)| bytes.len() < b.len())
        {
            best = Some((scheme, bytes));
        }
    }
    best
}

fn encode_levels(tile: &Tile, effort: Effort, levels: &Levels<'_>) -> Option<(&'static Scheme, Vec<u8>)> {
    smallest(effort, |scheme| match scheme.codec {
        Codec::Levels { encode, .. } => encode(tile, levels),
        Codec::Floats { .. } => None,
    })
}

fn encode_floats(tile: &Tile, effort: Effort, values: &[f32]) -> Option<(&'static Scheme, Vec<u8>)> {
    smallest(effort, |scheme| match scheme.codec {
        Codec::Floats { encode, .. } => encode(tile, values),
        Codec::Levels { .. } => None,
    })
}

/// How a layer is cut: rows of one tile, so that all tiles are about as large.
fn rows_of_a_tile(rows: usize, taps: usize) -> usize {
    let most = (TILE / taps.max(1)).max(1);
    rows.div_ceil(rows.div_ceil(most).max(1)).max(1)
}

/// The chunk of checked weights.
pub(crate) fn encode(node: usize, weights: &Weights, effort: Effort) -> Vec<u8> {
    let mut out = Vec::new();
    put_size(&mut out, node);
    for d in weights.dims {
        put_size(&mut out, d);
    }
    match &weights.form {
        Form::Dense(_) => out.push(0),
        Form::Coded { centroids, .. } => {
            match centroids {
                Centroids::Float(_) => out.push(1),
                Centroids::Fixed { format, .. } => {
                    out.push(2);
                    put_fixed(&mut out, *format);
                }
            }
            codebook::put(&mut out, centroids);
        }
        Form::Fixed { format, .. } => {
            out.push(3);
            put_fixed(&mut out, *format);
        }
    }
    put_bias(&mut out, &weights.bias);
    put_size(&mut out, weights.len() - weights.zeros());
    let [outputs, inputs, height, width] = weights.dims;
    let taps = weights.dims[1..].iter().product::<usize>();
    let rows = rows_of_a_tile(outputs, taps);
    put_size(&mut out, rows);
    let tile = |len: usize| Tile { rows: len / taps.max(1), row: [inputs, height, width] };
    let step = rows.saturating_mul(taps).max(1);
    let tiles: Vec<Option<(&Scheme, Vec<u8>)>> = match &weights.form {
        Form::Dense(w) => w.par_chunks(step).map(|w| encode_floats(&tile(w.len()), effort, w)).collect(),
        Form::Coded { centroids, index } => {
            let values = centroids.values();
            let ranks = Ranks::of(&values);
            let book = ranks.sides(&values);
            let encode = |index: &[u16]| {
                let values = ranks.levels(index);
                encode_levels(&tile(index.len()), effort, &Levels { values: &values, book: Some(&book) })
            };
            index.par_chunks(step).map(encode).collect()
        }
        Form::Fixed { q, .. } => {
            let encode = |q: &[i16]| {
                let values = codes_to_levels(q);
                encode_levels(&tile(q.len()), effort, &Levels { values: &values, book: None })
            };
            q.par_chunks(step).map(encode).collect()
        }
    };
    for (scheme, bytes) in tiles.into_iter().flatten() {
        out.push(scheme.id);
        put_size(&mut out, bytes.len());
        out.extend_from_slice(&bytes);
    }
    out
}

/// Reads all of a layer's chunk but the content of its tiles. `shape` gives the shape that a node's layer takes and
/// refuses what lies beyond the limits.
pub(crate) fn head<'a>(
    mut reader: Reader<'a>,
    shape: impl Fn(&Reader<'_>, u64) -> Result<WeightShape, Error>,
) -> Result<Head<'a>, Error> {
    let at = reader.clone();
    let node = reader.varint()?;
    let expected = shape(&at, node)?;
    let node = usize::try_from(node).map_err(|_| at.malformed("there is no such layer"))?;
    let at = reader.clone();
    let mut dims = [0; 4];
    for d in &mut dims {
        *d = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    }
    if dims != expected.dims {
        return Err(at.malformed(format!("the weights are {dims:?}, the layer takes {:?}", expected.dims)));
    }
    let (at, before) = (reader.clone(), reader.left());
    let form = match reader.byte()? {
        0 => Form::Dense(Vec::new()),
        1 => Form::Coded { centroids: Centroids::Float(codebook::floats(&mut reader)?), index: Vec::new() },
        2 => {
            let format = fixed(&mut reader)?;
            let q = codebook::codes(&mut reader)?;
            Form::Coded { centroids: Centroids::Fixed { q, format }, index: Vec::new() }
        }
        3 => Form::Fixed { q: Vec::new(), format: fixed(&mut reader)? },
        other => {
            return Err(at.fault(ErrorKind::Version, format!("weights of form {other} are not known to this release")));
        }
    };
    let codebook_bytes = before - reader.left() - 1;
    let before = reader.left();
    let bias = bias(&mut reader, expected.bias_len())?;
    let bias_bytes = before - reader.left();
    let nonzero = reader.varint()?;
    let tiles = tiles(&mut reader, dims)?;
    Ok(Head { node, dims, form, bias, nonzero, codebook_bytes, bias_bytes, tiles, end: reader })
}

fn tiles<'a>(reader: &mut Reader<'a>, dims: [usize; 4]) -> Result<Vec<(Tile, &'static Scheme, Reader<'a>)>, Error> {
    let [mut left, inputs, height, width] = dims;
    let at = reader.clone();
    let taps = dims[1..].iter().fold(1usize, |n, &d| n.saturating_mul(d));
    let most = match usize::try_from(reader.varint()?) {
        Ok(rows) if rows >= left.max(1) || rows.saturating_mul(taps) >= LEAST => rows,
        _ => return Err(at.malformed(format!("a tile has fewer than {LEAST} weights and is not the only one"))),
    };
    let mut tiles = Vec::new();
    while left > 0 && taps > 0 {
        let rows = left.min(most);
        left -= rows;
        let at = reader.clone();
        let id = reader.byte()?;
        let Some(scheme) = schemes::by_id(id) else {
            let message = format!("the coding scheme {id} is not known to this release; update synapress");
            return Err(at.fault(ErrorKind::Version, message));
        };
        let len = reader.count("bytes of a tile", 1)?;
        tiles.push((Tile { rows, row: [inputs, height, width] }, scheme, reader.part(len)?));
    }
    reader.finish()?;
    Ok(tiles)
}

/// The most weights of a tile for which room is made at once; a forged one may claim any number.
pub(crate) const EXPECTED: usize = 1 << 20;

impl Head<'_> {
    /// What turns levels into indices, if there is a codebook.
    pub fn ranked(&self) -> Option<(Ranks, Book)> {
        let Form::Coded { centroids, .. } = &self.form else { return None };
        let values = centroids.values();
        let ranks = Ranks::of(&values);
        let book = ranks.sides(&values);
        Some((ranks, book))
    }

    /// No weights, of the kind that the layer has.
    pub fn nothing(&self) -> Values {
        match &self.form {
            Form::Dense(_) => Values::Floats(Vec::new()),
            Form::Coded { .. } => Values::Index(Vec::new()),
            Form::Fixed { .. } => Values::Codes(Vec::new()),
        }
    }

    /// Appends the weights of one tile to those of the layer's kind, some at a time; `more` is told each time. Room is
    /// made for so many at once. `ranked` is [`Self::ranked`].
    pub fn tile(
        &self,
        tile: usize,
        ranked: Option<&(Ranks, Book)>,
        room: usize,
        values: &mut Values,
        more: &mut dyn FnMut(&mut Values) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (tile, scheme, reader) = &self.tiles[tile];
        values.reserve(tile.len().min(room).min(EXPECTED));
        match scheme.codec {
            Codec::Floats { decode, .. } => {
                let Values::Floats(w) = values else {
                    return Err(reader.malformed(format!("the scheme {} is for floats", scheme.name)));
                };
                w.append(&mut decode(tile, reader.clone(), None)?);
                more(values)
            }
            Codec::Levels { decode, .. } => {
                decode(tile, ranked.map(|(_, book)| book), reader.clone(), None, &mut |levels| {
                    let taken = match (&mut *values, ranked) {
                        (Values::Index(index), Some((ranks, _))) => ranks.indices(levels, index),
                        (Values::Codes(q), _) => levels_to_codes(levels, q),
                        _ => Err(format!("the scheme {} is not for floats", scheme.name)),
                    };
                    located(taken, reader)?;
                    more(values)
                })
            }
        }
    }

    /// Refuses a number of weights that are not zero which is not the one in the file.
    pub fn check_nonzero(&self, found: usize) -> Result<(), Error> {
        if crate::bytes::wide(found) == self.nonzero {
            return Ok(());
        }
        let message = format!("{found} weights are not zero, but the file says {}", self.nonzero);
        Err(self.end.malformed(message))
    }

    /// The layer of all its tiles' weights and its node.
    pub fn finish(self, all: Option<Part>) -> Result<(usize, Weights), Error> {
        self.check_nonzero(all.as_ref().map_or(0, Part::nonzero))?;
        // Without tiles there are no weights, which the form has already.
        let mut form = self.form;
        if let Some(all) = all {
            all.fill(&mut form);
        }
        Ok((self.node, Weights { dims: self.dims, form, bias: self.bias }))
    }
}
