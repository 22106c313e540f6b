//! Convolution, with groups, dilation and rectangular windows; float by im2col and GEMM.

use std::ops::Range;

use rayon::prelude::*;
use synapress_kernels::columns::{Window, gather_rows, scatter_add};
use synapress_kernels::real::{Left, Mat, Real};
use synapress_kernels::scalar::{round_shift, saturate};

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{Backward, Float, Forward, IntegerForward, Kind, LANES, Lane, Layer, front};
use crate::linear::{IntegerWeights, Linear};
use crate::shape::Shape;
use crate::weights::WeightShape;

pub(super) const KIND: Kind = Kind {
    name: "Convolution",
    caffe: &["Convolution", "CONVOLUTION", "DepthwiseConvolution", "ConvolutionDepthwise"],
    parameter: "convolution_param",
    inputs: [1, 1],
    read: |a| {
        let outputs = a.get::<usize>("num_output")?.ok_or_else(|| super::senseless("num_output is missing"))?;
        let pad = super::axes(a, "pad", ["pad_h", "pad_w"], Some(0))?;
        let window = Window {
            kernel: super::axes(a, "kernel_size", ["kernel_h", "kernel_w"], None)?,
            stride: super::axes(a, "stride", ["stride_h", "stride_w"], Some(1))?,
            pad,
            pad_end: super::pad_end(a, pad)?,
            dilation: super::axes(a, "dilation", ["dilation_h", "dilation_w"], Some(1))?,
        };
        let groups = a.get_or("group", 1)?;
        let bias = a.get_or("bias_term", true)?;
        if a.get_or::<i64>("axis", 1)? != 1 {
            return Err(super::senseless("only axis: 1 (channels) is supported"));
        }
        a.ignore(&["engine", "weight_filler", "bias_filler", "force_nd_im2col"]);
        a.finish()?;
        let sizes = [outputs, groups, window.stride[0], window.stride[1], window.dilation[0], window.dilation[1]];
        if sizes.contains(&0) || window.kernel.contains(&0) {
            return Err(super::senseless("num_output, group, kernel_size, stride and dilation must be at least 1"));
        }
        super::boxed(Convolution { outputs, groups, window, bias })
    },
};

/// Weighted sums over a sliding window.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// Output channels.
    pub outputs: usize,
    /// Groups that input and output channels are split into.
    pub groups: usize,
    /// The window.
    pub window: Window,
    /// Whether there is a bias.
    pub bias: bool,
}

/// Images are processed so many at a time that a matrix has at least this many columns: small feature maps would
/// leave the GEMM's width unused.
const COLUMNS: usize = 512;

impl Convolution {
    /// A square window of side `kernel` at `stride` with `pad` zeros around, one group, with bias.
    pub fn square(outputs: usize, kernel: usize, stride: usize, pad: usize) -> Self {
        let pad = [pad; 2];
        let window = Window { kernel: [kernel; 2], stride: [stride; 2], pad, pad_end: pad, dilation: [1; 2] };
        Self { outputs, groups: 1, window, bias: true }
    }

    fn geometry(&self, inputs: &[Shape]) -> Result<Linear, Error> {
        let input = super::only(inputs)?;
        let fault = |message: String| Error::new(ErrorKind::Shape, message);
        if !input.channels.is_multiple_of(self.groups) || !self.outputs.is_multiple_of(self.groups) {
            return Err(fault(format!(
                "{} groups do not divide {} input and {} output channels evenly",
                self.groups, input.channels, self.outputs
            )));
        }
        let [height, width] = self.window.positions(input.size()).ok_or_else(|| {
            fault(format!(
                "a window of {:?} with padding {:?} before and {:?} behind does not fit {input}",
                self.window.kernel, self.window.pad, self.window.pad_end
            ))
        })?;
        let output = Shape::new(self.outputs, height, width)?;
        Ok(Linear { fully_connected: false, groups: self.groups, window: self.window, input, output })
    }
}

impl Layer for Convolution {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        let w = &self.window;
        let a = Attributes::new().with("num_output", self.outputs);
        let a = super::with_axes(a, "kernel_size", ["kernel_h", "kernel_w"], w.kernel, None);
        let a = super::with_axes(a, "stride", ["stride_h", "stride_w"], w.stride, Some(1));
        let a = super::with_axes(a, "pad", ["pad_h", "pad_w"], w.pad, Some(0));
        let a = super::with_pad_end(a, w.pad_end, w.pad);
        let a = super::with_axes(a, "dilation", ["dilation_h", "dilation_w"], w.dilation, Some(1));
        a.with_unless("group", self.groups, 1).with_unless("bias_term", self.bias, true)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        Ok(self.geometry(inputs)?.output)
    }

    fn weight_shape(&self, inputs: &[Shape]) -> Option<WeightShape> {
        let inputs = inputs.first()?.channels / self.groups;
        let [height, width] = self.window.kernel;
        Some(WeightShape { dims: [self.outputs, inputs, height, width], bias: self.bias })
    }

    fn linear(&self, inputs: &[Shape]) -> Option<Linear> {
        self.geometry(inputs).ok()
    }

    fn verify_integer(
        &self,
        inputs: &[Fixed],
        _output: Fixed,
        weights: Option<&IntegerWeights>,
        _table: &[i16],
    ) -> Result<(), Error> {
        weights.map_or(Ok(()), |w| w.verify(inputs[0]))
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        super::integer_sums(&self.geometry(io.input_shapes)?, io)
    }
}

