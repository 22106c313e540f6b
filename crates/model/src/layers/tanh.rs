//! TanH: the hyperbolic tangent.

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
    name: "TanH",
    caffe: &["TanH", "TANH"],
    parameter: "tanh_param",
    inputs: [1, 1],
    read: |a| {
        a.ignore(&["engine"]);
        a.finish()?;
        super::boxed(TanH)
    },
};

/// `tanh(x)`. Its integer form is a table over the input codes, or over their top 12 bits if they have more.
#[derive(Clone, Copy, Debug, Default)]
pub struct TanH;

impl Layer for TanH {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new()
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

    fn table(&self, inputs: &[Fixed], output: Fixed, _shapes: &[Shape]) -> Vec<i16> {
        pointwise::table(inputs[0], output, f64::tanh)
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

impl<T: Real> Float<T> for TanH {
    fn forward(&self, io: Forward<'_, T>) {
        pointwise::forward(io, T::tanh);
    }

    fn backward(&self, io: Backward<'_, T>) {
        pointwise::backward(io, |y| T::of(1.0) - y * y);
    }
}
