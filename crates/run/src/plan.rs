//! Which memory each node's output lies in.

use synapress_model::{Graph, NodeId};

/// Which activations stay readable after a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The class scores alone: memory is reused as soon as nobody reads it any more.
    Output,
    /// What a backward pass reads: every node keeps its output, except that a layer may overwrite what the one
    /// before it does not need. Auxiliary classifiers are computed too.
    Train,
    /// The output of every node, as it was before the next one.
    All,
}

/// Where outputs lie. Several nodes share a buffer when one overwrites or merely views another's output.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For each node whether it is computed.
    pub needed: Vec<bool>,
    /// For each node its buffer.
    pub buffer: Vec<usize>,
    /// For each node whether it works in place.
    pub in_place: Vec<bool>,
    /// For each node the [scale](synapress_model::Layer::is_scale) that joins it, which makes one pass over the memory of
    /// what would be two, and fewer than half of those back.
    pub scaled: Vec<Option<NodeId>>,
    /// For each buffer its length in elements of one image.
    pub lengths: Vec<usize>,
}

impl Plan {
    /// Plans the execution of a graph. No scale joins another layer unless `join`.
    pub fn new(graph: &Graph, keep: Keep, join: bool) -> Self {
        let count = graph.nodes().len();
        let heads = if keep == Keep::Output { vec![graph.output()] } else { graph.heads() };
        let needed = graph.needed_for(&heads);
        let mut last = (0..count).collect::<Vec<NodeId>>();
        let mut readers = vec![0; count];
        for (id, node) in graph.nodes().iter().enumerate().filter(|&(id, _)| needed[id]) {
            for &input in &node.inputs {
                last[input] = id;
                readers[input] += 1;
            }
        }
        for &head in &heads {
            last[head] = usize::MAX;
        }
        let mut scaled = vec![None; count];
        for (id, node) in graph.nodes().iter().enumerate().filter(|&(id, node)| needed[id] && node.layer.is_scale()) {
            if let [input] = node.inputs[..] {
                let alone = readers[input] == 1 && last[input] == id;
                let joins = join && keep == Keep::Train && alone && graph.node(input).layer.takes_scale();
                scaled[input] = joins.then_some(id);
            }
        }
        let mut plan =
            Self { needed, scaled, buffer: vec![usize::MAX; count], in_place: vec![false; count], lengths: Vec::new() };
        // For each buffer the last node that reads it.
        let mut busy_until: Vec<NodeId> = Vec::new();
        for (id, node) in graph.nodes().iter().enumerate() {
            if !plan.needed[id] {
                continue;
            }
            let len = graph.shape(id).len();
            if let [input] = node.inputs[..]
                && !graph.node(input).inputs.is_empty()
                && readers[input] == 1
                && (plan.scaled[input] == Some(id)
                    || plan.scaled[id].is_none() && may_overwrite(graph, id, input, keep))
            {
                plan.in_place[id] = true;
                plan.buffer[id] = plan.buffer[input];
                busy_until[plan.buffer[id]] = last[id];
                continue;
            }
            let free = (0..plan.lengths.len())
                .filter(|&b| keep == Keep::Output && busy_until[b] < id)
                .min_by_key(|&b| (plan.lengths[b] < len, plan.lengths[b].abs_diff(len), b));
            let buffer = free.unwrap_or_else(|| {
                plan.lengths.push(0);
                busy_until.push(0);
                plan.lengths.len() - 1
            });
            plan.lengths[buffer] = plan.lengths[buffer].max(len);
            plan.buffer[id] = buffer;
            busy_until[buffer] = last[id];
        }
        plan
    }
}

fn may_overwrite(graph: &Graph, id: NodeId, input: NodeId, keep: Keep) -> bool {
    let layer = &graph.node(id).layer;
    match keep {
        Keep::Output => layer.in_place(),
        Keep::Train => layer.in_place() && graph.node(input).layer.forgets_output(),
        Keep::All => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synapress_model::Shape;
    use synapress_model::layers::{BatchNorm, Convolution, InnerProduct, Input, Relu, Scale};

    fn chain() -> Graph {
        let mut g = Graph::new();
        let mut at = g.add("data", Input { shape: Shape::new(3, 8, 8).unwrap() }, &[]).unwrap();
        for i in 0..4 {
            at = g.add(&format!("conv{i}"), Convolution::square(4, 3, 1, 1), &[at]).unwrap();
            at = g.add(&format!("relu{i}"), Relu::default(), &[at]).unwrap();
        }
        g.add("fc", InnerProduct { outputs: 5, bias: true }, &[at]).unwrap();
        g
    }

    #[test]
    fn a_chain_needs_two_buffers_to_run_and_one_a_layer_to_train() {
        let g = chain();
        let run = Plan::new(&g, Keep::Output, true);
        // Input and output of a layer at a time.
        assert_eq!(run.lengths.len(), 2);
        assert!(run.in_place[2] && run.in_place[4]);
        assert_eq!(Plan::new(&g, Keep::Train, true).lengths.len(), 6);
        assert_eq!(Plan::new(&g, Keep::All, true).lengths.len(), g.nodes().len());
    }

    #[test]
    fn an_output_that_is_read_twice_is_not_overwritten() {
        let mut g = chain();
        let conv = g.find("conv1").unwrap();
        g.add("side", InnerProduct { outputs: 2, bias: true }, &[conv]).unwrap();
        let plan = Plan::new(&g, Keep::Train, true);
        let relu = g.find("relu1").unwrap();
        assert!(!plan.in_place[relu]);
        assert_ne!(plan.buffer[relu], plan.buffer[conv]);
        // The side branch comes last and so is the output: what it does not need is not computed.
        let plan = Plan::new(&g, Keep::Output, true);
        assert!(!plan.needed[relu]);
    }

    #[test]
    fn a_scale_joins_the_layer_before_it_to_train_unless_somebody_else_reads_that() {
        let mut g = Graph::new();
        let at = g.add("data", Input { shape: Shape::new(3, 8, 8).unwrap() }, &[]).unwrap();
        let conv = g.add("conv", Convolution::square(4, 3, 1, 1), &[at]).unwrap();
        let bn = g.add("bn", BatchNorm::default(), &[conv]).unwrap();
        let scale = g.add("scale", Scale { bias: true }, &[bn]).unwrap();
        let relu = g.add("relu", Relu::default(), &[scale]).unwrap();
        let plan = Plan::new(&g, Keep::Train, true);
        assert_eq!(plan.scaled[bn], Some(scale));
        // The input of the normalization is kept, and what comes of it all lies in one place.
        assert!(plan.buffer[conv] != plan.buffer[bn] && plan.buffer[bn] == plan.buffer[relu]);
        for (keep, join) in [(Keep::All, true), (Keep::Output, true), (Keep::Train, false)] {
            assert_eq!(Plan::new(&g, keep, join).scaled, vec![None; g.nodes().len()]);
        }
        g.add("side", InnerProduct { outputs: 2, bias: true }, &[bn]).unwrap();
        g.add("main", InnerProduct { outputs: 2, bias: true }, &[relu]).unwrap();
        let plan = Plan::new(&g, Keep::Train, true);
        assert_eq!(plan.scaled[bn], None);
        assert_ne!(plan.buffer[bn], plan.buffer[scale]);
    }
}
