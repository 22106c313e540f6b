//! Sums, products and the larger of two: of layers' outputs an Eltwise, with constants a Scale.

use synapress_model::attributes::Attributes;
use synapress_model::{Error, ErrorKind, Weights};

use super::activations::constant_floats;
use super::{Call, unsupported};
use crate::onnx::values::{Activation, Numbers, Value};

pub(super) fn add(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match constant_side(call)? {
        Some((value, c, _)) => line(call, value, &[1.0], &[1], &c.1, &c.0),
        None => eltwise(call, "SUM", &[]),
    }
}

pub(super) fn sub(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match constant_side(call)? {
        Some((value, (dims, c), true)) => line(call, value, &[-1.0], &[1], &c, &dims),
        Some((value, (dims, c), false)) => {
            let negative: Vec<f32> = c.iter().map(|v| -v).collect();
            line(call, value, &[1.0], &[1], &negative, &dims)
        }
        None => eltwise(call, "SUM", &[1.0, -1.0]),
    }
}

pub(super) fn mul(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match constant_side(call)? {
        Some((value, (dims, c), _)) => line(call, value, &c, &dims, &[], &[]),
        None => eltwise(call, "PROD", &[]),
    }
}

pub(super) fn div(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match constant_side(call)? {
        Some((value, (dims, c), false)) => {
            let inverse: Vec<f32> = c.iter().map(|v| 1.0 / v).collect();
            line(call, value, &inverse, &dims, &[], &[])
        }
        _ => Err(unsupported("division by what is no constant is not supported")),
    }
}

pub(super) fn sum(call: &mut Call<'_, '_>) -> Result<(), Error> {
    eltwise(call, "SUM", &[])
}

pub(super) fn max(call: &mut Call<'_, '_>) -> Result<(), Error> {
    eltwise(call, "MAX", &[])
}

/// Layers' outputs of one shape, combined.
fn eltwise(call: &mut Call<'_, '_>, operation: &str, coefficients: &[f32]) -> Result<(), Error> {
    let all = (0..call.node.inputs.len()).map(|i| call.activation(i)).collect::<Result<Vec<_>, _>>()?;
    let first = all.first().cloned().ok_or_else(|| Error::new(ErrorKind::Graph, "the node has no inputs"))?;
    if let Some(other) = all.iter().find(|a| a.dims != first.dims || a.channels_last != first.channels_last) {
        let message =
            format!("shapes {:?} and {:?} are not alike; stretching one is not supported", first.dims, other.dims);
        return Err(unsupported(message));
    }
    if all.len() == 1 {
        return call.put_as(first);
    }
    // Values of one shape lie alike, whatever the order of axes is called.
    let straight = all.iter().all(|a| call.builder.shape(a.node) == call.builder.shape(first.node));
    let mut nodes = Vec::with_capacity(all.len());
    for activation in &all {
        nodes.push(if straight { activation.node } else { call.builder.shaped(activation, call.name)? });
    }
    let a = Attributes::new().with_unless("operation", operation, "SUM");
    let a = coefficients.iter().fold(a, |a, c| a.with("coeff", c));
    let node = call.layer("Eltwise", a, &nodes, None)?;
    call.put_as(Activation { node, ..first })
}

/// Sizes and numbers of a constant.
type Array = (Vec<usize>, Vec<f32>);

/// The computed one of two inputs, the constant, and whether that comes first; `None` when both are computed.
fn constant_side(call: &Call<'_, '_>) -> Result<Option<(Value, Array, bool)>, Error> {
    let (first, second) = (call.value(0)?, call.value(1)?);
    let array = |value: &Value| constant_floats(value).map(|(dims, numbers)| (dims.to_vec(), numbers.to_vec()));
    match (&first, &second) {
        (Value::Constant(_), Value::Constant(_)) => Err(unsupported("arithmetic between constants is not supported")),
        (Value::Constant(_), _) => Ok(Some((second, array(&first)?, true))),
        (_, Value::Constant(_)) => Ok(Some((first, array(&second)?, false))),
        _ => Ok(None),
    }
}

/// `factor * x + offset` of a value, each one number or one for each channel; an empty offset is 0.
fn line(
    call: &mut Call<'_, '_>,
    value: Value,
    factor: &[f32],
    factor_dims: &[usize],
    offset: &[f32],
    offset_dims: &[usize],
) -> Result<(), Error> {
    if let Value::Channels { of, mut lines, bare } = value {
        let [Some(f), Some(o)] = [(factor, 1.0), (offset, 0.0)].map(|(v, default)| match v {
            [] => Some(default),
            [one] => Some(*one),
            _ => None,
        }) else {
            return Err(unsupported("a channel by itself can be combined with one number only"));
        };
        for l in &mut lines {
            (l.factor, l.offset) = (l.factor * f, l.offset * f + o);
        }
        return call.alias(Value::Channels { of, lines, bare });
    }
    let Value::Layer(activation) = value else {
        return Err(unsupported("a Pad before it is not supported, only before convolution and pooling"));
    };
    let stretched = |dims: &[usize], numbers: &[f32]| {
        by_channel(dims, numbers, &activation.dims, activation.channels_last).ok_or_else(|| {
            let (own, dims) = (&activation.dims, dims);
            let message =
                format!("a constant of shape {dims:?} for {own:?}; one number, or one for each channel, is supported");
            unsupported(message)
        })
    };
    let factor = stretched(factor_dims, factor)?;
    let mut offset = if offset.is_empty() { Vec::new() } else { stretched(offset_dims, offset)? };
    if offset.is_empty()
        && !activation.channels_last
        && let Some(bias) = call.added_bias(factor.len(), activation.dims.len())?
    {
        offset = bias;
    }
    let (input, channels_last) = match activation.channels_last {
        // The layer's own channels are what comes last.
        true => (activation.node, true),
        false => (call.builder.shaped(&activation, call.name)?, false),
    };
    let channels = call.builder.shape(input).channels;
    call.builder.spend(channels)?;
    let a = Attributes::new().with("bias_term", !offset.is_empty());
    let weights = Weights::dense([channels, 1, 1, 1], factor, offset);
    let node = call.layer("Scale", a, &[input], Some(weights))?;
    let activation = Activation { node, channels_last, ..activation };
    match call.add {
        Some(output) => call.builder.bind(output, Value::Layer(activation)),
        None => call.put_as(activation),
    }
}

/// One number for each channel of an activation of these sizes, from a constant that is stretched to it: one number, or
/// one for each channel and 1 along every other axis. `None` for any other constant.
pub(super) fn by_channel(dims: &[usize], numbers: &[f32], of: &[usize], channels_last: bool) -> Option<Vec<f32>> {
    let (rank, channels) = (of.len(), *of.first()?);
    if let [one] = numbers {
        return (dims.len() <= rank + 1).then(|| vec![*one; channels]);
    }
    if numbers.len() != channels {
        return None;
    }
    let from_end = if channels_last || rank == 1 { 1 } else { rank };
    let place = dims.len().checked_sub(from_end)?;
    (dims.len() <= rank + 1 && dims.get(place) == Some(&channels)).then(|| numbers.to_vec())
}

/// The constant of a value, if it is one of whole numbers.
pub(super) fn whole(value: &Value) -> Option<Vec<i64>> {
    match value {
        Value::Constant(constant) => match &constant.numbers {
            Numbers::Ints(numbers) => Some(numbers.clone()),
            Numbers::Floats(_) => None,
        },
        _ => None,
    }
}
