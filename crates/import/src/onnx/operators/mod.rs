//! The operators that are understood: one entry of a list each, and the rule by which a node becomes a layer, a constant
//! or another view of a layer's output.

mod activations;
mod arithmetic;
mod concat;
mod constants;
mod convolution;
mod linear;
mod normalization;
mod pad;
mod pooling;
mod reduce;
mod shapes;
mod windows;

use std::rc::Rc;

use synapress_model::attributes::Attributes;
use synapress_model::{Error, ErrorKind, NodeId, Shape, Weights};

use super::attributes::Named;
use super::graph::Builder;
use super::proto;
use super::values::{Activation, Constant, Numbers, Value};

/// An operator's name and its rule.
struct Operator {
    name: &'static str,
    read: fn(&mut Call<'_, '_>) -> Result<(), Error>,
}

const fn operator(name: &'static str, read: fn(&mut Call<'_, '_>) -> Result<(), Error>) -> Operator {
    Operator { name, read }
}

/// Every operator.
const OPERATORS: &[Operator] = &[
    operator("Add", arithmetic::add),
    operator("AveragePool", pooling::average),
    operator("BatchNormalization", normalization::batch),
    operator("Cast", constants::cast),
    operator("Clip", activations::clip),
    operator("Concat", concat::concat),
    operator("Constant", constants::constant),
    operator("Conv", convolution::conv),
    operator("Div", arithmetic::div),
    operator("Dropout", activations::dropout),
    operator("Flatten", shapes::flatten),
    operator("Gather", constants::gather),
    operator("Gemm", linear::gemm),
    operator("GlobalAveragePool", pooling::global_average),
    operator("GlobalMaxPool", pooling::global_max),
    operator("Identity", activations::identity),
    operator("LRN", normalization::local_response),
    operator("LeakyRelu", activations::leaky_relu),
    operator("MatMul", linear::mat_mul),
    operator("Max", arithmetic::max),
    operator("MaxPool", pooling::max),
    operator("Mul", arithmetic::mul),
    operator("PRelu", activations::p_relu),
    operator("Pad", pad::pad),
    operator("ReduceMean", reduce::mean),
    operator("Relu", activations::relu),
    operator("Reshape", shapes::reshape),
    operator("Shape", constants::shape),
    operator("Sigmoid", activations::sigmoid),
    operator("Slice", constants::slice),
    operator("Softmax", activations::softmax),
    operator("Squeeze", shapes::squeeze),
    operator("Sub", arithmetic::sub),
    operator("Sum", arithmetic::sum),
    operator("Tanh", activations::tanh),
    operator("Transpose", shapes::transpose),
    operator("Unsqueeze", shapes::unsqueeze),
];

/// The names of all operators that are understood, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|o| o.name)
}

/// Applies the rule of a node's operator, which is called `kind`.
pub(super) fn read<'a>(builder: &mut Builder<'a>, node: &'a proto::Node, name: &str, kind: &str) -> Result<(), Error> {
    let operator = OPERATORS.iter().find(|o| o.name == kind).ok_or_else(|| unknown(kind))?;
    let mut call = Call { builder, node, name, attributes: Named::new(node), add: None };
    (operator.read)(&mut call)?;
    call.attributes.finish()
}

