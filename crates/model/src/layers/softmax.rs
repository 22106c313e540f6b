//! Softmax over the channels, and the place where a classifier's loss belongs.

use rayon::prelude::*;
use synapress_kernels::real::Real;

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::layer::{Kind, Layer};
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;

pub(super) const KIND: Kind = Kind {
    name: "Softmax",
    caffe: &["Softmax", "SoftmaxWithLoss", "SOFTMAX", "SOFTMAX_LOSS"],
    parameter: "softmax_param",
    inputs: [1, 1],
    read: |a| {
        if a.get_or::<i64>("axis", 1)? != 1 {
            return Err(Error::new(ErrorKind::Unsupported, "only axis: 1 (channels) is supported"));
        }
        let loss_weight = a.get_or("loss_weight", 1.0)?;
        a.ignore(&["engine"]);
        a.finish()?;
        if !f32::is_finite(loss_weight) {
            return Err(super::senseless("loss_weight must be a finite number"));
        }
        super::boxed(Softmax { loss_weight })
    },
};

/// `exp(x_c) / sum of exp(x)` over the channels of each pixel. It stands for Caffe's loss layer too: its cross-entropy
/// is computed by whoever trains, from this layer's input.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    /// Weight of the cross-entropy of this classifier in the whole loss.
    pub loss_weight: f32,
}

impl Default for Softmax {
    fn default() -> Self {
        Self { loss_weight: 1.0 }
    }
}

impl Layer for Softmax {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new().with_unless("loss_weight", self.loss_weight, 1.0)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        super::only(inputs)
    }

    fn loss_weight(&self) -> Option<f32> {
        Some(self.loss_weight)
    }
}

impl<T: Real> Float<T> for Softmax {
    fn forward(&self, io: Forward<'_, T>) {
        let (len, area) = (io.output_shape.len(), io.output_shape.area());
        io.output.par_chunks_mut(len).zip(io.inputs[0].par_chunks(len)).for_each(|(output, input)| {
            for pixel in 0..area {
                let scores = || input[pixel..].iter().step_by(area);
                let top = scores().fold(input[pixel], |a, &b| a.larger(b));
                let mut sum = T::default();
                for (y, &x) in output[pixel..].iter_mut().step_by(area).zip(scores()) {
                    *y = (x - top).exp();
                    sum += *y;
                }
                output[pixel..].iter_mut().step_by(area).for_each(|y| *y = *y / sum);
            }
        });
    }

    /// The gradient by the scores from that by the probabilities: `y_c (d_c - sum of d y)`.
    fn backward(&self, io: Backward<'_, T>) {
        let (len, area) = (io.output_shape.len(), io.output_shape.area());
        let Some(target) = &mut io.input_gradients[0] else { return };
        let add = target.add;
        let images = io.output.par_chunks(len).zip(io.output_gradient.par_chunks(len));
        target.data.par_chunks_mut(len).zip(images).for_each(|(gradient, (output, d))| {
            for pixel in 0..area {
                let pairs = || output[pixel..].iter().zip(&d[pixel..]).step_by(area);
                let mean = pairs().fold(T::default(), |s, (&y, &d)| s + y * d);
                for (g, (&y, &d)) in gradient[pixel..].iter_mut().step_by(area).zip(pairs()) {
                    let own = y * (d - mean);
                    *g = if add { *g + own } else { own };
                }
            }
        });
    }
}
