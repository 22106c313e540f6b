//! BatchNorm: normalization by stored statistics, without a learned scale (that is a Scale after it).
//!
//! Retraining uses the stored statistics too and never changes them: they were taken over a data set far larger than
//! what a network is retrained on. Training from nothing normalizes by the statistics of each batch, of which the stored
//! ones are running averages (Ioffe and Szegedy 2015). It has no integer form; `fold::fold_batch_norm` joins it to the
//! layer before it.

use std::ops::Range;

use synapress_kernels::real::Real;
use synapress_peers::Peers;

use super::channels::{add_sums, affine, channel_sums, each, lane_sums, line, pair_sums, scale_gradient, sums};
use super::relu::kept;
use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{Kind, Layer};
use crate::linear::IntegerWeights;
use crate::pass::{Backward, Float, Forward, Mode, Scaled};
use crate::shape::Shape;
use crate::share;
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

    /// Means, then variances of the channels over the whole batch of all peers, from the images `x` that are here.
    fn statistics<T: Real>(peers: &dyn Peers, shape: Shape, batch: usize, x: &[T]) -> Vec<T> {
        let (area, here) = (shape.area(), x.len() / shape.len());
        let count = |images: usize| (images * area) as f64;
        // One pass for each lane: numbers are counted from the channel's first one, so that nothing cancels out.
        let lanes = share::lanes(peers, batch, here, shape.channels, |channel, images| {
            let first = x[(images.start * shape.channels + channel) * area];
            let [d, squares] = lane_sums(shape, channel, images.clone(), |at| {
                sums(&x[at], |x| {
                    let d = x - first;
                    [d, d * d]
                })
            });
            let n = count(images.len());
            [first.to64() + d / n, (squares - d * d / n).max(0.0)]
        });
        // Means and squared deviations of lanes joined in order (Chan, Golub and LeVeque 1983).
        let joined = |channel: usize| {
            let start = (0.0, 0.0, 0.0);
            let (n, mean, squares) =
                lanes.iter().zip(share::runs(batch, batch)).fold(start, |(n, mean, squares), (lane, run)| {
                    let ([other, more], m) = (lane[channel], count(run.len()));
                    let d = other - mean;
                    (n + m, mean + d * (m / (n + m)), squares + more + d * d * (n * m / (n + m)))
                });
            [mean, squares / n]
        };
        let joined: Vec<[f64; 2]> = (0..shape.channels).map(joined).collect();
        (0..2).flat_map(|which| joined.iter().map(move |both| T::of64(both[which]))).collect()
    }
}

/// Means and variances that a pass normalizes by: those of the batch if it saved any, or else the stored ones.
fn moments<'a, T>(saved: &'a [T], stored: &'a [T]) -> (&'a [T], &'a [T]) {
    let both = if saved.is_empty() { stored } else { saved };
    both.split_at(both.len() / 2)
}

/// A channel's line, scaled by the channel's factor and bias.
fn scaled<T: Real>([factor, offset]: [T; 2], factors: &[T], bias: &[T], channel: usize) -> [T; 2] {
    let [scale, bias] = line(factors, bias, channel);
    [scale * factor, scale * offset + bias]
}

