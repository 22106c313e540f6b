//! LRN: local response normalization across channels or within a channel (Krizhevsky et al. 2012, section 3.3), as
//! Caffe computes it.

use rayon::prelude::*;
use synapress_kernels::real::Real;
use synapress_kernels::scalar::{range, round_shift, saturate};
use synapress_kernels::wide::{self, Work};

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::linear::IntegerWeights;
use crate::pass::{Backward, Float, Forward, LANES, Lane, Mode, front};
use crate::shape::Shape;
use crate::structure::Structure;

pub(super) const KIND: Kind = Kind {
    name: "LRN",
    caffe: &["LRN"],
    parameter: "lrn_param",
    inputs: [1, 1],
    read: |a| {
        let local_size = a.get_or("local_size", 5)?;
        let alpha = a.get_or("alpha", 1.0)?;
        let beta = a.get_or("beta", 0.75)?;
        let k = a.get_or("k", 1.0)?;
        let within_channel = match a.text("norm_region")?.unwrap_or("ACROSS_CHANNELS") {
            "ACROSS_CHANNELS" | "0" => false,
            "WITHIN_CHANNEL" | "1" => true,
            other => return Err(Error::new(ErrorKind::Unsupported, format!("norm_region: {other} is not supported"))),
        };
        a.ignore(&["engine"]);
        a.finish()?;
        if local_size % 2 == 0 || local_size > MOST {
            return Err(super::senseless(format!("local_size must be odd and at most {MOST}, not {local_size}")));
        }
        if ![alpha, beta, k].iter().all(|v: &f32| v.is_finite()) || alpha < 0.0 || k <= 0.0 {
            return Err(super::senseless("alpha must be at least 0, k above 0, beta a number"));
        }
        // Caffe passes over k within a channel.
        super::boxed(Lrn { local_size, alpha, beta, k: if within_channel { 1.0 } else { k }, within_channel })
    },
};

/// The largest side of a window.
const MOST: usize = 4095;

/// `x / (k + alpha / n * sum of x^2)^beta`: across channels the sum is over the `local_size` nearest channels of a
/// pixel and `n` is `local_size`; within a channel it is over a square of that side and `n` is its area. Beyond the
/// image there are zeros.
#[derive(Clone, Copy, Debug)]
pub struct Lrn {
    /// Odd number of channels, or side of the square.
    pub local_size: usize,
    /// Weight of the mean square.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// What is added to the weighted mean square; 1 within a channel.
    pub k: f32,
    /// Sum over a square of a channel instead of neighbouring channels.
    pub within_channel: bool,
}

impl Default for Lrn {
    fn default() -> Self {
        Self { local_size: 5, alpha: 1.0, beta: 0.75, k: 1.0, within_channel: false }
    }
}

impl Layer for Lrn {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new()
            .with_unless("local_size", self.local_size, 5)
            .with_unless("alpha", self.alpha, 1.0)
            .with_unless("beta", self.beta, 0.75)
            .with_unless("k", self.k, 1.0)
            .with_unless("norm_region", if self.within_channel { "WITHIN_CHANNEL" } else { "" }, "")
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        super::only(inputs)
    }

    fn structure(&self, _inputs: &[Shape]) -> Structure {
        if self.within_channel {
            return Structure::Other;
        }
        Structure::Normalization { channels: self.local_size }
    }

    /// See [`Lrn::multipliers`].
    fn table(&self, inputs: &[Fixed], _output: Fixed, _shapes: &[Shape]) -> Vec<i16> {
        inputs.first().map(|&format| self.multipliers(format)).unwrap_or_default()
    }

    fn verify_integer(
        &self,
        inputs: &[Fixed],
        _output: Fixed,
        _weights: Option<&IntegerWeights>,
        table: &[i16],
    ) -> Result<(), Error> {
        let expected = entries(self.largest_sum(inputs[0]));
        if table.len() == expected {
            return Ok(());
        }
        let message = format!("the table has {} entries, but {expected} are needed for {}", table.len(), inputs[0]);
        Err(Error::new(ErrorKind::Format, message))
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        let (from, to, shape) = (io.input_formats[0], io.output_format, io.input_shapes[0]);
        self.verify_integer(io.input_formats, to, None, io.table)?;
        let (area, half) = (shape.area(), self.local_size / 2);
        let shift = i32::from(from.frac) - i32::from(to.frac);
        let square = |q: &i16| i64::from(*q) * i64::from(*q);
        let mut sums = vec![0i64; area];
        let mut buffer = vec![0i64; area];
        for (c, output) in io.output.chunks_exact_mut(area).enumerate() {
            let plane = |c: usize| &io.inputs[0][c * area..][..area];
            if self.within_channel {
                buffer.iter_mut().zip(plane(c)).for_each(|(b, q)| *b = square(q));
                box_sums(&mut buffer, shape.size(), half, &mut sums);
            } else {
                sums.fill(0);
                for near in self.near(c, shape.channels) {
                    sums.iter_mut().zip(plane(near)).for_each(|(s, q)| *s += square(q));
                }
            }
            for ((out, &q), &sum) in output.iter_mut().zip(plane(c)).zip(&sums) {
                let (factor, scale) = multiplier(io.table[place(sum)]);
                let value = round_shift(i64::from(q) * factor, scale + shift);
                *out = saturate(value, to.bits, to.signed) as i16;
            }
        }
        Ok(())
    }
}

