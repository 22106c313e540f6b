//! The passes over images that the transforms consist of: planes with zeros around, from these to matrices, and back.

use std::marker::PhantomData;

use super::matrices::{Matrix, RUN, Room, Run};
use crate::real::Real;
use crate::wide::Work;

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

    /// Adds to a plane, or writes to it.
    pub(super) fn put<T: Real>(&self, window: &[T], plane: &mut [T], add: bool) {
        let [(y, from_y, rows), (x, from_x, n)] = self.overlap(window.len() / self.width);
        let window = window[y * self.width..].chunks_exact(self.width).take(rows);
        for (from, to) in window.zip(plane[from_y * self.size[1]..].chunks_exact_mut(self.size[1])) {
            let (from, to) = (&from[x..][..n], &mut to[from_x..][..n]);
            if add {
                to.iter_mut().zip(from).for_each(|(t, &f)| *t += f);
            } else {
                copy(from, to);
            }
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
    pub(super) fn starts(&self, count: usize) -> Vec<usize> {
        let &Self { rows, across, out, height, width } = self;
        let of = move |i: usize| {
            (0..rows).flat_map(move |y| (0..across).map(move |x| (i * height + y * out) * width + x * out))
        };
        (0..count).flat_map(of).collect()
    }

    /// Elements of a plane.
    pub(super) fn area(&self) -> usize {
        self.height * self.width
    }
}

/// Tiles in planes: where each starts, and pixels of a row of the planes.
pub(super) type Places<'a> = (&'a [usize], usize);

/// `N` elements of a row of as many tiles as start somewhere, element by element. Only a few widths become shuffles of
/// vectors: 2 and 4.
#[inline(always)]
fn gather<T: Real, const N: usize>(planes: &[T], starts: &[usize], offset: usize, to: &mut [Run<T>]) {
    let mut rows = [[T::default(); N]; RUN];
    for (row, &start) in rows.iter_mut().zip(starts) {
        *row = *planes[start + offset..].first_chunk().expect("a tile lies in its plane");
    }
    for (c, to) in to[..N].iter_mut().enumerate() {
        for n in 0..RUN {
            to[n] = rows[n][c];
        }
    }
}

/// `N` elements of a row of as many tiles, tile by tile.
#[inline(always)]
fn by_tile<T: Real, const N: usize>(from: &[Run<T>]) -> [[T; N]; RUN] {
    let mut rows = [[T::default(); N]; RUN];
    for n in 0..RUN {
        for c in 0..N {
            rows[n][c] = from[c][n];
        }
    }
    rows
}

/// Tiles of `C` x `C` elements to matrices of `R` x `R` elements.
pub(super) struct Spread<M, const R: usize, const C: usize>(PhantomData<M>);

