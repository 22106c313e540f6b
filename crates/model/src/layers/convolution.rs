//! Convolution, with groups, dilation and rectangular windows; float by im2col and GEMM, or by Winograd's
//! products.

mod float;
mod tiled;

use synapress_kernels::columns::Window;
use synapress_kernels::scalar::{round_shift, saturate};

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
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

    fn forgets_output(&self) -> bool {
        true
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
