//! The network of a model: nodes in order, each by the [operator](super::operators) of its name.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use synapress_model::attributes::Attributes;
use synapress_model::layers;
use synapress_model::{Error, ErrorKind, Graph, Layer, Net, Node, NodeId, Shape, Weights};

use super::ends::needed;
use super::proto::{Data, Model, Tensor, kinds};
use super::values::{Activation, Constant, Numbers, Value};
use super::{OPSETS, Options, external, operators, proto};
use crate::error::Fault;
use crate::learning;

/// The network; `folder` is where external data lies.
pub(super) fn read(model: &Model, folder: &Path, options: &Options) -> Result<Net, Fault> {
    let opset = opset(model)?;
    let stored = stored(model, folder);
    let mut builder = Builder {
        model,
        folder,
        opset,
        graph: Graph::new(),
        weights: Vec::new(),
        values: HashMap::new(),
        initializers: model.graph.initializers.iter().map(|t| (t.name.as_str(), t)).collect(),
        readers: HashMap::new(),
        taken: HashSet::new(),
        views: HashMap::new(),
        // Weights that several layers share become each layer's own.
        batch: None,
        budget: stored.saturating_mul(4).saturating_add(1 << 20),
    };
    let output = builder.output(options)?;
    let needed = needed(&model.graph, output)?;
    for (i, node) in model.graph.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
        for input in node.inputs.iter().filter(|name| !name.is_empty()) {
            builder.readers.entry(input).or_default().push(i);
        }
    }
    builder.readers.entry(output).or_default().push(usize::MAX);
    builder.input(options)?;
    for (i, node) in model.graph.nodes.iter().enumerate() {
        if needed[i] && !builder.taken.contains(&i) {
            builder.node(node)?;
        }
    }
    let name = if model.graph.name.is_empty() { "onnx" } else { &model.graph.name };
    builder.finish(name, output, options)
}

/// About how many numbers the file and those beside it hold.
fn stored(model: &Model, folder: &Path) -> usize {
    let mut files: HashSet<&str> = HashSet::new();
    let numbers = model.graph.initializers.iter().map(|tensor| match &tensor.data {
        Data::Floats(v) => v.len(),
        Data::External(place) if files.insert(&place.location) => external::bytes(folder, &place.location) / 2,
        _ => 0,
    });
    numbers.fold(0usize, usize::saturating_add)
}

pub(super) fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

/// The version of the standard's own operators.
fn opset(model: &Model) -> Result<u64, Error> {
    let own = model.opsets.iter().filter(|(domain, _)| is_standard(domain)).map(|(_, version)| *version);
    let version = own.max().ok_or_else(|| Error::new(ErrorKind::Graph, "the model names no operator set"))?;
    if OPSETS.contains(&version) {
        return Ok(version);
    }
    let (first, last) = (OPSETS.start(), OPSETS.end());
    Err(unsupported(format!(
        "operator set {version} is not supported; export the model anew with one from {first} to {last}"
    )))
}

/// Whether a domain is that of the standard's own operators.
fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// What is known while nodes are read one after another.
pub(super) struct Builder<'a> {
    pub(super) model: &'a Model,
    folder: &'a Path,
    /// Version of the operators.
    pub opset: u64,
    pub(super) graph: Graph,
    pub(super) weights: Vec<Option<Weights>>,
    pub(super) values: HashMap<&'a str, Value>,
    pub(super) initializers: HashMap<&'a str, &'a Tensor>,
    /// For each value the nodes that read it; `usize::MAX` stands for the network's output.
    pub(super) readers: HashMap<&'a str, Vec<usize>>,
    /// Nodes that an earlier one's layer does besides.
    taken: HashSet<usize>,
    /// Layers that give others' output another shape.
    views: HashMap<(NodeId, [usize; 3]), NodeId>,
    /// Images that the model was exported for, if that is fixed.
    pub batch: Option<i64>,
    /// Numbers that layers may still take.
    budget: usize,
}

impl<'a> Builder<'a> {
    fn node(&mut self, node: &'a proto::Node) -> Result<(), Fault> {
        let name = [&node.name].into_iter().chain(&node.outputs).find(|n| !n.is_empty()).map_or("", String::as_str);
        let kind = if is_standard(&node.domain) { node.op.clone() } else { format!("{}.{}", node.domain, node.op) };
        operators::read(self, node, name, &kind).map_err(|error| Fault::Layer { kind, error: error.at_layer(name) })
    }

