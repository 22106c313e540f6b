//! Execution of a quantized network in integers alone, one image at a time.
//!
//! A session gives exactly the integers of [`definition`], which walks the graph and asks every layer for its meaning;
//! it only computes them faster: weights arranged once, memory assigned once, nothing that the output does not need.
//! Only a softmax at the end is floating point.

mod definition;
mod late;
mod linear;
mod memory;
mod plan;
mod planar;
mod step;
mod supply;

use std::sync::Arc;

use synapress_kernels::blocked::{Buffer, Team, image};
use synapress_kernels::integer::Kernel;
use synapress_model::pass::{Memo, Scratch};
use synapress_model::{Error, ErrorKind, Fixed, Forward, Graph, Mode, Net, NodeId, Shape, Source};

pub use definition::definition;
pub use step::How;

use crate::scores::Scores;
use crate::session::plan::{Given, Plan};
use crate::session::step::{Map, Step};
use crate::session::supply::Supply;

/// A quantized network, ready to run. Clones share the weights and have buffers of their own, one for each thread.
///
/// ```no_run
/// # fn main() -> Result<(), synapress_model::Error> {
/// # let (net, image) = (synapress_model::Net::default(), vec![0.0f32]);
/// let mut session = synapress_run::Session::new(&net)?;
/// let probabilities = session.run(&image)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    program: Arc<Program>,
    team: Arc<Team>,
    state: State,
}

/// What all clones share.
#[derive(Debug)]
struct Program {
    graph: Graph,
    kernel: Kernel,
    steps: Vec<Step>,
    /// Cells of each buffer.
    lengths: Vec<usize>,
    input: NodeId,
    input_map: Map,
    input_format: Fixed,
    /// The last node in integers, its map and its format.
    scores: NodeId,
    scores_map: Map,
    scores_format: Fixed,
    /// The softmax behind it.
    softmax: Option<NodeId>,
}

/// What each session owns. Grows during the first run.
#[derive(Debug, Default)]
struct State {
    buffers: Vec<Buffer>,
    scratch: step::Scratch,
    codes: Vec<i16>,
    scores: Vec<f32>,
    probabilities: Vec<f32>,
    softmax: Option<(Memo<f32>, Scratch<f32>)>,
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Self { program: Arc::clone(&self.program), team: Arc::clone(&self.team), state: State::default() }
    }
}

impl Session {
    /// Prepares a quantized network.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when the network is not quantized or an accumulator could overflow;
    /// [`ErrorKind::Weights`] when weights do not fit; [`ErrorKind::Unsupported`] when a layer has no integer form.
    pub fn new(net: &Net) -> Result<Self, Error> {
        Self::with_kernel(net, Kernel::best())
    }

    /// As [`Session::new`] with a kernel of choice; the results are the same with each.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn with_kernel(net: &Net, kernel: Kernel) -> Result<Self, Error> {
        Self::of(Supply::Lent(net), kernel)
    }

    /// As [`Session::with_kernel`]; the network's weights are freed one after another as they are arranged, so that
    /// both are never there at once.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn consume(net: Net, kernel: Kernel) -> Result<Self, Error> {
        Self::of(Supply::Own(Box::new(net)), kernel)
    }

    /// Prepares a quantized network whose weights are decoded layer by layer. With `keep` they stay as they are stored,
    /// and every run decodes them anew: far slower, in little more memory than the file and the maps take.
    ///
    /// # Errors
    /// As [`Session::new`], and when weights cannot be read.
    pub fn stored(source: Arc<dyn Source>, kernel: Kernel, keep: bool) -> Result<Self, Error> {
        Self::of(Supply::Source(source, keep), kernel)
    }

    fn of(supply: Supply<'_>, kernel: Kernel) -> Result<Self, Error> {
        Ok(Self { program: Arc::new(Program::new(supply, kernel)?), team: Arc::default(), state: State::default() })
    }

    /// Lets so many threads work on an image together, this one and others that stay for the session and its later
    /// clones. The results are the same.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { team: Arc::new(Team::new(threads)), ..self }
    }

    /// The kernel that it runs on.
    pub fn kernel(&self) -> Kernel {
        self.program.kernel
    }

    /// Shape of the input image.
    pub fn input_shape(&self) -> Shape {
        self.program.graph.shape(self.program.input)
    }

    /// Number of class scores.
    pub fn classes(&self) -> usize {
        self.program.graph.shape(self.program.scores).len()
    }

    /// What a run ends in: probabilities when there is a softmax at the end.
    pub fn kind(&self) -> Scores {
        if self.program.softmax.is_some() { Scores::Probabilities } else { Scores::Logits }
    }

    /// The nodes that take a step of their own, in their order, and how they are done.
    pub fn steps(&self) -> impl Iterator<Item = (NodeId, How)> + '_ {
        self.program.steps.iter().map(|step| (step.node, step.how()))
    }

    /// Classifies one preprocessed image `(C, H, W)`: class probabilities, or the scores as numbers when the network
    /// does not end in a softmax.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the image has another size.
    pub fn run(&mut self, image: &[f32]) -> Result<&[f32], Error> {
        self.run_observed(image, |_| ())
    }

    /// As [`Session::run`]; calls `observe` after the image is in place (with `None`) and after every step, with its
    /// node.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_observed(&mut self, image: &[f32], mut observe: impl FnMut(Option<NodeId>)) -> Result<&[f32], Error> {
        let (program, state) = (&*self.program, &mut self.state);
        let shape = program.graph.shape(program.input);
        if image.len() != shape.len() {
            let message = format!("the image has {} values, the network takes {shape} ({})", image.len(), shape.len());
            return Err(Error::new(ErrorKind::Shape, message));
        }
        state.buffers.resize_with(program.lengths.len(), Buffer::default);
        state.buffers.iter_mut().zip(&program.lengths).for_each(|(buffer, &len)| buffer.reserve(len));
        let (Map { buffer, place }, format) = (&program.input_map, program.input_format);
        let (scale, (low, high)) = (format.step().recip(), format.range());
        let cells = state.buffers[*buffer].cells_mut();
        image::quantize(program.kernel, image, scale, [low, high], place, cells, &self.team);
        observe(None);
        for step in &program.steps {
            step.run(&program.graph, &mut state.buffers, &mut state.scratch, &self.team)
                .map_err(|e| e.at_layer(&program.graph.node(step.node).name))?;
            observe(Some(step.node));
        }
        state.codes.resize(program.graph.shape(program.scores).len(), 0);
        program.scores_map.place.unpack(state.buffers[program.scores_map.buffer].cells(), &mut state.codes);
        state.scores.clear();
        state.scores.extend(state.codes.iter().map(|&q| program.scores_format.value(q)));
        match program.softmax {
            None => Ok(&state.scores),
            Some(id) => Ok(program.probabilities(id, state)),
        }
    }

    /// The integer scores of the last run and their format: what the probabilities are made of. Empty before the
    /// first run.
    pub fn codes(&self) -> (&[i16], Fixed) {
        (&self.state.codes, self.program.scores_format)
    }
}

