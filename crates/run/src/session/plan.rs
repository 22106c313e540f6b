//! Which steps a network takes, and where every map lies while they run.
//!
//! A rectifier or a clip joins the sums before it, a concatenation's inputs are written where it lies, and what changes nothing
//! takes no step. Everything else is one step a node.

use synapress_kernels::blocked::pooling::Windows;
use synapress_kernels::blocked::{Cell, Place, Stage};
use synapress_model::linear::Linear;
use synapress_model::{Fixed, Graph, NodeId, Structure};

use super::memory::{self, Life};

/// What is known of a network before anything is planned.
pub(super) struct Given<'a> {
    pub graph: &'a Graph,
    pub formats: &'a [Fixed],
    /// Bits of the weights of nodes that have any.
    pub widths: &'a [Option<u8>],
    /// Which nodes are computed in integers; the input is one of them.
    pub needed: Vec<bool>,
    pub input: NodeId,
    /// The last node.
    pub scores: NodeId,
}

/// How a step is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    /// Weighted sums.
    Sums(Linear),
    /// The largest codes.
    Largest(Windows),
    /// Means.
    Mean(Windows),
    /// Multipliers by sums of squares over so many channels.
    Normalization(usize),
    /// As the layer defines it.
    Definition,
}

/// One step.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// Whose layer runs.
    pub node: NodeId,
    pub way: Way,
    /// Whose maps it reads.
    pub inputs: Vec<NodeId>,
    /// Whose map it writes: the node's own or that of the last one that joined it.
    pub output: NodeId,
    /// What follows the node's own requantization.
    pub later: Vec<Stage>,
}

/// Steps, and the place and buffer of every map that they read or write.
#[derive(Debug)]
pub(super) struct Plan {
    pub steps: Vec<Planned>,
    pub places: Vec<Option<Place>>,
    pub buffers: Vec<usize>,
    /// Cells of each buffer.
    pub lengths: Vec<usize>,
    /// Whose map each node's is.
    pub same: Vec<NodeId>,
}

/// A rounding shift from one format to another.
pub(super) fn stage(from: i32, to: Fixed) -> Stage {
    let (low, high) = to.range();
    Stage { shift: from - i32::from(to.frac), low: low as i32, high: high as i32 }
}

impl Plan {
    pub fn new(given: &Given<'_>) -> Self {
        let mut draft = Draft::new(given);
        draft.join_limits();
        draft.join_concatenations();
        draft.finish()
    }
}

/// A plan in the making. Maps are named by the node that they belong to.
struct Draft<'a> {
    given: &'a Given<'a>,
    /// Whose map each node's is.
    same: Vec<NodeId>,
    /// For each map the nodes that read it, as often as they do.
    readers: Vec<Vec<NodeId>>,
    /// For each node the step that its layer becomes.
    steps: Vec<Option<Planned>>,
    /// For each map the node whose step writes it.
    maker: Vec<Option<NodeId>>,
    /// For each map the concatenation in whose map it lies, and its first channel there.
    within: Vec<Option<(NodeId, usize)>>,
}

impl<'a> Draft<'a> {
    fn new(given: &'a Given<'a>) -> Self {
        let (graph, formats) = (given.graph, given.formats);
        let count = graph.nodes().len();
        let mut draft = Self {
            given,
            same: (0..count).collect(),
            readers: vec![Vec::new(); count],
            steps: vec![None; count],
            maker: vec![None; count],
            within: vec![None; count],
        };
        for (id, node) in graph.nodes().iter().enumerate() {
            if !given.needed[id] || id == given.input {
                continue;
            }
            let from = node.inputs[0];
            let structure = node.layer.structure(&graph.input_shapes(id));
            let idle = node.layer.is_view() || structure == Structure::Rectifier && !formats[from].signed;
            if idle && formats[id] == formats[from] && graph.shape(id) == graph.shape(from) {
                draft.same[id] = draft.same[from];
                continue;
            }
            let inputs: Vec<NodeId> = node.inputs.iter().map(|&i| draft.same[i]).collect();
            inputs.iter().for_each(|&i| draft.readers[i].push(id));
            let linear = given.widths[id].and_then(|_| node.layer.linear(&graph.input_shapes(id)));
            let way = match structure {
                _ if linear.is_some() => linear.map_or(Way::Definition, Way::Sums),
                Structure::Largest(windows) if formats[id] == formats[from] => Way::Largest(windows),
                Structure::Mean(windows) => Way::Mean(windows),
                Structure::Normalization { channels } => Way::Normalization(channels),
                _ => Way::Definition,
            };
            draft.steps[id] = Some(Planned { node: id, way, inputs, output: id, later: Vec::new() });
            draft.maker[id] = Some(id);
        }
        draft.readers[draft.same[given.scores]].push(count);
        draft
    }

