//! Weights and inputs in the order that kernels read them, and the product of both.

use super::finish::{FinishRows, Rows};
use super::{Finish, Kernel, Loops, Tile, chunks};

/// Which operand the weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Rows, for many positions ([`Weights::multiply`]).
    Rows,
    /// Panels, for a single position ([`Weights::multiply_one`]).
    Panels,
}

/// Weights of some outputs, `outputs x taps`, arranged for one kernel.
#[derive(Clone, Debug)]
pub struct Weights {
    kernel: Kernel,
    outputs: usize,
    taps: usize,
    blocks: Vec<Block>,
    /// For each block `[pair of taps][height][2]`, outputs and taps beyond the last are zero.
    data: Vec<i16>,
}

/// Outputs that are computed together.
#[derive(Clone, Debug)]
struct Block {
    first: usize,
    count: usize,
    height: usize,
    /// Where its data begin.
    at: usize,
    /// For inputs of either sign.
    any: Runs,
    /// For inputs of which none is negative.
    positive: Runs,
}

impl Block {
    fn runs(&self, positive: bool) -> &Runs {
        if positive { &self.positive } else { &self.any }
    }
}

/// How a block's sums are cut.
#[derive(Clone, Debug)]
struct Runs {
    ends: Vec<u32>,
    /// The largest magnitude of a whole sum.
    largest: i64,
}

impl Runs {
    fn new(rows: &[&[i16]], range: (i64, i64)) -> Option<Self> {
        let extremes = rows.iter().map(|row| chunks::extremes(row, range));
        let largest = extremes.map(|(least, most)| most.max(-least)).max().unwrap_or(0);
        Some(Self { ends: chunks::ends(rows, range)?, largest })
    }
}