/// Bits of a sum of squares after its leading one that select a multiplier.
const MANTISSA: u32 = 6;

/// The entry for a sum of squares: below `2^MANTISSA` the sum itself, else its bit length and the `MANTISSA` bits
/// after the leading one.
fn place(sum: i64) -> usize {
    let length = (i64::BITS - sum.leading_zeros()).max(MANTISSA);
    if length == MANTISSA {
        return sum as usize;
    }
    let cut = length - 1 - MANTISSA;
    ((cut as usize + 1) << MANTISSA) + ((sum >> cut) as usize - (1 << MANTISSA))
}

/// The first and last sums of squares that share an entry.
fn sums_at(place: usize) -> (i64, i64) {
    let (row, column) = ((place >> MANTISSA) as u32, (place & ((1 << MANTISSA) - 1)) as i64);
    if row == 0 {
        return (column, column);
    }
    let first = (column + (1 << MANTISSA)) << (row - 1);
    (first, first + (1 << (row - 1)) - 1)
}

/// The length of a table for sums of squares up to this one: whole rows of `2^MANTISSA`.
fn entries(largest: i64) -> usize {
    ((place(largest) >> MANTISSA) + 1) << MANTISSA
}

/// A positive number as an entry: `(512 + low 9 bits) * 2^-(high 7 bits - 32)`, nearest, saturated.
fn pack(value: f64) -> i16 {
    let mut scale = (9.0 - value.log2().floor()).clamp(-32.0, 95.0);
    let mut factor = (value * scale.exp2()).round();
    if factor >= 1024.0 && scale > -32.0 {
        scale -= 1.0;
        factor = (value * scale.exp2()).round();
    }
    let factor = factor.clamp(512.0, 1023.0);
    (((scale + 32.0) as u16) << 9 | (factor as u16 - 512)) as i16
}

/// The multiplier of an entry of a layer's table ([`Lrn::multipliers`]) and the right shift after it.
pub fn multiplier(entry: i16) -> (i64, i32) {
    let bits = entry as u16;
    (i64::from(bits & 511) + 512, i32::from(bits >> 9) - 32)
}

impl Lrn {
    /// What a mean divides by.
    fn count(&self) -> usize {
        if self.within_channel { self.local_size * self.local_size } else { self.local_size }
    }

    /// The largest sum of squares of codes: below 2^54, since a window has at most `MOST^2` codes of 16 bits.
    fn largest_sum(&self, input: Fixed) -> i64 {
        let (low, high) = range(input.bits, input.signed);
        low.pow(2).max(high.pow(2)) * self.count() as i64
    }

    /// The integer form's table for codes of this format. With `S` the sum of squares of the codes in a window, the
    /// output is `round_shift(q * m, s + from.frac - to.frac)`, saturated, where the multiplier `m * 2^-s` stands for
    /// `(k + alpha / n * S * 4^-from.frac)^-beta` at the middle of the sums that share an entry.
    ///
    /// The entry is that of `S` itself for `S < 64`; for others it is `64 * (bits - 6) + mantissa`, with `bits` the bit
    /// length of `S` and `mantissa` the 6 bits after its leading one. An entry holds `s + 32` in its upper 7 bits and
    /// `m - 512`, with `m` from 512 to 1023, in its lower 9. The relative error of a multiplier is at most
    /// `beta / 128` from the sum and 2^-10 from the entry: 0.7% for beta = 0.75.
    pub fn multipliers(&self, input: Fixed) -> Vec<i16> {
        let weight = f64::from(self.alpha) / self.count() as f64 * input.step().powi(2);
        let entry = |place| {
            let (first, last) = sums_at(place);
            let sum = (first as f64 + last as f64) / 2.0;
            pack((f64::from(self.k) + weight * sum).powf(-f64::from(self.beta)))
        };
        (0..entries(self.largest_sum(input))).map(entry).collect()
    }

