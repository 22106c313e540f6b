//! The loops over blocks and positions, written once for all processors.

use std::ops::Range;

use super::finish::Finish;
use super::lanes::{Dot, Lanes, V};
use super::place::Place;
use super::run::Part;
use super::sums::{Block, Lists};

/// Vectors of outputs that are computed together at a single position.
pub(super) const VECTORS: usize = 4;

/// Sums of `R` outputs, which share a list, in `N` vectors of positions.
#[inline(always)]
unsafe fn sums_of<D: Dot, const R: usize, const N: usize>(
    list: &[u32],
    mut weights: *const u32,
    at: *const u32,
) -> [[V<D>; N]; R] {
    // Safety: the caller's; `at` and the list's offsets lie in the input, and there are weights for the whole list.
    unsafe {
        let mut sums = [[D::L::splat(0); N]; R];
        for &offset in list {
            let cells = at.add(offset as usize);
            let mut acts = [D::acts(cells); N];
            for n in 1..N {
                acts[n] = D::acts(cells.add(n * D::L::LANES));
            }
            sums = D::add(sums, acts, weights);
            weights = weights.add(R * D::WORDS);
        }
        sums
    }
}

/// A vector of codes, as they are stored, from sums and their starting values.
#[inline(always)]
unsafe fn codes<D: Dot>(finish: &Finish, sum: V<D>, start: V<D>) -> V<D> {
    // Safety: the caller's.
    unsafe {
        let first = &finish.stages[0];
        let mut v = D::L::right(D::L::add(sum, start), first.shift as u32);
        v = D::L::max(D::L::min(v, D::L::splat(first.high)), D::L::splat(first.low));
        for stage in &finish.stages[1..] {
            if stage.shift > 0 {
                let half = D::L::splat(1 << (stage.shift - 1));
                v = D::L::right(D::L::add(v, half), stage.shift as u32);
            } else {
                v = D::L::left(v, stage.shift.unsigned_abs());
            }
            v = D::L::max(D::L::min(v, D::L::splat(stage.high)), D::L::splat(stage.low));
        }
        D::L::add(v, D::L::splat(finish.offset))
    }
}

/// Writes the codes of `R` outputs at `N` vectors of positions, `E` channels a cell.
#[inline(always)]
unsafe fn put<D: Dot, const R: usize, const N: usize, const E: usize>(
    part: &Part<'_>,
    outputs: Range<usize>,
    sums: &[[V<D>; N]; R],
    vector: usize,
) {
    let (layer, stores) = (part.sums, part.stores.expect("positions have stores"));
    let place = &layer.output;
    for c in 0..R / E {
        if c * E >= outputs.len() {
            break;
        }
        let plane = part.output.wrapping_add(place.start + (outputs.start / E + c) * place.plane);
        for n in 0..N {
            // Safety: the caller's; stores lie in the output's planes, of which block and cell name one.
            unsafe {
                let start = |r: usize| layer.finish.start[outputs.start + c * E + r];
                let mut cell = D::L::splat(0);
                if E == 4 && layer.finish.whole_bytes {
                    let shift = layer.finish.stages[0].shift as u32;
                    let mut four = [cell; 4];
                    for r in 0..4 {
                        let sum = D::L::add(sums[(c * E + r) % R][n], D::L::splat(start(r % E)));
                        four[r] = D::L::right(sum, shift);
                    }
                    cell = D::L::bytes(four, layer.finish.offset != 0);
                }
                for r in 0..if E == 4 && layer.finish.whole_bytes { 0 } else { E } {
                    let v = codes::<D>(&layer.finish, sums[c * E + r][n], D::L::splat(start(r)));
                    cell = if E == 4 {
                        D::L::or(cell, D::L::left(v, 8 * r as u32))
                    } else {
                        D::L::or(cell, D::L::left(D::L::and(v, D::L::splat(0xffff)), 16 * r as u32))
                    };
                }
                for store in stores.of(vector + n) {
                    D::L::store(cell, plane.wrapping_offset(store.at), store.mask);
                }
            }
        }
    }
}

