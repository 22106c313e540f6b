//! Convolution in floating point: matrix products over gathered columns, images and rows of outputs shared out to lanes.

use std::ops::Range;

use rayon::prelude::*;
use synapress_kernels::columns::{gather_rows, scatter_add};
use synapress_kernels::real::{Left, Mat, Real};

use super::Convolution;
use super::tiled::Tiling;
use crate::layers::relu::rectify;
use crate::linear::Linear;
use crate::pass::{Backward, Float, Forward, LANES, Lane, front};

/// Images are processed so many at a time that a matrix has at least this many columns: small feature maps would
/// leave the GEMM's width unused.
const COLUMNS: usize = 512;

/// How a batch of a convolution is cut into matrices.
struct Cut {
    /// Images of one lane, the last lane's may be fewer.
    lane: usize,
    /// Images side by side in one matrix.
    together: usize,
    /// Rows of output positions in one matrix; all of them when several images lie side by side.
    rows: usize,
    /// Whether an image is its own matrix of columns.
    direct: bool,
}

/// A matrix of columns should stay in the cache from its making to its use: so many elements at most.
const PIECE: usize = 1 << 18;

impl Cut {
    fn new(g: &Linear, batch: usize) -> Self {
        let lane = batch.div_ceil(LANES);
        let together = COLUMNS.div_ceil(g.output.area()).min(lane);
        let direct = g.window.is_pointwise() && together == 1;
        let width = (PIECE / g.taps()).max(COLUMNS / 4);
        let pieces = if direct || together > 1 { 1 } else { g.output.area().div_ceil(width) };
        Self { lane, together, rows: g.output.height.div_ceil(pieces), direct }
    }

    /// The pieces of some images: runs of output rows.
    fn pieces(&self, g: &Linear) -> impl Iterator<Item = Range<usize>> + use<> {
        let (height, rows) = (g.output.height, self.rows);
        (0..height).step_by(rows).map(move |y| y..(y + rows).min(height))
    }
}

/// The columns of a piece of some images for one group: taps x (images x positions), the images side by side.
fn columns<'a, T: Real>(
    g: &Linear,
    cut: &Cut,
    images: &'a [T],
    group: usize,
    piece: Range<usize>,
    buffer: &'a mut Vec<T>,
) -> Mat<'a, T> {
    let channels = g.input.channels / g.groups;
    let from = group * channels * g.input.area();
    if cut.direct {
        return Mat::new(&images[from..][..channels * g.input.area()], channels, g.input.area());
    }
    let (rows, positions) = (g.taps(), piece.len() * g.output.width);
    let width = images.len() / g.input.len() * positions;
    let matrix = front(buffer, rows * width);
    for (i, image) in images.chunks_exact(g.input.len()).enumerate() {
        let (image, at) = (&image[from..][..channels * g.input.area()], i * positions);
        gather_rows(image, channels, g.input.size(), &g.window, g.output.size(), piece.clone(), matrix, width, at);
    }
    Mat::new(matrix, rows, width)
}

/// Rows of every image side by side: `(images, rows of all groups, area)` to `(rows, images x area)`.
fn side_by_side<T: Copy>(images: &[T], len: usize, from: usize, rows: usize, area: usize, matrix: &mut [T]) {
    let count = images.len() / len;
    for (i, image) in images.chunks_exact(len).enumerate() {
        for r in 0..rows {
            matrix[(r * count + i) * area..][..area].copy_from_slice(&image[from + r * area..][..area]);
        }
    }
}

fn pack<T: Real>(g: &Linear, weights: &[T], transposed: bool, earlier: Vec<T::Packed>) -> Vec<T::Packed> {
    let mut earlier = earlier.into_iter();
    let (rows, taps) = (g.output.channels / g.groups, g.taps());
    let matrices = weights.chunks_exact(rows * taps).map(|w| Mat::new(w, rows, taps));
    matrices.map(|m| T::pack(if transposed { m.transposed() } else { m }, earlier.next())).collect()
}

/// Outputs of some images.
fn forward_images<T: Real>(
    g: &Linear,
    cut: &Cut,
    images: &[T],
    out: &mut [T],
    packed: &[T::Packed],
    bias: &[T],
    rectified: bool,
    lane: &mut Lane<T>,
) {
    let (area, rows) = (g.output.area(), g.output.channels / g.groups);
    let count = images.len() / g.input.len();
    for group in 0..g.groups {
        let bias = bias_of(g, bias, group);
        for piece in cut.pieces(g) {
            let (start, positions) = (piece.start * g.output.width, piece.len() * g.output.width);
            let b = columns(g, cut, images, group, piece, &mut lane.columns);
            let left = Left::Packed(&packed[group]);
            if b.columns == area {
                let out = &mut out[group * rows * area..][..rows * area];
                T::gemm(left, b, out, false, bias);
                if rectified {
                    out.iter_mut().for_each(|y| *y = rectify(*y));
                }
                continue;
            }
            let product = front(&mut lane.matrix, rows * b.columns);
            T::gemm(left, b, product, false, bias);
            for (i, image) in out.chunks_exact_mut(g.output.len()).enumerate() {
                for r in 0..rows {
                    let source = &product[(r * count + i) * positions..][..positions];
                    put(source, &mut image[(group * rows + r) * area + start..][..positions], rectified);
                }
            }
        }
    }
}

