//! The passes over images that the transforms consist of: planes with zeros around, from these to matrices, and back.

use super::matrices::{Matrix, RUN, Run, both};
use crate::real::Real;

/// The front of a buffer, which grows if it must.
pub(super) fn front<T: Real>(buffer: &mut Vec<T>, n: usize) -> &mut [T] {
    buffer.resize(buffer.len().max(n), T::default());
    &mut buffer[..n]
}

/// The same, cleared.
pub(super) fn zeros<T: Real>(buffer: &mut Vec<T>, n: usize) -> &mut [T] {
    let front = front(buffer, n);
    front.fill(T::default());
    front
}

/// Part of a plane and what lies around.
#[derive(Clone, Copy)]
pub(super) struct Window {
    /// Height and width of the plane.
    pub size: [usize; 2],
    /// The window's first pixel in the plane, or before it.
    pub first: [isize; 2],
    /// Pixels of a row of the window.
    pub width: usize,
}

impl Window {
    /// Where the window and the plane overlap: for each axis the first pixel in the window, that in the plane, and how
    /// many there are.
    fn overlap(&self, height: usize) -> [(usize, usize, usize); 2] {
        [(0, height), (1, self.width)].map(|(axis, extent)| {
            let before = usize::try_from(-self.first[axis]).unwrap_or(0).min(extent);
            let from = usize::try_from(self.first[axis]).unwrap_or(0).min(self.size[axis]);
            (before, from, (self.size[axis] - from).min(extent - before))
        })
    }

    /// Copies from a plane; what lies around stays as it is.
    pub(super) fn copy<T: Real>(&self, plane: &[T], window: &mut [T]) {
        let [(y, from_y, rows), (x, from_x, n)] = self.overlap(window.len() / self.width);
        let window = window[y * self.width..].chunks_exact_mut(self.width).take(rows);
        for (to, from) in window.zip(plane[from_y * self.size[1]..].chunks_exact(self.size[1])) {
            copy(&from[from_x..][..n], &mut to[x..][..n]);
        }
    }

    /// Adds to a plane.
    pub(super) fn add<T: Real>(&self, window: &[T], plane: &mut [T]) {
        let [(y, from_y, rows), (x, from_x, n)] = self.overlap(window.len() / self.width);
        let window = window[y * self.width..].chunks_exact(self.width).take(rows);
        for (from, to) in window.zip(plane[from_y * self.size[1]..].chunks_exact_mut(self.size[1])) {
            to[from_x..][..n].iter_mut().zip(&from[x..][..n]).for_each(|(t, &f)| *t += f);
        }
    }
}

/// Copies a row. Rows are short, and calls would take longer than the copy: it is made of two parts that may overlap.
#[inline(always)]
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    #[inline(always)]
    fn ends<T: Copy, const N: usize>(from: &[T], to: &mut [T]) -> Option<()> {
        let (first, last) = (*from.first_chunk::<N>()?, *from.last_chunk::<N>()?);
        *to.first_chunk_mut()? = first;
        *to.last_chunk_mut()? = last;
        Some(())
    }
    let done = match from.len() {
        1 => ends::<T, 1>(from, to),
        2..4 => ends::<T, 2>(from, to),
        4..8 => ends::<T, 4>(from, to),
        8..16 => ends::<T, 8>(from, to),
        16..=32 => ends::<T, 16>(from, to),
        _ => None,
    };
    if done.is_none() {
        to.copy_from_slice(from);
    }
}

/// Tiles in planes that have been padded: `rows` of `across` tiles, `out` apart.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    pub rows: usize,
    pub across: usize,
    pub out: usize,
    pub height: usize,
    pub width: usize,
}

impl Walk {
    /// Where the tiles of `count` planes start, in order.
    #[inline(always)]
    fn starts(self, count: usize) -> impl Iterator<Item = usize> {
        let Self { rows, across, out, height, width } = self;
        (0..count).flat_map(move |i| {
            (0..rows).flat_map(move |y| (0..across).map(move |x| (i * height + y * out) * width + x * out))
        })
    }

    /// Elements of a plane.
    pub(super) fn area(&self) -> usize {
        self.height * self.width
    }
}