impl Weights {
    /// Arranges `q`, `outputs x taps`, for inputs from `low` to `high` (which include 0). `None` when 32 bits do not
    /// hold even two products: weights of -2^15 beside each other on 16-bit inputs.
    ///
    /// # Panics
    /// When `q` has another length, or there are no taps.
    pub fn new(
        kernel: Kernel,
        layout: Layout,
        q: &[i16],
        outputs: usize,
        taps: usize,
        (low, high): (i64, i64),
    ) -> Option<Self> {
        assert!(taps > 0 && q.len() == outputs * taps, "{} weights of {outputs} x {taps}", q.len());
        let rows: Vec<&[i16]> = q.chunks_exact(taps).collect();
        let pairs = taps.div_ceil(2);
        let (mut blocks, mut data) = (Vec::new(), Vec::new());
        let most = if layout == Layout::Rows { kernel.height() } else { kernel.width() };
        for (i, rows) in rows.chunks(most).enumerate() {
            let height = if layout == Layout::Rows { rows.len().next_power_of_two() } else { most };
            let at = data.len();
            data.resize(at + pairs * height * 2, 0);
            for (r, row) in rows.iter().enumerate() {
                for (tap, &w) in row.iter().enumerate() {
                    data[at + (tap / 2 * height + r) * 2 + tap % 2] = w;
                }
            }
            let (any, positive) = (Runs::new(rows, (low, high))?, Runs::new(rows, (0, high))?);
            blocks.push(Block { first: i * most, count: rows.len(), height, at, any, positive });
        }
        Some(Self { kernel, outputs, taps, blocks, data })
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The longest list of runs of any block, for inputs of either sign: 1 when 32 bits hold every sum.
    pub fn runs(&self) -> usize {
        self.blocks.iter().map(|b| b.any.ends.len()).max().unwrap_or(1)
    }

    /// Length of the panels of so many positions.
    pub fn panels_len(&self, positions: usize) -> usize {
        let width = self.kernel.width();
        positions.div_ceil(width) * self.taps.div_ceil(2) * width * 2
    }

    /// Codes of every output at every position: output `o` at position `n` goes to `out[o * stride + n]`. The panels
    /// come from [`interleave`]; `positive` promises that no input is negative.
    ///
    /// # Panics
    /// When the weights lie as panels, or `panels` or `out` is too short.
    pub fn multiply(
        &self,
        panels: &[i16],
        positions: usize,
        positive: bool,
        finish: &Finish,
        out: &mut [i16],
        stride: usize,
    ) {
        let (pairs, width) = (self.taps.div_ceil(2), self.kernel.width());
        let mut tile = Tile::new();
        for (p, panel) in panels[..self.panels_len(positions)].chunks_exact(pairs * width * 2).enumerate() {
            let columns = (positions - p * width).min(width);
            for block in &self.blocks {
                let runs = block.runs(positive);
                let rows = &self.data[block.at..][..pairs * block.height * 2];
                self.kernel.tile(block.height, rows, panel, &runs.ends, &mut tile);
                let narrow = finish.narrow(runs.largest);
                let (outputs, count) = (block.first..block.first + block.count, runs.ends.len());
                let out = &mut out[block.first * stride + p * width..];
                let sums = Rows { tile: &tile, outputs, runs: count, narrow, columns };
                self.kernel.run(FinishRows { finish, sums, out, stride });
            }
        }
    }

    /// Codes of every output at the only position. `input` is that position's column, with a zero after the last tap
    /// if their number is odd; `positive` promises that no input is negative.
    ///
    /// # Panics
    /// When the weights lie as rows, or `input` or `out` is too short.
    pub fn multiply_one(&self, input: &[i16], positive: bool, finish: &Finish, out: &mut [i16]) {
        let (pairs, width) = (self.taps.div_ceil(2), self.kernel.width());
        let mut tile = Tile::new();
        for block in &self.blocks {
            assert_eq!(block.height, width, "weights lie as panels");
            let runs = block.runs(positive);
            let panel = &self.data[block.at..][..pairs * width * 2];
            self.kernel.tile(1, &input[..2 * pairs], panel, &runs.ends, &mut tile);
            let outputs = block.first..block.first + block.count;
            finish.columns(&tile, outputs.clone(), runs.ends.len(), &mut out[outputs]);
        }
    }
}

/// Arranges columns, `taps x positions` with rows `row_stride` apart, as panels: for each run of [`Kernel::width`]
/// positions `[pair of taps][position][2]`. Taps beyond the last are zero, positions beyond the last are left as
/// they are.
pub fn interleave(
    kernel: Kernel,
    matrix: &[i16],
    row_stride: usize,
    taps: usize,
    positions: usize,
    panels: &mut [i16],
) {
    let from = Columns { matrix, row_stride, taps, positions, width: kernel.width() };
    kernel.run(Interleave { from, panels });
}

/// Columns side by side in rows of a matrix.
struct Columns<'a> {
    matrix: &'a [i16],
    row_stride: usize,
    taps: usize,
    positions: usize,
    width: usize,
}

struct Interleave<'a> {
    from: Columns<'a>,
    panels: &'a mut [i16],
}

impl Loops for Interleave<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Columns { matrix, row_stride, taps, positions, width } = self.from;
        let panels = self.panels.chunks_exact_mut(taps.div_ceil(2) * width * 2);
        for (panel, first) in panels.zip((0..positions).step_by(width)) {
            let columns = (positions - first).min(width);
            for (pair, out) in panel.chunks_exact_mut(width * 2).enumerate() {
                let out = &mut out.as_chunks_mut::<2>().0[..columns];
                let a = &matrix[2 * pair * row_stride + first..][..columns];
                if 2 * pair + 1 < taps {
                    let b = &matrix[(2 * pair + 1) * row_stride + first..][..columns];
                    for i in 0..columns {
                        out[i] = [a[i], b[i]];
                    }
                } else {
                    out.iter_mut().zip(a).for_each(|(out, &a)| *out = [a, 0]);
                }
            }
        }
    }
}
