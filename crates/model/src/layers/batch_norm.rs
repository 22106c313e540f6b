//! BatchNorm: normalization by stored statistics, without a learned scale (that is a Scale after it).
//!
//! Retraining uses the stored statistics too and never changes them: they were taken over a data set far larger than
//! what a network is retrained on. Training from nothing normalizes by the statistics of each batch, of which the stored
//! ones are running averages (Ioffe and Szegedy 2015). It has no integer form; `fold::fold_batch_norm` joins it to the
//! layer before it.

use synapress_kernels::real::Real;

use super::channels::{affine, each, means, pair_sums, scale_gradient, sums};
use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{Backward, Float, Forward, Kind, Layer, Mode};
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
        let moving_average_fraction = a.get_or("moving_average_fraction", FRACTION)?;
        a.ignore(&["use_global_stats", "engine"]);
        a.finish()?;
        if !(0.0..1.0).contains(&moving_average_fraction) {
            return Err(super::senseless("moving_average_fraction must be a number from 0 to below 1"));
        }
        if !(eps > 0.0 && eps.is_finite()) {
            return Err(super::senseless(format!("eps must be a positive number, not {eps}")));
        }
        super::boxed(BatchNorm { eps, moving_average_fraction })
    },
};

const EPS: f32 = 1e-5;
const FRACTION: f32 = 0.999;

/// `(x - mean) / sqrt(variance + eps)`, by channel. Weights are `[2, C, 1, 1]`: the means, then the variances.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// Keeps the divisor from zero.
    pub eps: f32,
    /// Share of the running averages that is kept from batch to batch in training.
    pub moving_average_fraction: f32,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self { eps: EPS, moving_average_fraction: FRACTION }
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
        Attributes::new().with_unless("eps", self.eps, EPS).with_unless(
            "moving_average_fraction",
            self.moving_average_fraction,
            FRACTION,
        )
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

    fn running_average(&self) -> Option<f32> {
        Some(self.moving_average_fraction)
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
        let (shape, batch) = (io.output_shape, io.batch);
        let saved = &mut io.memo.saved;
        saved.clear();
        if let Mode::Train { batch_statistics: true, .. } = io.mode {
            let x = if io.inputs[0].is_empty() { &*io.output } else { io.inputs[0] };
            // One pass: numbers are counted from the channel's first one, so that nothing cancels out.
            let first: Vec<T> = (0..shape.channels).map(|c| x[c * shape.area()]).collect();
            let [from_first, squares] = means(shape, batch, |c, at| {
                let first = first[c];
                sums(&x[at], |x| {
                    let d = x - first;
                    [d, d * d]
                })
            });
            let mean = first.iter().zip(&from_first).map(|(&first, &d)| T::of64(first.to64() + d));
            let variance = squares.iter().zip(&from_first).map(|(&s, &d)| T::of64((s - d * d).max(0.0)));
            saved.extend(mean.chain(variance));
        }
        let (mean, variance) = if saved.is_empty() { io.weights } else { &saved[..] }.split_at(shape.channels);
        affine(shape, io.inputs[0], io.output, |c| self.line(mean[c], variance[c]), |y| y);
    }

    fn backward(&self, io: Backward<'_, T>) {
        let Some(target) = &mut io.input_gradients[0] else { return };
        let (shape, saved) = (io.output_shape, &io.memo.saved);
        let (mean, variance) = if saved.is_empty() { io.weights } else { &saved[..] }.split_at(shape.channels);
        let factor = |c| self.line::<T>(mean[c], variance[c])[0];
        if saved.is_empty() {
            scale_gradient(shape, io.output_gradient, target.data, target.add, factor);
            return;
        }
        // With y the output and d its gradient: the mean of d and that of d y along y are taken off, because every input
        // moves the mean and the variance.
        let y = io.output;
        let d = if io.output_gradient.is_empty() { &*target.data } else { io.output_gradient };
        let [shared, along] = means(shape, io.batch, |_, at| pair_sums(&d[at.clone()], &y[at], |d, y| [d, d * y]));
        let [shared, along] = [shared, along].map(|all| all.into_iter().map(T::of64).collect::<Vec<_>>());
        let (gradient, add) = (io.output_gradient, target.add);
        each(shape, target.data, |c, from, out| {
            let factor = factor(c);
            let part = |d: T, y: T| factor * (d - shared[c] - y * along[c]);
            let y = &y[from..][..out.len()];
            match gradient.get(from..from + out.len()) {
                None => out.iter_mut().zip(y).for_each(|(g, &y)| *g = part(*g, y)),
                Some(d) if add => out.iter_mut().zip(d).zip(y).for_each(|((g, &d), &y)| *g += part(d, y)),
                Some(d) => out.iter_mut().zip(d).zip(y).for_each(|((g, &d), &y)| *g = part(d, y)),
            }
        });
    }
}
