//! Power: a line, raised to a fixed power.

use synapress_kernels::real::Real;

use super::pointwise;
use crate::attributes::Attributes;
use crate::error::Error;
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::linear::IntegerWeights;
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;

pub(super) const KIND: Kind = Kind {
    name: "Power",
    caffe: &["Power", "POWER"],
    parameter: "power_param",
    inputs: [1, 1],
    read: |a| {
        let (power, scale, shift) = (a.get_or("power", 1.0)?, a.get_or("scale", 1.0)?, a.get_or("shift", 0.0)?);
        a.finish()?;
        if [power, scale, shift].iter().any(|v: &f32| !v.is_finite()) {
            return Err(super::senseless("power, scale and shift must be finite numbers"));
        }
        super::boxed(Power { power, scale, shift })
    },
};

/// `(shift + scale * x)^power`. Its integer form is a table over the input codes, or over their top 12 bits if they
/// have more.
#[derive(Clone, Copy, Debug)]
pub struct Power {
    /// Exponent.
    pub power: f32,
    /// Factor.
    pub scale: f32,
    /// Added to the product.
    pub shift: f32,
}

impl Default for Power {
    fn default() -> Self {
        Self { power: 1.0, scale: 1.0, shift: 0.0 }
    }
}

impl Power {
    fn value<T: Real>(&self, x: T) -> T {
        let base = T::of(self.shift) + T::of(self.scale) * x;
        if self.power == 1.0 { base } else { base.powf(T::of(self.power)) }
    }

    fn slope<T: Real>(&self, x: T) -> T {
        let factor = T::of(self.scale) * T::of(self.power);
        if factor == T::default() || self.power == 1.0 {
            return factor;
        }
        factor * (T::of(self.shift) + T::of(self.scale) * x).powf(T::of(self.power) - T::of(1.0))
    }
}

impl Layer for Power {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        let a = Attributes::new().with_unless("power", self.power, 1.0);
        a.with_unless("scale", self.scale, 1.0).with_unless("shift", self.shift, 0.0)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        super::only(inputs)
    }

    fn in_place(&self) -> bool {
        // The slope of any other power depends on the input.
        self.power == 1.0
    }

    fn table(&self, inputs: &[Fixed], output: Fixed, _shapes: &[Shape]) -> Vec<i16> {
        pointwise::table(inputs[0], output, |x| self.value(x))
    }

    fn verify_integer(
        &self,
        inputs: &[Fixed],
        output: Fixed,
        _weights: Option<&IntegerWeights>,
        table: &[i16],
    ) -> Result<(), Error> {
        pointwise::verify_table(inputs[0], output, table)
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        pointwise::look_up(io)
    }
}

impl<T: Real> Float<T> for Power {
    fn forward(&self, io: Forward<'_, T>) {
        pointwise::forward(io, |x| self.value(x));
    }

    fn backward(&self, io: Backward<'_, T>) {
        if self.power == 1.0 {
            return pointwise::backward(io, |_| T::of(self.scale));
        }
        let Some(target) = &mut io.input_gradients[0] else { return };
        for ((g, x), d) in target.data.iter_mut().zip(io.inputs[0]).zip(io.output_gradient) {
            let d = *d * self.slope(*x);
            *g = if target.add { *g + d } else { d };
        }
    }
}
