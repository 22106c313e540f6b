//! What layers with numbers of their own for each channel share (BatchNorm, Scale, PReLU).

use std::ops::Range;

use rayon::prelude::*;
use synapress_kernels::real::Real;
use synapress_peers::Peers;

use super::relu::kept;
use crate::shape::Shape;
use crate::share;

/// Values in one piece of work, about.
const PIECE: usize = 1 << 13;

/// Calls `f` with each channel of each image of a batch: which channel, where it begins, its values.
pub(super) fn each<T: Send>(shape: Shape, data: &mut [T], f: impl Fn(usize, usize, &mut [T]) + Sync) {
    let area = shape.area();
    let together = (PIECE / area).max(1);
    data.par_chunks_mut(together * area).enumerate().for_each(|(piece, data)| {
        for (i, values) in data.chunks_exact_mut(area).enumerate() {
            let at = piece * together + i;
            f(at % shape.channels, at * area, values);
        }
    });
}

/// Two sums of each channel over the whole batch of all peers, from what `f` adds up of its places in an image that is here:
/// images in order within a lane, then lanes in order.
pub(super) fn channel_sums(
    peers: &dyn Peers,
    shape: Shape,
    batch: usize,
    here: usize,
    f: impl Fn(Range<usize>) -> [f64; 2] + Sync,
) -> [Vec<f64>; 2] {
    let lanes =
        share::lanes(peers, batch, here, shape.channels, |channel, images| lane_sums(shape, channel, images, &f));
    let sum = |channel: usize| lanes.iter().map(|lane| lane[channel]).fold([0.0; 2], add);
    let (first, second) = (0..shape.channels).map(|channel| <(f64, f64)>::from(sum(channel))).unzip();
    [first, second]
}

/// Two sums of a channel over some images, in order.
pub(super) fn lane_sums(
    shape: Shape,
    channel: usize,
    images: Range<usize>,
    f: impl Fn(Range<usize>) -> [f64; 2],
) -> [f64; 2] {
    let at = |image| (image * shape.channels + channel) * shape.area();
    images.map(|image| f(at(image)..at(image) + shape.area())).fold([0.0; 2], add)
}

fn add([a, b]: [f64; 2], [x, y]: [f64; 2]) -> [f64; 2] {
    [a + x, b + y]
}

/// `factor * x + offset`, both by channel, `rectified` or not; over `output` itself when `input` is empty.
pub(super) fn affine<T: Real>(
    shape: Shape,
    input: &[T],
    output: &mut [T],
    line: impl Fn(usize) -> [T; 2] + Sync,
    rectified: bool,
) {
    let then = move |y: T| y * kept(y, rectified);
    each(shape, output, |channel, from, out| {
        let [factor, offset] = line(channel);
        match input.get(from..from + out.len()) {
            None => out.iter_mut().for_each(|y| *y = then(factor * *y + offset)),
            Some(input) => out.iter_mut().zip(input).for_each(|(y, x)| *y = then(factor * *x + offset)),
        }
    });
}

/// The line that a channel's factor and bias are; no biases are zeros.
pub(super) fn line<T: Real>(factors: &[T], bias: &[T], channel: usize) -> [T; 2] {
    [factors[channel], bias.get(channel).copied().unwrap_or_default()]
}

/// Adds the sums of channels to a gradient; to none where it is empty.
pub(super) fn add_sums<T: Real>(gradient: &mut [T], sums: &[f64]) {
    gradient.iter_mut().zip(sums).for_each(|(g, sum)| *g += T::of64(*sum));
}

/// The gradient multiplied by a factor of its channel: written to `target`, or added; in place when `gradient` is
/// empty.
pub(super) fn scale_gradient<T: Real>(
    shape: Shape,
    gradient: &[T],
    target: &mut [T],
    add: bool,
    factor: impl Fn(usize) -> T + Sync,
) {
    each(shape, target, |channel, from, out| {
        let factor = factor(channel);
        match gradient.get(from..from + out.len()) {
            None => out.iter_mut().for_each(|g| *g = *g * factor),
            Some(d) if add => out.iter_mut().zip(d).for_each(|(g, d)| *g += *d * factor),
            Some(d) => out.iter_mut().zip(d).for_each(|(g, d)| *g = *d * factor),
        }
    });
}

/// Two sums over numbers, as [`pair_sums`].
pub(super) fn sums<T: Real>(values: &[T], of: impl Fn(T) -> [T; 2]) -> [f64; 2] {
    pair_sums(values, values, |x, _| of(x))
}

/// Two sums over pairs of numbers, in 16 interleaved parts, which vectorize.
pub(super) fn pair_sums<T: Real>(a: &[T], b: &[T], of: impl Fn(T, T) -> [T; 2]) -> [f64; 2] {
    let mut parts = [[T::default(); 16]; 2];
    let mut add = |i: usize, x: T, y: T| {
        let [a, b] = of(x, y);
        parts[0][i] += a;
        parts[1][i] += b;
    };
    let ((chunks, rest), (others, last)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (x, y) in chunks.iter().zip(others) {
        for i in 0..16 {
            add(i, x[i], y[i]);
        }
    }
    rest.iter().zip(last).enumerate().for_each(|(i, (&x, &y))| add(i, x, y));
    parts.map(|parts| parts.iter().map(|p| p.to64()).sum())
}
