//! Resizing a part of an image, bilinear: over the source's area where it shrinks, so that nothing aliases. In integers,
//! hence the same on every machine. Which part, is [`crate::apply`]'s affair.

use crate::image::Image;

/// Fractional bits of a weight: 255 times a sum of weights fits 31 bits.
const BITS: u32 = 22;

/// Resizes images; keeps its buffers.
#[derive(Debug, Default)]
pub struct Resizer {
    axes: [Axis; 2],
    /// The rows that are needed, at the new width.
    rows: Vec<u8>,
    sums: Vec<i32>,
    pixels: Vec<u8>,
}

/// For each place of the result, which places of the source it is the weighted mean of.
#[derive(Debug, Default)]
struct Axis {
    first: Vec<usize>,
    /// `taps` weights a place, in units of 2^-22; the last ones may be zero.
    weights: Vec<i32>,
    taps: usize,
}

impl Axis {
    /// A triangle over a source pixel, or over as many of them as make one of the result.
    fn set(&mut self, length: usize, start: f64, size: f64, count: usize) {
        let step = size / count as f64;
        let reach = step.max(1.0);
        self.taps = ((2.0 * reach).ceil() as usize + 1).min(length);
        self.first.clear();
        self.weights.clear();
        let mut shares = Vec::with_capacity(self.taps);
        for i in 0..count {
            let centre = start + (i as f64 + 0.5) * step;
            let first = ((centre - reach - 0.5).ceil().max(0.0) as usize).min(length - self.taps);
            let share = |tap: usize| (1.0 - ((first + tap) as f64 + 0.5 - centre).abs() / reach).max(0.0);
            shares.clear();
            shares.extend((0..self.taps).map(share));
            let sum: f64 = shares.iter().sum();
            let unit = f64::from(1 << BITS) / sum;
            self.weights.extend(shares.iter().map(|s| (s * unit).round() as i32));
            self.first.push(first);
        }
    }

    fn weights(&self, place: usize) -> &[i32] {
        &self.weights[place * self.taps..][..self.taps]
    }
}

impl Resizer {
    /// Resizes the part of an image that starts at `start` and has `size` (vertically and horizontally, in pixels and
    /// parts of them, within the image) to `to` pixels, and returns these `(height, width, 3)`.
    pub(crate) fn resize(&mut self, image: &Image, start: [f64; 2], size: [f64; 2], to: [usize; 2]) -> &[u8] {
        let from = [image.height() as usize, image.width() as usize];
        for (i, axis) in self.axes.iter_mut().enumerate() {
            axis.set(from[i], start[i], size[i], to[i]);
        }
        let [vertical, horizontal] = &self.axes;
        let top = vertical.first[0];
        let bottom = vertical.first[to[0] - 1] + vertical.taps;
        let (wide, narrow) = (3 * from[1], 3 * to[1]);

        self.rows.resize((bottom - top) * narrow, 0);
        let source = &image.pixels()[top * wide..bottom * wide];
        for (row, out) in source.chunks_exact(wide).zip(self.rows.chunks_exact_mut(narrow)) {
            for (x, out) in out.chunks_exact_mut(3).enumerate() {
                let mut sums = [HALF; 3];
                for (&weight, rgb) in horizontal.weights(x).iter().zip(row[3 * horizontal.first[x]..].chunks_exact(3)) {
                    for c in 0..3 {
                        sums[c] += weight * i32::from(rgb[c]);
                    }
                }
                for c in 0..3 {
                    out[c] = rounded(sums[c]);
                }
            }
        }

        self.pixels.resize(to[0] * narrow, 0);
        for (y, out) in self.pixels.chunks_exact_mut(narrow).enumerate() {
            self.sums.clear();
            self.sums.resize(narrow, HALF);
            let rows = self.rows[(vertical.first[y] - top) * narrow..].chunks_exact(narrow);
            for (&weight, row) in vertical.weights(y).iter().zip(rows) {
                for (sum, &value) in self.sums.iter_mut().zip(row) {
                    *sum += weight * i32::from(value);
                }
            }
            for (out, &sum) in out.iter_mut().zip(&self.sums) {
                *out = rounded(sum);
            }
        }
        &self.pixels
    }
}

const HALF: i32 = 1 << (BITS - 1);

fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition in floating point, one pixel at a time, without rounding between the axes.
    fn plain(image: &Image, start: [f64; 2], size: [f64; 2], to: [usize; 2]) -> Vec<f64> {
        let from = [image.height() as usize, image.width() as usize];
        let weights = |axis: usize, place: usize| -> Vec<f64> {
            let step = size[axis] / to[axis] as f64;
            let centre = start[axis] + (place as f64 + 0.5) * step;
            let weight = |at: usize| (1.0 - (at as f64 + 0.5 - centre).abs() / step.max(1.0)).max(0.0);
            let all: Vec<f64> = (0..from[axis]).map(weight).collect();
            let sum: f64 = all.iter().sum();
            all.iter().map(|w| w / sum).collect()
        };
        let mut out = Vec::new();
        for y in 0..to[0] {
            for x in 0..to[1] {
                let (down, across) = (weights(0, y), weights(1, x));
                for c in 0..3 {
                    let mut sum = 0.0;
                    for (i, a) in down.iter().enumerate() {
                        for (j, b) in across.iter().enumerate() {
                            sum += a * b * f64::from(image.pixels()[3 * (i * from[1] + j) + c]);
                        }
                    }
                    out.push(sum);
                }
            }
        }
        out
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            (width, height, pixels) in (1u32..24, 1u32..24).prop_flat_map(|(w, h)| {
                (Just(w), Just(h), prop::collection::vec(any::<u8>(), 3 * (w * h) as usize))
            }),
            start in [0.0..0.9, 0.0..0.9], size in [0.05..1.0, 0.05..1.0], to in [1usize..30, 1usize..30],
        ) {
            let image = Image::new(width, height, pixels).unwrap();
            let from = [f64::from(height), f64::from(width)];
            let start = [0, 1].map(|i: usize| start[i] * from[i]);
            let size = [0, 1].map(|i: usize| f64::min(size[i] * from[i], from[i] - start[i]));
            let mut resizer = Resizer::default();
            let found = resizer.resize(&image, start, size, to).to_vec();
            for (&a, b) in found.iter().zip(plain(&image, start, size, to)) {
                prop_assert!((f64::from(a) - b).abs() < 1.02, "{a} {b}");
            }
            // Its buffers leave no trace.
            resizer.resize(&Image::new(1, 1, vec![7; 3]).unwrap(), [0.0; 2], [1.0; 2], [9, 9]);
            prop_assert_eq!(resizer.resize(&image, start, size, to), &found[..]);
        }
    }

    #[test]
    fn the_same_size_is_the_same_image() {
        let image = Image::new(5, 4, (0..60).map(|v| v * 4).collect()).unwrap();
        assert_eq!(Resizer::default().resize(&image, [0.0; 2], [4.0, 5.0], [4, 5]), image.pixels());
    }
}
