//! Reshape: the same activations under another shape; the batch stays as it is.

use synapress_kernels::real::Real;

use super::view;
use crate::attributes::{Attributes, Value};
use crate::error::{Error, ErrorKind};
use crate::layer::{IntegerForward, Kind, Layer};
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;

pub(super) const KIND: Kind = Kind {
    name: "Reshape",
    caffe: &["Reshape"],
    parameter: "reshape_param",
    inputs: [1, 1],
    read: |a| {
        let missing = || super::senseless("a Reshape needs shape { dim: 0 dim: ... }, the first for the batch");
        let shape = a.message("shape")?.ok_or_else(missing)?;
        let dims = shape.list::<i64>("dim")?;
        shape.finish()?;
        if a.get_or::<i64>("axis", 0)? != 0 || a.get_or::<i64>("num_axes", -1)? != -1 {
            return Err(super::senseless("only axis: 0 and num_axes: -1 are supported"));
        }
        a.finish()?;
        super::boxed(Reshape::new(&dims)?)
    },
};

/// One size of a new shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// That of the input (0).
    Copied,
    /// What is left over (-1).
    Inferred,
    /// Given.
    Given(usize),
}

/// The input under another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reshape {
    /// Whether the batch is written as -1 instead of 0. Both mean the same, but the other sizes must then be known.
    batch_inferred: bool,
    /// Channels, height and width; sizes that are not named are 1.
    sizes: [Size; 3],
    /// How many of them are named.
    named: usize,
}

impl Reshape {
    /// From sizes as Caffe has them: batch (0 or -1), then up to three, 0 for the input's own size at that place, and
    /// at most one -1 for what is left over.
    ///
    /// # Errors
    /// [`ErrorKind::Attribute`] for any other sizes.
    pub fn new(dims: &[i64]) -> Result<Self, Error> {
        let (&batch, rest) = dims.split_first().ok_or_else(|| super::senseless("the shape has no dim"))?;
        if ![0, -1].contains(&batch) {
            return Err(super::senseless(format!("the first dim is the batch and must be 0 or -1, not {batch}")));
        }
        if rest.len() > 3 {
            return Err(super::senseless(format!("{} dims are given; up to 4 are supported", dims.len())));
        }
        if dims.iter().filter(|&&d| d == -1).count() > 1 {
            return Err(super::senseless("only one dim can be -1"));
        }
        let mut sizes = [Size::Given(1); 3];
        for (size, &dim) in sizes.iter_mut().zip(rest) {
            *size = match dim {
                0 => Size::Copied,
                -1 => Size::Inferred,
                d => {
                    let wrong = |_| super::senseless(format!("{d} is no size; 0, -1 and positive ones are"));
                    Size::Given(usize::try_from(d).map_err(wrong)?)
                }
            };
        }
        Ok(Self { batch_inferred: batch == -1, sizes, named: rest.len() })
    }
}

impl Layer for Reshape {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        let shape = Attributes::new().with("dim", if self.batch_inferred { -1 } else { 0 });
        let shape = self.sizes[..self.named].iter().fold(shape, |a, size| match size {
            Size::Copied => a.with("dim", 0),
            Size::Inferred => a.with("dim", -1),
            Size::Given(n) => a.with("dim", n),
        });
        let mut all = Attributes::new();
        all.push("shape", Value::Message(shape), 0);
        all
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        let input = super::only(inputs)?;
        let own = [input.channels, input.height, input.width];
        let known = |(size, own): (&Size, usize)| match size {
            Size::Copied => own,
            Size::Inferred => 1,
            Size::Given(n) => *n,
        };
        let mut dims = [1; 3];
        for (dim, pair) in dims.iter_mut().zip(self.sizes.iter().zip(own)) {
            *dim = known(pair);
        }
        let fault =
            || Error::new(ErrorKind::Shape, format!("{input} ({} numbers) cannot become {:?}", input.len(), dims));
        let product = Shape::new(dims[0], dims[1], dims[2]).map_err(|_| fault())?.len();
        if let Some(at) = self.sizes.iter().position(|s| *s == Size::Inferred)
            && input.len().is_multiple_of(product)
        {
            let mut dims = dims;
            dims[at] = input.len() / product;
            return Shape::new(dims[0], dims[1], dims[2]);
        }
        if product != input.len() {
            return Err(fault());
        }
        Shape::new(dims[0], dims[1], dims[2])
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

impl<T: Real> Float<T> for Reshape {
    fn forward(&self, io: Forward<'_, T>) {
        view::forward(io);
    }

    fn backward(&self, io: Backward<'_, T>) {
        view::backward(io);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_copied_inferred_or_given() {
        let input = Shape::new(6, 4, 5).unwrap();
        for (dims, expected) in [
            (&[0, -1][..], Some([120, 1, 1])),
            (&[-1, 120], Some([120, 1, 1])),
            (&[-1, 0, 0, 0], Some([6, 4, 5])),
            (&[0, 0, 20], Some([6, 20, 1])),
            (&[0, 3, -1, 8], Some([3, 5, 8])),
            (&[0, 0, -1, 0], Some([6, 4, 5])),
            (&[0, 7, -1], None),
            (&[0, 6, 4], None),
            (&[0], None),
            (&[0, i64::MAX, i64::MAX, 4], None),
        ] {
            let found = Reshape::new(dims).unwrap().output_shape(&[input]);
            match expected {
                Some([c, h, w]) => assert_eq!(found.unwrap(), Shape::new(c, h, w).unwrap(), "{dims:?}"),
                None => assert_eq!(found.unwrap_err().kind(), ErrorKind::Shape, "{dims:?}"),
            }
        }
    }

    #[test]
    fn other_sizes_are_refused() {
        for dims in [&[][..], &[10, -1], &[-1, -1], &[0, -1, -1], &[0, -2], &[0, 1, 1, 1, 1]] {
            assert_eq!(Reshape::new(dims).unwrap_err().kind(), ErrorKind::Attribute, "{dims:?}");
        }
    }
}
