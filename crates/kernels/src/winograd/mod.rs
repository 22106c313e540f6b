//! Convolution with windows of 3x3 taps in tiles (Winograd's minimal filtering): outputs of a tile are made from
//! products of transformed inputs and transformed weights, of which there are (out + 2)^2 instead of 9 out^2. Products of
//! one element are matrix products over all channels and tiles, which are the caller's; here are the transforms between
//! images and matrices, and the adjoint of each for gradients.
//!
//! Matrices of all elements lie `stride` apart in one slice: element (i, j) of a tile is in matrix `i * (out + 2) + j`.

mod matrices;
mod passes;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::columns;
use crate::real::Real;
use crate::wide;
use matrices::{A2, A4, Adjoint, B2, B4, G2, G4, Matrix, RUN};
use passes::{Collect, CollectWeights, Scatter, Spread, SpreadWeights, Walk, Window, front, zeros};

/// How an image is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles {
    /// Outputs along each axis of a tile: 2 or 4.
    pub out: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Zeros before the first pixel.
    pub pad: [usize; 2],
}

/// Some channels of several images that lie `len` apart, the first channel of the first image at `from`.
#[derive(Debug)]
pub struct Planes<D> {
    /// Elements of all images.
    pub images: D,
    /// Elements of an image.
    pub len: usize,
    /// Where the first channel starts.
    pub from: usize,
    /// Number of channels.
    pub channels: usize,
}

/// How matrices lie: a row for each channel, in which tiles follow one another, image by image, then row by row.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// From one matrix to the next.
    pub stride: usize,
    /// Columns of a row, [of so many tiles](Tiles::columns).
    pub columns: usize,
}

impl Tiles {
    /// The tiles of a window of 3x3 taps at stride 1; `None` for other windows.
    pub fn new(window: &columns::Window, size: [usize; 2], output: [usize; 2]) -> Option<Self> {
        let plain = window.kernel == [3, 3] && window.stride == [1, 1] && window.dilation == [1, 1];
        let out = if output[0].max(output[1]) <= 2 { 2 } else { 4 };
        plain.then_some(Self { out, size, output, pad: window.pad })
    }

    /// Elements of a tile, which are as many matrices.
    pub fn elements(&self) -> usize {
        (self.out + 2).pow(2)
    }

    /// Rows of tiles of an image.
    pub fn down(&self) -> usize {
        self.output[0].div_ceil(self.out)
    }

    /// Tiles of a row.
    pub fn across(&self) -> usize {
        self.output[1].div_ceil(self.out)
    }

    /// Columns that so many tiles take up in a matrix: the last ones may be of no use.
    pub fn columns(tiles: usize) -> usize {
        tiles.next_multiple_of(RUN)
    }

    /// How tiles of some rows lie in planes with `around` more pixels along each axis.
    fn walk(&self, rows: &Range<usize>, around: usize) -> Walk {
        let [height, width] = [rows.len(), self.across()].map(|n| n * self.out + around);
        Walk { rows: rows.len(), across: self.across(), out: self.out, height, width }
    }

    /// The first pixel of some rows of tiles in the input.
    fn first(&self, rows: &Range<usize>) -> [isize; 2] {
        [(rows.start * self.out) as isize - self.pad[0] as isize, -(self.pad[1] as isize)]
    }

    /// Inputs of some rows of tiles, transformed; columns behind the last tile become zero.
    pub fn inputs<T: Real>(
        &self,
        planes: Planes<&[T]>,
        rows: Range<usize>,
        scratch: &mut Vec<T>,
        matrices: &mut [T],
        place: Place,
    ) {
        let window = (self.size, self.first(&rows));
        self.spread::<T, B2, B4, 4, 6>(planes, self.walk(&rows, 2), window, scratch, matrices, place);
    }

    /// Gradients of the outputs of some rows of tiles, as gradients of their products; columns behind the last tile
    /// become zero.
    pub fn output_gradients<T: Real>(
        &self,
        planes: Planes<&[T]>,
        rows: Range<usize>,
        scratch: &mut Vec<T>,
        matrices: &mut [T],
        place: Place,
    ) {
        let (walk, window) = (self.walk(&rows, 0), (self.output, [(rows.start * self.out) as isize, 0]));
        self.spread::<T, Adjoint<A2>, Adjoint<A4>, 2, 4>(planes, walk, window, scratch, matrices, place);
    }

