//! ReLU: rectified linear unit, with a slope for negative values on request.

use rayon::prelude::*;
use synapress_kernels::real::Real;
use synapress_kernels::scalar::{round_shift, saturate};

use crate::attributes::Attributes;
use crate::error::Error;
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;
use crate::structure::Structure;

pub(super) const KIND: Kind = Kind {
    name: "ReLU",
    caffe: &["ReLU", "RELU"],
    parameter: "relu_param",
    inputs: [1, 1],
    read: |a| {
        let negative_slope = a.get_or("negative_slope", 0.0)?;
        a.ignore(&["engine"]);
        a.finish()?;
        super::boxed(Relu { negative_slope })
    },
};

/// `max(x, 0) + negative_slope * min(x, 0)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu {
    /// Slope for negative values; 0 for the plain unit.
    pub negative_slope: f32,
}

/// Numbers of one piece of work.
const PIECE: usize = 1 << 15;

/// Fractional length of the integer slope: 16 bits hold slopes of magnitude up to 2.
const SLOPE: Fixed = Fixed { bits: 16, frac: 14, signed: true };

impl Layer for Relu {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new().with_unless("negative_slope", self.negative_slope, 0.0)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        super::only(inputs)
    }

    fn in_place(&self) -> bool {
        // The backward pass tells the sides apart by the sign of the output, which a negative slope would lose.
        self.negative_slope >= 0.0
    }

    fn is_rectifier(&self) -> bool {
        self.negative_slope == 0.0
    }

    fn structure(&self, _inputs: &[Shape]) -> Structure {
        if SLOPE.quantize(self.negative_slope) == 0 { Structure::Rectifier } else { Structure::Other }
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        let (from, to) = (io.input_formats[0], io.output_format);
        let slope = i64::from(SLOPE.quantize(self.negative_slope));
        let shift = i32::from(from.frac) - i32::from(to.frac);
        for (out, &x) in io.output.iter_mut().zip(io.inputs[0]) {
            let x = i64::from(x);
            let y = if x >= 0 { round_shift(x, shift) } else { round_shift(x * slope, shift + i32::from(SLOPE.frac)) };
            *out = saturate(y, to.bits, to.signed) as i16;
        }
        Ok(())
    }
}

/// `max(x, 0)`; what is no number stays so.
pub(super) fn rectify<T: Real>(x: T) -> T {
    if x > T::default() { x } else { x * T::default() }
}

/// The factor that a rectifier, where there is one, puts on `y` and its gradient. A number rather than two functions, so
/// that the passes over memory which it is part of are compiled once.
#[inline(always)]
pub(super) fn kept<T: Real>(y: T, rectified: bool) -> T {
    steepness(y, T::of(if rectified { 0.0 } else { 1.0 }))
}

impl<T: Real> Float<T> for Relu {
    fn forward(&self, io: Forward<'_, T>) {
        let slope = T::of(self.negative_slope);
        let input = io.inputs[0];
        io.output.par_chunks_mut(PIECE).enumerate().for_each(move |(i, output)| match input {
            [] => output.iter_mut().for_each(|y| *y = *y * steepness(*y, slope)),
            input => output.iter_mut().zip(&input[i * PIECE..]).for_each(|(y, &x)| *y = x * steepness(x, slope)),
        });
    }

    fn backward(&self, io: Backward<'_, T>) {
        let slope = T::of(self.negative_slope);
        let Some(gradient) = &mut io.input_gradients[0] else { return };
        let (add, input, output, from) = (gradient.add, io.inputs[0], io.output, io.output_gradient);
        gradient.data.par_chunks_mut(PIECE).enumerate().for_each(move |(i, gradient)| {
            let at = i * PIECE;
            if input.is_empty() {
                gradient.iter_mut().zip(&output[at..]).for_each(|(g, &y)| *g = *g * steepness(y, slope));
                return;
            }
            let pairs = gradient.iter_mut().zip(&input[at..]).zip(&from[at..]);
            if add {
                pairs.for_each(|((g, &x), &d)| *g += d * steepness(x, slope));
            } else {
                pairs.for_each(|((g, &x), &d)| *g = d * steepness(x, slope));
            }
        });
    }
}

/// The factor of `x`. Chosen and multiplied rather than branched upon: half of all values are negative, in no order that
/// a processor could foresee.
#[inline(always)]
fn steepness<T: Real>(x: T, slope: T) -> T {
    if x > T::default() { T::of(1.0) } else { slope }
}