impl BatchNorm {
    /// Gradients where a scale joined: two passes over the input and the gradient, where each layer by itself would take
    /// five.
    fn backward_scaled<T: Real>(&self, io: Backward<'_, T>, scale: Scaled<'_, T>) {
        let (shape, area, saved) = (io.output_shape, io.output_shape.area(), &io.memo.saved);
        let (x, d, rectified) = (io.inputs[0], io.output_gradient, scale.rectified);
        let (mean, variance) = moments(saved, io.weights);
        let lines = |c: usize| {
            let line = self.line::<T>(mean[c], variance[c]);
            (line, scaled(line, scale.factors, scale.bias, c))
        };
        let of = |at: Range<usize>| {
            let ([factor, offset], [slope, start]) = lines(at.start / area % shape.channels);
            pair_sums(&d[at.clone()], &x[at], |d, x| {
                let d = d * kept(slope * x + start, rectified);
                [d, d * (factor * x + offset)]
            })
        };
        let [shared, along] = channel_sums(&*io.scratch.peers, shape, io.batch, io.images(), of);
        add_sums(scale.factor_gradient, &along);
        add_sums(scale.bias_gradient, &shared);
        let Some(target) = &mut io.input_gradients[0] else { return };
        // Stored statistics are moved by no input.
        let count = if saved.is_empty() { f64::INFINITY } else { (io.batch * area) as f64 };
        let add = target.add;
        each(shape, target.data, |c, from, out| {
            let ([factor, offset], [slope, start]) = lines(c);
            let [shared, along] = [&shared, &along].map(|sums| T::of64(sums[c] / count));
            let part = move |d: T, x: T| {
                let d = d * kept(slope * x + start, rectified);
                slope * (d - shared - (factor * x + offset) * along)
            };
            let pairs = out.iter_mut().zip(&d[from..]).zip(&x[from..]);
            if add {
                pairs.for_each(|((g, &d), &x)| *g += part(d, x));
            } else {
                pairs.for_each(|((g, &d), &x)| *g = part(d, x));
            }
        });
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

    fn takes_scale(&self) -> bool {
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
        let shape = io.output_shape;
        let saved = &mut io.memo.saved;
        saved.clear();
        if let Mode::Train { batch_statistics: true, .. } = io.mode {
            let x = if io.inputs[0].is_empty() { &*io.output } else { io.inputs[0] };
            saved.extend(Self::statistics(&*io.scratch.peers, shape, io.batch, x));
        }
        let (mean, variance) = moments(saved, io.weights);
        let line = |c: usize| match io.scaled {
            None => self.line(mean[c], variance[c]),
            Some([factors, bias]) => scaled(self.line(mean[c], variance[c]), factors, bias, c),
        };
        affine(shape, io.inputs[0], io.output, line, io.rectified);
    }

    fn backward(&self, mut io: Backward<'_, T>) {
        if let Some(scaled) = io.scaled.take() {
            return self.backward_scaled(io, scaled);
        }
        let Some(target) = &mut io.input_gradients[0] else { return };
        let (shape, saved) = (io.output_shape, &io.memo.saved);
        let (mean, variance) = moments(saved, io.weights);
        let factor = |c| self.line::<T>(mean[c], variance[c])[0];
        if saved.is_empty() {
            scale_gradient(shape, io.output_gradient, target.data, target.add, factor);
            return;
        }
        // With y the output and d its gradient: the mean of d and that of d y along y are taken off, because every input
        // moves the mean and the variance.
        let y = io.output;
        let d = if io.output_gradient.is_empty() { &*target.data } else { io.output_gradient };
        let (peers, count) = (&*io.scratch.peers, (io.batch * shape.area()) as f64);
        let of = |at: Range<usize>| pair_sums(&d[at.clone()], &y[at], |d, y| [d, d * y]);
        let [shared, along] = channel_sums(peers, shape, io.batch, y.len() / shape.len(), of)
            .map(|sums| sums.into_iter().map(|sum| T::of64(sum / count)).collect::<Vec<_>>());
        let (gradient, add) = (io.output_gradient, target.add);
        each(shape, target.data, |c, from, out| {
            let (factor, shared, along) = (factor(c), shared[c], along[c]);
            let part = move |d: T, y: T| factor * (d - shared - y * along);
            let y = &y[from..][..out.len()];
            match gradient.get(from..from + out.len()) {
                None => out.iter_mut().zip(y).for_each(|(g, &y)| *g = part(*g, y)),
                Some(d) if add => out.iter_mut().zip(d).zip(y).for_each(|((g, &d), &y)| *g += part(d, y)),
                Some(d) => out.iter_mut().zip(d).zip(y).for_each(|((g, &d), &y)| *g = part(d, y)),
            }
        });
    }
}