pub(super) fn bias_of<'a, T>(g: &Linear, bias: &'a [T], group: usize) -> Option<&'a [T]> {
    let rows = g.output.channels / g.groups;
    (!bias.is_empty()).then(|| &bias[group * rows..][..rows])
}

fn put<T: Real>(from: &[T], to: &mut [T], rectified: bool) {
    if rectified {
        to.iter_mut().zip(from).for_each(|(y, &x)| *y = rectify(x));
    } else {
        to.copy_from_slice(from);
    }
}

/// Runs of output rows that lanes work on together where there is but one image; none where its map is too small.
fn runs(g: &Linear) -> Option<impl Iterator<Item = Range<usize>> + use<>> {
    let (height, lanes) = (g.output.height, (g.output.area() / (COLUMNS / 2)).min(LANES));
    let rows = height.div_ceil(lanes.max(1)).max(1);
    (lanes > 1).then(|| (0..height).step_by(rows).map(move |y| y..(y + rows).min(height)))
}

/// Outputs of one image, a run of rows on each lane.
fn forward_one<T: Real>(
    g: &Linear,
    runs: impl Iterator<Item = Range<usize>>,
    image: &[T],
    out: &mut [T],
    packed: &[T::Packed],
    bias: &[T],
    rectified: bool,
    lanes: &mut [Lane<T>],
) {
    let (area, rows) = (g.output.area(), g.output.channels / g.groups);
    let (width, channels) = (g.output.width, g.input.channels / g.groups);
    let cut = Cut { direct: false, ..Cut::new(g, 1) };
    let runs: Vec<Range<usize>> = runs.collect();
    for group in 0..g.groups {
        lanes.par_iter_mut().zip(&runs).for_each(|(lane, run)| {
            let b = if g.window.is_pointwise() {
                let data = &image[group * channels * area + run.start * width..];
                Mat { data, rows: channels, columns: run.len() * width, row_stride: area, column_stride: 1 }
            } else {
                columns(g, &cut, image, group, run.clone(), &mut lane.columns)
            };
            let product = front(&mut lane.matrix, rows * b.columns);
            T::gemm(Left::Packed(&packed[group]), b, product, false, bias_of(g, bias, group));
        });
        out[group * rows * area..][..rows * area].par_chunks_mut(area).enumerate().for_each(|(r, out)| {
            for (lane, run) in lanes.iter().zip(&runs) {
                let positions = run.len() * width;
                put(&lane.matrix[r * positions..][..positions], &mut out[run.start * width..][..positions], rectified);
            }
        });
    }
}

/// Gradients of some images: adds to the lane's gradients of weights and bias as far as these are wanted, and writes
/// or adds to `dx`.
fn backward_images<T: Real>(
    g: &Linear,
    cut: &Cut,
    images: &[T],
    gradient: &[T],
    mut dx: Option<(&mut [T], bool)>,
    packed: &[T::Packed],
    wanted: [bool; 2],
    lane: &mut Lane<T>,
) {
    let (area, rows, taps) = (g.output.area(), g.output.channels / g.groups, g.taps());
    let channels = g.input.channels / g.groups;
    let count = images.len() / g.input.len();
    let Lane { columns: buffer, matrix, weight_gradient, bias_gradient, .. } = lane;
    for group in 0..g.groups {
        let from = group * rows * area;
        let first = group * channels * g.input.area();
        let all: &[T] = if count == 1 {
            &gradient[from..][..rows * area]
        } else {
            let matrix = front(matrix, rows * count * area);
            side_by_side(gradient, g.output.len(), from, rows, area, matrix);
            matrix
        };
        if wanted[1] {
            for (r, row) in all.chunks_exact(count * area).enumerate() {
                bias_gradient[group * rows + r] += sum(row);
            }
        }
        if let Some((dx, false)) = &mut dx
            && !cut.direct
        {
            for image in dx.chunks_exact_mut(g.input.len()) {
                image[first..][..channels * g.input.area()].fill(T::default());
            }
        }
        for piece in cut.pieces(g) {
            let start = piece.start * g.output.width;
            let width = count * piece.len() * g.output.width;
            let dy = Mat { data: &all[start..], rows, columns: width, row_stride: count * area, column_stride: 1 };
            if wanted[0] {
                let x = columns(g, cut, images, group, piece.clone(), buffer);
                let sum = &mut weight_gradient[group * rows * taps..][..rows * taps];
                T::gemm(Left::Plain(dy), x.transposed(), sum, true, None);
            }
            let Some((dx, add)) = &mut dx else { continue };
            if cut.direct {
                let dx = &mut dx[first..][..channels * area];
                T::gemm(Left::Packed(&packed[group]), dy, dx, *add, None);
                continue;
            }
            let product = front(buffer, taps * width);
            T::gemm(Left::Packed(&packed[group]), dy, product, false, None);
            for (i, image) in dx.chunks_exact_mut(g.input.len()).enumerate() {
                let image = &mut image[first..][..channels * g.input.area()];
                let (at, out) = (i * width / count, g.output.size());
                scatter_add(product, width, at, channels, g.input.size(), &g.window, out, piece.clone(), image);
            }
        }
    }
}

