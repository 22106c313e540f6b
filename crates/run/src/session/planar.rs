//! Convolution and fully connected layers whose sums need more than 32 bits, on codes `(C, H, W)`.

use std::ops::Range;

use synapress_kernels::columns::gather_rows;
use synapress_kernels::integer::{Finish, Kernel, Layout, Weights, interleave, none_negative};
use synapress_model::Fixed;
use synapress_model::linear::{IntegerWeights, Linear};
use synapress_model::pass::front;

/// A layer's weighted sums, arranged for a kernel.
#[derive(Debug)]
pub(super) struct Product {
    kernel: Kernel,
    geometry: Linear,
    groups: Vec<(Weights, Finish)>,
    /// Rows of output positions that are worked on at a time.
    rows: usize,
}

/// Working space.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    columns: Vec<i16>,
    panels: Vec<i16>,
}

/// Columns should stay in the cache from their making to their use: so many elements at most.
const PIECE: usize = 1 << 17;

impl Product {
    /// Arranges a layer's weights; `None` when kernels cannot hold its products, which its definition can.
    pub fn new(kernel: Kernel, g: Linear, weights: &IntegerWeights, input: Fixed, output: Fixed) -> Option<Self> {
        let (taps, outputs) = (g.taps(), g.output.channels / g.groups);
        let layout = if g.output.area() == 1 { Layout::Panels } else { Layout::Rows };
        let accumulator = i32::from(weights.format.frac) + i32::from(input.frac);
        let group = |i: usize| {
            let q = &weights.q[i * outputs * taps..][..outputs * taps];
            let biases = (i * outputs..(i + 1) * outputs).map(|o| weights.bias_at(o, accumulator));
            let shift = accumulator - i32::from(output.frac);
            let finish = Finish::new(biases.collect(), shift, output.bits, output.signed);
            Some((Weights::new(kernel, layout, q, outputs, taps, input.range())?, finish))
        };
        let groups = (0..g.groups).map(group).collect::<Option<Vec<_>>>()?;
        Some(Self { kernel, geometry: g, groups, rows: piece(&g, kernel.width()) })
    }

    /// The output's codes from the input's.
    pub fn run(&self, input: &[i16], output: &mut [i16], buffers: &mut Buffers) {
        let g = &self.geometry;
        let channels = g.input.channels / g.groups;
        let (from, to) = (channels * g.input.area(), g.output.len() / g.groups);
        let positive = none_negative(self.kernel, input);
        let parts = input.chunks_exact(from).zip(output.chunks_exact_mut(to));
        for ((weights, finish), (input, output)) in self.groups.iter().zip(parts) {
            if g.output.area() == 1 {
                let column = self.column(input, buffers);
                weights.multiply_one(column, positive, finish, output);
                continue;
            }
            for y in (0..g.output.height).step_by(self.rows) {
                let rows = y..(y + self.rows).min(g.output.height);
                let (first, positions) = (y * g.output.width, rows.len() * g.output.width);
                let panels = self.panels(weights.panels_len(positions), input, rows, buffers);
                weights.multiply(panels, positions, positive, finish, &mut output[first..], g.output.area());
            }
        }
    }

    /// The only position's column, of even length.
    fn column<'a>(&self, input: &'a [i16], buffers: &'a mut Buffers) -> &'a [i16] {
        let (g, taps) = (&self.geometry, self.geometry.taps());
        let whole = g.window.kernel == g.input.size() && g.window.pad == [0, 0] && g.window.dilation == [1, 1];
        if whole && taps.is_multiple_of(2) {
            return input;
        }
        let column = front(&mut buffers.columns, taps + 1);
        if whole {
            column[..taps].copy_from_slice(input);
        } else {
            let channels = g.input.channels / g.groups;
            gather_rows(input, channels, g.input.size(), &g.window, [1, 1], 0..1, column, 1, 0);
        }
        column[taps] = 0;
        column
    }

    /// The panels of some rows of positions.
    fn panels<'a>(&self, len: usize, input: &[i16], rows: Range<usize>, buffers: &'a mut Buffers) -> &'a [i16] {
        let (g, taps) = (&self.geometry, self.geometry.taps());
        let positions = rows.len() * g.output.width;
        let panels = front(&mut buffers.panels, len);
        if g.window.is_pointwise() {
            let matrix = &input[rows.start * g.output.width..];
            interleave(self.kernel, matrix, g.input.area(), taps, positions, panels);
        } else {
            let channels = g.input.channels / g.groups;
            let matrix = front(&mut buffers.columns, taps * positions);
            gather_rows(input, channels, g.input.size(), &g.window, g.output.size(), rows, matrix, positions, 0);
            interleave(self.kernel, matrix, positions, taps, positions, panels);
        }
        panels
    }
}

/// Rows of positions in a piece: about as many as the cache holds, such that few columns of panels stay unused.
fn piece(g: &Linear, width: usize) -> usize {
    let most = (PIECE / g.taps() / g.output.width).clamp(1, g.output.height);
    let panels = |rows: usize| {
        let of = |rows: usize| (rows * g.output.width).div_ceil(width);
        g.output.height / rows * of(rows) + of(g.output.height % rows)
    };
    (most.div_ceil(2)..=most).rev().min_by_key(|&rows| panels(rows)).unwrap_or(1)
}
