//! Flatten: an image's activations as one vector.

use synapress_kernels::real::Real;

use super::view;
use crate::attributes::Attributes;
use crate::error::Error;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;

pub(super) const KIND: Kind = Kind {
    name: "Flatten",
    caffe: &["Flatten", "FLATTEN"],
    parameter: "flatten_param",
    inputs: [1, 1],
    read: |a| {
        let (axis, end) = (a.get_or::<i64>("axis", 1)?, a.get_or::<i64>("end_axis", -1)?);
        a.finish()?;
        if ![1, -3].contains(&axis) || ![-1, 3].contains(&end) {
            return Err(super::senseless(format!(
                "Flatten of axes {axis} to {end} is not supported; axis: 1 to end_axis: -1 (all but the batch) is"
            )));
        }
        super::boxed(Flatten)
    },
};

/// `(C, H, W)` as `(C x H x W, 1, 1)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten;

impl Layer for Flatten {
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
        Shape::new(super::only(inputs)?.len(), 1, 1)
    }

    fn in_place(&self) -> bool {
        true
    }

    fn is_view(&self) -> bool {
        true
    }

    fn keeps_format(&self) -> bool {
        true
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        view::forward_integer(io)
    }
}

impl<T: Real> Float<T> for Flatten {
    fn forward(&self, io: Forward<'_, T>) {
        view::forward(io);
    }

    fn backward(&self, io: Backward<'_, T>) {
        view::backward(io);
    }
}
