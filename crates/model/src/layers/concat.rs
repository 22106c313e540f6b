//! Concat: inputs of the same size one after another along the channels.

use rayon::prelude::*;
use synapress_kernels::real::Real;
use synapress_kernels::scalar::{round_shift, saturate};

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;
use crate::structure::Structure;

pub(super) const KIND: Kind = Kind {
    name: "Concat",
    caffe: &["Concat", "CONCAT"],
    parameter: "concat_param",
    inputs: [1, usize::MAX],
    read: |a| {
        for name in ["axis", "concat_dim"] {
            if a.get_or::<i64>(name, 1)? != 1 {
                return Err(Error::new(ErrorKind::Unsupported, format!("only {name}: 1 (channels) is supported")));
            }
        }
        a.finish()?;
        super::boxed(Concat)
    },
};

/// All channels of the first input, then all of the second, and so on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Concat;

impl Layer for Concat {
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
        let fault = |message: String| Error::new(ErrorKind::Shape, message);
        let first = inputs.first().ok_or_else(|| fault("the layer takes at least one input".to_owned()))?;
        let mut channels = 0usize;
        for (i, shape) in inputs.iter().enumerate() {
            if shape.size() != first.size() {
                return Err(fault(format!(
                    "inputs of different sizes cannot be concatenated: {first} and {shape} (input {})",
                    i + 1
                )));
            }
            channels = channels.saturating_add(shape.channels);
        }
        Shape::new(channels, first.height, first.width)
    }

    fn structure(&self, _inputs: &[Shape]) -> Structure {
        Structure::Concatenation
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        let mut output = io.output;
        for (input, &format) in io.inputs.iter().zip(io.input_formats) {
            let (part, rest) = output.split_at_mut(input.len());
            reformat(input, format, part, io.output_format);
            output = rest;
        }
        Ok(())
    }
}

/// Codes of one format as codes of another: one rounding shift and a saturation.
fn reformat(input: &[i16], from: Fixed, output: &mut [i16], to: Fixed) {
    if from == to {
        return output.copy_from_slice(input);
    }
    let shift = i32::from(from.frac) - i32::from(to.frac);
    for (out, &q) in output.iter_mut().zip(input) {
        *out = saturate(round_shift(i64::from(q), shift), to.bits, to.signed) as i16;
    }
}

impl<T: Real> Float<T> for Concat {
    fn forward(&self, io: Forward<'_, T>) {
        io.output.par_chunks_mut(io.output_shape.len()).enumerate().for_each(|(image, mut output)| {
            for (input, shape) in io.inputs.iter().zip(io.input_shapes) {
                let (part, rest) = output.split_at_mut(shape.len());
                part.copy_from_slice(&input[image * shape.len()..][..shape.len()]);
                output = rest;
            }
        });
    }

    fn backward(&self, io: Backward<'_, T>) {
        let mut at = 0;
        for (target, shape) in io.input_gradients.iter_mut().zip(io.input_shapes) {
            let from = at;
            at += shape.len();
            let Some(target) = target else { continue };
            let add = target.add;
            let images = io.output_gradient.par_chunks(io.output_shape.len());
            target.data.par_chunks_mut(shape.len()).zip(images).for_each(|(data, image)| {
                let part = &image[from..][..shape.len()];
                if add {
                    data.iter_mut().zip(part).for_each(|(g, &d)| *g += d);
                } else {
                    data.copy_from_slice(part);
                }
            });
        }
    }
}
