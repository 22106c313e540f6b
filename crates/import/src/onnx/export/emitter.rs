//! What layers write their nodes and constants to.

use std::collections::HashSet;

use synapress_model::{Fixed, Net, NodeId, Weights};

use super::rounding;
use crate::onnx::proto::{Attribute, Dim, Graph, Model, Node, Tensor, Value, ValueInfo, kinds};

/// The operator set that is written, and the version of the format that goes with it.
const OPSET: (u64, u64) = (13, 7);

/// Those that have numbers of 16 bits.
const WIDE: (u64, u64) = (21, 10);

/// A layer's output in the model.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    pub name: String,
    /// Whether it has no height and width.
    pub flat: bool,
}

/// A model in the making.
#[derive(Debug)]
pub(super) struct Emitter<'a> {
    pub net: &'a Net,
    /// Whether numbers are rounded as in the quantized network.
    pub rounded: bool,
    pub graph: Graph,
    /// Each layer's output so far.
    pub outputs: Vec<Output>,
    /// Names that are taken.
    names: HashSet<String>,
    /// Whether numbers of 16 bits occur.
    pub wide: bool,
}

impl<'a> Emitter<'a> {
    pub fn new(net: &'a Net, rounded: bool) -> Self {
        let names = net.graph.nodes().iter().map(|n| n.name.clone()).collect();
        let graph = Graph { name: net.name.clone(), ..Graph::default() };
        Self { net, rounded, graph, outputs: Vec::new(), names, wide: false }
    }

    /// A name that begins like this and that nothing else has.
    pub fn fresh(&mut self, name: String) -> String {
        let mut free = name.clone();
        let mut i = 1;
        while !self.names.insert(free.clone()) {
            i += 1;
            free = format!("{name}_{i}");
        }
        free
    }

