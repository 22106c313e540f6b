//! Pad around height and width, for the convolution or pooling that reads it.

use synapress_model::{Error, ErrorKind, Shape};

use super::{Call, unsupported};
use crate::onnx::values::{Padding, Value};

pub(super) fn pad(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let activation = call.activation(0)?;
    let mode = call.attributes.text("mode", "constant")?;
    if mode != "constant" {
        return Err(unsupported(format!("mode {mode} is not supported, only constant")));
    }
    let value = match call.given(2) {
        None => call.attributes.float("value", 0.0)?,
        Some(_) => call.constant(2)?.scalar().ok_or_else(|| unsupported("the constant is not one number"))?,
    };
    let pads = call.list("pads", 1)?.unwrap_or_default();
    let rank = activation.dims.len() + 1;
    let mut sides = [vec![0i64; rank], vec![0; rank]];
    let axes = match call.given(3) {
        None => (0..rank).collect(),
        Some(_) => call.ints(3)?.iter().map(|&a| call.axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
    };
    if pads.len() != 2 * axes.len() {
        let message = format!("{} pads for {} axes; two for each are needed", pads.len(), axes.len());
        return Err(Error::new(ErrorKind::Attribute, message));
    }
    for (i, &axis) in axes.iter().enumerate() {
        for (side, first) in sides.iter_mut().zip([0, axes.len()]) {
            if let (Some(slot), Some(&pad)) = (side.get_mut(axis), pads.get(first + i)) {
                *slot = pad;
            }
        }
    }
    if sides.iter().flatten().all(|&p| p == 0) {
        return call.put_as(activation);
    }
    let space = |side: &[i64]| -> Result<[usize; 2], Error> {
        let axes = match (side, activation.channels_last) {
            ([0, 0, y, x], false) | ([0, y, x, 0], true) => [*y, *x],
            _ => return Err(unsupported(format!("pads {pads:?}; only height and width of images can be padded"))),
        };
        let mut sizes = [0; 2];
        for (size, pad) in sizes.iter_mut().zip(axes) {
            let small = usize::try_from(pad).ok().filter(|&p| p <= Shape::MOST);
            *size = small.ok_or_else(|| unsupported(format!("padding of {pad} is not supported; 0 and more are")))?;
        }
        Ok(sizes)
    };
    let padding = Padding { before: space(&sides[0])?, behind: space(&sides[1])?, value };
    call.alias(Value::Padded(activation, padding))
}
