//! Weighted sums arranged for a kernel: for each block of outputs the cells that it reads, and their weights.
//!
//! A block lists the cells that any of its outputs has a weight for, as offsets from the cell of an output's own
//! position, so that convolution of any window, dilation and number of groups is one loop. Where few weights of a
//! block are not zero every output has a list of its own.

use std::ops::Range;

use super::cells::Cells;
use super::codebook::{self, Codebook};
use super::finish::Finish;
use super::groups::{Group, OWN, groups};
use super::loops::VECTORS;
use super::place::{Buffer, Cell, Place, SLACK};
use super::rows::Rows;
use super::stores::Stores;
use super::{Team, loops, run};
use crate::integer::Kernel;

/// A layer: what is multiplied, and where inputs and outputs lie.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// The input.
    pub input: Place,
    /// The output.
    pub output: Place,
    /// For each tap of the window its row and column, counted from the output's position in the input.
    pub taps: &'a [[isize; 2]],
    /// Groups that inputs and outputs are split into.
    pub groups: usize,
    /// Weights, `[outputs][inputs / groups][taps]`.
    pub weights: &'a [i16],
    /// The smallest and the largest code of the input; 0 lies between them.
    pub range: [i64; 2],
}

/// The weighted sums of one layer.
#[derive(Clone, Debug)]
pub struct Sums {
    pub(super) loops: &'static run::Loops,
    pub(super) input: Place,
    pub(super) output: Place,
    pub(super) finish: Finish,
    pub(super) form: Form,
    /// Offsets of the cells that are read.
    pub(super) lists: Vec<u32>,
    /// Weights in the order of their use.
    pub(super) weights: Buffer,
    /// How many cells of the input are there for the loops to read.
    reach: usize,
    /// Cells of weights.
    work: u64,
}

/// What the lanes of a vector are.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// Positions.
    Positions { blocks: Vec<Block>, stores: Stores },
    /// Tiles of outputs and positions.
    #[cfg(target_arch = "x86_64")]
    Tiles { tiles: super::amx::Tiles, stores: Stores },
    /// Outputs; there is a single position.
    Outputs { blocks: Vec<Block> },
    /// Outputs; there is a single position, and weights are indices.
    Indexed { blocks: Vec<Block>, codebook: Codebook },
    /// Nothing: few weights are left at a single position.
    Rows(Rows),
}

/// Outputs that are computed together.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// The first of them.
    pub first: usize,
    /// How many there are.
    pub count: usize,
    /// Their number with those that only fill up; for a form of outputs, vectors of them.
    pub rows: usize,
    /// One list for all, or one for each of four.
    pub lists: Lists,
    /// Where its weights begin.
    pub weights: usize,
}

