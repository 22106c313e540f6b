//! Weighted sums at a single position straight from indices: of fully connected layers with at most 16 different weights
//! half a byte for each is read, and its weight is looked up in a register. What is read is half of the dense weights,
//! and so is the time where memory is what one waits for.

use super::cells::Cells;
use super::lanes::{Dot, Lanes, V};
use super::loops::{VECTORS, put_outputs};
use super::run::Part;
use super::sums::{Layer, Lists};

/// Different weights that half a byte can tell apart.
const MOST: usize = 16;

/// Layers of fewer weights stay dense: these come from a cache as fast as they are multiplied. Measured.
const LARGE: usize = 1 << 19;

/// The weights that there are, the first of them zero.
pub(super) type Codebook = [i8; MOST];

/// The codebook of a layer; `None` where weights differ too much, or, if loops are `narrow`, some would have to be read in
/// two halves ([`Cells::new`]).
pub(super) fn codebook(layer: &Layer<'_>, narrow: bool) -> Option<Codebook> {
    let (mut found, mut codes) = ([false; 256], [0; MOST]);
    found[0] = true;
    let mut count = 1;
    for &w in layer.weights {
        let code = i8::try_from(w).ok()?;
        if !std::mem::replace(&mut found[usize::from(code as u8)], true) {
            *codes.get_mut(count)? = code;
            count += 1;
        }
    }
    (!narrow || !codes.contains(&i8::MIN)).then_some(codes)
}

/// Whether indices are quicker than weights.
pub(super) fn pays(layer: &Layer<'_>) -> bool {
    layer.weights.len() >= LARGE
}

/// Indices of some outputs, `[cell][pair of vectors][lane][channel]`: those of the first vector of a pair in the lower
/// halves of bytes.
pub(super) fn arrange(cells: &Cells, codebook: &Codebook, lanes: usize, arranged: &mut Vec<u32>) {
    let mut indices = [0u8; 256];
    // Where there are fewer weights the codebook ends with zeros, of which the first one counts.
    codebook.iter().enumerate().rev().for_each(|(i, &code)| indices[usize::from(code as u8)] = i as u8);
    for of_cell in cells.weights() {
        let indices_of =
            |output: usize| of_cell.get(output).map_or([0; 4], |w| w.map(|w| indices[usize::from(w as u8)]));
        for pair in 0..VECTORS / 2 {
            for lane in 0..lanes {
                let [low, high] = [0, 1].map(|half| indices_of((2 * pair + half) * lanes + lane));
                arranged.push(u32::from_le_bytes(std::array::from_fn(|c| low[c] | high[c] << 4)));
            }
        }
    }
}

/// A way to multiply that looks weights up.
pub(super) trait LookUp: Dot {
    /// A codebook, ready to be looked up.
    type Table: Copy;
    unsafe fn table(codebook: &Codebook) -> Self::Table;
    /// The weights of indices from 0 to 15, one in each byte.
    unsafe fn look_up(table: Self::Table, indices: V<Self>) -> Self::Weight;
}

/// All blocks of a part at the only position.
#[inline(always)]
pub(super) unsafe fn outputs<D: LookUp>(part: &Part<'_>, codebook: &Codebook) {
    // Safety: the caller's, here and below.
    let (table, lower) = unsafe { (D::table(codebook), D::L::splat(0x0f0f_0f0f)) };
    for block in part.blocks {
        let Lists::Shared(range) = &block.lists else { continue };
        let list = &part.sums.lists[range.clone()];
        unsafe {
            let mut indices = part.sums.weights.cells().as_ptr().add(block.weights);
            let mut sums = [D::L::splat(0); VECTORS];
            for &offset in list {
                let act = D::act(part.input.add(offset as usize));
                for pair in 0..VECTORS / 2 {
                    let two = D::L::load(indices.add(pair * D::L::LANES));
                    let low = D::look_up(table, D::L::and(two, lower));
                    let high = D::look_up(table, D::L::and(D::L::right(two, 4), lower));
                    sums[2 * pair] = D::dot(sums[2 * pair], act, low);
                    sums[2 * pair + 1] = D::dot(sums[2 * pair + 1], act, high);
                }
                indices = indices.add(VECTORS / 2 * D::L::LANES);
            }
            put_outputs::<D, VECTORS>(part, block, sums);
        }
    }
}

/// Cuts a layer's outputs into blocks: the first of each and how many there are.
pub(super) fn blocks(outputs: usize, lanes: usize) -> impl Iterator<Item = (usize, usize)> {
    let most = VECTORS * lanes;
    (0..outputs).step_by(most).map(move |first| (first, (outputs - first).min(most)))
}
