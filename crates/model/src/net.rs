//! A network: graph, weights and, once quantized, the formats of its layer outputs.

use crate::about::About;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::graph::{Graph, NodeId};
use crate::linear;
use crate::weights::Weights;

/// What integer execution needs besides integer weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Integers {
    /// The format of each node's output.
    pub outputs: Vec<Fixed>,
    /// Each node's table of integers (LRN, Sigmoid, ...); empty where the kind needs none.
    pub tables: Vec<Vec<i16>>,
}

/// A network at any stage of compression; its layers may stand at different stages.
#[derive(Clone, Debug, Default)]
pub struct Net {
    /// What it is called.
    pub name: String,
    /// Layers and what feeds them.
    pub graph: Graph,
    /// For each node its weights; `None` for kinds without any, or where none were given.
    pub weights: Vec<Option<Weights>>,
    /// Formats of the layer outputs, once the network is quantized.
    pub integers: Option<Integers>,
    /// Preprocessing, class names, history.
    pub about: About,
}

impl Net {
    /// Nodes whose weights the three stages compress, in order: convolution and fully connected layers.
    pub fn synaptic(&self) -> Vec<NodeId> {
        (0..self.graph.nodes().len()).filter(|&id| self.linear(id).is_some()).collect()
    }

    /// A node's geometry if it is a convolution or a fully connected layer.
    pub fn linear(&self, id: NodeId) -> Option<linear::Linear> {
        self.graph.node(id).layer.linear(&self.graph.input_shapes(id))
    }

    /// Number of parameters that the layers take, biases included, whether they are given or not.
    pub fn parameters(&self) -> u64 {
        (0..self.graph.nodes().len())
            .filter_map(|id| self.graph.weight_shape(id))
            .map(|s| s.len() as u64 + s.bias_len() as u64)
            .sum()
    }

    /// Checks that every layer with weights has them and that they fit; that the formats are complete and no
    /// accumulator of the integer network can overflow.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] or [`ErrorKind::Format`], naming the layer.
    pub fn verify(&self) -> Result<(), Error> {
        let count = self.graph.nodes().len();
        if self.weights.len() != count {
            return Err(Error::new(
                ErrorKind::Weights,
                format!("{} entries of weights for {count} layers", self.weights.len()),
            ));
        }
        for (id, node) in self.graph.nodes().iter().enumerate() {
            let at = |e: Error| e.at_layer(&node.name);
            match (self.graph.weight_shape(id), &self.weights[id]) {
                (None, None) => {}
                (Some(shape), Some(weights)) => weights.check(&shape).map_err(at)?,
                (Some(_), None) => {
                    return Err(at(Error::new(ErrorKind::Weights, "the layer has no weights; give the weights file")));
                }
                (None, Some(_)) => {
                    return Err(at(Error::new(ErrorKind::Weights, "the layer takes no weights, but some are given")));
                }
            }
        }
        if let Some(integers) = &self.integers {
            self.verify_integers(integers)?;
        }
        Ok(())
    }

    fn verify_integers(&self, integers: &Integers) -> Result<(), Error> {
        let count = self.graph.nodes().len();
        if integers.outputs.len() != count || integers.tables.len() != count {
            return Err(Error::new(ErrorKind::Format, "every layer of a quantized network needs an output format"));
        }
        for (id, node) in self.graph.nodes().iter().enumerate() {
            let at = |e: Error| e.at_layer(&node.name);
            integers.outputs[id].checked().map_err(at)?;
            let inputs: Vec<Fixed> = node.inputs.iter().map(|&i| integers.outputs[i]).collect();
            let weights = match &self.weights[id] {
                None => None,
                Some(w) => Some(linear::IntegerWeights::of(w).map_err(at)?),
            };
            node.layer
                .verify_integer(&inputs, integers.outputs[id], weights.as_ref(), &integers.tables[id])
                .map_err(at)?;
        }
        Ok(())
    }
}
