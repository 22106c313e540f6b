//! Numbers of a quantized network in a model: integers with a scale that is a power of two, QuantizeLinear behind every
//! layer and DequantizeLinear before those that read it.

use synapress_model::linear::IntegerWeights;
use synapress_model::{Fixed, NodeId};

use super::emitter::Emitter;
use crate::onnx::proto::{Tensor, kinds};

/// The type that holds a format's codes, and whether it holds no others.
fn kind(format: Fixed) -> (u64, bool) {
    match (format.bits, format.signed) {
        (bits @ ..=8, true) => (kinds::INT8, bits == 8),
        (bits @ ..=8, false) => (kinds::UINT8, bits == 8),
        (bits, true) => (kinds::INT16, bits == 16),
        (_, false) => (kinds::UINT16, false),
    }
}

fn step(frac: i32) -> f32 {
    narrow(f64::from(-frac).exp2())
}

#[expect(clippy::as_conversions, reason = "powers of two of this range are exact in single precision")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// Codes as bytes of a type.
fn bytes(codes: &[i16], kind: u64) -> Vec<u8> {
    if [kinds::INT8, kinds::UINT8].contains(&kind) {
        return codes.iter().map(|q| q.to_le_bytes()[0]).collect();
    }
    codes.iter().flat_map(|q| q.to_le_bytes()).collect()
}

/// Adds a scale and the zero code of a type; returns their names.
fn scale(emitter: &mut Emitter<'_>, name: &str, frac: i32, kind: u64) -> [String; 2] {
    let scale = emitter.fresh(format!("{name}/scale"));
    let scale = emitter.floats(scale, &[], vec![step(frac)]);
    let zero = emitter.fresh(format!("{name}/zero"));
    let width = match kind {
        kinds::INT32 => 4,
        kinds::INT16 | kinds::UINT16 => 2,
        _ => 1,
    };
    emitter.wide |= width == 2;
    emitter.graph.initializers.push(Tensor::bytes(&zero, kind, &[], vec![0; width]));
    [scale, zero]
}

/// Adds a constant of codes and the node that gives their values.
fn constant(emitter: &mut Emitter<'_>, name: String, kind: u64, dims: &[usize], codes: Vec<u8>, frac: i32) -> String {
    let held = emitter.fresh(format!("{name}/codes"));
    emitter.graph.initializers.push(Tensor::bytes(&held, kind, dims, codes));
    let [scale, zero] = scale(emitter, &name, frac, kind);
    emitter.node("DequantizeLinear", &name, &[&held, &scale, &zero], Vec::new());
    name
}

/// Adds weights; returns the name of their values.
pub(super) fn weights(emitter: &mut Emitter<'_>, name: String, dims: &[usize], codes: &[i16], format: Fixed) -> String {
    let (kind, _) = kind(format);
    constant(emitter, name, kind, dims, bytes(codes, kind), format.frac.into())
}

/// A layer's bias as codes at the fractional length of its accumulator, which is what it adds in integers; `None` where 32
/// bits do not hold them.
pub(super) fn bias(emitter: &Emitter<'_>, id: NodeId) -> Option<(Vec<i32>, i32)> {
    let weights = IntegerWeights::of(emitter.parameters(id)?).ok()?;
    let input = emitter.format(*emitter.net.graph.node(id).inputs.first()?)?;
    let frac = i32::from(weights.format.frac) + i32::from(input.frac);
    let codes = (0..weights.bias.len()).map(|o| i32::try_from(weights.bias_at(o, frac)).ok());
    // Beyond that a scale is no number of single precision.
    (frac.abs() < 126).then(|| codes.collect::<Option<Vec<_>>>())?.map(|codes| (codes, frac))
}

/// Adds the codes of a bias; returns the name of their values.
pub(super) fn bias_codes(
    emitter: &mut Emitter<'_>,
    name: String,
    dims: &[usize],
    (codes, frac): &(Vec<i32>, i32),
) -> String {
    let bytes = codes.iter().flat_map(|q| q.to_le_bytes()).collect();
    constant(emitter, name, kinds::INT32, dims, bytes, *frac)
}

/// Rounds a layer's result to its format. Where the type holds more codes than the format, a Clip comes before.
pub(super) fn output(emitter: &mut Emitter<'_>, id: NodeId, result: &str, format: Fixed, name: &str) {
    let (kind, whole) = kind(format);
    let node = emitter.net.graph.node(id);
    let same = node.inputs.first().and_then(|&i| emitter.format(i)) == Some(format);
    let mut result = result.to_owned();
    let limited = whole || (same && node.layer.keeps_format());
    if !limited {
        let (low, high) = format.range();
        let ends = [(low, "low"), (high, "high")].map(|(code, end)| {
            let value = format.value(i16::try_from(code).unwrap_or(i16::MAX));
            let name = emitter.part(id, end);
            emitter.floats(name, &[], vec![value])
        });
        let clipped = emitter.part(id, "clipped");
        emitter.node("Clip", &clipped, &[&result, &ends[0], &ends[1]], Vec::new());
        result = clipped;
    }
    let codes = emitter.part(id, "codes");
    let [scale, zero] = scale(emitter, name, format.frac.into(), kind);
    emitter.node("QuantizeLinear", &codes, &[&result, &scale, &zero], Vec::new());
    let node = emitter.part(id, "values");
    emitter.node_to("DequantizeLinear", &node, &[&codes, &scale, &zero], name, Vec::new());
}
