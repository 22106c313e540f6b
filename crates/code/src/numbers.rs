//! Short lists of numbers, such as biases, through the range coder: how many bits a number has is modelled, its lower
//! bits are as good as random. Weights are not coded here.

use synapress_model::Bias;

use crate::bytes::{Reader, bit_length, place, put_size};
use crate::coder::{Bit, Coder, Decoder, Encoder};
use crate::error::{Error, ErrorKind};

/// Entries of a tree over classes, which are numbers of bits from 0 to 32.
const TREE: usize = 64;

/// The models of unsigned numbers of up to 32 bits, in the context of how many bits an earlier one had.
pub(crate) struct Numbers {
    /// A tree over all contexts, then one for each.
    classes: Vec<Bit>,
    firsts: [Bit; 33],
}

impl Numbers {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self { classes: vec![Bit::NEW; 34 * TREE], firsts: [Bit::NEW; 33] }
    }

    /// Codes a number after one of `context` (at most 32) bits.
    pub fn code<C: Coder>(&mut self, coder: &mut C, context: u32, n: u32) -> u32 {
        let (all, contexts) = self.classes.split_at_mut(TREE);
        let models = &mut contexts[place(context.min(32)) * TREE..][..TREE];
        let class = bit_length(n);
        let mut node = 1;
        for shift in (0..6).rev() {
            let at = place(node);
            node = node << 1 | u32::from(coder.hearsay(&mut models[at], &mut all[at], (class >> shift) & 1 == 1));
        }
        let class = (node - 64).min(32);
        if class < 2 {
            return class;
        }
        let first = coder.bit(&mut self.firsts[place(class)], (n >> (class - 2)) & 1 == 1);
        let head = 2 | u32::from(first);
        let left = class - 2;
        if left == 0 { head } else { head << left | plain(coder, n & ((1 << left) - 1), left) }
    }
}

/// Codes up to 31 bits that are as good as random.
pub(crate) fn plain<C: Coder>(coder: &mut C, n: u32, width: u32) -> u32 {
    let low = width.min(16);
    let high = if width > low { coder.direct(n >> low, width - low) } else { 0 };
    high << low | coder.direct(n & ((1 << low) - 1), low)
}

/// Appends what a coder wrote, with its length in front.
pub(crate) fn put_coded(out: &mut Vec<u8>, code: impl FnOnce(&mut Encoder)) {
    let mut coder = Encoder::after(Vec::new());
    code(&mut coder);
    let bytes = coder.finish();
    put_size(out, bytes.len());
    out.extend_from_slice(&bytes);
}

/// Reads what a coder wrote; nothing may be left of it.
pub(crate) fn coded<T>(
    reader: &mut Reader<'_>,
    what: &str,
    code: impl FnOnce(&mut Decoder<'_>) -> T,
) -> Result<T, Error> {
    let len = reader.count(&format!("bytes of {what}"), 1)?;
    let mut part = reader.part(len)?;
    let mut coder = Decoder::new(part.rest());
    let value = code(&mut coder);
    if coder.is_beyond() {
        return Err(part.fault(ErrorKind::Truncated, format!("the code of {what} ends too early")));
    }
    if !coder.is_at_end() {
        return Err(part.malformed(format!("the code of {what} goes on after its end")));
    }
    Ok(value)
}

/// Codes `count` floats: the highest exponent, then for each whether it is the same as the one before, else its sign, by
/// how much its exponent lies below the highest, and the mantissa plain. When decoding, `values` is filled, and ends early
/// where the code does.
fn floats<C: Coder>(coder: &mut C, values: &mut Vec<f32>, count: usize) {
    let (mut same, mut sign, mut empty) = (Bit::NEW, Bit::NEW, Bit::NEW);
    let mut depths = vec![Bit::NEW; 256];
    let exponent = |bits: u32| (bits >> 23) & 0xff;
    let highest = values.iter().map(|v| exponent(v.to_bits())).max().unwrap_or(0);
    let highest = coder.direct(highest, 8);
    let mut before = 0u32;
    for i in 0..count {
        let bits = values.get(i).map_or(0, |v| v.to_bits());
        if !coder.bit(&mut same, bits == before) {
            let negative = coder.bit(&mut sign, bits >> 31 == 1);
            let below = highest.saturating_sub(exponent(bits));
            let mut depth = 0;
            while depth < highest && !coder.bit(&mut depths[place(depth)], depth == below) {
                depth += 1;
            }
            let mantissa = bits & 0x7f_ffff;
            let mantissa = if coder.bit(&mut empty, mantissa == 0) { 0 } else { plain(coder, mantissa, 23) };
            before = u32::from(negative) << 31 | (highest - depth) << 23 | mantissa;
        }
        if i >= values.len() {
            values.push(f32::from_bits(before));
        }
        if coder.is_beyond() {
            return;
        }
    }
}

/// Codes `count` integers: magnitude in the context of the one before, then the sign of those that are not zero.
fn integers<C: Coder>(coder: &mut C, values: &mut Vec<i32>, count: usize) {
    let (mut numbers, mut sign, mut context) = (Numbers::new(), Bit::NEW, 0);
    for i in 0..count {
        let value = values.get(i).copied().unwrap_or(0);
        let magnitude = numbers.code(coder, context, value.unsigned_abs());
        context = bit_length(magnitude);
        let negative = magnitude > 0 && coder.bit(&mut sign, value < 0);
        if i >= values.len() {
            let value = magnitude.cast_signed();
            values.push(if negative { value.wrapping_neg() } else { value });
        }
        if coder.is_beyond() {
            return;
        }
    }
}

/// Appends a bias.
pub(crate) fn put_bias(out: &mut Vec<u8>, bias: &Bias) {
    match bias {
        Bias::None => out.push(0),
        Bias::Float(values) => {
            out.push(1);
            put_size(out, values.len());
            put_coded(out, |coder| floats(coder, &mut values.clone(), values.len()));
        }
        Bias::Fixed { q, frac } => {
            out.push(2);
            put_size(out, q.len());
            out.extend_from_slice(&frac.to_le_bytes());
            put_coded(out, |coder| integers(coder, &mut q.clone(), q.len()));
        }
    }
}

/// Reads a bias of at most so many values.
pub(crate) fn bias(reader: &mut Reader<'_>, most: usize) -> Result<Bias, Error> {
    let at = reader.clone();
    let kind = reader.byte()?;
    if kind == 0 {
        return Ok(Bias::None);
    }
    let n = reader.varint()?;
    let n = match usize::try_from(n) {
        Ok(n) if n <= most => n,
        _ => return Err(at.malformed(format!("{n} bias values are more than the {most} of the layer"))),
    };
    match kind {
        1 => {
            let mut values = Vec::new();
            coded(reader, "the bias", |coder| floats(coder, &mut values, n))?;
            Ok(Bias::Float(values))
        }
        2 => {
            let frac = i8::from_le_bytes(reader.array()?);
            let mut q = Vec::new();
            coded(reader, "the bias", |coder| integers(coder, &mut q, n))?;
            Ok(Bias::Fixed { frac, q })
        }
        other => Err(at.fault(ErrorKind::Version, format!("a bias of kind {other} is not known to this release"))),
    }
}
