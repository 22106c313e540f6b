//! BatchNorm: normalization by stored statistics, without a learned scale (that is a Scale after it).
//!
//! Training uses the stored statistics too and never changes them: they were taken over a data set far larger than
//! what a network is retrained on. It has no integer form; `fold::fold_batch_norm` joins it to the layer before it.

use synapress_kernels::real::Real;

use super::channels::{affine, scale_gradient};
use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{Backward, Float, Forward, Kind, Layer};
use crate::linear::IntegerWeights;
use crate::shape::Shape;
use crate::weights::WeightShape;

pub(super) const KIND: Kind = Kind {
    name: "BatchNorm",
    caffe: &["BatchNorm"],
    parameter: "batch_norm_param",
    inputs: [1, 1],
    read: |a| {
        let eps = a.get_or("eps", EPS)?;
        a.ignore(&["use_global_stats", "moving_average_fraction", "engine"]);
        a.finish()?;
        if !(eps > 0.0 && eps.is_finite()) {
            return Err(super::senseless(format!("eps must be a positive number, not {eps}")));
        }
        super::boxed(BatchNorm { eps })
    },
};

const EPS: f32 = 1e-5;

/// `(x - mean) / sqrt(variance + eps)`, by channel. Weights are `[2, C, 1, 1]`: the means, then the variances.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// Keeps the divisor from zero.
    pub eps: f32,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self { eps: EPS }
    }
}

impl BatchNorm {
    /// The line `factor * x + offset` that stands for a channel of this mean and variance. A negative variance
    /// (which no data has) counts as zero.
    pub fn line<T: Real>(&self, mean: T, variance: T) -> [T; 2] {
        let factor = T::of(1.0) / (T::of(self.eps) + variance.larger(T::default())).sqrt();
        [factor, -(mean * factor)]
    }
}

impl Layer for BatchNorm {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new().with_unless("eps", self.eps, EPS)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        super::only(inputs)
    }

    fn weight_shape(&self, inputs: &[Shape]) -> Option<WeightShape> {
        Some(WeightShape { dims: [2, inputs.first()?.channels, 1, 1], bias: false })
    }

    fn in_place(&self) -> bool {
        true
    }

    fn verify_integer(
        &self,
        _inputs: &[Fixed],
        _output: Fixed,
        _weights: Option<&IntegerWeights>,
        _table: &[i16],
    ) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Format, "BatchNorm has no integer form; fold it before quantizing"))
    }
}

impl<T: Real> Float<T> for BatchNorm {
    fn forward(&self, io: Forward<'_, T>) {
        let (mean, variance) = io.weights.split_at(io.output_shape.channels);
        affine(io.output_shape, io.inputs[0], io.output, |c| self.line(mean[c], variance[c]));
    }

    fn backward(&self, io: Backward<'_, T>) {
        let Some(target) = &mut io.input_gradients[0] else { return };
        let (mean, variance) = io.weights.split_at(io.output_shape.channels);
        let factor = |c| self.line::<T>(mean[c], variance[c])[0];
        scale_gradient(io.output_shape, io.output_gradient, target.data, target.add, factor);
    }
}
