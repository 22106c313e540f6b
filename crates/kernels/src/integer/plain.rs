//! The kernel of every machine: loops that a compiler vectorizes.

use super::{DROPPED, Tile};

/// Columns of a panel.
pub(super) const WIDTH: usize = 16;

pub(super) fn tile(height: usize, rows: &[i16], panel: &[i16], ends: &[u32], tile: &mut Tile) {
    match height {
        1 => run::<1>(rows, panel, ends, tile),
        2 => run::<2>(rows, panel, ends, tile),
        _ => run::<4>(rows, panel, ends, tile),
    }
}

fn run<const R: usize>(rows: &[i16], panel: &[i16], ends: &[u32], tile: &mut Tile) {
    let mut steps = rows.as_chunks::<2>().0.chunks_exact(R).zip(panel.as_chunks::<2>().0.chunks_exact(WIDTH));
    let mut at = 0;
    for (i, &end) in ends.iter().enumerate() {
        let mut sums = [[0i32; WIDTH]; R];
        for (left, right) in steps.by_ref().take((end - at) as usize) {
            for (sums, w) in sums.iter_mut().zip(left) {
                let w = w.map(i32::from);
                for (sum, x) in sums.iter_mut().zip(right) {
                    let product = (w[0] * i32::from(x[0])).wrapping_add(w[1] * i32::from(x[1]));
                    *sum = sum.wrapping_add(product);
                }
            }
        }
        at = end;
        for r in 0..R {
            for c in 0..WIDTH {
                let (low, high) = (sums[r][c], sums[r][c] >> DROPPED);
                tile.low[r][c] = if i == 0 { low } else { tile.low[r][c].wrapping_add(low) };
                tile.high[r][c] = if i == 0 { high } else { tile.high[r][c] + high };
            }
        }
    }
}
