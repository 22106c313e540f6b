//! One step of a session: what is prepared for it, and how it runs.

use synapress_kernels::blocked::pooling::{Windows, largest, means};
use synapress_kernels::blocked::{Buffer, Cell, Normalization, Place, Stage, Team};
use synapress_kernels::integer::Kernel;
use synapress_kernels::scalar::round_shift;
use synapress_model::layers::multiplier;
use synapress_model::linear::IntegerWeights;
use synapress_model::pass::front;
use synapress_model::{Error, Fixed, Graph, IntegerForward, NodeId, Shape};

use super::late::Late;
use super::linear::Product;
use super::plan::{Plan, Planned, Way, stage};
use super::planar;
use super::supply::Supply;

/// A step.
#[derive(Debug)]
pub(super) struct Step {
    pub node: NodeId,
    inputs: Vec<Map>,
    output: Map,
    work: Work,
}

/// How a step is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct How {
    /// The loops, in a word or two.
    pub loops: &'static str,
    /// Multiply-accumulates that they do for an image, skipped zeros left out; where that is known.
    pub multiplications: Option<u64>,
    /// Bytes of arranged weights.
    pub bytes: usize,
}

/// A map and the buffer that it lies in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    pub buffer: usize,
    pub place: Place,
}

/// What a step does.
#[derive(Debug)]
pub(super) enum Work {
    Product(Box<Product>),
    Largest(Kernel, Windows),
    Mean(Windows, Stage),
    Normalization(Kernel, Box<Normalization>),
    Definition(Box<Definition>),
    /// Prepared anew for every run.
    Late(Box<Late>),
}

/// What a step's work is prepared from.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub kernel: Kernel,
    pub planned: Planned,
    pub places: Vec<Place>,
    pub output: Place,
    pub input_formats: Vec<Fixed>,
    pub output_format: Fixed,
    table: Vec<i16>,
}

/// A layer as it defines itself, on codes `(C, H, W)`.
#[derive(Debug)]
pub(super) struct Definition {
    input_shapes: Vec<Shape>,
    input_formats: Vec<Fixed>,
    output_shape: Shape,
    output_format: Fixed,
    weights: Option<IntegerWeights>,
    table: Vec<i16>,
    /// Weighted sums that 32 bits do not hold, by kernels that add up 64.
    product: Option<planar::Product>,
    /// What follows the layer's own requantization.
    later: Vec<Stage>,
}

/// Working space of steps.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    apart: Buffer,
    codes: Vec<Vec<i16>>,
    result: Vec<i16>,
    columns: planar::Buffers,
}

impl Recipe {
    /// The work, with the layer's weights.
    pub fn work(&self, graph: &Graph, weights: Option<IntegerWeights>) -> Work {
        let (from, to, kernel) = (self.input_formats[0], self.output_format, self.kernel);
        let (input, later) = (self.places[0], &self.planned.later);
        let ready = match (self.planned.way, &weights) {
            (Way::Sums(g), Some(w)) => {
                Product::new(kernel, &g, w, [input, self.output], [from, to], later).map(|p| Work::Product(Box::new(p)))
            }
            (Way::Largest(windows), _) => Some(Work::Largest(kernel, windows)),
            (Way::Mean(windows), _) => Some(Work::Mean(windows, stage(from.frac.into(), to))),
            (Way::Normalization(channels), _) if input.cell == Cell::Bytes => {
                let Stage { shift, low, high } = stage(from.frac.into(), to);
                let entry = |&entry: &i16| {
                    let (factor, scale) = multiplier(entry);
                    (factor as i32, scale + shift)
                };
                let entries: Vec<(i32, i32)> = self.table.iter().map(entry).collect();
                Normalization::new(channels, &entries, [low, high]).map(|n| Work::Normalization(kernel, Box::new(n)))
            }
            _ => None,
        };
        ready.unwrap_or_else(|| {
            let product = match (self.planned.way, &weights) {
                (Way::Sums(g), Some(w)) => planar::Product::new(kernel, g, w, from, to),
                _ => None,
            };
            let id = self.planned.node;
            Work::Definition(Box::new(Definition {
                input_shapes: graph.input_shapes(id),
                input_formats: self.input_formats.clone(),
                output_shape: graph.shape(id),
                output_format: to,
                weights,
                table: self.table.clone(),
                product,
                later: later.clone(),
            }))
        })
    }
}

