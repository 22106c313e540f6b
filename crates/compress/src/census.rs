//! What a network consists of, layer by layer and in all: parameters, connections, kinds of layers. Nothing is
//! executed.

use serde::Serialize;
use synapress_model::layers::Concat;
use synapress_model::{Form, Layer, Net, NodeId, Shape};

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Channels, height and width of its output.
    pub output: [usize; 3],
    /// Weights and biases.
    pub parameters: u64,
    /// Multiply-accumulates for one image, of convolution and fully connected layers. The outputs of a group are
    /// connected to that group's inputs alone.
    pub connections: u64,
    /// Where its weights stand: `dense`, `pruned`, `grouped`, `quantized`, `grouped, quantized`, `not given`; empty
    /// when it has none.
    pub stage: &'static str,
    /// Share of its weights that are zero, when they are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparsity: Option<f64>,
    /// Bits of an index into its codebook, when it is grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_bits: Option<u8>,
    /// Bits of its weights, or of its centroids: 32 in floating point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_bits: Option<u8>,
    /// Bits of its output, when the network is quantized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bits: Option<u8>,
}

/// A network's layers and their totals, in the terms of the paper's Table 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Census {
    /// Weights and biases.
    pub parameters: u64,
    /// Multiply-accumulates for one image.
    pub connections: u64,
    /// Convolution layers.
    pub convolutions: usize,
    /// Fully connected layers.
    pub fully_connected: usize,
    /// Modules of three or more branches with convolutions that start at one layer and are concatenated (Szegedy et
    /// al. 2015).
    pub inception_modules: usize,
    /// Layers of any kind; the input is none.
    pub layers: usize,
    /// Each layer, the input first.
    pub rows: Vec<Row>,
}

impl Census {
    /// Counts a network.
    pub fn of(net: &Net) -> Self {
        let nodes = 0..net.graph.nodes().len();
        let linear: Vec<_> = nodes.clone().filter_map(|id| net.linear(id)).collect();
        let rows: Vec<Row> = nodes.clone().map(|id| row(net, id)).collect();
        Self {
            parameters: rows.iter().map(|r| r.parameters).sum(),
            connections: rows.iter().map(|r| r.connections).sum(),
            convolutions: linear.iter().filter(|l| !l.fully_connected).count(),
            fully_connected: linear.iter().filter(|l| l.fully_connected).count(),
            inception_modules: nodes.clone().filter(|&id| is_inception(net, id)).count(),
            layers: nodes.filter(|&id| !net.graph.node(id).inputs.is_empty()).count(),
            rows,
        }
    }
}

fn row(net: &Net, id: NodeId) -> Row {
    let node = net.graph.node(id);
    let Shape { channels, height, width } = net.graph.shape(id);
    let mut row = Row {
        name: node.name.clone(),
        kind: node.layer.kind().name,
        output: [channels, height, width],
        parameters: net.graph.weight_shape(id).map_or(0, |s| s.len() as u64 + s.bias_len() as u64),
        connections: net.linear(id).map_or(0, |l| l.connections()),
        stage: "",
        sparsity: None,
        index_bits: None,
        weight_bits: None,
        output_bits: net.integers.as_ref().and_then(|i| i.outputs.get(id)).map(|f| f.bits),
    };
    if net.graph.weight_shape(id).is_none() {
        return row;
    }
    let Some(Some(weights)) = net.weights.get(id) else {
        row.stage = "not given";
        return row;
    };
    let quantized = weights.codes().map(|(_, format)| format.bits);
    row.weight_bits = Some(quantized.unwrap_or(32));
    row.stage = match (&weights.form, quantized) {
        (Form::Coded { .. }, Some(_)) => "grouped, quantized",
        (Form::Coded { .. }, None) => "grouped",
        (_, Some(_)) => "quantized",
        _ if weights.zeros() > 0 => "pruned",
        _ => "dense",
    };
    row.sparsity = (!weights.is_empty()).then(|| weights.zeros() as f64 / weights.len() as f64);
    if let Form::Coded { centroids, .. } = &weights.form {
        row.index_bits = Some(crate::group::index_bits(centroids.len()));
    }
    row
}

/// Whether a node joins three or more branches, each with a convolution, that start at one node.
fn is_inception(net: &Net, id: NodeId) -> bool {
    let node = net.graph.node(id);
    if node.layer.kind().name != Concat.kind().name || node.inputs.len() < 3 {
        return false;
    }
    // Back along each branch, as far as it has one input.
    let chains: Vec<Vec<NodeId>> = node
        .inputs
        .iter()
        .map(|&input| {
            let mut chain = vec![input];
            while let [input] = net.graph.node(chain[chain.len() - 1]).inputs[..] {
                chain.push(input);
            }
            chain
        })
        .collect();
    let Some(source) = chains[0].iter().find(|id| chains.iter().all(|chain| chain.contains(id))) else { return false };
    let convolves = |chain: &Vec<NodeId>| {
        let mut branch = chain.iter().take_while(|&id| id != source);
        branch.any(|&id| net.linear(id).is_some_and(|l| !l.fully_connected))
    };
    chains.iter().all(convolves)
}
