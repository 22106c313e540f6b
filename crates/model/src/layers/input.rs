//! Input: the image.

use synapress_kernels::real::Real;

use crate::attributes::Attributes;
use crate::error::Error;
use crate::layer::{Kind, Layer};
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;

pub(super) const KIND: Kind = Kind {
    name: "Input",
    caffe: &["Input"],
    parameter: "input_param",
    inputs: [0, 0],
    read: |a| {
        let (channels, height, width) = match a.message("shape")? {
            Some(shape) => {
                let dims = shape.list::<usize>("dim")?;
                shape.finish()?;
                match dims[..] {
                    [_, c, h, w] => (c, h, w),
                    [_, c] => (c, 1, 1),
                    _ => return Err(super::senseless("input shapes are N C H W or N C; give that many dim")),
                }
            }
            None => return Err(super::senseless("an Input needs shape { dim: N dim: C dim: H dim: W }")),
        };
        a.finish()?;
        super::boxed(Input { shape: Shape::new(channels, height, width)? })
    },
};

/// The image that the network sees, preprocessed.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its shape.
    pub shape: Shape,
}

impl Layer for Input {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        let Shape { channels, height, width } = self.shape;
        let dims = [1, channels, height, width];
        let shape = dims.iter().fold(Attributes::new(), |a, d| a.with("dim", d));
        let mut all = Attributes::new();
        all.push("shape", crate::attributes::Value::Message(shape), 0);
        all
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, _inputs: &[Shape]) -> Result<Shape, Error> {
        Ok(self.shape)
    }
}

/// Whoever executes the network fills the output; there is nothing to compute.
impl<T: Real> Float<T> for Input {
    fn forward(&self, _io: Forward<'_, T>) {}

    fn backward(&self, _io: Backward<'_, T>) {}
}
