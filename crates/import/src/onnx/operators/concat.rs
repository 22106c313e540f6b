//! Concat along the channels; of shapes, one list; of all channels taken apart, the Scale that they are together.

use synapress_model::attributes::Attributes;
use synapress_model::{Error, ErrorKind, Weights};

use super::arithmetic::whole;
use super::{Call, unsupported};
use crate::onnx::values::{Activation, Constant, Line, Value};

pub(super) fn concat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    // Before operator set 4 the axis had a default.
    let axis = call.attributes.int("axis", 1)?;
    let values = (0..call.node.inputs.len()).map(|i| call.value(i)).collect::<Result<Vec<_>, _>>()?;
    let lists: Option<Vec<Vec<i64>>> = values.iter().map(whole).collect();
    if let Some(lists) = lists {
        return call.alias(Value::Constant(Constant::list(lists.concat()).into()));
    }
    if let [Value::Channels { of, .. }, ..] = &values[..] {
        let of = of.clone();
        return together(call, &of, &values, axis);
    }
    let all = (0..values.len()).map(|i| call.activation(i)).collect::<Result<Vec<_>, _>>()?;
    let first = all.first().cloned().ok_or_else(|| Error::new(ErrorKind::Graph, "the node has no inputs"))?;
    let rank = first.dims.len() + 1;
    if call.axis(axis, rank)? != if first.channels_last { rank - 1 } else { 1 } {
        let message = format!("concatenation along axis {axis} is not supported, only along the channels");
        return Err(unsupported(message));
    }
    if all.iter().any(|a| a.dims.len() != first.dims.len() || a.channels_last != first.channels_last) {
        return Err(unsupported("inputs of different numbers of axes"));
    }
    let mut nodes = Vec::with_capacity(all.len());
    for activation in &all {
        nodes.push(if first.channels_last { activation.node } else { call.builder.shaped(activation, call.name)? });
    }
    let node = call.layer("Concat", Attributes::new(), &nodes, None)?;
    let shape = call.builder.shape(node);
    let dims = [shape.channels, shape.height, shape.width].into_iter().take(first.dims.len()).collect();
    call.put_as(Activation { node, dims, channels_last: first.channels_last })
}

/// Puts channels together that were multiplied and shifted one by one.
fn together(call: &mut Call<'_, '_>, of: &Activation, values: &[Value], axis: i64) -> Result<(), Error> {
    let mut all: Vec<Line> = Vec::new();
    for value in values {
        match value {
            Value::Channels { of: same, lines, bare: false } if same == of => all.extend(lines),
            _ => return Err(unsupported("channels taken apart can be put together only with one another")),
        }
    }
    let channels = of.dims.first().copied().unwrap_or(0);
    let in_order = all.len() == channels && all.iter().enumerate().all(|(i, line)| line.channel == i);
    if call.axis(axis, of.dims.len() + 1)? != 1 || !in_order {
        return Err(unsupported("channels taken apart must all be put together again, in order, along the channels"));
    }
    let (factor, offset) = all.iter().map(|l| (l.factor, l.offset)).unzip();
    let input = call.builder.shaped(of, call.name)?;
    let a = Attributes::new().with("bias_term", true);
    let weights = Weights::dense([channels, 1, 1, 1], factor, offset);
    let node = call.layer("Scale", a, &[input], Some(weights))?;
    call.put_as(Activation { node, ..of.clone() })
}
