//! The meaning of a quantized network: every layer's own integer form, one after another. Slow, and what a session
//! must equal.

use synapress_model::linear::IntegerWeights;
use synapress_model::{Error, ErrorKind, Fixed, IntegerForward, Integers, Net};

/// The fault of a network without integers.
pub(super) fn not_quantized() -> Error {
    Error::new(ErrorKind::Format, "the network is not quantized; run `quantize` first")
}

/// The formats of a quantized network that is sound.
fn integers(net: &Net) -> Result<&Integers, Error> {
    let integers = net.integers.as_ref().ok_or_else(not_quantized)?;
    net.verify()?;
    Ok(integers)
}

/// Every node's integers for one preprocessed image `(C, H, W)`. A softmax has none: its entry is empty.
///
/// # Errors
/// [`ErrorKind::Format`] when the network is not quantized; [`ErrorKind::Shape`] when the image has another size;
/// [`ErrorKind::Unsupported`] when a layer has no integer form. They name the layer.
pub fn definition(net: &Net, image: &[f32]) -> Result<Vec<Vec<i16>>, Error> {
    let formats = integers(net)?;
    let input = net.graph.input()?;
    let shape = net.graph.shape(input);
    if image.len() != shape.len() {
        let message = format!("the image has {} values, the network takes {shape} ({})", image.len(), shape.len());
        return Err(Error::new(ErrorKind::Shape, message));
    }
    let mut outputs: Vec<Vec<i16>> = Vec::new();
    for (id, node) in net.graph.nodes().iter().enumerate() {
        let to = formats.outputs[id];
        if id == input {
            outputs.push(image.iter().map(|&x| to.quantize(x)).collect());
            continue;
        }
        if node.layer.loss_weight().is_some() {
            outputs.push(Vec::new());
            continue;
        }
        let at = |e: Error| e.at_layer(&node.name);
        let inputs: Vec<&[i16]> = node.inputs.iter().map(|&i| &outputs[i][..]).collect();
        if inputs.iter().any(|i| i.is_empty()) {
            return Err(at(Error::new(ErrorKind::Unsupported, "a softmax has no integers to read")));
        }
        let input_formats: Vec<Fixed> = node.inputs.iter().map(|&i| formats.outputs[i]).collect();
        let weights = net.weights[id].as_ref().map(IntegerWeights::of).transpose().map_err(at)?;
        let output_shape = net.graph.shape(id);
        let mut output = vec![0; output_shape.len()];
        node.layer
            .forward_integer(IntegerForward {
                inputs: &inputs,
                input_shapes: &net.graph.input_shapes(id),
                input_formats: &input_formats,
                output: &mut output,
                output_shape,
                output_format: to,
                weights: weights.as_ref(),
                table: &formats.tables[id],
            })
            .map_err(at)?;
        outputs.push(output);
    }
    Ok(outputs)
}