    /// Replaces scales by their power `-beta`.
    #[inline(always)]
    fn invert<T: Real>(&self, scales: &mut [T]) {
        let one = T::of(1.0);
        if self.beta == 0.75 {
            for s in scales {
                let root = s.sqrt();
                *s = one / (root * root.sqrt());
            }
        } else if self.beta == 0.5 {
            scales.iter_mut().for_each(|s| *s = one / s.sqrt());
        } else if self.beta == 1.0 {
            scales.iter_mut().for_each(|s| *s = one / *s);
        } else {
            let power = T::of(-self.beta);
            scales.iter_mut().for_each(|s| *s = s.powf(power));
        }
    }

    /// The scales' power `-beta`, and with the gradient and the output of each pixel `gradient * output / scale`.
    #[inline(always)]
    fn terms<T: Real>(&self, scales: &[T], gradient: &[T], output: &[T], power: &mut [T], terms: &mut [T]) {
        let n = scales.len();
        let (gradient, output, power, terms) = (&gradient[..n], &output[..n], &mut power[..n], &mut terms[..n]);
        if self.beta == 0.75 {
            for i in 0..n {
                let root = scales[i].sqrt();
                let p = T::of(1.0) / (root * root.sqrt());
                power[i] = p;
                // p^2 root = s^(-3/2 + 1/2)
                terms[i] = gradient[i] * output[i] * (p * p * root);
            }
        } else {
            power.copy_from_slice(scales);
            self.invert(power);
            for i in 0..n {
                terms[i] = gradient[i] * output[i] / scales[i];
            }
        }
    }

    /// The channels in a channel's window.
    #[inline(always)]
    fn near(&self, channel: usize, channels: usize) -> std::ops::Range<usize> {
        let half = self.local_size / 2;
        channel.saturating_sub(half)..(channel + half + 1).min(channels)
    }
}

/// Sums of one term over some rows, which are `stride` apart and start at `at`.
#[inline(always)]
fn row_sums<T: Real>(
    rows: &[T],
    stride: usize,
    at: usize,
    which: std::ops::Range<usize>,
    sums: &mut [T],
    term: impl Fn(T) -> T,
) {
    let n = sums.len();
    let row = |r: usize| &rows[r * stride + at..][..n];
    if which.len() == 5 {
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|r| row(which.start + r));
        for i in 0..n {
            sums[i] = term(a[i]) + term(b[i]) + term(c[i]) + term(d[i]) + term(e[i]);
        }
        return;
    }
    sums.fill(T::default());
    for r in which {
        sums.iter_mut().zip(row(r)).for_each(|(s, &x)| *s += term(x));
    }
}

/// Sums over a square of `2 half + 1` around each pixel, in `sums`; `plane` is used up.
#[inline(always)]
fn box_sums<T: Copy + Default + std::ops::AddAssign>(
    plane: &mut [T],
    [height, width]: [usize; 2],
    half: usize,
    sums: &mut [T],
) {
    for (row, out) in plane.chunks_exact(width).zip(sums.chunks_exact_mut(width)) {
        out.copy_from_slice(row);
        for d in 1..=half.min(width - 1) {
            out[d..].iter_mut().zip(row).for_each(|(o, &x)| *o += x);
            out.iter_mut().zip(&row[d..]).for_each(|(o, &x)| *o += x);
        }
    }
    plane.copy_from_slice(sums);
    for d in 1..=half.min(height - 1) {
        let at = d * width;
        sums[at..].iter_mut().zip(&*plane).for_each(|(s, &x)| *s += x);
        sums.iter_mut().zip(&plane[at..]).for_each(|(s, &x)| *s += x);
    }
}

/// Pixels that are worked on at a time, so that what they need stays in the first caches.
const BLOCK: usize = 256;

/// Channels in one piece of work.
const CHANNELS: usize = 16;

/// Some channels of an image from `first` on, for the forward pass.
struct Piece<'a, T> {
    shape: Shape,
    image: &'a [T],
    first: usize,
    output: &'a mut [T],
    saved: Option<&'a mut [T]>,
}

/// Some images, for the backward pass: inputs, outputs, gradients of the outputs and scales; and the inputs' gradients.
struct Images<'a, T> {
    shape: Shape,
    sources: [&'a [T]; 4],
    target: &'a mut [T],
    add: bool,
    lane: &'a mut Lane<T>,
}

