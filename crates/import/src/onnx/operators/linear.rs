//! Gemm and MatMul by constants become fully connected layers.

use synapress_model::attributes::Attributes;
use synapress_model::{Error, ErrorKind, NodeId, Weights};

use super::arithmetic::by_channel;
use super::{Call, unsupported};
use crate::onnx::values::{Activation, Numbers, Value};

pub(super) fn gemm(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let a = &call.attributes;
    let (alpha, beta) = (a.float("alpha", 1.0)?, a.float("beta", 1.0)?);
    let transposed = a.int("transB", 0)? != 0;
    if a.int("transA", 0)? != 0 {
        return Err(unsupported("transA is not supported"));
    }
    let (dims, mut weights) = call.floats(1)?;
    let [outputs, inputs] = match dims[..] {
        [outputs, inputs] if transposed => [outputs, inputs],
        [inputs, outputs] => {
            weights = transpose(&weights, inputs, outputs);
            [outputs, inputs]
        }
        _ => return Err(unsupported(format!("weights of {} axes; two are supported", dims.len()))),
    };
    scale(&mut weights, alpha);
    let bias = match call.given(2) {
        None => Vec::new(),
        Some(_) => {
            let (dims, bias) = call.floats(2)?;
            let mut bias = by_channel(&dims, &bias, &[outputs], false)
                .ok_or_else(|| unsupported(format!("a bias of shape {dims:?} for {outputs} outputs")))?;
            scale(&mut bias, beta);
            bias
        }
    };
    fully_connected(call, outputs, inputs, weights, bias)
}

pub(super) fn mat_mul(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (dims, weights) = call.floats(1)?;
    let [inputs, outputs] = dims[..] else {
        return Err(unsupported(format!("weights of {} axes; two are supported", dims.len())));
    };
    let bias = call.added_bias(outputs, 1)?.unwrap_or_default();
    fully_connected(call, outputs, inputs, transpose(&weights, inputs, outputs), bias)
}

fn fully_connected(
    call: &mut Call<'_, '_>,
    outputs: usize,
    inputs: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
) -> Result<(), Error> {
    let activation = call.activation(0)?;
    if activation.dims != [inputs] || activation.channels_last {
        let dims = &activation.dims;
        let message = format!("weights for {inputs} inputs, but each image's input is {dims:?}; flatten it before");
        return Err(Error::new(ErrorKind::Shape, message));
    }
    let a = Attributes::new().with("num_output", outputs).with("bias_term", !bias.is_empty());
    let weights = Weights::dense([outputs, inputs, 1, 1], weights, bias);
    let node = call.layer("InnerProduct", a, &[activation.node], Some(weights))?;
    call.finish(node, 1)
}

impl Call<'_, '_> {
    /// The bias of a layer without one: constants that the only reader of its output adds.
    pub fn added_bias(&mut self, outputs: usize, axes: usize) -> Result<Option<Vec<f32>>, Error> {
        let Some((_, add)) = self.builder.only_reader(self.output()?, "Add") else { return Ok(None) };
        let mut dims = vec![1; axes];
        if let Some(first) = dims.first_mut() {
            *first = outputs;
        }
        let others = add.inputs.iter().filter(|i| Some(i.as_str()) != self.output().ok());
        for other in others {
            if let Ok(Value::Constant(constant)) = self.builder.value(other)
                && let Numbers::Floats(numbers) = &constant.numbers
                && let Some(bias) = by_channel(&constant.dims, numbers, &dims, false)
            {
                let Some((place, _)) = self.builder.only_reader(self.output()?, "Add") else { return Ok(None) };
                self.builder.take(place);
                self.add = add.outputs.first().map(String::as_str);
                return Ok(Some(bias));
            }
        }
        Ok(None)
    }

    /// Lets the output, or that of the Add that became a bias, be a layer's, whose first so many sizes count.
    pub fn finish(&mut self, node: NodeId, axes: usize) -> Result<(), Error> {
        let shape = self.builder.shape(node);
        let dims = [shape.channels, shape.height, shape.width];
        let activation = Activation { node, dims: dims.iter().take(axes).copied().collect(), channels_last: false };
        match self.add {
            Some(output) => self.builder.bind(output, Value::Layer(activation)),
            None => self.put_as(activation),
        }
    }
}

fn scale(numbers: &mut [f32], factor: f32) {
    if factor != 1.0 {
        numbers.iter_mut().for_each(|n| *n *= factor);
    }
}

/// Rows as columns.
pub(super) fn transpose(numbers: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|c| (0..rows).filter_map(move |r| numbers.get(r * columns + c).copied())).collect()
}
