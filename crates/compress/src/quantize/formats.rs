//! The format of every layer's output.

use synapress_model::{Fixed, Graph, Net, NodeId};

use super::histogram::Histogram;
use super::{Options, Range};

/// Formats of all nodes, whose outputs are distributed so.
pub(super) fn choose(net: &Net, histograms: &[Histogram], options: &Options) -> Vec<Fixed> {
    let graph = &net.graph;
    let positive = if options.unsigned { never_negative(graph) } else { vec![false; graph.nodes().len()] };
    let scores = scores(graph);
    let own = |id: NodeId| {
        let bits = options.output_bits(net, id);
        let signed = !positive[id] || bits > 15 || histograms[id].has_negative();
        let range = if scores.contains(&id) { Range::Max } else { options.range };
        histograms[id].format(bits, signed, range)
    };
    let mut formats: Vec<Fixed> = Vec::new();
    for (id, node) in graph.nodes().iter().enumerate() {
        let copies = node.layer.keeps_format() || node.layer.loss_weight().is_some();
        formats.push(match (copies, node.inputs.first()) {
            (true, Some(&input)) => formats[input],
            _ => own(rectifier(graph, id).unwrap_or(id)),
        });
    }
    formats
}

/// The ReLU that is the only reader of a convolution or fully connected layer. It clears what is negative, so
/// nothing is lost when that saturates.
pub(super) fn rectifier(graph: &Graph, id: NodeId) -> Option<NodeId> {
    graph.node(id).layer.linear(&graph.input_shapes(id))?;
    let mut readers =
        graph.nodes().iter().enumerate().filter(|(_, n)| n.inputs.contains(&id)).map(|(reader, _)| reader);
    match (readers.next(), readers.next()) {
        (Some(reader), None) if is_rectifier(graph, reader) => Some(reader),
        _ => None,
    }
}

/// Whether a node is a plain ReLU.
fn is_rectifier(graph: &Graph, id: NodeId) -> bool {
    let layer = &graph.node(id).layer;
    layer.kind().name == "ReLU" && !layer.attributes().has("negative_slope")
}

/// For each node whether its output cannot be negative.
fn never_negative(graph: &Graph) -> Vec<bool> {
    let mut never: Vec<bool> = Vec::new();
    for (id, node) in graph.nodes().iter().enumerate() {
        let inputs = !node.inputs.is_empty() && node.inputs.iter().all(|&i| never[i]);
        let passes = node.layer.is_view() || ["Pooling", "LRN", "Concat"].contains(&node.layer.kind().name);
        let makes = is_rectifier(graph, id) || node.layer.kind().name == "Sigmoid";
        never.push(makes || (passes && inputs));
    }
    never
}

/// The nodes whose numbers are class scores, views between them and the softmax included.
fn scores(graph: &Graph) -> Vec<NodeId> {
    let mut scores = Vec::new();
    for head in graph.heads() {
        let mut at = head;
        while let (true, Some(&input)) = (
            graph.node(at).layer.loss_weight().is_some() || graph.node(at).layer.is_view(),
            graph.node(at).inputs.first(),
        ) {
            at = input;
        }
        scores.push(at);
    }
    scores
}
