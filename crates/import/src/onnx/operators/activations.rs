//! What is done to each value by itself, and Softmax.

use synapress_model::attributes::Attributes;
use synapress_model::{Error, ErrorKind, Weights};

use super::arithmetic::by_channel;
use super::{Call, unsupported};
use crate::onnx::values::{Activation, Numbers, Value};

pub(super) fn relu(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.each("ReLU", Attributes::new())
}

pub(super) fn leaky_relu(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let slope = call.attributes.float("alpha", 0.01)?;
    call.each("ReLU", Attributes::new().with("negative_slope", slope))
}

pub(super) fn sigmoid(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.each("Sigmoid", Attributes::new())
}

pub(super) fn tanh(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.each("TanH", Attributes::new())
}

pub(super) fn p_relu(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let activation = call.activation(0)?;
    let (dims, slopes) = call.floats(1)?;
    let input = call.builder.shaped(&activation, call.name)?;
    let shared = slopes.len() == 1;
    let slopes = if shared { Some(slopes) } else { by_channel(&dims, &slopes, &activation.dims, false) };
    let slopes =
        slopes.ok_or_else(|| unsupported("slopes other than one, or one for each channel, are not supported"))?;
    let a = Attributes::new().with("channel_shared", shared);
    let weights = Weights::dense([slopes.len(), 1, 1, 1], slopes, Vec::new());
    let node = call.layer("PReLU", a, &[input], Some(weights))?;
    call.put_as(Activation { node, ..activation })
}

/// Both ends are attributes up to operator set 10 and inputs afterwards; either may be left out.
pub(super) fn clip(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let end = |name: &str, input: usize, default: f32| match call.given(input) {
        None => call.attributes.float(name, default),
        Some(_) => {
            let wrong = || unsupported(format!("{name} is not one number"));
            call.constant(input)?.scalar().ok_or_else(wrong)
        }
    };
    let (min, max) = (end("min", 1, f32::MIN)?, end("max", 2, f32::MAX)?);
    // Ends that nothing reaches.
    let (min, max) = (min.max(f32::MIN), max.min(f32::MAX));
    if (min, max) == (0.0, f32::MAX) {
        return relu(call);
    }
    call.each("Clip", Attributes::new().with("min", min).with("max", max))
}

/// It drops nothing at inference; the layer keeps the ratio for training.
pub(super) fn dropout(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let ratio = match call.given(1) {
        None => call.attributes.float("ratio", 0.5)?,
        Some(_) => call.constant(1)?.scalar().ok_or_else(|| unsupported("ratio is not one number"))?,
    };
    call.attributes.ignore(&["seed"]);
    if call.given(2).is_some()
        && let Numbers::Ints(training) = &call.constant(2)?.numbers
        && training.iter().any(|&t| t != 0)
    {
        return Err(unsupported("training_mode is not supported; export the network for inference"));
    }
    call.each("Dropout", Attributes::new().with("dropout_ratio", ratio))
}

pub(super) fn identity(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let value = call.value(0)?;
    call.alias(value)
}

pub(super) fn softmax(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let activation = call.activation(0)?;
    let rank = activation.dims.len() + 1;
    // Up to operator set 12 all axes from this one on are taken together.
    let together = call.builder.opset < 13;
    let axis = call.axis(call.attributes.int("axis", if together { 1 } else { -1 })?, rank)?;
    let behind: usize = activation.dims.iter().skip(1).product();
    if axis != 1 || (together && behind != 1) {
        let message = format!("a softmax over axis {axis} of {rank}; over the channels, axis 1, is supported");
        return Err(unsupported(message));
    }
    let input = call.builder.shaped(&activation, call.name)?;
    let node = call.layer("Softmax", Attributes::new(), &[input], None)?;
    call.put_as(Activation { node, ..activation })
}

/// Refuses what is no constant where one is needed.
pub(super) fn constant_floats(value: &Value) -> Result<(&[usize], &[f32]), Error> {
    match value {
        Value::Constant(constant) => match &constant.numbers {
            Numbers::Floats(numbers) => Ok((&constant.dims, numbers)),
            Numbers::Ints(_) => Err(unsupported("arithmetic with whole numbers is not supported")),
        },
        _ => Err(Error::new(ErrorKind::Graph, "a constant is needed")),
    }
}
