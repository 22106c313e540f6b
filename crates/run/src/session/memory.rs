//! Which buffer each node's integers lie in: assigned once, reused as soon as nobody reads them any more.

use synapress_model::{Fixed, Graph, NodeId};

/// Buffers of one image. A view (flatten, dropout, ...) of unchanged format lies where its input lies.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// For each node its buffer; `usize::MAX` where it is not computed.
    pub buffer: Vec<usize>,
    /// Whether a node lies where its input lies and needs no work.
    pub alias: Vec<bool>,
    /// For each buffer its length in codes.
    pub lengths: Vec<usize>,
}

impl Memory {
    /// Assigns buffers to the nodes that are needed. The output is read in the end.
    pub fn new(graph: &Graph, formats: &[Fixed], needed: &[bool], input: NodeId, output: NodeId) -> Self {
        let count = graph.nodes().len();
        let nodes = || graph.nodes().iter().enumerate().filter(|&(id, _)| needed[id]);
        // For each node the one whose memory it shares, and how long that is read.
        let mut root: Vec<NodeId> = (0..count).collect();
        for (id, node) in nodes() {
            if let (true, [from]) = (id != input && node.layer.is_view(), &node.inputs[..])
                && formats[id] == formats[*from]
            {
                root[id] = root[*from];
            }
        }
        let mut last = root.clone();
        for (id, node) in nodes() {
            node.inputs.iter().for_each(|&i| last[root[i]] = last[root[i]].max(id));
        }
        last[root[output]] = usize::MAX;
        let mut memory = Self {
            buffer: vec![usize::MAX; count],
            alias: (0..count).map(|id| root[id] != id).collect(),
            lengths: Vec::new(),
        };
        let mut busy_until: Vec<NodeId> = Vec::new();
        for (id, node) in nodes() {
            if memory.alias[id] {
                memory.buffer[id] = memory.buffer[root[id]];
                continue;
            }
            if node.layer.loss_weight().is_some() {
                continue;
            }
            let len = graph.shape(id).len();
            let free = (0..memory.lengths.len())
                .filter(|&b| busy_until[b] < id)
                .min_by_key(|&b| (memory.lengths[b] < len, memory.lengths[b].abs_diff(len), b));
            let buffer = free.unwrap_or_else(|| {
                memory.lengths.push(0);
                busy_until.push(0);
                memory.lengths.len() - 1
            });
            memory.lengths[buffer] = memory.lengths[buffer].max(len);
            memory.buffer[id] = buffer;
            busy_until[buffer] = last[id];
        }
        memory
    }

    /// A node's integers.
    pub fn of<'a>(&self, id: NodeId, graph: &Graph, buffers: &'a [Vec<i16>]) -> &'a [i16] {
        &buffers[self.buffer[id]][..graph.shape(id).len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synapress_model::Shape;
    use synapress_model::layers::{Convolution, Dropout, Flatten, InnerProduct, Input, Relu};

    #[test]
    fn a_chain_needs_two_buffers_and_views_none() {
        let mut g = Graph::new();
        let input = g.add("data", Input { shape: Shape::new(3, 8, 8).unwrap() }, &[]).unwrap();
        let mut at = input;
        for i in 0..4 {
            at = g.add(&format!("conv{i}"), Convolution::square(4, 3, 1, 1), &[at]).unwrap();
            at = g.add(&format!("relu{i}"), Relu::default(), &[at]).unwrap();
            at = g.add(&format!("drop{i}"), Dropout { ratio: 0.5 }, &[at]).unwrap();
        }
        at = g.add("flat", Flatten, &[at]).unwrap();
        let output = g.add("fc", InnerProduct { outputs: 5, bias: true }, &[at]).unwrap();
        let mut formats = vec![Fixed::new(8, 4).unwrap(); output + 1];
        let needed = vec![true; output + 1];
        let memory = Memory::new(&g, &formats, &needed, input, output);
        assert_eq!(memory.lengths.len(), 2);
        assert_eq!(memory.alias.iter().filter(|&&a| a).count(), 5);
        // Another format means work.
        formats[3].frac = 2;
        assert!(!Memory::new(&g, &formats, &needed, input, output).alias[3]);
    }
}