    pub fn layer_name(&self, id: NodeId) -> &'a str {
        &self.net.graph.node(id).name
    }

    /// The only name of what a node puts out, when it is `part` of a layer's work.
    pub fn part(&mut self, id: NodeId, part: &str) -> String {
        self.fresh(format!("{}/{part}", self.layer_name(id)))
    }

    /// Adds a node that puts out a value of its own name.
    pub fn node(&mut self, op: &str, name: &str, inputs: &[&str], attributes: Vec<Attribute>) {
        self.node_to(op, name, inputs, name, attributes);
    }

    /// Adds a node.
    pub fn node_to(&mut self, op: &str, name: &str, inputs: &[&str], output: &str, attributes: Vec<Attribute>) {
        self.graph.nodes.push(Node {
            name: name.to_owned(),
            op: op.to_owned(),
            domain: String::new(),
            inputs: inputs.iter().map(|&i| i.to_owned()).collect(),
            outputs: vec![output.to_owned()],
            attributes,
        });
    }

    /// Adds a constant in single precision; returns its name.
    pub fn floats(&mut self, name: String, dims: &[usize], numbers: Vec<f32>) -> String {
        self.graph.initializers.push(Tensor::floats(&name, dims, numbers));
        name
    }

    /// A layer's input as it is.
    pub fn input(&self, id: NodeId, input: usize) -> Output {
        self.net.graph.node(id).inputs.get(input).and_then(|&i| self.outputs.get(i)).cloned().unwrap_or_default()
    }

    /// The name of a layer's input with height and width; they are put behind a vector by a Reshape.
    pub fn maps(&mut self, id: NodeId, input: usize) -> String {
        let output = self.input(id, input);
        if !output.flat {
            return output.name;
        }
        let shapes = self.net.graph.input_shapes(id);
        let sizes = shapes.get(input).map_or([1; 3], |s| [s.channels, s.height, s.width]);
        let name = self.part(id, "maps");
        self.reshape(id, &name, &output.name, sizes);
        name
    }

    /// Adds a Reshape of each image.
    pub fn reshape(&mut self, id: NodeId, name: &str, input: &str, sizes: [usize; 3]) {
        let shape = self.part(id, "sizes");
        let sizes = sizes.iter().map(|&s| i64::try_from(s).unwrap_or(i64::MAX));
        let sizes = std::iter::once(0).chain(sizes).collect();
        self.graph.initializers.push(Tensor::ints(&shape, &[4], sizes));
        self.node("Reshape", name, &[input, &shape], Vec::new());
    }

    /// The name of a layer's input as a vector.
    pub fn vector(&mut self, id: NodeId, input: usize) -> String {
        let output = self.input(id, input);
        if output.flat {
            return output.name;
        }
        let name = self.part(id, "flatten");
        self.node("Flatten", &name, &[&output.name], vec![int("axis", 1)]);
        name
    }

    /// A layer's weights and bias.
    pub fn parameters(&self, id: NodeId) -> Option<&'a Weights> {
        self.net.weights.get(id)?.as_ref()
    }

    /// The format of a layer's output, if numbers are rounded.
    pub fn format(&self, id: NodeId) -> Option<Fixed> {
        let formats = self.net.integers.as_ref().filter(|_| self.rounded)?;
        formats.outputs.get(id).copied()
    }

    /// Adds a layer's weights under some shape, rounded or not; returns the name of their value.
    pub fn weights(&mut self, id: NodeId, dims: &[usize]) -> String {
        let Some(weights) = self.parameters(id) else { return String::new() };
        let name = self.part(id, "weight");
        match weights.codes().filter(|_| self.rounded) {
            Some((codes, format)) => rounding::weights(self, name, dims, &codes, format),
            None => self.floats(name, dims, weights.values().into_owned()),
        }
    }

    /// Adds a layer's bias under some shape, if it has one; returns the name of its value.
    pub fn bias(&mut self, id: NodeId, dims: &[usize]) -> Option<String> {
        let weights = self.parameters(id).filter(|w| !w.bias.is_empty())?;
        let name = self.part(id, "bias");
        if self.rounded
            && let Some(codes) = rounding::bias(self, id)
        {
            return Some(rounding::bias_codes(self, name, dims, &codes));
        }
        Some(self.floats(name, dims, weights.bias.values().into_owned()))
    }

    /// The name under which a layer's nodes put out what it computes, before rounding.
    pub fn result(&mut self, id: NodeId) -> String {
        if self.rounds(id) { self.part(id, "float") } else { self.layer_name(id).to_owned() }
    }

    /// Whether a layer's output is rounded.
    pub fn rounds(&self, id: NodeId) -> bool {
        let layer = &self.net.graph.node(id).layer;
        let input = self.net.graph.node(id).inputs.first().and_then(|&i| self.format(i));
        let same = layer.is_view() && input == self.format(id);
        self.format(id).is_some() && layer.loss_weight().is_none() && !same
    }

    /// Ends a layer whose nodes put out `result`.
    pub fn done(&mut self, id: NodeId, result: String, flat: bool) {
        let name = match self.format(id).filter(|_| self.rounds(id)) {
            None => result,
            Some(format) => {
                let input = self.net.graph.node(id).inputs.is_empty();
                let name = if input { self.part(id, "rounded") } else { self.layer_name(id).to_owned() };
                rounding::output(self, id, &result, format, &name);
                name
            }
        };
        self.outputs.push(Output { name, flat });
    }

    pub fn finish(mut self) -> Model {
        let info = |name: &str, sizes: Vec<usize>| {
            let sizes = sizes.into_iter().map(|s| Dim::Size(i64::try_from(s).unwrap_or(i64::MAX)));
            let dims = std::iter::once(Dim::Free("batch".to_owned())).chain(sizes).collect();
            ValueInfo { name: name.to_owned(), kind: kinds::FLOAT, dims }
        };
        for (id, node) in self.net.graph.nodes().iter().enumerate().filter(|(_, n)| n.inputs.is_empty()) {
            let s = self.net.graph.shape(id);
            self.graph.inputs.push(info(&node.name, vec![s.channels, s.height, s.width]));
        }
        for id in self.net.graph.heads() {
            let s = self.net.graph.shape(id);
            let output = self.outputs.get(id).cloned().unwrap_or_default();
            let sizes = if output.flat { vec![s.channels] } else { vec![s.channels, s.height, s.width] };
            self.graph.outputs.push(info(&output.name, sizes));
        }
        let (opset, ir_version) = if self.wide { WIDE } else { OPSET };
        let producer = "synapress".to_owned();
        Model { ir_version, producer, opsets: vec![(String::new(), opset)], graph: self.graph, bytes: 0 }
    }
}

/// An attribute of one whole number.
pub(super) fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.to_owned(), value: Value::Int(value) }
}

/// An attribute of one number.
pub(super) fn float(name: &str, value: f32) -> Attribute {
    Attribute { name: name.to_owned(), value: Value::Float(value) }
}

/// An attribute of sizes.
pub(super) fn sizes(name: &str, values: &[usize]) -> Attribute {
    let values = values.iter().map(|&v| i64::try_from(v).unwrap_or(i64::MAX)).collect();
    Attribute { name: name.to_owned(), value: Value::Ints(values) }
}
