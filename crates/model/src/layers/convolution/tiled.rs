//! Convolution in floating point by windows of 3x3 taps over many images: Winograd's products, which are matrix products
//! over channels and tiles, one for each element of a tile.

#[cfg(test)]
mod tests;

use std::ops::Range;

use rayon::prelude::*;
use synapress_kernels::real::{Left, Mat, Real};
use synapress_kernels::winograd::{Place, Planes, Tiles};

use super::float::{add_lanes, bias_of, sum};
use crate::linear::Linear;
use crate::pass::{Backward, Forward, LANES, Lane, front};

/// Matrices of inputs and of products should stay near the processor from their making to their use: so many elements
/// at most, where that leaves enough columns for the GEMM's width.
const PIECE: usize = 1 << 19;
const COLUMNS: usize = 64;

/// Fewer channels than this have too few products to make up for the transforms.
const CHANNELS: usize = 16;

/// How a batch of a convolution is cut into tiles and these into matrices.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    tiles: Tiles,
    /// Images of one lane, the last lane's may be fewer.
    lane: usize,
    /// Images of one matrix.
    together: usize,
    /// Rows of tiles in one matrix; all of them when there are several images.
    rows: usize,
    /// Input and output channels of a group.
    channels: [usize; 2],
}

impl Tiling {
    /// Where tiles are the better way to execute a layer.
    pub(super) fn new(g: &Linear, batch: usize) -> Option<Self> {
        let tiles = Tiles::new(&g.window, g.input.size(), g.output.size())?;
        let channels = [g.input.channels / g.groups, g.output.channels / g.groups];
        let each = tiles.down() * tiles.across();
        if batch < 2 || batch * each < COLUMNS / 2 || channels.iter().any(|&n| n < CHANNELS) {
            return None;
        }
        let lane = batch.div_ceil(LANES);
        let width = (PIECE / (tiles.elements() * (channels[0] + channels[1]))).max(COLUMNS);
        let together = (width / each).clamp(1, lane);
        let rows = if each > width { (width / tiles.across()).max(1) } else { tiles.down() };
        Some(Self { tiles, lane, together, rows, channels })
    }

    fn pieces(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (down, rows) = (self.tiles.down(), self.rows);
        (0..down).step_by(rows).map(move |y| y..(y + rows).min(down))
    }

    /// Weights of each group, element by element, packed for products in the memory of earlier ones. Each lane
    /// transforms a part of them.
    fn pack<T: Real>(
        &self,
        weights: &[T],
        transposed: bool,
        lanes: &mut [Lane<T>],
        earlier: Vec<T::Packed>,
    ) -> Vec<T::Packed> {
        let ([inputs, outputs], elements) = (self.channels, self.tiles.elements());
        let n = inputs * outputs;
        let part = Tiles::columns(n.div_ceil(lanes.len()));
        let mut earlier: Vec<_> = earlier.into_iter().map(Some).collect();
        earlier.resize_with(weights.len() / (n * 9) * elements, || None);
        let mut packed = Vec::new();
        for (weights, earlier) in weights.chunks_exact(n * 9).zip(earlier.chunks_exact_mut(elements)) {
            lanes.par_iter_mut().zip(weights.par_chunks(part * 9)).for_each(|(lane, weights)| {
                self.tiles.weights(weights, front(&mut lane.transformed, elements * part), part);
            });
            let lanes = &*lanes;
            let pack = |whole: &mut Vec<T>, (element, earlier): (usize, &mut Option<T::Packed>)| {
                whole.clear();
                for (lane, weights) in lanes.iter().zip(weights.chunks(part * 9)) {
                    whole.extend_from_slice(&lane.transformed[element * part..][..weights.len() / 9]);
                }
                let matrix = Mat::new(whole, outputs, inputs);
                T::pack(if transposed { matrix.transposed() } else { matrix }, earlier.take())
            };
            packed.par_extend(earlier.par_iter_mut().enumerate().map_init(Vec::new, pack));
        }
        packed
    }

    /// Columns of a matrix for so many images and rows of tiles.
    fn columns(&self, images: usize, rows: &Range<usize>) -> usize {
        Tiles::columns(images * rows.len() * self.tiles.across())
    }

