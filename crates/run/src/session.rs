//! Execution of a quantized network in integers alone, one image at a time.
//!
//! A session gives exactly the integers of [`definition`], which walks the graph and asks every layer for its meaning;
//! it only computes them faster: weights arranged once, memory assigned once, nothing that the output does not need.
//! Only a softmax at the end is floating point.

mod definition;
mod memory;
mod product;

use std::sync::Arc;

use synapress_kernels::integer::Kernel;
use synapress_model::layer::{Memo, Scratch};
use synapress_model::linear::IntegerWeights;
use synapress_model::{Error, ErrorKind, Fixed, Forward, Graph, IntegerForward, Mode, Net, NodeId, Shape};

pub use definition::definition;

use crate::session::definition::integers;
use crate::session::memory::Memory;
use crate::session::product::{Buffers, Product};

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
    state: State,
}

/// What all clones share.
#[derive(Debug)]
struct Program {
    graph: Graph,
    steps: Vec<Step>,
    memory: Memory,
    input: NodeId,
    input_format: Fixed,
    /// The last node in integers and its format.
    scores: NodeId,
    scores_format: Fixed,
    /// The softmax behind it.
    softmax: Option<NodeId>,
}

/// One node's work.
#[derive(Debug)]
struct Step {
    node: NodeId,
    input_shapes: Vec<Shape>,
    input_formats: Vec<Fixed>,
    output_format: Fixed,
    table: Vec<i16>,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// As the layer defines it.
    Layer(Option<IntegerWeights>),
    /// Weighted sums by the kernels.
    Product(Box<Product>),
}

/// What each session owns. Grows during the first run.
#[derive(Debug, Default)]
struct State {
    buffers: Vec<Vec<i16>>,
    columns: Buffers,
    scores: Vec<f32>,
    probabilities: Vec<f32>,
    softmax: Option<(Memo<f32>, Scratch<f32>)>,
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Self { program: Arc::clone(&self.program), state: State::default() }
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
        Ok(Self { program: Arc::new(Program::new(net, kernel)?), state: State::default() })
    }

    /// Shape of the input image.
    pub fn input_shape(&self) -> Shape {
        self.program.graph.shape(self.program.input)
    }

    /// Number of class scores.
    pub fn classes(&self) -> usize {
        self.program.graph.shape(self.program.scores).len()
    }

    /// Whether a run ends in probabilities: there is a softmax at the end.
    pub fn ends_in_softmax(&self) -> bool {
        self.program.softmax.is_some()
    }

    /// Classifies one preprocessed image `(C, H, W)`: class probabilities, or the scores as numbers when the network
    /// does not end in a softmax.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the image has another size.
    pub fn run(&mut self, image: &[f32]) -> Result<&[f32], Error> {
        let (program, state) = (&*self.program, &mut self.state);
        let shape = program.graph.shape(program.input);
        if image.len() != shape.len() {
            let message = format!("the image has {} values, the network takes {shape} ({})", image.len(), shape.len());
            return Err(Error::new(ErrorKind::Shape, message));
        }
        state.buffers.resize_with(program.memory.lengths.len(), Vec::new);
        for (buffer, &len) in state.buffers.iter_mut().zip(&program.memory.lengths) {
            buffer.resize(len, 0);
        }
        let input = &mut state.buffers[program.memory.buffer[program.input]];
        input.iter_mut().zip(image).for_each(|(q, &x)| *q = program.input_format.quantize(x));
        for step in &program.steps {
            step.run(program, state).map_err(|e| e.at_layer(&program.graph.node(step.node).name))?;
        }
        let codes = program.codes(&state.buffers);
        state.scores.clear();
        state.scores.extend(codes.iter().map(|&q| program.scores_format.value(q)));
        match program.softmax {
            None => Ok(&state.scores),
            Some(id) => Ok(program.probabilities(id, state)),
        }
    }

    /// The integer scores of the last run and their format: what the probabilities are made of. Empty before the
    /// first run.
    pub fn codes(&self) -> (&[i16], Fixed) {
        let codes = if self.state.buffers.is_empty() { &[] } else { self.program.codes(&self.state.buffers) };
        (codes, self.program.scores_format)
    }
}