/// Writes the codes of up to 16 outputs at 16 positions, from sums in memory: `[output][position]`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn put_rows(part: &Part<'_>, outputs: Range<usize>, sums: &[i32; 256], vector: usize) {
    use super::x86::VnniBytes as D;
    for first in outputs.clone().step_by(4) {
        let rows = &sums[(first - outputs.start) * 16..];
        // Safety: the caller's; there are rows of 16 outputs, of which four begin here.
        unsafe {
            let mut four = [[<D as Dot>::L::load(rows.as_ptr().cast())]; 4];
            for r in 1..4 {
                four[r] = [<D as Dot>::L::load(rows[r * 16..].as_ptr().cast())];
            }
            let outputs = first..outputs.end.min(first + 4);
            if part.sums.output.cell.channels() == 4 {
                put::<D, 4, 1, 4>(part, outputs, &four, vector);
            } else {
                put::<D, 4, 1, 2>(part, outputs, &four, vector);
            }
        }
    }
}

/// A block with a shared list at `N` vectors.
#[inline(always)]
unsafe fn shared<D: Dot, const R: usize, const N: usize>(part: &Part<'_>, block: &Block, list: &[u32], vector: usize) {
    // Safety: the caller's.
    unsafe {
        let weights = part.sums.weights.cells().as_ptr().add(block.weights);
        let sums = sums_of::<D, R, N>(list, weights, part.input.add(vector * D::L::LANES));
        if part.sums.output.cell.channels() == 4 {
            put::<D, R, N, 4>(part, block.outputs(), &sums, vector);
        } else {
            put::<D, R, N, 2>(part, block.outputs(), &sums, vector);
        }
    }
}

/// A block of four outputs with lists of their own at `N` vectors.
#[inline(always)]
unsafe fn own<D: Dot, const N: usize>(part: &Part<'_>, block: &Block, lists: &[Range<usize>; 4], vector: usize) {
    // Safety: the caller's.
    unsafe {
        let mut weights = part.sums.weights.cells().as_ptr().add(block.weights);
        let at = part.input.add(vector * D::L::LANES);
        let mut sums = [[D::L::splat(0); N]; 4];
        for r in 0..4 {
            let list = &part.sums.lists[lists[r].clone()];
            sums[r] = sums_of::<D, 1, N>(list, weights, at)[0];
            weights = weights.add(list.len() * D::WORDS);
        }
        if part.sums.output.cell.channels() == 4 {
            put::<D, 4, N, 4>(part, block.outputs(), &sums, vector);
        } else {
            put::<D, 4, N, 2>(part, block.outputs(), &sums, vector);
        }
    }
}

/// All vectors of a part, `S` at a time: `S` with lists of one's own, `N` with shared ones.
#[inline(always)]
pub(super) unsafe fn positions<D: Dot, const R: usize, const N: usize, const S: usize>(part: &Part<'_>) {
    let lists = &part.sums.lists;
    let mut vector = part.vectors.start;
    while vector < part.vectors.end {
        let count = (part.vectors.end - vector).min(S);
        for block in part.blocks {
            let mut at = vector;
            while at < vector + count {
                let left = vector + count - at;
                // Safety: the caller's, for every call.
                at += unsafe {
                    match &block.lists {
                        Lists::Own(own_lists) if left >= S => {
                            own::<D, S>(part, block, own_lists, at);
                            S
                        }
                        Lists::Own(own_lists) if left >= 2 => {
                            own::<D, 2>(part, block, own_lists, at);
                            2
                        }
                        Lists::Own(own_lists) => {
                            own::<D, 1>(part, block, own_lists, at);
                            1
                        }
                        Lists::Shared(range) => {
                            let list = &lists[range.clone()];
                            let many = block.rows > 4;
                            // Four are better as two and two than as three and one.
                            let n = if left >= N && !(N == 3 && left == 4) { N } else { left.min(2) };
                            match (many, n) {
                                (true, 1) => shared::<D, R, 1>(part, block, list, at),
                                (true, 2) => shared::<D, R, 2>(part, block, list, at),
                                (true, _) => shared::<D, R, N>(part, block, list, at),
                                (false, 1) => shared::<D, 4, 1>(part, block, list, at),
                                (false, 2) => shared::<D, 4, 2>(part, block, list, at),
                                (false, _) => shared::<D, 4, N>(part, block, list, at),
                            }
                            n
                        }
                    }
                };
            }
        }
        vector += count;
    }
}