    /// Tiles of planes of a size, from a first pixel on, to matrices, by the matrix of either kind of tiles.
    fn spread<T: Real, M2: Matrix<4, C2>, M4: Matrix<6, C4>, const C2: usize, const C4: usize>(
        &self,
        planes: Planes<&[T]>,
        walk: Walk,
        (size, first): ([usize; 2], [isize; 2]),
        scratch: &mut Vec<T>,
        matrices: &mut [T],
        place: Place,
    ) {
        let window = Window { size, first, width: walk.width };
        let images = planes.images.chunks_exact(planes.len);
        let (scratch, starts) = (zeros(scratch, images.len() * walk.area()), walk.starts(images.len()));
        for c in 0..planes.channels {
            let from = planes.from + c * size[0] * size[1];
            for (image, to) in images.clone().zip(scratch.chunks_exact_mut(walk.area())) {
                window.copy(&image[from..], to);
            }
            let work = (&*scratch, (&starts[..], walk.width), &mut *matrices, place.stride, c * place.columns);
            match self.out {
                2 => wide::run::<Spread<M2, 4, C2>, _>(work),
                _ => wide::run::<Spread<M4, 6, C4>, _>(work),
            }
        }
    }

    /// Outputs of some rows of tiles from their products, with the bias of each channel, where there is one; those below
    /// zero become zero if `rectified`.
    pub fn outputs<T: Real>(
        &self,
        matrices: &[T],
        place: Place,
        bias: Option<&[T]>,
        rectified: bool,
        rows: Range<usize>,
        scratch: &mut Vec<T>,
        planes: Planes<&mut [T]>,
    ) {
        let walk = self.walk(&rows, 0);
        let [bottom, right] = self.output;
        let (first, last) = (rows.start * self.out, (rows.end * self.out).min(bottom));
        let images = planes.images.len() / planes.len;
        let (scratch, starts) = (front(scratch, images * walk.area()), walk.starts(images));
        for c in 0..planes.channels {
            let work = (matrices, place.stride, c * place.columns, (&starts[..], walk.width), &mut *scratch);
            match self.out {
                2 => wide::run::<Collect<A2, 2, 4>, _>(work),
                _ => wide::run::<Collect<A4, 4, 6>, _>(work),
            }
            let (from, bias) = (planes.from + c * bottom * right, bias.map_or(T::default(), |bias| bias[c]));
            let images = planes.images.chunks_exact_mut(planes.len);
            for (image, tiles) in images.zip(scratch.chunks_exact(walk.area())) {
                let out = image[from..][first * right..last * right].chunks_exact_mut(right);
                for (out, tiles) in out.zip(tiles.chunks_exact(walk.width)) {
                    let pairs = out.iter_mut().zip(tiles);
                    if rectified {
                        pairs.for_each(|(y, &x)| *y = (x + bias).larger(T::default()));
                    } else {
                        pairs.for_each(|(y, &x)| *y = x + bias);
                    }
                }
            }
        }
    }

    /// The gradients of the inputs of some rows of tiles, from the gradients of their transforms: added to what is there, or
    /// written, which is for all rows at once, since neighbouring tiles have inputs in common.
    pub fn input_gradients<T: Real>(
        &self,
        matrices: &[T],
        place: Place,
        rows: Range<usize>,
        scratch: &mut Vec<T>,
        planes: Planes<&mut [T]>,
        add: bool,
    ) {
        let walk = self.walk(&rows, 2);
        let window = Window { size: self.size, first: self.first(&rows), width: walk.width };
        let images = planes.images.len() / planes.len;
        let (area, starts) = (images * walk.area(), walk.starts(images));
        for c in 0..planes.channels {
            let scratch = zeros(scratch, area);
            let work = (matrices, place.stride, c * place.columns, (&starts[..], walk.width), &mut *scratch);
            match self.out {
                2 => wide::run::<Scatter<Adjoint<B2>, 4>, _>(work),
                _ => wide::run::<Scatter<Adjoint<B4>, 6>, _>(work),
            }
            let from = planes.from + c * self.size[0] * self.size[1];
            let images = planes.images.chunks_exact_mut(planes.len);
            for (image, tiles) in images.zip(scratch.chunks_exact(walk.area())) {
                window.put(tiles, &mut image[from..], add);
            }
        }
    }

    /// Weights `(n, 3, 3)` transformed: element `i` of each matrix is that of weights `i`.
    pub fn weights<T: Real>(&self, weights: &[T], matrices: &mut [T], stride: usize) {
        let work = (weights, matrices, stride);
        match self.out {
            2 => wide::run::<SpreadWeights<G2, 4>, _>(work),
            _ => wide::run::<SpreadWeights<G4, 6>, _>(work),
        }
    }

    /// Adds to the gradients of weights `(n, 3, 3)`, from those of their transforms.
    pub fn weight_gradients<T: Real>(&self, matrices: &[T], stride: usize, gradients: &mut [T]) {
        let work = (matrices, stride, gradients);
        match self.out {
            2 => wide::run::<CollectWeights<Adjoint<G2>, 4>, _>(work),
            _ => wide::run::<CollectWeights<Adjoint<G4>, 6>, _>(work),
        }
    }
}