/// Adds up the gradients of lanes as far as these are wanted: in their order, so that the sum does not depend on which
/// thread ran which.
pub(super) fn add_lanes<T: Real>(lanes: &[Lane<T>], weight_gradient: &mut [T], bias_gradient: &mut [T]) {
    for lane in lanes {
        if !weight_gradient.is_empty() {
            crate::layers::add_all(weight_gradient, &lane.weight_gradient);
        }
        if !bias_gradient.is_empty() {
            crate::layers::add_all(bias_gradient, &lane.bias_gradient);
        }
    }
}

/// The sum of a row, in 16 interleaved parts, which vectorize.
pub(super) fn sum<T: Real>(row: &[T]) -> T {
    let mut parts = [T::default(); 16];
    let chunks = row.chunks_exact(16);
    let rest = chunks.remainder().iter().fold(T::default(), |s, &x| s + x);
    for chunk in chunks {
        for (p, &x) in parts.iter_mut().zip(chunk) {
            *p += x;
        }
    }
    parts.iter().fold(rest, |s, &x| s + x)
}

impl<T: Real> Float<T> for Convolution {
    fn forward(&self, io: Forward<'_, T>) {
        let g = self.geometry(io.input_shapes).expect("shapes were checked when the layer was added");
        if let Some(tiling) = Tiling::new(&g, io.batch) {
            return tiling.forward(&g, io);
        }
        let cut = Cut::new(&g, io.batch);
        let packed = io.memo.packed.get(|earlier| pack(&g, io.weights, false, earlier));
        let (bias, rectified) = (io.bias, io.rectified);
        if let (1, Some(runs)) = (io.batch, runs(&g)) {
            forward_one(&g, runs, io.inputs[0], io.output, packed, bias, rectified, &mut io.scratch.lanes);
            return;
        }
        let step = cut.together;
        let lanes = io.scratch.lanes.iter_mut();
        let outputs = io.output.chunks_mut(cut.lane * g.output.len());
        let work: Vec<_> = lanes.zip(outputs).zip(io.inputs[0].chunks(cut.lane * g.input.len())).collect();
        work.into_par_iter().for_each(|((lane, output), input)| {
            for (out, images) in output.chunks_mut(step * g.output.len()).zip(input.chunks(step * g.input.len())) {
                forward_images(&g, &cut, images, out, packed, bias, rectified, lane);
            }
        });
    }

    fn backward(&self, io: Backward<'_, T>) {
        let g = self.geometry(io.input_shapes).expect("shapes were checked when the layer was added");
        if let Some(tiling) = Tiling::new(&g, io.batch) {
            return tiling.backward(&g, io);
        }
        let cut = Cut::new(&g, io.batch);
        let wanted = [!io.weight_gradient.is_empty(), !io.bias_gradient.is_empty()];
        let mut target = io.input_gradients[0].take();
        let packed = match target {
            Some(_) => io.memo.packed_transposed.get(|earlier| pack(&g, io.weights, true, earlier)),
            None => &[],
        };
        let add = target.as_ref().is_some_and(|t| t.add);
        let (step, lane_input) = (cut.together, cut.lane * g.input.len());
        let gradients: Vec<Option<&mut [T]>> = match &mut target {
            Some(t) => t.data.chunks_mut(lane_input).map(Some).collect(),
            None => (0..LANES).map(|_| None).collect(),
        };
        let lanes = io.scratch.lanes.iter_mut().zip(gradients);
        let inputs = io.inputs[0].chunks(lane_input);
        let outputs = io.output_gradient.chunks(cut.lane * g.output.len());
        let work: Vec<_> = lanes.zip(inputs).zip(outputs).collect();
        let used = work.len();
        work.into_par_iter().for_each(|(((lane, mut dx), input), gradient)| {
            if wanted[0] {
                front(&mut lane.weight_gradient, g.output.channels * g.taps()).fill(T::default());
            }
            if wanted[1] {
                front(&mut lane.bias_gradient, g.output.channels).fill(T::default());
            }
            let parts = input.chunks(step * g.input.len()).zip(gradient.chunks(step * g.output.len()));
            for (part, (images, gradient)) in parts.enumerate() {
                let dx = dx.as_deref_mut().map(|dx| (&mut dx[part * step * g.input.len()..][..images.len()], add));
                backward_images(&g, &cut, images, gradient, dx, packed, wanted, lane);
            }
        });
        add_lanes(&io.scratch.lanes[..used], io.weight_gradient, io.bias_gradient);
    }
}
