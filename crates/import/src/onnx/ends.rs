//! Where a graph begins and ends: the image input, the output that is meant, and what that one needs.

use std::collections::HashMap;

use synapress_model::layers::Input;
use synapress_model::{Error, ErrorKind, Shape};

use super::graph::{Builder, unsupported};
use super::proto::{Dim, ValueInfo, kinds};
use super::values::{Activation, Value};
use super::{Options, proto};

/// Which nodes take part in computing an output.
pub(super) fn needed(graph: &proto::Graph, output: &str) -> Result<Vec<bool>, Error> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|name| !name.is_empty()) {
            if makers.insert(name, i).is_some() {
                return Err(Error::new(ErrorKind::Graph, format!("the value {name:?} is made twice")));
            }
        }
    }
    let mut needed = vec![false; graph.nodes.len()];
    let mut open: Vec<usize> = makers.get(output).copied().into_iter().collect();
    while let Some(i) = open.pop() {
        if !std::mem::replace(&mut needed[i], true) {
            open.extend(graph.nodes[i].inputs.iter().filter_map(|name| makers.get(name.as_str())));
        }
    }
    Ok(needed)
}

impl<'a> Builder<'a> {
    /// The name of the output.
    pub(super) fn output(&self, options: &Options) -> Result<&'a str, Error> {
        let names: Vec<&'a str> = self.model.graph.outputs.iter().map(|o| o.name.as_str()).collect();
        match (&options.output, &names[..]) {
            (Some(name), names) => names.iter().copied().find(|n| n == name).ok_or_else(|| {
                let message = format!("there is no output {name:?}; there are {}", names.join(", "));
                Error::new(ErrorKind::Graph, message)
            }),
            (None, [only]) => Ok(only),
            (None, []) => Err(Error::new(ErrorKind::Graph, "the graph has no output")),
            (None, names) => {
                Err(unsupported(format!("the graph has several outputs; choose one of {}", names.join(", "))))
            }
        }
    }

    /// Adds the image input: the only one that is no initializer and that anybody reads.
    pub(super) fn input(&mut self, options: &Options) -> Result<(), Error> {
        let graph = &self.model.graph;
        let mut fed = graph
            .inputs
            .iter()
            .filter(|i| !self.initializers.contains_key(i.name.as_str()) && self.readers.contains_key(i.name.as_str()));
        let input = fed.next().ok_or_else(|| Error::new(ErrorKind::Graph, "the graph reads no input"))?;
        if let Some(other) = fed.next() {
            let message = format!("the inputs {:?} and {:?}: one image input is supported", input.name, other.name);
            return Err(unsupported(message));
        }
        let (shape, dims, channels_last) = self.image(input, options).map_err(|e| e.at_layer(&input.name))?;
        self.batch = match input.dims.first() {
            Some(Dim::Size(n)) if *n > 0 => Some(*n),
            _ => None,
        };
        let node = self.graph.add(&input.name, Input { shape }, &[])?;
        self.weights.push(None);
        self.values.insert(&input.name, Value::Layer(Activation { node, dims, channels_last }));
        Ok(())
    }

    /// The shape of the input, its sizes after the batch, and whether channels come last.
    fn image(&self, input: &ValueInfo, options: &Options) -> Result<(Shape, Vec<usize>, bool), Error> {
        if ![kinds::FLOAT, kinds::FLOAT16, kinds::DOUBLE, kinds::BFLOAT16].contains(&input.kind) {
            let kind = kinds::name(input.kind);
            return Err(unsupported(format!("the input is of {kind}; floating point is supported")));
        }
        let text = || input.dims.iter().map(Dim::to_string).collect::<Vec<_>>().join(" ");
        let rank = input.dims.len();
        let channels_last = rank == 4 && self.only_transposed(&input.name);
        if let Some(shape) = options.input_shape {
            let dims = vec![shape.channels, shape.height, shape.width];
            return Ok((shape, if rank == 2 { vec![shape.len()] } else { dims }, channels_last));
        }
        let size = |dim: &Dim| match dim {
            Dim::Size(n) => usize::try_from(*n).ok().filter(|&n| n > 0),
            Dim::Free(_) => None,
        };
        let sizes: Option<Vec<usize>> = input.dims.iter().skip(1).map(size).collect();
        let sizes = sizes.ok_or_else(|| {
            let message = format!("the input's sizes {} are not all known; give them by --input C,H,W", text());
            Error::new(ErrorKind::Shape, message)
        })?;
        let (c, h, w) = match sizes[..] {
            [c] => (c, 1, 1),
            [h, w, c] if channels_last => (c, h, w),
            [c, h, w] => (c, h, w),
            _ => {
                let message = format!("an input of sizes {}; batch, channels, height and width are supported", text());
                return Err(unsupported(message));
            }
        };
        Ok((Shape::new(c, h, w)?, if rank == 2 { vec![c] } else { vec![c, h, w] }, channels_last))
    }

    /// Whether all that is done with a value is to move its last axis to the second place.
    fn only_transposed(&self, name: &str) -> bool {
        let readers = self.readers.get(name).map_or(&[][..], Vec::as_slice);
        let moves = |node: &proto::Node| {
            let perm = node.attributes.iter().find(|a| a.name == "perm");
            node.op == "Transpose" && perm.is_some_and(|a| a.value == proto::Value::Ints(vec![0, 3, 1, 2]))
        };
        !readers.is_empty() && readers.iter().all(|&i| self.model.graph.nodes.get(i).is_some_and(moves))
    }
}
