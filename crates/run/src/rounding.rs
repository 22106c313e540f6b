//! Layer outputs rounded to fixed point while a network is executed in floating point, and the straight-through estimate
//! of what that does to gradients (Bengio et al. 2013): a network can then be trained through the integers that it is to
//! become.

use rayon::prelude::*;
use synapress_kernels::real::Real;
use synapress_model::{Fixed, NodeId};

/// Numbers of one piece of work.
const PIECE: usize = 1 << 14;

/// A format as numbers of the type that is computed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounding<T> {
    scale: T,
    step: T,
    low: T,
    high: T,
    signed: bool,
    passes_all: bool,
}

/// How a network's outputs were rounded.
#[derive(Clone, Copy, Debug)]
pub struct Rounded<'a, T>(pub(crate) &'a [Option<Rounding<T>>]);

impl<T: Real> Rounded<'_, T> {
    /// Clears the gradient of a node's output wherever that, as it was left by the last pass, saturates.
    pub fn pass(&self, id: NodeId, output: &[T], gradient: &mut [T]) {
        if let Some(Some(rounding)) = self.0.get(id) {
            rounding.pass(output, gradient);
        }
    }
}

impl<T: Real> Rounding<T> {
    /// For outputs that a backward pass still finds, or with `passes_all` for others, whose gradient then passes whole.
    pub fn new(format: Fixed, passes_all: bool) -> Self {
        let (low, high) = format.range();
        let number = |x: f64| T::of64(x);
        Self {
            scale: number(f64::from(format.frac).exp2()),
            step: number(format.step()),
            low: number(low as f64),
            high: number(high as f64),
            signed: format.signed,
            passes_all,
        }
    }

    /// Every number becomes the value of its nearest code, as [`Fixed::quantize`] has it.
    pub fn apply(&self, numbers: &mut [T]) {
        let half = T::of(0.5);
        numbers.par_chunks_mut(PIECE).for_each(|piece| {
            for x in piece {
                let code = (*x * self.scale + half).floor();
                let code = if code > self.high { self.high } else { code };
                *x = if code < self.low { self.low } else { code } * self.step;
            }
        });
    }

    /// Clears the gradient of rounded numbers that saturate: only there does rounding stop a change from passing
    /// through. Without a sign the lowest code is an ordinary zero.
    pub fn pass(&self, rounded: &[T], gradient: &mut [T]) {
        if self.passes_all {
            return;
        }
        let (low, high) = (self.low * self.step, self.high * self.step);
        gradient.par_chunks_mut(PIECE).zip(rounded.par_chunks(PIECE)).for_each(|(gradient, rounded)| {
            for (g, &y) in gradient.iter_mut().zip(rounded) {
                if y >= high || (self.signed && y <= low) {
                    *g = T::default();
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_that_of_the_format() {
        for (bits, frac, signed) in [(8, 3, true), (8, 5, false), (4, -2, true), (15, 9, false), (16, 11, true)] {
            let format = Fixed { bits, frac, signed };
            let numbers: Vec<f32> = (-4000..4000).map(|i| i as f32 * 0.0137 * format.step() as f32 * 50.0).collect();
            let mut rounded = numbers.clone();
            Rounding::new(format, false).apply(&mut rounded);
            assert!(numbers.iter().zip(&rounded).all(|(&x, &y)| y == format.value(format.quantize(x))), "{format}");
        }
    }

    #[test]
    fn gradients_pass_unless_saturated() {
        let mut numbers = [-9.0f32, -1.0, 0.2, 0.3, 7.0, 12.0];
        let rounding = Rounding::new(Fixed { bits: 4, frac: 0, signed: true }, false);
        rounding.apply(&mut numbers);
        assert_eq!(numbers, [-8.0, -1.0, 0.0, 0.0, 7.0, 7.0]);
        let mut gradient = [1.0; 6];
        rounding.pass(&numbers, &mut gradient);
        assert_eq!(gradient, [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
        let unsigned = Rounding::new(Fixed { bits: 4, frac: 0, signed: false }, false);
        let mut gradient = [1.0; 2];
        unsigned.pass(&[0.0, 15.0f32], &mut gradient);
        assert_eq!(gradient, [1.0, 0.0]);
    }
}