    /// From one matrix of so many channels to the next. Not a multiple of a large power of two: the same column of all
    /// matrices would fall on the same place of the cache.
    fn stride(channels: usize, columns: usize) -> usize {
        channels * columns + 16
    }

    /// The transformed inputs of a piece.
    fn inputs<T: Real>(
        &self,
        g: &Linear,
        images: &[T],
        group: usize,
        rows: &Range<usize>,
        plane: &mut Vec<T>,
        buffer: &mut Vec<T>,
    ) -> usize {
        let columns = self.columns(images.len() / g.input.len(), rows);
        let stride = Self::stride(self.channels[0], columns);
        let matrices = front(buffer, self.tiles.elements() * stride);
        let from = group * self.channels[0] * g.input.area();
        let planes = Planes { images, len: g.input.len(), from, channels: self.channels[0] };
        self.tiles.inputs(planes, rows.clone(), plane, matrices, Place { stride, columns });
        stride
    }

    fn forward_images<T: Real>(
        &self,
        g: &Linear,
        shared: &Shared<'_, T>,
        images: &[T],
        out: &mut [T],
        lane: &mut Lane<T>,
    ) {
        let (elements, [inputs, outputs]) = (self.tiles.elements(), self.channels);
        let Lane { columns: buffer, matrix, other: plane, .. } = lane;
        for group in 0..g.groups {
            for rows in self.pieces() {
                let stride = self.inputs(g, images, group, &rows, plane, buffer);
                let columns = self.columns(images.len() / g.input.len(), &rows);
                let to = Self::stride(outputs, columns);
                let products = front(matrix, elements * to);
                let packed = &shared.packed[group * elements..][..elements];
                for ((x, y), packed) in buffer.chunks(stride).zip(products.chunks_exact_mut(to)).zip(packed) {
                    let x = Mat::new(x, inputs, columns);
                    T::gemm(Left::Packed(packed), x, &mut y[..outputs * columns], false, None);
                }
                let from = group * outputs * g.output.area();
                let planes = Planes { images: &mut *out, len: g.output.len(), from, channels: outputs };
                let bias = bias_of(g, shared.bias, group);
                let place = Place { stride: to, columns };
                self.tiles.outputs(products, place, bias, shared.rectified, rows, plane, planes);
            }
        }
    }

    /// Writes or adds to the lane's gradients of transformed weights, if wanted, and to `dx`.
    fn backward_images<T: Real>(
        &self,
        g: &Linear,
        packed: &[T::Packed],
        images: &[T],
        gradient: &[T],
        mut dx: Option<(&mut [T], bool)>,
        weights: Option<(&mut [T], bool)>,
        lane: &mut Lane<T>,
    ) {
        let (elements, [inputs, outputs]) = (self.tiles.elements(), self.channels);
        let Lane { columns: buffer, matrix, other: plane, .. } = lane;
        let mut sums = weights.map(|(sums, add)| (sums.chunks_exact_mut(inputs * outputs).collect::<Vec<_>>(), add));
        for group in 0..g.groups {
            for rows in self.pieces() {
                let columns = self.columns(images.len() / g.input.len(), &rows);
                let from = Self::stride(outputs, columns);
                let dy = front(matrix, elements * from);
                let first = group * outputs * g.output.area();
                let planes = Planes { images: gradient, len: g.output.len(), from: first, channels: outputs };
                self.tiles.output_gradients(planes, rows.clone(), plane, dy, Place { stride: from, columns });
                if let Some((sums, add)) = &mut sums {
                    let add = *add || rows.start > 0;
                    let stride = self.inputs(g, images, group, &rows, plane, buffer);
                    let sums = &mut sums[group * elements..][..elements];
                    for ((x, y), sum) in buffer.chunks(stride).zip(dy.chunks_exact(from)).zip(sums) {
                        let x = Mat::new(x, inputs, columns).transposed();
                        T::gemm(Left::Plain(Mat::new(y, outputs, columns)), x, sum, add, None);
                    }
                }
                let Some((dx, add)) = &mut dx else { continue };
                let to = Self::stride(inputs, columns);
                let products = front(buffer, elements * to);
                let packed = &packed[group * elements..][..elements];
                for ((y, x), packed) in dy.chunks_exact(from).zip(products.chunks_exact_mut(to)).zip(packed) {
                    let y = Mat::new(y, outputs, columns);
                    T::gemm(Left::Packed(packed), y, &mut x[..inputs * columns], false, None);
                }
                let first = group * inputs * g.input.area();
                let planes = Planes { images: &mut **dx, len: g.input.len(), from: first, channels: inputs };
                self.tiles.input_gradients(products, Place { stride: to, columns }, rows, plane, planes, *add);
            }
        }
    }