    /// Whether a node is of some structure.
    fn is(&self, id: NodeId, structure: Structure) -> bool {
        let graph = self.given.graph;
        id < graph.nodes().len() && graph.node(id).layer.structure(&graph.input_shapes(id)) == structure
    }

    fn join_limits(&mut self) {
        for id in 0..self.steps.len() {
            let [reader] = self.readers[id][..] else { continue };
            let sums = matches!(&self.steps[id], Some(Planned { way: Way::Sums(_), .. }));
            if let (true, Some([low, high])) = (sums, self.limits(reader)) {
                let (from, to) = (self.given.formats[id], self.given.formats[reader]);
                self.steps[reader] = None;
                self.extend(id, reader, Stage { low, high, ..stage(from.frac.into(), to) });
            }
        }
    }

    /// The codes that a rectifier or a clip keeps its output between.
    fn limits(&self, id: NodeId) -> Option<[i32; 2]> {
        let graph = self.given.graph;
        let node = graph.nodes().get(id)?;
        let format = self.given.formats[id];
        let (low, high) = format.range();
        match node.layer.structure(&graph.input_shapes(id)) {
            Structure::Rectifier => Some([low.max(0) as i32, high as i32]),
            Structure::Clip { min, max } => Some([min, max].map(|v| format.quantize(v).into())),
            _ => None,
        }
    }

    /// Lets a node's step write another's map, which one more stage leads to.
    fn extend(&mut self, id: NodeId, output: NodeId, stage: Stage) {
        let step = self.steps[id].as_mut().expect("the node has a step");
        self.maker[step.output] = None;
        self.maker[output] = Some(id);
        step.output = output;
        step.later.push(stage);
    }

    fn join_concatenations(&mut self) {
        for id in 0..self.steps.len() {
            if self.steps[id].is_none() || !self.is(id, Structure::Concatenation) {
                continue;
            }
            let inputs = self.steps[id].as_ref().map(|s| s.inputs.clone()).unwrap_or_default();
            let firsts: Vec<usize> = inputs
                .iter()
                .scan(0, |at, &i| {
                    let first = *at;
                    *at += self.given.graph.shape(i).channels;
                    Some(first)
                })
                .collect();
            if !inputs.iter().zip(&firsts).all(|(&map, &first)| self.fits(map, first, id, &inputs)) {
                continue;
            }
            for (map, first) in inputs.into_iter().zip(firsts) {
                self.within[map] = Some((id, first));
                let (from, to) = (self.given.formats[map], self.given.formats[id]);
                if from != to {
                    let maker = self.maker[map].expect("a map that fits has a maker");
                    let step = self.steps[maker].as_mut().expect("a maker has a step");
                    step.later.push(stage(from.frac.into(), to));
                }
            }
            self.steps[id] = None;
        }
    }

    /// Whether a map can be written where a concatenation lies.
    fn fits(&self, map: NodeId, first: usize, of: NodeId, inputs: &[NodeId]) -> bool {
        let (formats, graph) = (self.given.formats, self.given.graph);
        let Some(step) = self.maker[map].and_then(|m| self.steps[m].as_ref()) else { return false };
        let same = formats[map] == formats[of] || self.readers[map].len() == 1 && matches!(step.way, Way::Sums(_));
        // Cells of bytes hold the most channels.
        let each = Cell::Bytes.channels();
        let end = first + graph.shape(map).channels;
        let aligned = first.is_multiple_of(each) && (end.is_multiple_of(each) || end == graph.shape(of).channels);
        // Nobody reads a map from where it is written to at the time.
        let apart = step.inputs.iter().all(|i| !inputs.contains(i) && self.within[*i].is_none_or(|(c, _)| c != of));
        let once = inputs.iter().filter(|&&i| i == map).count() == 1 && self.within[map].is_none();
        same && aligned && apart && once
    }

    /// The map that a map lies in.
    fn host(&self, map: NodeId) -> NodeId {
        self.within[map].map_or(map, |(host, _)| self.host(host))
    }

