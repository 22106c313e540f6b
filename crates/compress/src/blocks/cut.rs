//! Where a network falls into blocks: at places where all that is computed passes through one tensor. And a block as a
//! network of its own.

use synapress_model::layers::Input;
use synapress_model::{Error, Graph, Integers, Net, Node, NodeId};

use crate::train::logits;

/// The nodes behind `from`, whose output is all that they read, up to `to`, whose output is all that is read of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub from: NodeId,
    pub to: NodeId,
}

/// The blocks of a network from its image to its scores before softmax. Each has at least `layers` convolution or fully
/// connected layers, but for the last, and with them what follows without weights.
///
/// # Errors
/// When the network has not exactly one input.
pub(super) fn blocks(net: &Net, layers: usize) -> Result<Vec<Block>, Error> {
    let graph = &net.graph;
    let scores = scores(graph);
    let needed = graph.needed_for(&[scores]);
    let weighted =
        |range: std::ops::RangeInclusive<NodeId>| range.filter(|&id| needed[id] && net.linear(id).is_some()).count();
    let cuts = cuts(graph, &needed, scores);
    let mut from = graph.input()?;
    let mut found = Vec::new();
    for (at, &cut) in cuts.iter().enumerate() {
        let enough = weighted(from + 1..=cut) >= layers.max(1);
        let ends = match cuts.get(at + 1) {
            Some(&next) => enough && weighted(cut + 1..=next) > 0,
            None => weighted(from + 1..=cut) > 0,
        };
        if ends {
            found.push(Block { from, to: cut });
            from = cut;
        }
    }
    Ok(found)
}

/// The node whose outputs are the class scores before softmax.
fn scores(graph: &Graph) -> NodeId {
    logits(graph).last().map_or(graph.output(), |head| head.0)
}

/// The nodes that all later ones can do with alone, ascending, `scores` being the last.
fn cuts(graph: &Graph, needed: &[bool], scores: NodeId) -> Vec<NodeId> {
    let mut cuts = Vec::new();
    // The earliest node that is read behind the one looked at.
    let mut earliest = scores;
    for id in (0..=scores).rev().filter(|&id| needed[id]) {
        if earliest >= id {
            cuts.push(id);
        }
        earliest = graph.node(id).inputs.iter().fold(earliest, |least, &input| least.min(input));
    }
    cuts.reverse();
    cuts
}

/// A block as a network whose image is what the block reads, and for each of its nodes the node that it is.
///
/// # Errors
/// None for blocks that [`blocks`] finds in this network.
pub(super) fn part(net: &Net, block: Block) -> Result<(Net, Vec<NodeId>), Error> {
    let needed = net.graph.needed_for(&[block.to]);
    let inner = (block.from + 1..=block.to).filter(|&id| needed[id]);
    let nodes: Vec<NodeId> = std::iter::once(block.from).chain(inner).collect();
    let place = |id: NodeId| nodes.binary_search(&id).unwrap_or(0);
    let mut graph = Graph::new();
    graph.add(&net.graph.node(block.from).name, Input { shape: net.graph.shape(block.from) }, &[])?;
    for &id in &nodes[1..] {
        let node = net.graph.node(id);
        graph.push(Node { inputs: node.inputs.iter().map(|&i| place(i)).collect(), ..node.clone() })?;
    }
    let mut weights: Vec<_> = nodes.iter().map(|&id| net.weights[id].clone()).collect();
    weights[0] = None;
    let integers = net.integers.as_ref().map(|all| {
        let mut tables: Vec<_> = nodes.iter().map(|&id| all.tables[id].clone()).collect();
        tables[0] = Vec::new();
        Integers { outputs: nodes.iter().map(|&id| all.outputs[id]).collect(), tables }
    });
    Ok((Net { name: net.name.clone(), graph, weights, integers, ..Net::default() }, nodes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::tests::{forked, pooled};
    use crate::prune::tests::numbers;
    use synapress_model::Mode;
    use synapress_run::{Executor, Keep};

    fn names(net: &Net, layers: usize) -> Vec<(String, String)> {
        let name = |id: NodeId| net.graph.node(id).name.clone();
        blocks(net, layers).unwrap().iter().map(|b| (name(b.from), name(b.to))).collect()
    }

    #[test]
    fn a_network_is_cut_where_one_tensor_passes() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(names(&forked(1), 1), [pair("data", "pool"), pair("pool", "drop"), pair("drop", "fc")]);
        assert_eq!(names(&forked(1), 2), [pair("data", "drop"), pair("drop", "fc")]);
        assert_eq!(names(&forked(1), 9), [pair("data", "fc")]);
        assert_eq!(names(&pooled(1), 1), [pair("data", "relu1"), pair("relu1", "drop"), pair("drop", "fc")]);
    }

    #[test]
    fn parts_one_after_another_are_the_whole() {
        let net = forked(2);
        let mut at = numbers(5 * 3 * 100, 4);
        for block in blocks(&net, 1).unwrap() {
            let (part, nodes) = part(&net, block).unwrap();
            assert_eq!((nodes[0], nodes[nodes.len() - 1]), (block.from, block.to));
            at = Executor::<f32>::new(&part, 5, Keep::Output).unwrap().forward(&at, Mode::Infer).to_vec();
        }
        let mut executor = Executor::<f32>::new(&net, 5, Keep::All).unwrap();
        executor.forward(&numbers(5 * 3 * 100, 4), Mode::Infer);
        let wanted = executor.activation(net.graph.find("fc").unwrap());
        assert!(at.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4 * (1.0 + b.abs())));
    }
}