impl Program {
    fn new(mut supply: Supply<'_>, kernel: Kernel) -> Result<Self, Error> {
        let net = supply.net()?;
        let formats = net.integers.clone().ok_or_else(definition::not_quantized)?;
        let graph = net.graph.clone();
        let (input, output) = (graph.input()?, graph.output());
        let needed = graph.needed_for(&[output]);
        if !needed[input] {
            return Err(Error::new(ErrorKind::Graph, "the output does not depend on the input"));
        }
        let softmax = graph.node(output).layer.loss_weight().map(|_| output);
        let scores = softmax.map_or(output, |id| graph.node(id).inputs[0]);
        let integer: Vec<bool> = (0..needed.len()).map(|id| needed[id] && Some(id) != softmax).collect();
        let mut widths: Vec<Option<u8>> = Vec::new();
        for (id, node) in graph.nodes().iter().enumerate() {
            let fault = |e: Error| e.at_layer(&node.name);
            if integer[id] && node.layer.loss_weight().is_some() {
                let message = "a softmax is supported at the end of a quantized network alone";
                return Err(fault(Error::new(ErrorKind::Unsupported, message)));
            }
            let format = if integer[id] { supply.format(id).map_err(fault)? } else { None };
            widths.push(format.map(|f| f.bits));
        }
        let outputs = &formats.outputs;
        let given = Given { graph: &graph, formats: outputs, widths: &widths, needed: integer, input, scores };
        let plan = Plan::new(&given);
        let mut step = |planned: &plan::Planned| {
            let table = &formats.tables[planned.node];
            let step = Step::new(kernel, &graph, outputs, table, &mut supply, &plan, planned);
            step.map_err(|e| e.at_layer(&graph.node(planned.node).name))
        };
        let steps = plan.steps.iter().map(&mut step).collect::<Result<_, Error>>()?;
        let (input_format, scores_format) = (outputs[input], outputs[scores]);
        let (input_map, scores_map) = (plan.map(input), plan.map(plan.same[scores]));
        let lengths = plan.lengths;
        Ok(Self {
            graph,
            kernel,
            steps,
            lengths,
            input,
            input_map,
            input_format,
            scores,
            scores_map,
            scores_format,
            softmax,
        })
    }

    fn probabilities<'a>(&self, id: NodeId, state: &'a mut State) -> &'a [f32] {
        let shape = self.graph.shape(id);
        state.probabilities.resize(shape.len(), 0.0);
        let (memo, scratch) = state.softmax.get_or_insert_default();
        self.graph.node(id).layer.forward(Forward {
            batch: 1,
            inputs: &[&state.scores],
            input_shapes: &[shape],
            output: &mut state.probabilities,
            output_shape: shape,
            weights: &[],
            bias: &[],
            memo,
            scratch,
            mode: Mode::Infer,
            rectified: false,
            scaled: None,
        });
        &state.probabilities
    }
}
