//! A layer's work cut into pieces for threads, and the loops that each processor has for a piece.

use std::ops::Range;

use super::Team;
use super::codebook::Codebook;
use super::pooling::Plane;
use super::stores::Stores;
use super::sums::{Block, Form, Sums};

/// The loops of one way to multiply, compiled for the instructions that it needs.
#[derive(Debug)]
pub(super) struct Loops {
    /// Lanes of a vector.
    pub lanes: usize,
    /// Outputs of a block that share a list.
    pub rows: usize,
    /// Vectors of positions that a piece of work should have a multiple of.
    pub together: usize,
    /// Words of a cell of weights.
    pub words: usize,
    /// What is taken off activations ([`Dot::LESS`]).
    pub less: i16,
    /// Whether two products must fit 16 bits ([`Dot::NARROW`]).
    pub narrow: bool,
    /// Arranges a cell of weights.
    pub arrange: fn([i16; 4]) -> [u32; 2],
    /// Works on vectors of positions.
    pub positions: unsafe fn(&Part<'_>),
    /// Works on vectors of outputs.
    pub outputs: unsafe fn(&Part<'_>),
    /// Works on vectors of outputs, from indices; `None` where there is no quick way to look up.
    pub indexed: Option<unsafe fn(&Part<'_>, &Codebook)>,
    /// Finds the largest codes of a plane's windows.
    pub largest: unsafe fn(&mut Plane<'_>),
}

/// A piece of a layer's work.
pub(super) struct Part<'a> {
    pub sums: &'a Sums,
    pub blocks: &'a [Block],
    pub stores: Option<&'a Stores>,
    /// The start of the input's planes.
    pub input: *const u32,
    /// The start of the output's buffer.
    pub output: *mut u32,
    pub vectors: Range<usize>,
}

/// Compiles the loops for a way to multiply: the instructions, outputs of a block, vectors of positions with a shared list
/// and with lists of one's own, and the loops over [`indices`].
macro_rules! loops {
    ($name:ident, $dot:ty, $($features:literal)?, $rows:literal, $vectors:literal, $own:literal, $indexed:expr) => {
        pub(in crate::blocked) const $name: $crate::blocked::run::Loops = {
            $(#[target_feature(enable = $features)])?
            unsafe fn positions(part: &$crate::blocked::run::Part<'_>) {
                // Safety: the caller's.
                unsafe { $crate::blocked::loops::positions::<$dot, $rows, $vectors, $own>(part) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn outputs(part: &$crate::blocked::run::Part<'_>) {
                // Safety: the caller's.
                unsafe { $crate::blocked::loops::outputs::<$dot>(part) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn largest(plane: &mut $crate::blocked::pooling::Plane<'_>) {
                // Safety: the caller's.
                unsafe { $crate::blocked::pooling::bordered::<$dot>(plane) }
            }
            $crate::blocked::run::Loops {
                lanes: <<$dot as $crate::blocked::lanes::Dot>::L as $crate::blocked::lanes::Lanes>::LANES,
                rows: $rows,
                together: $own,
                words: <$dot as $crate::blocked::lanes::Dot>::WORDS,
                less: <$dot as $crate::blocked::lanes::Dot>::LESS,
                narrow: <$dot as $crate::blocked::lanes::Dot>::NARROW,
                arrange: <$dot as $crate::blocked::lanes::Dot>::arrange,
                positions,
                outputs,
                indexed: $indexed,
                largest,
            }
        };
    };
}
pub(super) use loops;

/// Compiles the loops over indices for a way to multiply that [looks them up](super::codebook::LookUp).
macro_rules! indices {
    ($name:ident, $dot:ty, $($features:literal)?) => {
        $(#[target_feature(enable = $features)])?
        unsafe fn $name(part: &$crate::blocked::run::Part<'_>, codebook: &$crate::blocked::codebook::Codebook) {
            // Safety: the caller's.
            unsafe { $crate::blocked::codebook::outputs::<$dot>(part, codebook) }
        }
    };
}
pub(super) use indices;

/// Pointers of a layer's buffers, for threads that write disjoint parts.
struct Pointers(*const u32, *mut u32);
// Safety: each piece of work writes cells of its own, and nobody writes the input.
unsafe impl Sync for Pointers {}

/// Runs a layer; lengths have been checked.
pub(super) fn run(sums: &Sums, input: &[u32], output: &mut [u32], team: &Team) {
    let pointers = Pointers(input[sums.input.start..].as_ptr(), output.as_mut_ptr());
    let pointers = &pointers;
    let part = |blocks, stores, vectors| Part { sums, blocks, stores, input: pointers.0, output: pointers.1, vectors };
    match &sums.form {
        Form::Positions { blocks, stores } => {
            let (pieces, parts) = cut(stores.vectors(), blocks.len(), sums.loops.together, team.threads());
            team.run(pieces.runs * parts.runs, &|i| {
                let (vectors, blocks) = (pieces.of(i / parts.runs), &blocks[parts.of(i % parts.runs)]);
                // Safety: the layer's offsets and stores lie within the checked lengths, pieces write disjoint cells
                // (other vectors or other outputs), and the kernel is one that the processor has.
                unsafe { (sums.loops.positions)(&part(blocks, Some(stores), vectors)) }
            });
        }
        #[cfg(target_arch = "x86_64")]
        Form::Tiles { tiles, stores } => {
            let (pieces, parts) = cut(stores.vectors(), tiles.blocks().div_ceil(2), 2, team.threads());
            team.run(pieces.runs * parts.runs, &|i| {
                let (vectors, pairs) = (pieces.of(i / parts.runs), parts.of(i % parts.runs));
                let blocks = 2 * pairs.start..(2 * pairs.end).min(tiles.blocks());
                // Safety: likewise.
                unsafe { super::amx::positions(&part(&[], Some(stores), vectors), tiles, blocks) }
            });
        }
        Form::Rows(rows) => {
            // More pieces than threads: rows are of different length.
            let parts = Runs::new(rows.outputs(), 1, if team.threads() == 1 { 1 } else { 8 * team.threads() });
            team.run(parts.runs, &|i| {
                // Safety: likewise.
                unsafe { super::rows::outputs(&part(&[], None, 0..1), rows, parts.of(i)) }
            });
        }
        Form::Indexed { blocks, codebook } => {
            let Some(indexed) = sums.loops.indexed else {
                unreachable!("indices are arranged for loops that take them")
            };
            let parts = Runs::new(blocks.len(), 1, team.threads());
            team.run(parts.runs, &|i| {
                // Safety: likewise.
                unsafe { indexed(&part(&blocks[parts.of(i)], None, 0..1), codebook) }
            });
        }
        Form::Outputs { blocks } => {
            let parts = Runs::new(blocks.len(), 1, team.threads());
            team.run(parts.runs, &|i| {
                // Safety: likewise.
                unsafe { (sums.loops.outputs)(&part(&blocks[parts.of(i)], None, 0..1)) }
            });
        }
    }
}

/// Things in a row, cut into runs of nearly the same length.
#[derive(Clone, Copy)]
struct Runs {
    count: usize,
    runs: usize,
    /// What a run begins at a multiple of.
    unit: usize,
}

impl Runs {
    /// At most so many runs.
    fn new(count: usize, unit: usize, runs: usize) -> Self {
        Self { count, unit, runs: runs.clamp(1, count.div_ceil(unit).max(1)) }
    }

    fn of(&self, run: usize) -> Range<usize> {
        let units = self.count.div_ceil(self.unit);
        let start = |run: usize| (run * units / self.runs * self.unit).min(self.count);
        start(run)..start(run + 1)
    }
}

/// Cuts the work into runs of vectors and of blocks, a few for each thread.
fn cut(vectors: usize, blocks: usize, together: usize, threads: usize) -> (Runs, Runs) {
    let pieces = if threads == 1 { 1 } else { 3 * threads };
    let vectors = Runs::new(vectors, together, pieces);
    (vectors, Runs::new(blocks, 1, pieces.div_ceil(vectors.runs)))
}