impl<T: Real, M: Matrix<R, C>, const R: usize, const C: usize> Work<(&[T], Places<'_>, &mut [T], usize, usize)>
    for Spread<M, R, C>
{
    type Output = ();

    #[inline(always)]
    fn work((planes, (starts, width), matrices, stride, at): (&[T], Places<'_>, &mut [T], usize, usize)) {
        let (mut tile, mut room) = ([[[T::default(); RUN]; C]; C], Room::new());
        for (run, starts) in starts.chunks(RUN).enumerate() {
            for r in 0..C {
                let (at, tile) = (r * width, &mut tile[r]);
                if C < 4 {
                    gather::<T, 2>(planes, starts, at, tile);
                } else {
                    gather::<T, 4>(planes, starts, at, tile);
                }
                if C > 4 {
                    gather::<T, 2>(planes, starts, at + 4, &mut tile[4..]);
                }
            }
            let elements = room.both::<M>(&tile);
            for r in 0..R {
                for c in 0..R {
                    matrices[(r * R + c) * stride + at + run * RUN..][..RUN].copy_from_slice(&elements[r][c]);
                }
            }
        }
    }
}

/// The elements of as many tiles from matrices.
#[inline(always)]
fn read<T: Real, const C: usize>(matrices: &[T], stride: usize, at: usize, elements: &mut [[Run<T>; C]; C]) {
    for r in 0..C {
        for c in 0..C {
            elements[r][c] = *matrices[(r * C + c) * stride + at..].first_chunk().expect("columns are whole runs");
        }
    }
}

/// Matrices of `C` x `C` elements to tiles of `R` x `R` elements that do not overlap.
pub(super) struct Collect<M, const R: usize, const C: usize>(PhantomData<M>);

impl<T: Real, M: Matrix<R, C>, const R: usize, const C: usize> Work<(&[T], usize, usize, Places<'_>, &mut [T])>
    for Collect<M, R, C>
{
    type Output = ();

    #[inline(always)]
    fn work((matrices, stride, at, (starts, width), planes): (&[T], usize, usize, Places<'_>, &mut [T])) {
        let (mut elements, mut room) = ([[[T::default(); RUN]; C]; C], Room::new());
        for (run, starts) in starts.chunks(RUN).enumerate() {
            read(matrices, stride, at + run * RUN, &mut elements);
            let tiles = room.both::<M>(&elements);
            for r in 0..R {
                for (row, &start) in by_tile::<T, R>(&tiles[r]).iter().zip(starts) {
                    *planes[start + r * width..].first_chunk_mut().expect("a tile lies in its plane") = *row;
                }
            }
        }
    }
}

/// Matrices to tiles of as many elements, which overlap and are summed.
pub(super) struct Scatter<M, const C: usize>(PhantomData<M>);

impl<T: Real, M: Matrix<C, C>, const C: usize> Work<(&[T], usize, usize, Places<'_>, &mut [T])> for Scatter<M, C> {
    type Output = ();

    #[inline(always)]
    fn work((matrices, stride, at, (starts, width), planes): (&[T], usize, usize, Places<'_>, &mut [T])) {
        let (mut elements, mut room) = ([[[T::default(); RUN]; C]; C], Room::new());
        for (run, starts) in starts.chunks(RUN).enumerate() {
            read(matrices, stride, at + run * RUN, &mut elements);
            let tiles = room.both::<M>(&elements);
            for (n, &start) in starts.iter().enumerate() {
                for r in 0..C {
                    let sums: &mut [T; C] =
                        planes[start + r * width..].first_chunk_mut().expect("a tile lies in its plane");
                    for c in 0..C {
                        sums[c] += tiles[r][c][n];
                    }
                }
            }
        }
    }
}

/// Weights to matrices of `R` x `R` elements.
pub(super) struct SpreadWeights<M, const R: usize>(PhantomData<M>);

impl<T: Real, M: Matrix<R, 3>, const R: usize> Work<(&[T], &mut [T], usize)> for SpreadWeights<M, R> {
    type Output = ();

    #[inline(always)]
    fn work((weights, matrices, stride): (&[T], &mut [T], usize)) {
        let (mut taps, mut room) = ([[[T::default(); RUN]; 3]; 3], Room::new());
        for (run, weights) in weights.chunks(RUN * 9).enumerate() {
            for (n, weights) in weights.chunks_exact(9).enumerate() {
                for (i, &w) in weights.iter().enumerate() {
                    taps[i / 3][i % 3][n] = w;
                }
            }
            let elements = room.both::<M>(&taps);
            let n = weights.len() / 9;
            for r in 0..R {
                for c in 0..R {
                    matrices[(r * R + c) * stride + run * RUN..][..n].copy_from_slice(&elements[r][c][..n]);
                }
            }
        }
    }
}

/// Matrices of `C` x `C` elements to gradients of weights, which they are added to.
pub(super) struct CollectWeights<M, const C: usize>(PhantomData<M>);

impl<T: Real, M: Matrix<3, C>, const C: usize> Work<(&[T], usize, &mut [T])> for CollectWeights<M, C> {
    type Output = ();

    #[inline(always)]
    fn work((matrices, stride, gradients): (&[T], usize, &mut [T])) {
        let (mut elements, mut room) = ([[[T::default(); RUN]; C]; C], Room::new());
        for (run, gradients) in gradients.chunks_mut(RUN * 9).enumerate() {
            let n = gradients.len() / 9;
            for r in 0..C {
                for c in 0..C {
                    elements[r][c][..n].copy_from_slice(&matrices[(r * C + c) * stride + run * RUN..][..n]);
                }
            }
            let taps = room.both::<M>(&elements);
            for (n, gradients) in gradients.chunks_exact_mut(9).enumerate() {
                for (i, g) in gradients.iter_mut().enumerate() {
                    *g += taps[i / 3][i % 3][n];
                }
            }
        }
    }
}
