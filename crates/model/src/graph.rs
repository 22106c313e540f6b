//! The layers and what feeds them.

use std::collections::HashMap;

use crate::error::{Error, ErrorKind};
use crate::layer::Layer;
use crate::shape::Shape;
use crate::weights::WeightShape;

/// A node's place in its graph.
pub type NodeId = usize;

/// How fast one kind of parameter learns, relative to the solver's rates (Caffe's `lr_mult` and `decay_mult`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Factor on the learning rate.
    pub learn: f32,
    /// Factor on the weight decay.
    pub decay: f32,
}

/// What a training run starts a parameter from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filler {
    /// Every value the same.
    Constant(f32),
    /// Uniform in a range.
    Uniform(f32, f32),
    /// Normal: mean and standard deviation.
    Gaussian(f32, f32),
    /// Uniform with variance 1 / inputs (Glorot and Bengio 2010, Caffe's `FAN_IN` form).
    Xavier,
    /// Normal with variance 2 / inputs (He et al. 2015).
    Msra,
}

/// How a node's parameters are trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learning {
    /// Rates of the weights.
    pub weights: Rate,
    /// Rates of the bias.
    pub bias: Rate,
    /// Start of the weights.
    pub weight_filler: Filler,
    /// Start of the bias.
    pub bias_filler: Filler,
}

impl Default for Learning {
    fn default() -> Self {
        let rate = Rate { learn: 1.0, decay: 1.0 };
        Self { weights: rate, bias: rate, weight_filler: Filler::Xavier, bias_filler: Filler::Constant(0.0) }
    }
}

/// A layer at its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Unique name.
    pub name: String,
    /// What it computes.
    pub layer: Box<dyn Layer>,
    /// The nodes it reads, all earlier ones.
    pub inputs: Vec<NodeId>,
    /// How its parameters are trained.
    pub learning: Learning,
}

/// Layers in order of execution. A node names only earlier nodes, so there are no cycles by construction, and its
/// shape is known as soon as it is added.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    shapes: Vec<Shape>,
    names: HashMap<String, NodeId>,
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node whose parameters learn at the usual rates.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn add(&mut self, name: &str, layer: impl Layer + 'static, inputs: &[NodeId]) -> Result<NodeId, Error> {
        let (name, inputs) = (name.to_owned(), inputs.to_vec());
        self.push(Node { name, layer: Box::new(layer), inputs, learning: Learning::default() })
    }

    /// Adds a node.
    ///
    /// # Errors
    /// [`ErrorKind::Graph`] when the name is taken, an input is not an earlier node or their number is wrong;
    /// [`ErrorKind::Shape`] when the inputs' shapes do not suit the layer. All name the layer.
    pub fn push(&mut self, node: Node) -> Result<NodeId, Error> {
        let id = self.nodes.len();
        let fault = |message: String| Err(Error::new(ErrorKind::Graph, message).at_layer(&node.name));
        if self.names.contains_key(&node.name) {
            return fault("another layer has the same name".to_owned());
        }
        let [least, most] = node.layer.kind().inputs;
        if node.inputs.len() < least || node.inputs.len() > most {
            return fault(format!(
                "{} takes {least} to {most} inputs, not {}",
                node.layer.kind().name,
                node.inputs.len()
            ));
        }
        if let Some(input) = node.inputs.iter().find(|&&i| i >= id) {
            return fault(format!("input {input} is not an earlier layer"));
        }
        let inputs: Vec<Shape> = node.inputs.iter().map(|&i| self.shapes[i]).collect();
        let shape = node.layer.output_shape(&inputs).map_err(|e| e.at_layer(&node.name))?;
        self.names.insert(node.name.clone(), id);
        self.nodes.push(node);
        self.shapes.push(shape);
        Ok(id)
    }

    /// All nodes in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The node of this name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    /// The output shape of a node.
    pub fn shape(&self, id: NodeId) -> Shape {
        self.shapes[id]
    }

    /// The shapes that a node reads.
    pub fn input_shapes(&self, id: NodeId) -> Vec<Shape> {
        self.nodes[id].inputs.iter().map(|&i| self.shapes[i]).collect()
    }

    /// The shape of a node's weights, if it has any.
    pub fn weight_shape(&self, id: NodeId) -> Option<WeightShape> {
        self.nodes[id].layer.weight_shape(&self.input_shapes(id))
    }

    /// How often each node is read.
    pub fn readers(&self) -> Vec<usize> {
        let mut readers = vec![0; self.nodes.len()];
        for &input in self.nodes.iter().flat_map(|n| &n.inputs) {
            readers[input] += 1;
        }
        readers
    }

    /// The nodes that nobody reads, in order: the network's outputs.
    pub fn heads(&self) -> Vec<NodeId> {
        let readers = self.readers();
        (0..self.nodes.len()).filter(|&id| readers[id] == 0).collect()
    }

    /// The network's class scores: its last head. Earlier heads are auxiliary classifiers.
    ///
    /// # Panics
    /// When the graph has no nodes.
    pub fn output(&self) -> NodeId {
        *self.heads().last().expect("a graph has nodes")
    }

    /// Refuses another graph unless it has the same layers: names, inputs and shapes of weights.
    ///
    /// # Errors
    /// [`ErrorKind::Graph`].
    pub fn verify_same(&self, other: &Self) -> Result<(), Error> {
        let nodes = self.nodes.iter().zip(&other.nodes);
        let same = self.nodes.len() == other.nodes.len()
            && nodes.into_iter().all(|(a, b)| a.name == b.name && a.inputs == b.inputs)
            && (0..self.nodes.len()).all(|id| self.weight_shape(id) == other.weight_shape(id));
        match same {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Graph, "two networks that must be alike have different layers")),
        }
    }

    /// Whether each node takes part in computing `of`.
    pub fn needed_for(&self, of: &[NodeId]) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        for &id in of {
            needed[id] = true;
        }
        for id in (0..self.nodes.len()).rev() {
            if needed[id] {
                for &input in &self.nodes[id].inputs {
                    needed[input] = true;
                }
            }
        }
        needed
    }

    /// The network's image input: its only node of kind `Input`.
    ///
    /// # Errors
    /// [`ErrorKind::Graph`] unless there is exactly one.
    pub fn input(&self) -> Result<NodeId, Error> {
        let mut inputs = (0..self.nodes.len()).filter(|&id| self.nodes[id].layer.kind().inputs == [0, 0]);
        match (inputs.next(), inputs.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(Error::new(ErrorKind::Graph, "the network has no input")),
            _ => Err(Error::new(ErrorKind::Graph, "the network has more than one input; one image input is supported")),
        }
    }
}