impl Program {
    fn new(net: &Net, kernel: Kernel) -> Result<Self, Error> {
        let formats = integers(net)?;
        let graph = net.graph.clone();
        let (input, output) = (graph.input()?, graph.output());
        let needed = graph.needed_for(&[output]);
        if !needed[input] {
            return Err(Error::new(ErrorKind::Graph, "the output does not depend on the input"));
        }
        let softmax = graph.node(output).layer.loss_weight().map(|_| output);
        let scores = softmax.map_or(output, |id| graph.node(id).inputs[0]);
        let memory = Memory::new(&graph, &formats.outputs, &needed, input, scores);
        let mut steps = Vec::new();
        for (id, node) in graph.nodes().iter().enumerate() {
            if !needed[id] || id == input || Some(id) == softmax || memory.alias[id] {
                continue;
            }
            let fault = |e: Error| e.at_layer(&node.name);
            if node.layer.loss_weight().is_some() {
                let message = "a softmax is supported at the end of a quantized network alone";
                return Err(fault(Error::new(ErrorKind::Unsupported, message)));
            }
            let input_formats: Vec<Fixed> = node.inputs.iter().map(|&i| formats.outputs[i]).collect();
            let output_format = formats.outputs[id];
            let weights = net.weights[id].as_ref().map(IntegerWeights::of).transpose().map_err(fault)?;
            let product = match (net.linear(id), &weights) {
                (Some(g), Some(w)) => Product::new(kernel, g, w, input_formats[0], output_format),
                _ => None,
            };
            steps.push(Step {
                node: id,
                input_shapes: graph.input_shapes(id),
                input_formats,
                output_format,
                table: formats.tables[id].clone(),
                work: product.map_or(Work::Layer(weights), |p| Work::Product(Box::new(p))),
            });
        }
        let (input_format, scores_format) = (formats.outputs[input], formats.outputs[scores]);
        Ok(Self { graph, steps, memory, input, input_format, scores, scores_format, softmax })
    }

    fn codes<'a>(&self, buffers: &'a [Vec<i16>]) -> &'a [i16] {
        self.memory.of(self.scores, &self.graph, buffers)
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
        });
        &state.probabilities
    }
}

/// Up to this many inputs of a node are listed without an allocation.
const FEW: usize = 8;

impl Step {
    fn run(&self, program: &Program, state: &mut State) -> Result<(), Error> {
        let node = program.graph.node(self.node);
        let output_shape = program.graph.shape(self.node);
        let at = program.memory.buffer[self.node];
        let mut buffer = std::mem::take(&mut state.buffers[at]);
        let output = &mut buffer[..output_shape.len()];
        let input = |id: NodeId| program.memory.of(id, &program.graph, &state.buffers);
        let result = match &self.work {
            Work::Product(product) => {
                product.run(input(node.inputs[0]), output, &mut state.columns);
                Ok(())
            }
            Work::Layer(weights) => {
                let mut few: [&[i16]; FEW] = [&[]; FEW];
                let many: Vec<&[i16]>;
                let inputs = if node.inputs.len() <= FEW {
                    few.iter_mut().zip(&node.inputs).for_each(|(slot, &id)| *slot = input(id));
                    &few[..node.inputs.len()]
                } else {
                    many = node.inputs.iter().map(|&id| input(id)).collect();
                    &many
                };
                node.layer.forward_integer(IntegerForward {
                    inputs,
                    input_shapes: &self.input_shapes,
                    input_formats: &self.input_formats,
                    output,
                    output_shape,
                    output_format: self.output_format,
                    weights: weights.as_ref(),
                    table: &self.table,
                })
            }
        };
        state.buffers[at] = buffer;
        result
    }
}
