//! Clip: values limited to a range, such as ReLU6.

use synapress_kernels::real::Real;
use synapress_kernels::scalar::round_shift;

use super::pointwise;
use crate::attributes::Attributes;
use crate::error::Error;
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;
use crate::structure::Structure;

pub(super) const KIND: Kind = Kind {
    name: "Clip",
    caffe: &["Clip"],
    parameter: "clip_param",
    inputs: [1, 1],
    read: |a| {
        let missing = || super::senseless("a Clip needs min and max");
        let (min, max): (Option<f32>, Option<f32>) = (a.get("min")?, a.get("max")?);
        a.finish()?;
        let (min, max) = min.zip(max).ok_or_else(missing)?;
        if !(min.is_finite() && max.is_finite() && min <= max) {
            return Err(super::senseless(format!("min {min} and max {max} must be finite numbers in this order")));
        }
        super::boxed(Clip { min, max })
    },
};

/// `max(min, x)`, at most `max`.
#[derive(Clone, Copy, Debug)]
pub struct Clip {
    /// The smallest value put out.
    pub min: f32,
    /// The largest one, not below.
    pub max: f32,
}

impl Clip {
    /// The codes of both ends.
    fn codes(&self, format: Fixed) -> [i64; 2] {
        [self.min, self.max].map(|v| i64::from(format.quantize(v)))
    }
}

impl Layer for Clip {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new().with("min", self.min).with("max", self.max)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        super::only(inputs)
    }

    fn in_place(&self) -> bool {
        true
    }

    fn structure(&self, _inputs: &[Shape]) -> Structure {
        Structure::Clip { min: self.min, max: self.max }
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        let shift = i32::from(io.input_formats[0].frac) - i32::from(io.output_format.frac);
        let [low, high] = self.codes(io.output_format);
        for (out, &x) in io.output.iter_mut().zip(io.inputs[0]) {
            *out = round_shift(i64::from(x), shift).clamp(low, high) as i16;
        }
        Ok(())
    }
}

impl<T: Real> Float<T> for Clip {
    fn forward(&self, io: Forward<'_, T>) {
        let (min, max) = (T::of(self.min), T::of(self.max));
        pointwise::forward(io, |x| if x > max { max } else { x.larger(min) });
    }

    /// At the ends, where nothing tells on which side the value was, the slope is 0.
    fn backward(&self, io: Backward<'_, T>) {
        let (min, max) = (T::of(self.min), T::of(self.max));
        pointwise::backward(io, |y| if y > min && y < max { T::of(1.0) } else { T::default() });
    }
}