/// Tiles of `C` x `C` elements to matrices of `R` x `R` elements.
#[inline(always)]
pub(super) fn spread<T: Real, M: Matrix<R, C>, const R: usize, const C: usize>(
    (planes, walk, matrices, stride, mut at): (&[T], Walk, &mut [T], usize, usize),
) {
    let mut starts = walk.starts(planes.len() / walk.area());
    let mut tile = [[[T::default(); RUN]; C]; C];
    loop {
        let mut n = 0;
        while n < RUN
            && let Some(start) = starts.next()
        {
            for r in 0..C {
                let row: &[T; C] = planes[start + r * walk.width..].first_chunk().expect("a tile lies in its plane");
                for c in 0..C {
                    tile[r][c][n] = row[c];
                }
            }
            n += 1;
        }
        if n == 0 {
            break;
        }
        if n < RUN {
            tile.as_flattened_mut().iter_mut().for_each(|run| run[n..].fill(T::default()));
        }
        let elements = both::<T, M, R, C>(&tile);
        for r in 0..R {
            for c in 0..R {
                matrices[(r * R + c) * stride + at..][..RUN].copy_from_slice(&elements[r][c]);
            }
        }
        at += RUN;
    }
}

/// The elements of as many tiles from matrices.
#[inline(always)]
fn read<T: Real, const C: usize>(matrices: &[T], stride: usize, at: usize) -> [[Run<T>; C]; C] {
    let mut elements = [[[T::default(); RUN]; C]; C];
    for r in 0..C {
        for c in 0..C {
            elements[r][c] = *matrices[(r * C + c) * stride + at..].first_chunk().expect("columns are whole runs");
        }
    }
    elements
}

/// Matrices of `C` x `C` elements to tiles of `R` x `R` elements that do not overlap.
#[inline(always)]
pub(super) fn collect<T: Real, M: Matrix<R, C>, const R: usize, const C: usize>(
    (matrices, stride, mut at, walk, planes): (&[T], usize, usize, Walk, &mut [T]),
) {
    let mut starts = walk.starts(planes.len() / walk.area()).peekable();
    while starts.peek().is_some() {
        let tile = both::<T, M, R, C>(&read::<T, C>(matrices, stride, at));
        for (n, start) in starts.by_ref().take(RUN).enumerate() {
            for r in 0..R {
                let row: &mut [T; R] =
                    planes[start + r * walk.width..].first_chunk_mut().expect("a tile lies in its plane");
                for c in 0..R {
                    row[c] = tile[r][c][n];
                }
            }
        }
        at += RUN;
    }
}

/// Matrices to tiles of as many elements, which overlap and are summed.
#[inline(always)]
pub(super) fn scatter<T: Real, M: Matrix<C, C>, const C: usize>(
    (matrices, stride, mut at, walk, planes): (&[T], usize, usize, Walk, &mut [T]),
) {
    let mut starts = walk.starts(planes.len() / walk.area()).peekable();
    while starts.peek().is_some() {
        let tile = both::<T, M, C, C>(&read::<T, C>(matrices, stride, at));
        for (n, start) in starts.by_ref().take(RUN).enumerate() {
            for r in 0..C {
                let row: &mut [T; C] =
                    planes[start + r * walk.width..].first_chunk_mut().expect("a tile lies in its plane");
                for c in 0..C {
                    row[c] += tile[r][c][n];
                }
            }
        }
        at += RUN;
    }
}

#[inline(always)]
pub(super) fn spread_weights<T: Real, M: Matrix<R, 3>, const R: usize>(
    (weights, matrices, stride): (&[T], &mut [T], usize),
) {
    for (run, weights) in weights.chunks(RUN * 9).enumerate() {
        let mut taps = [[[T::default(); RUN]; 3]; 3];
        for (n, weights) in weights.chunks_exact(9).enumerate() {
            for (i, &w) in weights.iter().enumerate() {
                taps[i / 3][i % 3][n] = w;
            }
        }
        let elements = both::<T, M, R, 3>(&taps);
        let n = weights.len() / 9;
        for r in 0..R {
            for c in 0..R {
                matrices[(r * R + c) * stride + run * RUN..][..n].copy_from_slice(&elements[r][c][..n]);
            }
        }
    }
}

#[inline(always)]
pub(super) fn collect_weights<T: Real, M: Matrix<3, C>, const C: usize>(
    (matrices, stride, gradients): (&[T], usize, &mut [T]),
) {
    for (run, gradients) in gradients.chunks_mut(RUN * 9).enumerate() {
        let n = gradients.len() / 9;
        let mut elements = [[[T::default(); RUN]; C]; C];
        for r in 0..C {
            for c in 0..C {
                elements[r][c][..n].copy_from_slice(&matrices[(r * C + c) * stride + run * RUN..][..n]);
            }
        }
        let taps = both::<T, M, 3, C>(&elements);
        for (n, gradients) in gradients.chunks_exact_mut(9).enumerate() {
            for (i, g) in gradients.iter_mut().enumerate() {
                *g += taps[i / 3][i % 3][n];
            }
        }
    }
}