impl Step {
    /// Prepares a step of a plan. `formats` and `table` are those of the nodes. Its weights come from `supply`, now or,
    /// if that keeps them, at every run.
    pub fn new(
        kernel: Kernel,
        graph: &Graph,
        formats: &[Fixed],
        table: &[i16],
        supply: &mut Supply<'_>,
        plan: &Plan,
        planned: &Planned,
    ) -> Result<Self, Error> {
        let id = planned.node;
        let inputs: Vec<Map> = planned.inputs.iter().map(|&map| plan.map(map)).collect();
        let output = plan.map(planned.output);
        let recipe = Recipe {
            kernel,
            planned: planned.clone(),
            places: inputs.iter().map(|map| map.place).collect(),
            output: output.place,
            input_formats: graph.node(id).inputs.iter().map(|&i| formats[i]).collect(),
            output_format: formats[id],
            table: table.to_vec(),
        };
        let work = match supply.kept(id) {
            Some(source) => Work::Late(Box::new(Late { recipe, source })),
            None => recipe.work(graph, supply.take(id)?),
        };
        Ok(Self { node: id, inputs, output, work })
    }

    /// How it is done.
    pub fn how(&self) -> How {
        let plain = |loops| How { loops, multiplications: None, bytes: 0 };
        match &self.work {
            Work::Product(product) => product.how(),
            Work::Largest(..) | Work::Mean(..) => plain("pooling"),
            Work::Normalization(..) => plain("table"),
            Work::Definition(d) if d.product.is_some() => plain("64-bit sums"),
            Work::Definition(_) => plain("definition"),
            Work::Late(_) => plain("decoded when due"),
        }
    }

    /// Runs it on a session's buffers.
    pub fn run(&self, graph: &Graph, buffers: &mut [Buffer], scratch: &mut Scratch, team: &Team) -> Result<(), Error> {
        let mut own = std::mem::take(&mut buffers[self.output.buffer]);
        let result = self.run_into(graph, buffers, own.cells_mut(), scratch, team);
        buffers[self.output.buffer] = own;
        result
    }

    fn run_into(
        &self,
        graph: &Graph,
        buffers: &[Buffer],
        output: &mut [u32],
        scratch: &mut Scratch,
        team: &Team,
    ) -> Result<(), Error> {
        let (from, to) = (self.inputs[0], &self.output.place);
        let input = buffers[from.buffer].cells();
        let due;
        let work = match &self.work {
            Work::Late(late) => {
                if late.run_pieces(input, output, &mut scratch.apart, team)? {
                    return Ok(());
                }
                due = late.work(graph)?;
                &due
            }
            work => work,
        };
        match work {
            Work::Product(product) => {
                product.run([&from.place, to], input, output, &mut scratch.apart, team);
                Ok(())
            }
            Work::Largest(kernel, windows) => {
                largest(*kernel, windows, &from.place, input, to, output, team);
                Ok(())
            }
            Work::Mean(windows, stage) => {
                means(windows, *stage, &from.place, input, to, output, team);
                Ok(())
            }
            Work::Normalization(kernel, normalization) => {
                normalization.run(*kernel, &from.place, input, to, output, team);
                Ok(())
            }
            Work::Definition(definition) => {
                let Scratch { codes, result, columns, .. } = scratch;
                codes.resize_with(codes.len().max(self.inputs.len()), Vec::new);
                for (map, (codes, shape)) in self.inputs.iter().zip(codes.iter_mut().zip(&definition.input_shapes)) {
                    map.place.unpack(buffers[map.buffer].cells(), front(codes, shape.len()));
                }
                let done = definition.run(graph, self.node, codes, result, columns);
                to.pack(result, output);
                done
            }
            Work::Late(_) => unreachable!("work that is due is prepared"),
        }
    }
}

/// Up to this many inputs of a node are listed without an allocation.
const FEW: usize = 8;

impl Definition {
    fn run(
        &self,
        graph: &Graph,
        id: NodeId,
        codes: &[Vec<i16>],
        result: &mut Vec<i16>,
        columns: &mut planar::Buffers,
    ) -> Result<(), Error> {
        result.resize(self.output_shape.len(), 0);
        let input = |i: usize| &codes[i][..self.input_shapes[i].len()];
        if let Some(product) = &self.product {
            product.run(input(0), result, columns);
        } else {
            let count = self.input_shapes.len();
            let mut few: [&[i16]; FEW] = [&[]; FEW];
            let many: Vec<&[i16]>;
            let inputs = if count <= FEW {
                few.iter_mut().enumerate().take(count).for_each(|(i, slot)| *slot = input(i));
                &few[..count]
            } else {
                many = (0..count).map(input).collect();
                &many
            };
            graph.node(id).layer.forward_integer(IntegerForward {
                inputs,
                input_shapes: &self.input_shapes,
                input_formats: &self.input_formats,
                output: result,
                output_shape: self.output_shape,
                output_format: self.output_format,
                weights: self.weights.as_ref(),
                table: &self.table,
            })?;
        }
        for stage in &self.later {
            for q in result.iter_mut() {
                *q = round_shift(i64::from(*q), stage.shift).clamp(stage.low.into(), stage.high.into()) as i16;
            }
        }
        Ok(())
    }
}

impl Plan {
    /// A map and its buffer.
    pub fn map(&self, map: NodeId) -> Map {
        Map {
            buffer: self.buffers[map],
            place: self.places[map].expect("every map that is read or written has a place"),
        }
    }
}