/// Integer weighted sums, one multiplication at a time: the meaning of convolution and fully connected layers.
pub(super) fn integer_sums(g: &Linear, io: IntegerForward<'_>) -> Result<(), Error> {
    let weights = io.weights.ok_or_else(|| Error::new(ErrorKind::Weights, "the layer has no integer weights"))?;
    let to = io.output_format;
    let accumulator = i32::from(weights.format.frac) + i32::from(io.input_formats[0].frac);
    let [height, width] = g.input.size();
    let (w, taps) = (&g.window, g.taps());
    let (group_in, group_out) = (g.input.channels / g.groups, g.output.channels / g.groups);
    for o in 0..g.output.channels {
        let row = &weights.q[o * taps..][..taps];
        let first = o / group_out * group_in;
        for y in 0..g.output.height {
            for x in 0..g.output.width {
                let mut sum = weights.bias_at(o, accumulator);
                let mut tap = 0;
                for c in first..first + group_in {
                    for ky in 0..w.kernel[0] {
                        for kx in 0..w.kernel[1] {
                            let iy = (y * w.stride[0] + ky * w.dilation[0]).wrapping_sub(w.pad[0]);
                            let ix = (x * w.stride[1] + kx * w.dilation[1]).wrapping_sub(w.pad[1]);
                            if iy < height && ix < width {
                                let value = io.inputs[0][(c * height + iy) * width + ix];
                                sum += i64::from(row[tap]) * i64::from(value);
                            }
                            tap += 1;
                        }
                    }
                }
                let out = saturate(round_shift(sum, accumulator - i32::from(to.frac)), to.bits, to.signed);
                io.output[(o * g.output.height + y) * g.output.width + x] = out as i16;
            }
        }
    }
    Ok(())
}

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

fn pack<T: Real>(g: &Linear, weights: &[T], transposed: bool) -> Vec<T::Packed> {
    let (rows, taps) = (g.output.channels / g.groups, g.taps());
    let matrices = weights.chunks_exact(rows * taps).map(|w| Mat::new(w, rows, taps));
    matrices.map(|m| T::pack(if transposed { m.transposed() } else { m })).collect()
}

/// Outputs of some images.
fn forward_images<T: Real>(
    g: &Linear,
    cut: &Cut,
    images: &[T],
    out: &mut [T],
    packed: &[T::Packed],
    bias: &[T],
    lane: &mut Lane<T>,
) {
    let (area, rows) = (g.output.area(), g.output.channels / g.groups);
    let count = images.len() / g.input.len();
    for group in 0..g.groups {
        let bias = (!bias.is_empty()).then(|| &bias[group * rows..][..rows]);
        for piece in cut.pieces(g) {
            let (start, positions) = (piece.start * g.output.width, piece.len() * g.output.width);
            let b = columns(g, cut, images, group, piece, &mut lane.columns);
            let left = Left::Packed(&packed[group]);
            if b.columns == area {
                T::gemm(left, b, &mut out[group * rows * area..][..rows * area], false, bias);
                continue;
            }
            let product = front(&mut lane.matrix, rows * b.columns);
            T::gemm(left, b, product, false, bias);
            for (i, image) in out.chunks_exact_mut(g.output.len()).enumerate() {
                for r in 0..rows {
                    let source = &product[(r * count + i) * positions..][..positions];
                    image[(group * rows + r) * area + start..][..positions].copy_from_slice(source);
                }
            }
        }
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

/// The sum of a row, in 16 interleaved parts, which vectorize.
fn sum<T: Real>(row: &[T]) -> T {
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
        let cut = Cut::new(&g, io.batch);
        if io.memo.packed.is_empty() {
            io.memo.packed = pack(&g, io.weights, false);
        }
        let (packed, bias) = (&io.memo.packed, io.bias);
        let step = cut.together;
        let lanes = io.scratch.lanes.iter_mut();
        let outputs = io.output.chunks_mut(cut.lane * g.output.len());
        let work: Vec<_> = lanes.zip(outputs).zip(io.inputs[0].chunks(cut.lane * g.input.len())).collect();
        work.into_par_iter().for_each(|((lane, output), input)| {
            for (out, images) in output.chunks_mut(step * g.output.len()).zip(input.chunks(step * g.input.len())) {
                forward_images(&g, &cut, images, out, packed, bias, lane);
            }
        });
    }

    fn backward(&self, io: Backward<'_, T>) {
        let g = self.geometry(io.input_shapes).expect("shapes were checked when the layer was added");
        let cut = Cut::new(&g, io.batch);
        let wanted = [!io.weight_gradient.is_empty(), !io.bias_gradient.is_empty()];
        let mut target = io.input_gradients[0].take();
        if target.is_some() && io.memo.packed_transposed.is_empty() {
            io.memo.packed_transposed = pack(&g, io.weights, true);
        }
        let packed = &io.memo.packed_transposed;
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
        // Lanes are summed in their order, so the sum does not depend on which thread ran which.
        for lane in &io.scratch.lanes[..used] {
            if wanted[0] {
                super::add_all(io.weight_gradient, &lane.weight_gradient);
            }
            if wanted[1] {
                super::add_all(io.bias_gradient, &lane.bias_gradient);
            }
        }
    }
}