    fn finish(self) -> Plan {
        let cells = self.cells();
        let borders = self.borders();
        let count = self.steps.len();
        let mut written = vec![false; count];
        written[self.given.input] = true;
        self.steps.iter().flatten().for_each(|s| written[s.output] = true);
        let mut places = vec![None; count];
        // A concatenation comes after its inputs.
        for map in (0..count).rev() {
            let host = self.host(map);
            if !written[map] && !self.within.iter().any(|w| w.is_some_and(|(h, _)| h == map)) {
                continue;
            }
            let (shape, format) = (self.given.graph.shape(map), self.given.formats[map]);
            places[map] = match self.within[map] {
                Some((parent, first)) => {
                    let whole: &Option<Place> = &places[parent];
                    whole.as_ref().and_then(|w| w.part(first..first + shape.channels))
                }
                None => Some(Place::new(cells[host], shape.channels, shape.size(), borders[host], format.signed)),
            };
        }
        let hosts: Vec<NodeId> = (0..count).map(|map| self.host(map)).collect();
        let steps: Vec<Planned> = self.steps.into_iter().flatten().collect();
        let mut lives: Vec<Option<Life>> = vec![None; count];
        let mut touch = |map: NodeId, step: usize| {
            let host = hosts[map];
            let len = places[host].as_ref().map_or(0, Place::end);
            let life = lives[host].get_or_insert(Life { first: step, last: step, len });
            life.last = life.last.max(step);
        };
        touch(self.given.input, 0);
        for (i, step) in steps.iter().enumerate() {
            step.inputs.iter().for_each(|&map| touch(map, i + 1));
            touch(step.output, i + 1);
        }
        touch(self.same[self.given.scores], steps.len() + 1);
        let (of_host, lengths) = memory::assign(&lives);
        let buffers = hosts.iter().map(|&host| of_host[host]).collect();
        Plan { steps, places, buffers, lengths, same: self.same }
    }

    /// For each map that lies in no other the kind of its cells: bytes where its codes have 8 bits at most, and the
    /// weights too of every layer that reads it. Maps that a step copies by cells are of one kind.
    fn cells(&self) -> Vec<Cell> {
        let mut words: Vec<bool> = self.given.formats.iter().map(|f| f.bits > 8).collect();
        for step in self.steps.iter().flatten() {
            if matches!(step.way, Way::Sums(_)) {
                words[step.inputs[0]] |= self.given.widths[step.node].is_some_and(|bits| bits > 8);
            }
        }
        loop {
            let before = words.clone();
            for map in 0..words.len() {
                let host = self.host(map);
                words[host] |= words[map];
                words[map] = words[host];
            }
            for step in self.steps.iter().flatten().filter(|s| matches!(s.way, Way::Largest(_))) {
                let either = words[step.inputs[0]] || words[step.output];
                (words[step.inputs[0]], words[step.output]) = (either, either);
            }
            if words == before {
                return words.into_iter().map(|w| if w { Cell::Words } else { Cell::Bytes }).collect();
            }
        }
    }

    /// For each map that lies in no other the zeros that its readers need around it.
    fn borders(&self) -> Vec<[usize; 2]> {
        let mut borders = vec![[0; 2]; self.steps.len()];
        for step in self.steps.iter().flatten() {
            let (from, to) = (step.inputs[0], step.node);
            if let (Way::Largest(windows), false) = (step.way, self.given.formats[from].signed) {
                let graph = self.given.graph;
                let border = windows.border(graph.shape(from).size(), graph.shape(to).size());
                let host = &mut borders[self.host(from)];
                *host = [host[0].max(border[0]), host[1].max(border[1])];
            }
            let Way::Sums(g) = step.way else { continue };
            if is_direct(&g) {
                let host = &mut borders[self.host(step.inputs[0])];
                let longer = g.output.width.saturating_sub(g.input.width);
                let w = &g.window;
                let [rows, columns] = std::array::from_fn(|i| w.pad[i].max(w.pad_end[i]));
                *host = [host[0].max(rows), host[1].max(columns).max(longer)];
            }
        }
        borders
    }
}

/// Whether windows move by one pixel, or do not move at all.
pub(super) fn is_direct(g: &Linear) -> bool {
    g.window.stride == [1, 1] || g.output.area() == 1
}