impl Block {
    /// Its outputs.
    pub fn outputs(&self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

#[derive(Clone, Debug)]
pub(super) enum Lists {
    Shared(Range<usize>),
    Own([Range<usize>; 4]),
}

impl Sums {
    /// Arranges a layer; `None` when 32 bits do not hold a sum or a weight does not fit its cell.
    ///
    /// # Panics
    /// When there are not as many weights as the layer has, a tap lies outside the input and its border, or a row of positions is longer
    /// than one of the input with its border.
    pub fn new(kernel: Kernel, layer: &Layer<'_>, finish: Finish) -> Option<Self> {
        Self::arranged(kernel, layer, finish, codebook::pays(layer))
    }

    /// As [`Sums::new`]; whether weights of a single position may be indices.
    pub(super) fn arranged(kernel: Kernel, layer: &Layer<'_>, finish: Finish, may_index: bool) -> Option<Self> {
        let loops = loops(kernel, layer.input.cell);
        let (outputs, taps) = (layer.output.channels, layer.taps.len());
        let row = layer.input.channels / layer.groups * taps;
        assert_eq!(layer.weights.len(), outputs * row, "{outputs} outputs of {row} weights");
        check_taps(layer);
        let bytes = layer.input.cell == Cell::Bytes;
        if bytes && layer.weights.iter().any(|w| i8::try_from(*w).is_err()) {
            return None;
        }
        let one = layer.output.size == [1, 1];
        let indices = bytes && one && may_index && loops.indexed.is_some();
        let codebook = indices.then(|| codebook::codebook(layer, loops.narrow)).flatten();
        let rows = one.then(|| Rows::new(layer, codebook.is_some())).flatten();
        let finish = finish.prepared(layer, if rows.is_some() { 0 } else { loops.less })?;
        let mut sums = Self {
            loops,
            input: layer.input,
            output: layer.output,
            finish,
            form: Form::Outputs { blocks: Vec::new() },
            lists: Vec::new(),
            weights: Buffer::default(),
            reach: 0,
            work: 0,
        };
        let (mut blocks, mut arranged) = (Vec::new(), Vec::new());
        sums.form = if let Some(rows) = rows {
            sums.work = rows.entries() as u64;
            Form::Rows(rows)
        } else if let Some(codebook) = codebook {
            sums.add_indices(layer, &codebook, &mut blocks, &mut arranged);
            Form::Indexed { blocks, codebook }
        } else if one {
            sums.add_outputs(layer, &mut blocks, &mut arranged);
            Form::Outputs { blocks }
        } else if let Some(form) = sums.tiles(kernel, layer) {
            form
        } else {
            sums.add_positions(layer, &mut blocks, &mut arranged);
            Form::Positions { blocks, stores: Stores::new(layer, loops.lanes) }
        };
        sums.weights = Buffer::of(&arranged);
        let lanes = match &sums.form {
            Form::Positions { stores, .. } => stores.vectors() * loops.lanes,
            #[cfg(target_arch = "x86_64")]
            Form::Tiles { tiles, stores } => tiles.span(&layer.input) + stores.vectors() * loops.lanes,
            Form::Outputs { .. } | Form::Indexed { .. } => 1,
            Form::Rows(_) => layer.input.end() - SLACK,
        };
        let farthest = sums.lists.iter().max().copied().unwrap_or(0) as usize;
        sums.reach = layer.input.start + farthest + lanes;
        Some(sums)
    }

    /// Tiles, if the processor has them and they are quicker than vectors of positions.
    #[cfg(target_arch = "x86_64")]
    fn tiles(&mut self, kernel: Kernel, layer: &Layer<'_>) -> Option<Form> {
        if !kernel.has_tiles() || layer.input.cell != Cell::Bytes {
            return None;
        }
        let mut tiles = super::amx::Tiles::new(layer)?;
        let vectors: f64 = groups(layer, self.loops.rows).map(|group| group.cost()).sum();
        if tiles.cost() >= vectors {
            return None;
        }
        tiles.arrange(layer);
        self.lists.clone_from(&tiles.offsets);
        self.work = tiles.cells() as u64;
        Some(Form::Tiles { tiles, stores: Stores::new(layer, self.loops.lanes) })
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn tiles(&mut self, _: Kernel, _: &Layer<'_>) -> Option<Form> {
        None
    }

    fn add_positions(&mut self, layer: &Layer<'_>, blocks: &mut Vec<Block>, arranged: &mut Vec<u32>) {
        for Group { outputs, rows, used } in groups(layer, self.loops.rows) {
            let (first, count) = (outputs.start, outputs.len());
            if used.own_cost() < used.shared_cost(rows) {
                for first in outputs.step_by(OWN) {
                    let count = (layer.output.channels - first).min(OWN);
                    let cells = Cells::new(layer, first..first + count, self.loops.narrow);
                    self.add_own(&cells, first, count, blocks, arranged);
                }
            } else {
                let cells = Cells::new(layer, outputs, self.loops.narrow);
                self.add_shared(&cells, first, count, rows, blocks, arranged);
            }
        }
    }

    fn add_shared(
        &mut self,
        cells: &Cells,
        first: usize,
        count: usize,
        rows: usize,
        blocks: &mut Vec<Block>,
        arranged: &mut Vec<u32>,
    ) {
        let (list, weights) = (self.lists.len(), arranged.len());
        self.lists.extend(&cells.offsets);
        for of_cell in cells.weights() {
            for r in 0..rows {
                let cell = (self.loops.arrange)(of_cell.get(r).copied().unwrap_or_default());
                arranged.extend(&cell[..self.loops.words]);
            }
        }
        self.work += (cells.offsets.len() * rows) as u64;
        blocks.push(Block { first, count, rows, lists: Lists::Shared(list..self.lists.len()), weights });
    }

    fn add_own(&mut self, cells: &Cells, first: usize, count: usize, blocks: &mut Vec<Block>, arranged: &mut Vec<u32>) {
        let weights = arranged.len();
        let lists = std::array::from_fn(|r| {
            let start = self.lists.len();
            for (offset, of_cell) in cells.offsets.iter().zip(cells.weights()) {
                let Some(&cell) = of_cell.get(r).filter(|w| **w != [0; 4]) else { continue };
                self.lists.push(*offset);
                arranged.extend(&(self.loops.arrange)(cell)[..self.loops.words]);
                self.work += 1;
            }
            start..self.lists.len()
        });
        blocks.push(Block { first, count, rows: OWN, lists: Lists::Own(lists), weights });
    }

    fn add_indices(
        &mut self,
        layer: &Layer<'_>,
        codebook: &Codebook,
        blocks: &mut Vec<Block>,
        arranged: &mut Vec<u32>,
    ) {
        for (first, count) in codebook::blocks(layer.output.channels, self.loops.lanes) {
            let cells = Cells::new(layer, first..first + count, false);
            let (list, weights) = (self.lists.len(), arranged.len());
            self.lists.extend(&cells.offsets);
            codebook::arrange(&cells, codebook, self.loops.lanes, arranged);
            self.work += (cells.offsets.len() * VECTORS * self.loops.lanes) as u64;
            blocks.push(Block { first, count, rows: VECTORS, lists: Lists::Shared(list..self.lists.len()), weights });
        }
    }

    fn add_outputs(&mut self, layer: &Layer<'_>, blocks: &mut Vec<Block>, arranged: &mut Vec<u32>) {
        let (lanes, outputs) = (self.loops.lanes, layer.output.channels);
        let mut first = 0;
        while first < outputs {
            let rows = if outputs - first >= VECTORS * lanes { VECTORS } else { 1 };
            let count = (outputs - first).min(rows * lanes);
            let cells = Cells::new(layer, first..first + count, self.loops.narrow);
            let (list, weights) = (self.lists.len(), arranged.len());
            self.lists.extend(&cells.offsets);
            for of_cell in cells.weights() {
                for lanes in (0..rows).map(|v| v * lanes..(v + 1) * lanes) {
                    let cells = lanes.map(|o| (self.loops.arrange)(of_cell.get(o).copied().unwrap_or_default()));
                    let cells: Vec<[u32; 2]> = cells.collect();
                    for word in 0..self.loops.words {
                        arranged.extend(cells.iter().map(|cell| cell[word]));
                    }
                }
            }
            self.work += (cells.offsets.len() * rows * lanes) as u64;
            blocks.push(Block { first, count, rows, lists: Lists::Shared(list..self.lists.len()), weights });
            first += count;
        }
    }

    /// Computes the output's codes from the input's. What is not a pixel of the output stays as it is.
    ///
    /// # Panics
    /// When a buffer is shorter than its place says.
    pub fn run(&self, input: &[u32], output: &mut [u32], team: &Team) {
        assert!(input.len() >= self.reach, "the input has {} cells, {} are read", input.len(), self.reach);
        assert!(output.len() >= self.output.end(), "the output has {} cells", output.len());
        run::run(self, input, output, team);
    }

    /// Multiply-accumulates of one image that the loops do: without zeros that are skipped, with those that only fill
    /// cells and blocks, but without those at positions beyond the output.
    pub fn multiplications(&self) -> u64 {
        let positions = (self.output.size[0] * self.output.size[1]) as u64;
        match &self.form {
            Form::Rows(_) => self.work,
            _ => self.work * self.input.cell.channels() as u64 * positions,
        }
    }

    /// What a cell of the input holds.
    pub fn cell(&self) -> Cell {
        self.input.cell
    }

    /// Whether any outputs have lists of their own.
    pub fn is_sparse(&self) -> bool {
        match &self.form {
            Form::Positions { blocks, .. } => blocks.iter().any(|b| matches!(b.lists, Lists::Own(_))),
            Form::Rows(_) => true,
            _ => false,
        }
    }

    /// Whether weights are read as indices of a codebook.
    pub fn is_indexed(&self) -> bool {
        matches!(self.form, Form::Indexed { .. })
    }

    /// Bytes of the arranged weights.
    pub fn bytes(&self) -> usize {
        let tiles = match &self.form {
            #[cfg(target_arch = "x86_64")]
            Form::Tiles { tiles, .. } => tiles.cells(),
            Form::Rows(rows) => rows.entries() / 2,
            _ => 0,
        };
        (self.weights.cells().len() + self.lists.len() + tiles) * 4
    }
}

/// Refuses taps outside the border, and rows of positions that are longer than the input's.
fn check_taps(layer: &Layer<'_>) {
    let ([height, width], place) = (layer.output.size, &layer.input);
    assert!(width <= place.pitch, "{width} positions in rows of {} cells", place.pitch);
    for &[dy, dx] in layer.taps {
        for axis in 0..2 {
            let (d, positions) = ([dy, dx][axis], [height, width][axis]);
            let (size, border) = (place.size[axis], place.border[axis]);
            let inside = d + border as isize >= 0 && d + positions as isize <= (size + border) as isize;
            assert!(inside, "tap {d} of axis {axis} leaves {size} pixels with a border of {border}");
        }
    }
}
