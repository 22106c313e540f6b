//! Split: one output that several layers read. Readers name the same node anyway, so this is the identity.

use synapress_kernels::real::Real;

use super::view;
use crate::attributes::Attributes;
use crate::error::Error;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;

pub(super) const KIND: Kind = Kind {
    name: "Split",
    caffe: &["Split", "SPLIT"],
    parameter: "",
    inputs: [1, 1],
    read: |a| {
        a.finish()?;
        super::boxed(Split)
    },
};

/// The identity.
#[derive(Clone, Copy, Debug, Default)]
pub struct Split;

impl Layer for Split {
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

impl<T: Real> Float<T> for Split {
    fn forward(&self, io: Forward<'_, T>) {
        view::forward(io);
    }

    fn backward(&self, io: Backward<'_, T>) {
        view::backward(io);
    }
}
