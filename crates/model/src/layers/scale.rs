//! Scale: a learned factor for each channel, and a bias on request. Factors that another layer computes (Caffe's form
//! with two inputs) are not supported.

use std::ops::Range;

use synapress_kernels::real::Real;
use synapress_kernels::scalar::{round_shift, saturate};

use super::channels::{add_sums, affine, channel_sums, line, pair_sums, scale_gradient};
use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::linear::IntegerWeights;
use crate::pass::{Backward, Float, Forward, Mode};
use crate::shape::Shape;
use crate::weights::WeightShape;

pub(super) const KIND: Kind = Kind {
    name: "Scale",
    caffe: &["Scale"],
    parameter: "scale_param",
    // Two, so that the second one is refused with its reason.
    inputs: [1, 2],
    read: |a| {
        let bias = a.get_or("bias_term", false)?;
        if ![1, -3].contains(&a.get_or::<i64>("axis", 1)?) || a.get_or::<i64>("num_axes", 1)? != 1 {
            return Err(super::senseless("only axis: 1 and num_axes: 1 (one factor a channel) are supported"));
        }
        a.ignore(&["filler", "bias_filler"]);
        a.finish()?;
        super::boxed(Scale { bias })
    },
};

/// `factor * x + bias`, by channel. Weights are `[C, 1, 1, 1]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scale {
    /// Whether there is a bias.
    pub bias: bool,
}

impl Layer for Scale {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new().with_unless("bias_term", self.bias, false)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        match inputs {
            [shape] => Ok(*shape),
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                "Scale with two inputs (factors computed by another layer) is not supported; only learned factors are",
            )),
        }
    }

    fn weight_shape(&self, inputs: &[Shape]) -> Option<WeightShape> {
        Some(WeightShape { dims: [inputs.first()?.channels, 1, 1, 1], bias: self.bias })
    }

    fn in_place(&self) -> bool {
        true
    }

    fn sums_over_peers(&self) -> bool {
        true
    }

    fn forgets_output(&self) -> bool {
        true
    }

    fn is_scale(&self) -> bool {
        true
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
        let weights = io.weights.ok_or_else(|| Error::new(ErrorKind::Weights, "the layer has no integer weights"))?;
        let (area, to) = (io.output_shape.area(), io.output_format);
        let accumulator = i32::from(weights.format.frac) + i32::from(io.input_formats[0].frac);
        for (c, (out, input)) in io.output.chunks_exact_mut(area).zip(io.inputs[0].chunks_exact(area)).enumerate() {
            let (factor, bias) = (i64::from(weights.q[c]), weights.bias_at(c, accumulator));
            for (y, &x) in out.iter_mut().zip(input) {
                let sum = factor * i64::from(x) + bias;
                *y = saturate(round_shift(sum, accumulator - i32::from(to.frac)), to.bits, to.signed) as i16;
            }
        }
        Ok(())
    }
}

impl<T: Real> Float<T> for Scale {
    fn forward(&self, io: Forward<'_, T>) {
        if io.inputs[0].is_empty() && io.mode != Mode::Infer {
            // The gradient of a factor needs the input, which is about to be overwritten.
            io.memo.saved.clear();
            io.memo.saved.extend_from_slice(io.output);
        }
        let (factors, bias) = (io.weights, io.bias);
        affine(io.output_shape, io.inputs[0], io.output, |c| line(factors, bias, c), io.rectified);
    }

    fn backward(&self, io: Backward<'_, T>) {
        let in_place = io.inputs[0].is_empty();
        let input = if in_place { &io.memo.saved } else { io.inputs[0] };
        let shape = io.output_shape;
        let gradient = match &io.input_gradients[0] {
            Some(target) if in_place => &*target.data,
            _ => io.output_gradient,
        };
        if !io.weight_gradient.is_empty() || !io.bias_gradient.is_empty() {
            let of = |d, x| [d * x, d];
            let of = |at: Range<usize>| pair_sums(&gradient[at.clone()], &input[at], of);
            let [factors, bias] = channel_sums(&*io.scratch.peers, shape, io.batch, io.images(), of);
            add_sums(io.weight_gradient, &factors);
            add_sums(io.bias_gradient, &bias);
        }
        if let Some(target) = &mut io.input_gradients[0] {
            scale_gradient(shape, io.output_gradient, target.data, target.add, |c| io.weights[c]);
        }
    }
}