/// Normalizes channels, and keeps their scales if there is room for them.
impl<T: Real> Work<(&Self, Piece<'_, T>)> for Lrn {
    type Output = ();

    #[inline(always)]
    fn work((lrn, piece): (&Self, Piece<'_, T>)) {
        let Piece { shape, image, first, output, mut saved } = piece;
        let area = shape.area();
        let (k, weight) = (T::of(lrn.k), T::of64(f64::from(lrn.alpha) / lrn.count() as f64));
        let mut buffers = [Vec::new(), Vec::new()];
        for (i, output) in output.chunks_exact_mut(area).enumerate() {
            let channel = first + i;
            let input = &image[channel * area..][..area];
            if lrn.within_channel {
                let [squares, sums] = &mut buffers;
                squares.clear();
                squares.extend(input.iter().map(|&x| x * x));
                box_sums(squares, shape.size(), lrn.local_size / 2, front(sums, area));
            }
            for (block, output) in output.chunks_mut(BLOCK).enumerate() {
                let at = block * BLOCK;
                let scales = &mut [T::default(); BLOCK][..output.len()];
                if lrn.within_channel {
                    scales.copy_from_slice(&buffers[1][at..][..output.len()]);
                } else {
                    row_sums(image, area, at, lrn.near(channel, shape.channels), scales, |x| x * x);
                }
                scales.iter_mut().for_each(|s| *s = k + weight * *s);
                if let Some(saved) = &mut saved {
                    saved[i * area + at..][..scales.len()].copy_from_slice(scales);
                }
                lrn.invert(scales);
                output.iter_mut().zip(&input[at..]).zip(scales).for_each(|((o, &x), s)| *o = x * *s);
            }
        }
    }
}

/// The gradients of some images. With `s` the saved scales:
/// `dx_i = dy_i s_i^-beta - 2 alpha beta / n x_i * sum of dy_j y_j / s_j` over the window, which is symmetric.
impl<T: Real> Work<(&Self, Images<'_, T>)> for Lrn {
    type Output = ();

    #[inline(always)]
    fn work((lrn, images): (&Self, Images<'_, T>)) {
        let Images { shape, sources: [input, output, gradient, scales], target, add, lane } = images;
        let area = shape.area();
        let factor = T::of64(-2.0 * f64::from(lrn.alpha) * f64::from(lrn.beta) / lrn.count() as f64);
        // Across channels a block of pixels goes through all channels; within one, a channel through all its pixels.
        let (block, group) = if lrn.within_channel { (area, 1) } else { (BLOCK, shape.channels) };
        for first in (0..target.len() / area).step_by(group) {
            for at in (0..area).step_by(block) {
                let width = block.min(area - at);
                let here = |c: usize| (first + c) * area + at;
                let terms = front(&mut lane.columns, group * width);
                let buffer = front(&mut lane.matrix, width);
                for (c, terms) in terms.chunks_exact_mut(width).enumerate() {
                    let gradient = &gradient[here(c)..][..width];
                    lrn.terms(&scales[here(c)..][..width], gradient, &output[here(c)..], buffer, terms);
                    for ((g, &d), &p) in target[here(c)..].iter_mut().zip(gradient).zip(&*buffer) {
                        *g = if add { *g + d * p } else { d * p };
                    }
                }
                for c in 0..group {
                    if lrn.within_channel {
                        box_sums(terms, shape.size(), lrn.local_size / 2, buffer);
                    } else {
                        row_sums(terms, width, 0, lrn.near(c, group), buffer, |t| t);
                    }
                    for ((g, &x), &s) in target[here(c)..].iter_mut().zip(&input[here(c)..]).zip(&*buffer) {
                        *g += factor * x * s;
                    }
                }
            }
        }
    }
}

impl<T: Real> Float<T> for Lrn {
    fn forward(&self, io: Forward<'_, T>) {
        let (shape, len) = (io.output_shape, io.output_shape.len());
        let piece = CHANNELS * shape.area();
        let keep = matches!(io.mode, Mode::Train { .. });
        io.memo.saved.resize(if keep { io.output.len() } else { 0 }, T::default());
        let mut saved = io.memo.saved.chunks_mut(len).flat_map(|image| image.chunks_mut(piece));
        let outputs = io.output.chunks_mut(len).flat_map(|image| image.chunks_mut(piece));
        let work: Vec<_> = outputs.map(|output| (output, saved.next())).collect();
        let pieces = shape.channels.div_ceil(CHANNELS);
        work.into_par_iter().enumerate().for_each(|(i, (output, saved))| {
            let image = &io.inputs[0][i / pieces * len..][..len];
            let piece = Piece { shape, image, first: i % pieces * CHANNELS, output, saved };
            wide::run::<Self, _>((self, piece));
        });
    }

    fn backward(&self, io: Backward<'_, T>) {
        let Some(target) = &mut io.input_gradients[0] else { return };
        let (shape, add) = (io.output_shape, target.add);
        let images = io.batch.div_ceil(LANES) * shape.len();
        let sources = [io.inputs[0], io.output, io.output_gradient, &io.memo.saved];
        let work = target.data.par_chunks_mut(images).zip(&mut io.scratch.lanes).enumerate();
        work.for_each(|(i, (target, lane))| {
            let sources = sources.map(|s| &s[i * images..][..target.len()]);
            let images = Images { shape, sources, target, add, lane };
            wide::run::<Self, _>((self, images));
        });
    }
}
