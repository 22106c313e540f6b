//! The size of a network: a row a layer and totals, in the terms of Table 1 of the paper on hierarchical compression.
//! It looks at the architecture alone; weights, and how far they are compressed, are another table.

use crate::graph::NodeId;
use crate::net::Net;
use crate::shape::Shape;

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Shape of its output.
    pub output: Shape,
    /// Numbers it learns, biases included.
    pub parameters: u64,
    /// Multiply-accumulates for one image, of convolution and fully connected layers. An output of a grouped
    /// convolution is connected to its group's inputs alone.
    pub connections: u64,
    /// What `connections` would be if every output were connected to all inputs.
    pub ungrouped: u64,
    /// Its part of the network's parameters, 0 to 1.
    pub parameter_share: f64,
    /// Its part of the network's connections, 0 to 1.
    pub connection_share: f64,
}

/// A network's layers and totals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Census {
    /// A row for each layer, in order; the input is one too.
    pub rows: Vec<Row>,
    /// Numbers that are learned, biases included.
    pub parameters: u64,
    /// Multiply-accumulates for one image, groups counted as they are: AlexNet has 724 million. The paper's 837
    /// million count its fourth convolution as if it had one group, though it has two.
    pub connections: u64,
    /// Multiply-accumulates if no convolution were grouped: for AlexNet 1,135 million.
    pub ungrouped: u64,
    /// Convolution layers.
    pub convolutions: usize,
    /// Fully connected layers.
    pub fully_connected: usize,
    /// Inception modules: a concatenation of at least three branches from one source, whose convolutions have windows
    /// of at least two sizes (Szegedy et al. 2014).
    pub inception_modules: usize,
    /// Layers of every kind, without the input.
    pub layers: usize,
}

/// Counts a network's layers, parameters and connections.
pub fn census(net: &Net) -> Census {
    let mut census = Census::default();
    for (node, at) in net.graph.nodes().iter().enumerate() {
        let kind = at.layer.kind();
        let parameters =
            net.graph.weight_shape(node).map_or(0, |s| (s.len() as u64).saturating_add(s.bias_len() as u64));
        let linear = net.linear(node);
        let connections = linear.map_or(0, |l| l.connections());
        let ungrouped = connections.saturating_mul(linear.map_or(1, |l| l.groups as u64));
        match linear {
            Some(l) if l.fully_connected => census.fully_connected += 1,
            Some(_) => census.convolutions += 1,
            None => {}
        }
        census.parameters = census.parameters.saturating_add(parameters);
        census.connections = census.connections.saturating_add(connections);
        census.ungrouped = census.ungrouped.saturating_add(ungrouped);
        census.inception_modules += usize::from(kind.name == "Concat" && is_inception(net, node));
        census.layers += usize::from(kind.inputs != [0, 0]);
        census.rows.push(Row {
            node,
            name: at.name.clone(),
            kind: kind.name,
            output: net.graph.shape(node),
            parameters,
            connections,
            ungrouped,
            parameter_share: 0.0,
            connection_share: 0.0,
        });
    }
    for row in &mut census.rows {
        row.parameter_share = share(row.parameters, census.parameters);
        row.connection_share = share(row.connections, census.connections);
    }
    census
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The nodes that a node depends on through layers of one input, itself first.
fn chain(net: &Net, from: NodeId) -> Vec<NodeId> {
    let mut chain = vec![from];
    let mut at = from;
    while let [only] = net.graph.node(at).inputs[..] {
        chain.push(only);
        at = only;
    }
    chain
}

fn is_inception(net: &Net, concat: NodeId) -> bool {
    let inputs = &net.graph.node(concat).inputs;
    if inputs.len() < 3 {
        return false;
    }
    let branches: Vec<Vec<NodeId>> = inputs.iter().map(|&i| chain(net, i)).collect();
    let Some(source) = branches[0].iter().find(|node| branches.iter().all(|b| b.contains(node))) else {
        return false;
    };
    let own = branches.iter().flat_map(|b| b.iter().take_while(|node| *node != source));
    let mut windows: Vec<[usize; 2]> =
        own.filter_map(|&n| net.linear(n)).filter(|l| !l.fully_connected).map(|l| l.window.kernel).collect();
    windows.sort_unstable();
    windows.dedup();
    windows.len() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::layers::{Concat, Convolution, InnerProduct, Input};

    /// A concatenation of convolutions of these window sides, all on the input.
    fn branches(sides: &[usize]) -> Census {
        let mut graph = Graph::new();
        let input = graph.add("data", Input { shape: Shape::new(4, 8, 8).unwrap() }, &[]).unwrap();
        let add = |(i, &side): (usize, &usize)| {
            graph.add(&format!("c{i}"), Convolution::square(2, side, 1, side / 2), &[input]).unwrap()
        };
        let ends: Vec<NodeId> = sides.iter().enumerate().map(add).collect();
        let all = graph.add("concat", Concat, &ends).unwrap();
        graph.add("fc", InnerProduct { outputs: 10, bias: true }, &[all]).unwrap();
        census(&Net { graph, ..Net::default() })
    }

    #[test]
    fn inception_modules_have_three_branches_of_different_windows() {
        for (sides, modules) in [(&[1, 3, 5][..], 1), (&[1, 1, 3], 1), (&[1, 3], 0), (&[3, 3, 3], 0)] {
            assert_eq!(branches(sides).inception_modules, modules, "{sides:?}");
        }
    }

    #[test]
    fn totals_are_the_rows_sums() {
        let c = branches(&[1, 3, 5]);
        assert_eq!((c.convolutions, c.fully_connected, c.layers), (3, 1, 5));
        let convolutions = 2 * 4 * (1 + 9 + 25);
        assert_eq!(c.parameters, convolutions + 6 + 6 * 64 * 10 + 10);
        assert_eq!(c.connections, convolutions * 64 + 6 * 64 * 10);
        assert_eq!(c.parameters, c.rows.iter().map(|r| r.parameters).sum::<u64>());
        assert!((c.rows.iter().map(|r| r.connection_share).sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn groups_have_their_own_connections_alone() {
        let mut graph = Graph::new();
        let input = graph.add("data", Input { shape: Shape::new(4, 8, 8).unwrap() }, &[]).unwrap();
        graph.add("c", Convolution { groups: 2, ..Convolution::square(6, 3, 1, 1) }, &[input]).unwrap();
        let c = census(&Net { graph, ..Net::default() });
        assert_eq!((c.connections, c.ungrouped), (6 * 2 * 9 * 64, 6 * 4 * 9 * 64));
    }
}