/// Sums of `N` vectors of outputs at the only position.
#[inline(always)]
unsafe fn sums_at<D: Dot, const N: usize>(list: &[u32], mut weights: *const u32, at: *const u32) -> [V<D>; N] {
    // Safety: the caller's.
    unsafe {
        let step = D::WORDS * D::L::LANES;
        let mut sums = [D::L::splat(0); N];
        for &offset in list {
            let act = D::act(at.add(offset as usize));
            for n in 0..N {
                sums[n] = D::dot(sums[n], act, D::weights(weights.add(n * step)));
            }
            weights = weights.add(N * step);
        }
        sums
    }
}

/// A block of `N` vectors of outputs.
#[inline(always)]
unsafe fn outputs_of<D: Dot, const N: usize>(part: &Part<'_>, block: &Block, list: &[u32]) {
    let layer = part.sums;
    // Safety: the caller's.
    unsafe {
        let sums = sums_at::<D, N>(list, layer.weights.cells().as_ptr().add(block.weights), part.input);
        put_outputs::<D, N>(part, block, sums);
    }
}

/// Writes the codes of a block of `N` vectors of outputs.
#[inline(always)]
pub(super) unsafe fn put_outputs<D: Dot, const N: usize>(part: &Part<'_>, block: &Block, sums: [V<D>; N]) {
    let layer = part.sums;
    // Safety: the caller's.
    unsafe {
        for n in 0..block.count.div_ceil(D::L::LANES).min(N) {
            let first = block.first + n * D::L::LANES;
            let start = D::L::load(layer.finish.start[first..][..D::L::LANES].as_ptr().cast());
            let mut lanes = [0u32; 16];
            D::L::store(codes::<D>(&layer.finish, sums[n], start), lanes.as_mut_ptr(), !0 >> (32 - D::L::LANES));
            let count = (block.count - n * D::L::LANES).min(D::L::LANES);
            scatter(&layer.output, &lanes[..count], first, part.output);
        }
    }
}

/// Writes codes of some outputs at the only position.
pub(super) unsafe fn scatter(place: &Place, codes: &[u32], first: usize, output: *mut u32) {
    let each = place.cell.channels();
    for (i, &code) in codes.iter().enumerate() {
        let channel = first + i;
        let cell = place.start + channel / each * place.plane + place.lead;
        // Safety: the caller's; the channel is one of the output's. Threads write different codes of different cells
        // or, where a block ends within one, different parts of it.
        unsafe {
            let cell = output.add(cell);
            if each == 4 {
                cell.cast::<u8>().add(little(channel % 4, 1)).write(code as u8);
            } else {
                cell.cast::<u16>().add(little(channel % 2, 2)).write(code as u16);
            }
        }
    }
}

/// Where part `i` of a cell lies in memory, in units of so many bytes.
pub(super) const fn little(i: usize, bytes: usize) -> usize {
    if cfg!(target_endian = "little") { i } else { 4 / bytes - 1 - i }
}

/// All blocks of a part at the only position.
#[inline(always)]
pub(super) unsafe fn outputs<D: Dot>(part: &Part<'_>) {
    for block in part.blocks {
        let Lists::Shared(range) = &block.lists else { continue };
        let list = &part.sums.lists[range.clone()];
        // Safety: the caller's.
        unsafe {
            match block.rows {
                VECTORS => outputs_of::<D, VECTORS>(part, block, list),
                _ => outputs_of::<D, 1>(part, block, list),
            }
        }
    }
}