fn unknown(kind: &str) -> Error {
    let advice = match kind {
        "QuantizeLinear" | "DequantizeLinear" | "QLinearConv" | "ConvInteger" | "DynamicQuantizeLinear" => {
            "import the network in floating point and quantize it by `synapress quantize`"
        }
        "If" | "Loop" | "Scan" => "export the network for inference, without control flow",
        "LogSoftmax" => "export the network without it, or with Softmax: the order of the classes is the same",
        _ => "export the network without it, or in operators that are supported; README lists them",
    };
    unsupported(format!("the operator {kind} is not supported; {advice}"))
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

/// A node whose rule is being applied.
struct Call<'b, 'a> {
    builder: &'b mut Builder<'a>,
    node: &'a proto::Node,
    /// The name of its layer.
    name: &'b str,
    attributes: Named<'a>,
    /// The output of an Add behind it that became its bias.
    add: Option<&'a str>,
}

impl<'a> Call<'_, 'a> {
    /// The name of an input, if it is given.
    fn given(&self, input: usize) -> Option<&'a str> {
        self.node.inputs.get(input).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// An input's value.
    fn value(&self, input: usize) -> Result<Value, Error> {
        let missing = || Error::new(ErrorKind::Graph, format!("input {input} is missing"));
        self.builder.value(self.given(input).ok_or_else(missing)?)
    }

    /// An input that some layer puts out.
    fn activation(&self, input: usize) -> Result<Activation, Error> {
        match self.value(input)? {
            Value::Layer(activation) => Ok(activation),
            Value::Padded(..) => {
                Err(unsupported("a Pad before it is not supported, only before convolution and pooling"))
            }
            Value::Channels { .. } => Err(unsupported(
                "taking channels apart is supported only to multiply and shift each and to put all together again",
            )),
            Value::Constant(_) => {
                Err(unsupported(format!("input {input} is a constant; a layer's output is supported")))
            }
        }
    }

    /// An input that is a constant.
    fn constant(&self, input: usize) -> Result<Rc<Constant>, Error> {
        match self.value(input)? {
            Value::Constant(constant) => Ok(constant),
            _ => Err(unsupported(format!("input {input} is computed; only a constant is supported there"))),
        }
    }

    /// The numbers and sizes of an input that is a constant in floating point.
    fn floats(&self, input: usize) -> Result<(Vec<usize>, Vec<f32>), Error> {
        let constant = self.constant(input)?;
        let constant = Rc::try_unwrap(constant).unwrap_or_else(|shared| (*shared).clone());
        match constant.numbers {
            Numbers::Floats(numbers) => Ok((constant.dims, numbers)),
            Numbers::Ints(_) => Err(unsupported(format!("input {input} is of whole numbers, not floating point"))),
        }
    }

    /// The numbers of an input that is a list of whole numbers.
    fn ints(&self, input: usize) -> Result<Vec<i64>, Error> {
        match &self.constant(input)?.numbers {
            Numbers::Ints(numbers) => Ok(numbers.clone()),
            Numbers::Floats(_) => Err(unsupported(format!("input {input} is in floating point, not of whole numbers"))),
        }
    }

    /// The layer of an input, and its channels, height and width; vectors are refused.
    fn maps(&mut self, input: usize) -> Result<(NodeId, Shape), Error> {
        let activation = self.activation(input)?;
        self.maps_of(&activation)
    }

    fn maps_of(&mut self, activation: &Activation) -> Result<(NodeId, Shape), Error> {
        if activation.dims.len() != 3 {
            let message = format!(
                "an input of {} axes; batch, channels, height and width are supported",
                activation.dims.len() + 1
            );
            return Err(unsupported(message));
        }
        let node = self.builder.shaped(activation, self.name)?;
        Ok((node, self.builder.shape(node)))
    }

    /// Adds a layer of the node's name.
    fn layer(
        &mut self,
        kind: &str,
        attributes: Attributes,
        inputs: &[NodeId],
        weights: Option<Weights>,
    ) -> Result<NodeId, Error> {
        self.builder.layer(self.name, kind, attributes, inputs, weights)
    }

    /// Lets the first output be a layer's, with the layer's own shape.
    fn put(&mut self, node: NodeId) -> Result<(), Error> {
        let Shape { channels, height, width } = self.builder.shape(node);
        self.put_as(Activation { node, dims: vec![channels, height, width], channels_last: false })
    }

    /// Lets the first output be a layer's under some shape.
    fn put_as(&mut self, activation: Activation) -> Result<(), Error> {
        self.alias(Value::Layer(activation))
    }

    /// Lets the first output be a value; others cannot be read.
    fn alias(&mut self, value: Value) -> Result<(), Error> {
        let output = self.output()?;
        self.builder.bind(output, value)
    }

    /// The name of the first output.
    fn output(&self) -> Result<&'a str, Error> {
        let missing = || Error::new(ErrorKind::Graph, "the node has no output");
        self.node.outputs.first().map(String::as_str).filter(|o| !o.is_empty()).ok_or_else(missing)
    }

    /// A layer that works on each value by itself: any shape goes through as it is.
    fn each(&mut self, kind: &str, attributes: Attributes) -> Result<(), Error> {
        let activation = self.activation(0)?;
        let node = self.layer(kind, attributes, &[activation.node], None)?;
        self.put_as(Activation { node, ..activation })
    }

    /// An axis, counted from the front.
    fn axis(&self, axis: i64, rank: usize) -> Result<usize, Error> {
        let rank_i = i64::try_from(rank).unwrap_or(i64::MAX);
        let from_front = if axis < 0 { axis.saturating_add(rank_i) } else { axis };
        usize::try_from(from_front)
            .ok()
            .filter(|&a| a < rank)
            .ok_or_else(|| Error::new(ErrorKind::Attribute, format!("there is no axis {axis} among {rank}")))
    }

    /// Whole numbers that older operator sets have as an attribute and newer ones as an input.
    fn list(&self, attribute: &str, input: usize) -> Result<Option<Vec<i64>>, Error> {
        match self.given(input) {
            Some(_) => self.ints(input).map(Some),
            None => self.attributes.ints(attribute),
        }
    }
}
