//! Pooling. Rounding up, padding that counts or does not, and padding of a Pad before it all have an attribute of the
//! layer; what Caffe and the standard see differently about the last window is told apart here.

use synapress_model::attributes::Attributes;
use synapress_model::{Error, Shape};

use super::windows::Windows;
use super::{Call, unsupported};
use crate::onnx::values::{Padding, Value};

pub(super) fn max(call: &mut Call<'_, '_>) -> Result<(), Error> {
    if call.attributes.int("storage_order", 0)? != 0 {
        return Err(unsupported("storage_order is not supported"));
    }
    pooling(call, "MAX", f32::NEG_INFINITY, true)
}

pub(super) fn average(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let count = call.attributes.int("count_include_pad", 0)? != 0;
    pooling(call, "AVE", 0.0, count)
}

/// Pooling by a method; a Pad before it must put `neutral` around.
fn pooling(call: &mut Call<'_, '_>, method: &str, neutral: f32, mut count: bool) -> Result<(), Error> {
    let (activation, padding) = match call.value(0)? {
        Value::Padded(activation, padding) => (activation, Some(padding)),
        _ => (call.activation(0)?, None),
    };
    let (node, input) = call.maps_of(&activation)?;
    let mut windows = Windows::read(call, None, padded(input, padding.as_ref())?)?;
    let round_up = call.attributes.int("ceil_mode", 0)? != 0;
    if windows.dilation != [1; 2] {
        return Err(unsupported("dilations other than 1 are not supported in pooling"));
    }
    if let Some(padding) = &padding {
        if padding.value != neutral {
            return Err(unsupported(format!(
                "a Pad with {} before it is not supported, only with {neutral}",
                padding.value
            )));
        }
        if method == "AVE" && windows.is_padded() && !count {
            return Err(unsupported("a Pad that counts and padding that does not are not supported together"));
        }
        count = true;
        if round_up {
            same_positions(&windows, padding, input)?;
        }
        windows = windows.padded(padding);
    }
    // Without padding it is all one.
    let count = count || !windows.is_padded();
    let a = windows.attributes(Attributes::new().with("pool", method));
    let a = a.with("round_mode", if round_up { "CEIL" } else { "FLOOR" }).with("count_include_pad", count);
    let node = call.layer("Pooling", a, &[node], None)?;
    call.put(node)
}

/// An image with a Pad around it.
fn padded(input: Shape, padding: Option<&Padding>) -> Result<Shape, Error> {
    let Some(p) = padding else { return Ok(input) };
    let size = |i: usize| input.size()[i].saturating_add(p.before[i]).saturating_add(p.behind[i]);
    Shape::new(input.channels, size(0), size(1))
}

/// Refuses windows of which the last begins in a Pad behind the image: it counts there, but not in padding.
fn same_positions(windows: &Windows, padding: &Padding, input: Shape) -> Result<(), Error> {
    for (i, size) in input.size().into_iter().enumerate() {
        let (before, stride) = (windows.before[i].saturating_add(padding.before[i]), windows.stride[i]);
        let whole = size.saturating_add(before).saturating_add(padding.behind[i]).saturating_add(windows.behind[i]);
        let steps = whole.saturating_sub(windows.kernel[i]).div_ceil(stride);
        if steps.saturating_mul(stride) >= size.saturating_add(before) {
            return Err(unsupported(
                "with ceil_mode the last window would begin in the Pad before it; export without one",
            ));
        }
    }
    Ok(())
}

pub(super) fn global_average(call: &mut Call<'_, '_>) -> Result<(), Error> {
    global(call, "AVE")
}

pub(super) fn global_max(call: &mut Call<'_, '_>) -> Result<(), Error> {
    global(call, "MAX")
}

fn global(call: &mut Call<'_, '_>, method: &str) -> Result<(), Error> {
    let (node, _) = call.maps(0)?;
    let a = Attributes::new().with("pool", method).with("global_pooling", true);
    let node = call.layer("Pooling", a, &[node], None)?;
    call.put(node)
}