    /// What a name stands for.
    pub fn value(&self, name: &str) -> Result<Value, Error> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        match self.initializers.get(name) {
            Some(tensor) => Ok(Value::Constant(Rc::new(self.constant(tensor)?))),
            None => Err(Error::new(ErrorKind::Graph, format!("nothing before it makes the input {name:?}"))),
        }
    }

    /// The numbers of a tensor.
    pub fn constant(&self, tensor: &Tensor) -> Result<Constant, Error> {
        let about = |e: Error| Error::new(e.kind(), format!("tensor {:?}: {e}", tensor.name));
        let dims: Vec<usize> = tensor.dims.iter().map(|&d| usize::try_from(d).unwrap_or(usize::MAX)).collect();
        let numbers = |data: Data| match data {
            Data::Floats(v) => Ok(Numbers::Floats(v)),
            Data::Ints(v) => Ok(Numbers::Ints(v)),
            Data::External(_) => Err(unsupported("external data leads to external data")),
            Data::Bytes(_) | Data::Unknown => {
                Err(unsupported(format!("{} is not supported", kinds::name(tensor.kind))))
            }
        };
        let data = match &tensor.data {
            Data::External(place) => external::read(self.folder, place, tensor).map_err(about)?,
            data => data.clone(),
        };
        Ok(Constant { dims, numbers: numbers(data).map_err(about)? })
    }

    /// Names a value.
    pub fn bind(&mut self, name: &'a str, value: Value) -> Result<(), Error> {
        if self.values.insert(name, value).is_some() || self.initializers.contains_key(name) {
            return Err(Error::new(ErrorKind::Graph, format!("the value {name:?} is made twice")));
        }
        Ok(())
    }

    /// The only node that reads a value, if it is of this operator.
    pub fn only_reader(&self, name: &str, op: &str) -> Option<(usize, &'a proto::Node)> {
        let [reader] = self.readers.get(name)?[..] else { return None };
        let node = self.model.graph.nodes.get(reader)?;
        (node.op == op && is_standard(&node.domain)).then_some((reader, node))
    }

    /// Marks a node as done by another's layer.
    pub fn take(&mut self, node: usize) {
        self.taken.insert(node);
    }

    /// Adds a layer of a kind.
    pub fn layer(
        &mut self,
        name: &str,
        kind: &str,
        attributes: Attributes,
        inputs: &[NodeId],
        weights: Option<Weights>,
    ) -> Result<NodeId, Error> {
        let known = layers::by_name(kind).ok_or_else(|| unsupported(format!("there is no layer kind {kind}")))?;
        let layer: Box<dyn Layer> = (known.read)(&attributes)?;
        if let Some(weights) = &weights {
            self.spend(weights.len())?;
        }
        let node = Node { name: self.free(name), layer, inputs: inputs.to_vec(), learning: learning::start(kind) };
        let id = self.graph.push(node)?;
        match (self.graph.weight_shape(id), &weights) {
            (Some(shape), Some(weights)) => weights.check(&shape)?,
            (None, None) => {}
            _ => return Err(Error::new(ErrorKind::Weights, "weights and layer do not go together")),
        }
        self.weights.push(weights);
        Ok(id)
    }

    /// Counts numbers that a layer takes.
    pub fn spend(&mut self, numbers: usize) -> Result<(), Error> {
        self.budget = self.budget.checked_sub(numbers).ok_or_else(|| {
            let message = "layers share so many weights that each layer's own would take over four times the file";
            Error::new(ErrorKind::Weights, message)
        })?;
        Ok(())
    }

    /// A layer's name that is not taken yet.
    fn free(&self, name: &str) -> String {
        let taken = |name: &str| self.graph.find(name).is_some();
        let numbered = (2..).map(|i: u32| format!("{name}_{i}"));
        std::iter::once(name.to_owned()).chain(numbered).find(|n| !taken(n)).unwrap_or_default()
    }

    /// The shape of a layer's output.
    pub fn shape(&self, node: NodeId) -> Shape {
        self.graph.shape(node)
    }

    /// The layer that has an activation's own shape; a Flatten or Reshape of this name is added where there is none.
    pub fn shaped(&mut self, activation: &Activation, name: &str) -> Result<NodeId, Error> {
        if activation.channels_last {
            return Err(unsupported("channels come last here; transpose them to the second place"));
        }
        let (node, dims) = (activation.node, &activation.dims);
        let mut sizes = [1; 3];
        if dims.len() > sizes.len() {
            let message = format!("a shape of {} sizes besides the batch is not supported; up to 3 are", dims.len());
            return Err(unsupported(message));
        }
        sizes.iter_mut().zip(dims).for_each(|(s, d)| *s = *d);
        let shape = self.graph.shape(node);
        if [shape.channels, shape.height, shape.width] == sizes {
            return Ok(node);
        }
        if let Some(&view) = self.views.get(&(node, sizes)) {
            return Ok(view);
        }
        let name = format!("{name}/shape");
        let view = if dims.len() == 1 {
            self.layer(&name, "Flatten", Attributes::new(), &[node], None)?
        } else {
            let shape = sizes.iter().fold(Attributes::new().with("dim", 0), |a, d| a.with("dim", d));
            let mut attributes = Attributes::new();
            attributes.push("shape", synapress_model::Value::Message(shape), 0);
            self.layer(&name, "Reshape", attributes, &[node], None)?
        };
        self.views.insert((node, sizes), view);
        Ok(view)
    }

    fn finish(mut self, name: &str, output: &str, options: &Options) -> Result<Net, Fault> {
        let at = |e: Error| Fault::from(e.at_layer(output));
        let last = match self.value(output).map_err(at)? {
            Value::Layer(last) => self.shaped(&last, output).map_err(at)?,
            _ => return Err(at(unsupported("the output is no layer's; nothing is computed from the input"))),
        };
        if self.graph.heads() != [last] {
            return Err(at(unsupported("other layers are read by nobody")));
        }
        if options.softmax && self.graph.node(last).layer.loss_weight().is_none() {
            self.layer("prob", "Softmax", Attributes::new(), &[last], None).map_err(at)?;
        }
        let net = Net { name: name.to_owned(), graph: self.graph, weights: self.weights, ..Net::default() };
        net.verify()?;
        Ok(net)
    }
}
