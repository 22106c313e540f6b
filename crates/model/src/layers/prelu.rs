//! PReLU: a rectified linear unit whose slope for negative values is learned (He et al. 2015, "Delving deep into
//! rectifiers").

use std::ops::Range;

use synapress_kernels::real::Real;
use synapress_kernels::scalar::{round_shift, saturate};

use super::channels::{channel_sums, each, pair_sums};
use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::linear::IntegerWeights;
use crate::pass::{Backward, Float, Forward, Mode};
use crate::shape::Shape;
use crate::weights::WeightShape;

pub(super) const KIND: Kind = Kind {
    name: "PReLU",
    caffe: &["PReLU"],
    parameter: "prelu_param",
    inputs: [1, 1],
    read: |a| {
        let shared = a.get_or("channel_shared", false)?;
        a.ignore(&["filler"]);
        a.finish()?;
        super::boxed(PRelu { shared })
    },
};

/// `max(x, 0) + slope * min(x, 0)`. Weights are the slopes, `[C, 1, 1, 1]`, or `[1, 1, 1, 1]` when shared.
#[derive(Clone, Copy, Debug, Default)]
pub struct PRelu {
    /// Whether all channels have one slope.
    pub shared: bool,
}

impl PRelu {
    fn place(&self, channel: usize) -> usize {
        if self.shared { 0 } else { channel }
    }
}

impl Layer for PRelu {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new().with_unless("channel_shared", self.shared, false)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        super::only(inputs)
    }

    fn weight_shape(&self, inputs: &[Shape]) -> Option<WeightShape> {
        let slopes = if self.shared { 1 } else { inputs.first()?.channels };
        Some(WeightShape { dims: [slopes, 1, 1, 1], bias: false })
    }

    fn sums_over_peers(&self) -> bool {
        true
    }

    fn in_place(&self) -> bool {
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
        let shift = i32::from(io.input_formats[0].frac) - i32::from(to.frac);
        let sloped = shift + i32::from(weights.format.frac);
        for (c, (out, input)) in io.output.chunks_exact_mut(area).zip(io.inputs[0].chunks_exact(area)).enumerate() {
            let slope = i64::from(weights.q[self.place(c)]);
            for (y, &x) in out.iter_mut().zip(input) {
                let x = i64::from(x);
                let sum = if x >= 0 { round_shift(x, shift) } else { round_shift(x * slope, sloped) };
                *y = saturate(sum, to.bits, to.signed) as i16;
            }
        }
        Ok(())
    }
}

impl<T: Real> Float<T> for PRelu {
    fn forward(&self, io: Forward<'_, T>) {
        let (slopes, input) = (io.weights, io.inputs[0]);
        if input.is_empty() && io.mode != Mode::Infer {
            // A slope may be zero or negative, so the output does not tell the input.
            io.memo.saved.clear();
            io.memo.saved.extend_from_slice(io.output);
        }
        each(io.output_shape, io.output, |c, from, out| {
            let slope = slopes[self.place(c)];
            let rectify = |x: T| if x > T::default() { x } else { x * slope };
            match input.get(from..from + out.len()) {
                None => out.iter_mut().for_each(|y| *y = rectify(*y)),
                Some(input) => out.iter_mut().zip(input).for_each(|(y, x)| *y = rectify(*x)),
            }
        });
    }

    fn backward(&self, io: Backward<'_, T>) {
        let in_place = io.inputs[0].is_empty();
        let input = if in_place { &io.memo.saved } else { io.inputs[0] };
        let shape = io.output_shape;
        let gradient = match &io.input_gradients[0] {
            Some(target) if in_place => &*target.data,
            _ => io.output_gradient,
        };
        if !io.weight_gradient.is_empty() {
            let of = |d, x| [if x <= T::default() { d * x } else { T::default() }, T::default()];
            let of = |at: Range<usize>| pair_sums(&gradient[at.clone()], &input[at], of);
            let [sums, _] = channel_sums(&*io.scratch.peers, shape, io.batch, io.images(), of);
            for (c, sum) in sums.into_iter().enumerate() {
                io.weight_gradient[self.place(c)] += T::of64(sum);
            }
        }
        let Some(target) = &mut io.input_gradients[0] else { return };
        let (gradient, add, slopes) = (io.output_gradient, target.add, io.weights);
        each(shape, target.data, |c, from, out| {
            let slope = slopes[self.place(c)];
            let x = &input[from..from + out.len()];
            let through = |x: T, d: T| if x > T::default() { d } else { d * slope };
            match gradient.get(from..from + out.len()) {
                None => out.iter_mut().zip(x).for_each(|(g, x)| *g = through(*x, *g)),
                Some(d) if add => out.iter_mut().zip(x).zip(d).for_each(|((g, x), d)| *g += through(*x, *d)),
                Some(d) => out.iter_mut().zip(x).zip(d).for_each(|((g, x), d)| *g = through(*x, *d)),
            }
        });
    }
}