    pub(super) fn forward<T: Real>(&self, g: &Linear, io: Forward<'_, T>) {
        let packed = io.memo.tiled.get(|earlier| self.pack(io.weights, false, &mut io.scratch.lanes, earlier));
        let shared = Shared { packed, bias: io.bias, rectified: io.rectified };
        let lanes = io.scratch.lanes.iter_mut();
        let outputs = io.output.chunks_mut(self.lane * g.output.len());
        let work: Vec<_> = lanes.zip(outputs).zip(io.inputs[0].chunks(self.lane * g.input.len())).collect();
        work.into_par_iter().for_each(|((lane, out), images)| {
            let outputs = out.chunks_mut(self.together * g.output.len());
            for (out, images) in outputs.zip(images.chunks(self.together * g.input.len())) {
                self.forward_images(g, &shared, images, out, lane);
            }
        });
    }

    pub(super) fn backward<T: Real>(&self, g: &Linear, io: Backward<'_, T>) {
        let wanted = [!io.weight_gradient.is_empty(), !io.bias_gradient.is_empty()];
        let mut target = io.input_gradients[0].take();
        let tiled = &mut io.memo.tiled_transposed;
        let packed = match target {
            Some(_) => tiled.get(|earlier| self.pack(io.weights, true, &mut io.scratch.lanes, earlier)),
            None => &[],
        };
        let (inputs, outputs) = (self.lane * g.input.len(), self.lane * g.output.len());
        let add = target.as_ref().is_some_and(|t| t.add);
        let gradients: Vec<Option<&mut [T]>> = match &mut target {
            Some(t) => t.data.chunks_mut(inputs).map(Some).collect(),
            None => (0..LANES).map(|_| None).collect(),
        };
        let n = self.channels[0] * self.channels[1];
        let lanes = io.scratch.lanes.iter_mut().zip(gradients);
        let work: Vec<_> = lanes.zip(io.inputs[0].chunks(inputs)).zip(io.output_gradient.chunks(outputs)).collect();
        let used = work.len();
        work.into_par_iter().for_each(|(((lane, mut dx), images), gradient)| {
            // What is made in one piece is written; pieces have rows in common.
            let written = !add && self.rows == self.tiles.down();
            if let (Some(dx), false) = (&mut dx, add || written) {
                dx.fill(T::default());
            }
            let mut sums = std::mem::take(&mut lane.transformed);
            let parts = images.chunks(self.together * g.input.len());
            for (part, (images, gradient)) in parts.zip(gradient.chunks(self.together * g.output.len())).enumerate() {
                let at = part * self.together * g.input.len();
                let dx = dx.as_deref_mut().map(|dx| (&mut dx[at..][..images.len()], !written));
                let sums = wanted[0].then(|| front(&mut sums, g.groups * self.tiles.elements() * n));
                self.backward_images(g, packed, images, gradient, dx, sums.map(|sums| (sums, part > 0)), lane);
            }
            if wanted[1] {
                let sums = front(&mut lane.bias_gradient, g.output.channels);
                sums.fill(T::default());
                for gradient in gradient.chunks_exact(g.output.len()) {
                    sums.iter_mut().zip(gradient.chunks_exact(g.output.area())).for_each(|(s, row)| *s += sum(row));
                }
            }
            if wanted[0] {
                let gradients = front(&mut lane.weight_gradient, g.groups * n * 9);
                gradients.fill(T::default());
                let sums = sums.chunks_exact(self.tiles.elements() * n);
                for (gradients, sums) in gradients.chunks_exact_mut(n * 9).zip(sums) {
                    self.tiles.weight_gradients(sums, n, gradients);
                }
            }
            lane.transformed = sums;
        });
        add_lanes(&io.scratch.lanes[..used], io.weight_gradient, io.bias_gradient);
    }
}

/// What is the same for all images.
struct Shared<'a, T: Real> {
    packed: &'a [T::Packed],
    bias: &'a [T],
    rectified: bool,
}
