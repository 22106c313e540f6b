//! A network: graph, weights and, once quantized, the formats of its layer outputs.

use crate::about::About;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::graph::{Graph, NodeId};
use crate::linear;
use crate::weights::{WeightShape, Weights};

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
        self.verify_formats()?;
        (0..self.weights.len()).try_for_each(|id| self.verify_layer(id, self.weights[id].as_ref()))
    }

    /// The part of [`Net::verify`] that needs no weights: whether there are entries and formats for every layer.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] or [`ErrorKind::Format`].
    pub fn verify_formats(&self) -> Result<(), Error> {
        let count = self.graph.nodes().len();
        if self.weights.len() != count {
            return Err(Error::new(
                ErrorKind::Weights,
                format!("{} entries of weights for {count} layers", self.weights.len()),
            ));
        }
        let Some(integers) = &self.integers else { return Ok(()) };
        if integers.outputs.len() != count || integers.tables.len() != count {
            return Err(Error::new(ErrorKind::Format, "every layer of a quantized network needs an output format"));
        }
        for (format, node) in integers.outputs.iter().zip(self.graph.nodes()) {
            format.checked().map_err(|e| e.at_layer(&node.name))?;
        }
        Ok(())
    }

    /// The part of [`Net::verify`] for one layer, as if it had these weights. Formats have been verified.
    ///
    /// # Errors
    /// As [`Net::verify`].
    pub fn verify_layer(&self, id: NodeId, weights: Option<&Weights>) -> Result<(), Error> {
        self.verify_shaped(id, self.graph.weight_shape(id), weights)
    }

    /// As [`Net::verify_layer`] for weights of some of the layer's outputs.
    ///
    /// # Errors
    /// As [`Net::verify`].
    pub fn verify_rows(&self, id: NodeId, weights: &Weights) -> Result<(), Error> {
        let [outputs, ..] = weights.dims;
        let shape = self.graph.weight_shape(id).map(|shape| {
            let [all, inputs, height, width] = shape.dims;
            WeightShape { dims: [outputs.min(all), inputs, height, width], ..shape }
        });
        self.verify_shaped(id, shape, Some(weights))
    }

    fn verify_shaped(&self, id: NodeId, shape: Option<WeightShape>, weights: Option<&Weights>) -> Result<(), Error> {
        let node = self.graph.node(id);
        let at = |e: Error| e.at_layer(&node.name);
        match (shape, weights) {
            (None, None) => {}
            (Some(shape), Some(weights)) => weights.check(&shape).map_err(at)?,
            (Some(_), None) => {
                return Err(at(Error::new(ErrorKind::Weights, "the layer has no weights; give the weights file")));
            }
            (None, Some(_)) => {
                return Err(at(Error::new(ErrorKind::Weights, "the layer takes no weights, but some are given")));
            }
        }
        let Some(integers) = &self.integers else { return Ok(()) };
        let inputs: Vec<Fixed> = node.inputs.iter().map(|&i| integers.outputs[i]).collect();
        let weights = weights.map(linear::IntegerWeights::of).transpose().map_err(at)?;
        let (output, table) = (integers.outputs[id], &integers.tables[id]);
        node.layer.verify_integer(&inputs, output, weights.as_ref(), table).map_err(at)
    }
}
