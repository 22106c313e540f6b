//! Convolution, with groups, dilation and rectangular windows; float by im2col and GEMM.

use rayon::prelude::*;
use synapress_kernels::columns::{Window, gather, scatter_add};
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
        let window = Window {
            kernel: super::axes(a, "kernel_size", ["kernel_h", "kernel_w"], None)?,
            stride: super::axes(a, "stride", ["stride_h", "stride_w"], Some(1))?,
            pad: super::axes(a, "pad", ["pad_h", "pad_w"], Some(0))?,
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
        let window = Window { kernel: [kernel; 2], stride: [stride; 2], pad: [pad; 2], dilation: [1; 2] };
        Self { outputs, groups: 1, window, bias: true }
    }

    fn geometry(&self, inputs: &[Shape]) -> Result<Linear, Error> {
        let input = super::only(inputs)?;
        let fault = |message: String| Error::new(ErrorKind::Shape, message);
        if input.channels % self.groups != 0 || self.outputs % self.groups != 0 {
            return Err(fault(format!(
                "{} groups divide neither {} input nor {} output channels evenly",
                self.groups, input.channels, self.outputs
            )));
        }
        let [height, width] = self.window.positions(input.size()).ok_or_else(|| {
            fault(format!(
                "a window of {:?} with padding {:?} does not fit {input}",
                self.window.kernel, self.window.pad
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

/// How a batch of a convolution is cut up.
struct Cut {
    /// Images of one lane, the last lane's may be fewer.
    lane: usize,
    /// Images side by side in one matrix.
    together: usize,
    /// Whether a single image is its own matrix of columns.
    direct: bool,
}

impl Cut {
    fn new(g: &Linear, batch: usize) -> Self {
        let lane = batch.div_ceil(LANES);
        let together = COLUMNS.div_ceil(g.output.area()).min(lane);
        Self { lane, together, direct: g.window.is_pointwise() && together == 1 }
    }
}

/// The columns of some images for one group: taps x (images x area), the images side by side.
fn columns<'a, T: Real>(g: &Linear, cut: &Cut, images: &'a [T], group: usize, buffer: &'a mut Vec<T>) -> Mat<'a, T> {
    let (area, channels) = (g.output.area(), g.input.channels / g.groups);
    let count = images.len() / g.input.len();
    let from = group * channels * g.input.area();
    if cut.direct {
        return Mat::new(&images[from..][..channels * area], channels, area);
    }
    let (rows, width) = (g.taps(), count * area);
    let matrix = front(buffer, rows * width);
    for (i, image) in images.chunks_exact(g.input.len()).enumerate() {
        let image = &image[from..][..channels * g.input.area()];
        gather(image, channels, g.input.size(), &g.window, g.output.size(), matrix, width, i * area);
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

impl<T: Real> Float<T> for Convolution {
    fn forward(&self, io: Forward<'_, T>) {
        let g = self.geometry(io.input_shapes).expect("shapes were checked when the layer was added");
        let cut = Cut::new(&g, io.batch);
        if io.memo.packed.is_empty() {
            io.memo.packed = pack(&g, io.weights, false);
        }
        let (packed, bias) = (&io.memo.packed, io.bias);
        let (area, rows) = (g.output.area(), g.output.channels / g.groups);
        let run = |((lane, output), input): ((&mut Lane<T>, &mut [T]), &[T])| {
            let step = cut.together;
            for (out, images) in output.chunks_mut(step * g.output.len()).zip(input.chunks(step * g.input.len())) {
                for group in 0..g.groups {
                    let bias = (!bias.is_empty()).then(|| &bias[group * rows..][..rows]);
                    let b = columns(&g, &cut, images, group, &mut lane.columns);
                    let left = Left::Packed(&packed[group]);
                    if b.columns == area {
                        T::gemm(left, b, &mut out[group * rows * area..][..rows * area], false, bias);
                        continue;
                    }
                    let product = front(&mut lane.matrix, rows * b.columns);
                    let count = b.columns / area;
                    T::gemm(left, b, product, false, bias);
                    for (i, image) in out.chunks_exact_mut(g.output.len()).enumerate() {
                        for r in 0..rows {
                            let source = &product[(r * count + i) * area..][..area];
                            image[(group * rows + r) * area..][..area].copy_from_slice(source);
                        }
                    }
                }
            }
        };
        let lanes = io.scratch.lanes.iter_mut();
        let outputs = io.output.chunks_mut(cut.lane * g.output.len());
        let inputs = io.inputs[0].chunks(cut.lane * g.input.len());
        let work: Vec<_> = lanes.zip(outputs).zip(inputs).collect();
        if work.len() == 1 { work.into_iter().for_each(run) } else { work.into_par_iter().for_each(run) }
    }

    fn backward(&self, io: Backward<'_, T>) {
        let g = self.geometry(io.input_shapes).expect("shapes were checked when the layer was added");
        let cut = Cut::new(&g, io.batch);
        let (area, rows, taps) = (g.output.area(), g.output.channels / g.groups, g.taps());
        let wants_weights = !io.weight_gradient.is_empty();
        let wants_bias = !io.bias_gradient.is_empty();
        let mut target = io.input_gradients[0].take();
        if target.is_some() && io.memo.packed_transposed.is_empty() {
            io.memo.packed_transposed = pack(&g, io.weights, true);
        }
        let packed = &io.memo.packed_transposed;
        let add = target.as_ref().is_some_and(|t| t.add);
        let lane_input = cut.lane * g.input.len();
        let mut gradients: Vec<Option<&mut [T]>> = match &mut target {
            Some(t) => t.data.chunks_mut(lane_input).map(Some).collect(),
            None => (0..LANES).map(|_| None).collect(),
        };
        let run =
            |(((lane, input), gradient), input_gradient): (((&mut Lane<T>, &[T]), &[T]), &mut Option<&mut [T]>)| {
                if wants_weights {
                    front(&mut lane.weight_gradient, g.output.channels * taps).fill(T::default());
                }
                if wants_bias {
                    front(&mut lane.bias_gradient, g.output.channels).fill(T::default());
                }
                let step = cut.together;
                let parts = input.chunks(step * g.input.len()).zip(gradient.chunks(step * g.output.len()));
                for (part, (images, out)) in parts.enumerate() {
                    let count = images.len() / g.input.len();
                    let width = count * area;
                    for group in 0..g.groups {
                        let from = group * rows * area;
                        let dy: &[T] = if count == 1 {
                            &out[from..][..rows * area]
                        } else {
                            let matrix = front(&mut lane.matrix, rows * width);
                            side_by_side(out, g.output.len(), from, rows, area, matrix);
                            matrix
                        };
                        let dy = Mat::new(dy, rows, width);
                        if wants_weights {
                            let x = columns(&g, &cut, images, group, &mut lane.columns);
                            let sum = &mut lane.weight_gradient[group * rows * taps..][..rows * taps];
                            T::gemm(Left::Plain(dy), x.transposed(), sum, true, None);
                        }
                        if wants_bias {
                            for r in 0..rows {
                                let sum = dy.data[r * width..][..width].iter().fold(T::default(), |s, &d| s + d);
                                lane.bias_gradient[group * rows + r] += sum;
                            }
                        }
                        let Some(dx) = input_gradient.as_deref_mut() else { continue };
                        let dx = &mut dx[part * step * g.input.len()..][..count * g.input.len()];
                        let channels = g.input.channels / g.groups;
                        let first = group * channels * g.input.area();
                        if cut.direct {
                            let dx = &mut dx[first..][..channels * area];
                            T::gemm(Left::Packed(&packed[group]), dy, dx, add, None);
                            continue;
                        }
                        let product = front(&mut lane.columns, taps * width);
                        T::gemm(Left::Packed(&packed[group]), dy, product, false, None);
                        for (i, image) in dx.chunks_exact_mut(g.input.len()).enumerate() {
                            let image = &mut image[first..][..channels * g.input.area()];
                            if !add {
                                image.fill(T::default());
                            }
                            let at = i * area;
                            scatter_add(
                                product,
                                width,
                                at,
                                channels,
                                g.input.size(),
                                &g.window,
                                g.output.size(),
                                image,
                            );
                        }
                    }
                }
            };
        let lanes = io.scratch.lanes.iter_mut();
        let inputs = io.inputs[0].chunks(lane_input);
        let outputs = io.output_gradient.chunks(cut.lane * g.output.len());
        let work: Vec<_> = lanes.zip(inputs).zip(outputs).zip(gradients.iter_mut()).collect();
        let used = work.len();
        work.into_par_iter().for_each(run);
        // Lanes are summed in their order, so the sum does not depend on which thread ran which.
        for lane in &io.scratch.lanes[..used] {
            if wants_weights {
                super::add_all(io.weight_gradient, &lane.weight_gradient);
            }
            if wants_bias {
                super::add_all(io.bias_gradient, &lane.bias_gradient);
            }
        }
    }
}
