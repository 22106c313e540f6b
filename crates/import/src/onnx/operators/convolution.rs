//! Conv becomes a Convolution; zeros of a Pad before it and constants of an Add behind it become its own.

use synapress_model::attributes::Attributes;
use synapress_model::{Error, ErrorKind, Weights};

use super::windows::Windows;
use super::{Call, unsupported};
use crate::onnx::values::Value;

pub(super) fn conv(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (activation, padding) = match call.value(0)? {
        Value::Padded(activation, padding) => (activation, Some(padding)),
        _ => (call.activation(0)?, None),
    };
    let (node, input) = call.maps_of(&activation)?;
    let (dims, weights) = call.floats(1)?;
    let [outputs, inputs, height, width] = dims[..] else {
        let message = format!("weights of {} axes; outputs, inputs, height and width are supported", dims.len());
        return Err(unsupported(message));
    };
    let mut windows = Windows::read(call, Some([height, width]), input)?;
    if let Some(padding) = padding {
        if padding.value != 0.0 {
            return Err(unsupported(format!("a Pad with {} before it is not supported, only with 0", padding.value)));
        }
        windows = windows.padded(&padding);
    }
    let groups = call.attributes.int("group", 1)?;
    let fits = usize::try_from(groups).ok().and_then(|g| g.checked_mul(inputs)) == Some(input.channels);
    if !fits {
        let channels = input.channels;
        let message = format!("{groups} groups of {inputs} channels in the weights, but the input has {channels}");
        return Err(Error::new(ErrorKind::Shape, message));
    }
    let bias = match call.given(2) {
        Some(_) => Some(call.floats(2)?.1),
        None => call.added_bias(outputs, 3)?,
    };
    let [dilation_y, dilation_x] = windows.dilation;
    let a = windows.attributes(Attributes::new().with("num_output", outputs).with("group", groups));
    let a = a.with("dilation_h", dilation_y).with("dilation_w", dilation_x).with("bias_term", bias.is_some());
    let weights = Weights::dense([outputs, inputs, height, width], weights, bias.unwrap_or_default());
    let node = call.layer("Convolution", a, &[node], Some(weights))?;
    call.finish(node, 3)
}
