//! Geometry shared by convolution and fully connected layers, and their integer weights.
//!
//! A fully connected layer is a convolution whose window is the whole input; integer execution and the three stages
//! of compression see both alike.

use std::borrow::Cow;

use synapress_kernels::columns::Window;
use synapress_kernels::scalar::round_shift;

use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::shape::Shape;
use crate::weights::{Bias, Form, Weights};

/// A weighted sum over a window: convolution, or a fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Whether it is a fully connected layer.
    pub fully_connected: bool,
    /// Groups that inputs and outputs are split into.
    pub groups: usize,
    /// The window.
    pub window: Window,
    /// Shape of the input.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
}

impl Linear {
    /// Inputs of one output: the number of weights in a row.
    pub fn taps(&self) -> usize {
        self.input.channels / self.groups * self.window.kernel[0] * self.window.kernel[1]
    }

    /// Multiply-accumulates for one image. A group's outputs are connected to that group's inputs alone, so `g`
    /// groups have `1/g` of the connections.
    pub fn connections(&self) -> u64 {
        self.output.len() as u64 * self.taps() as u64
    }
}

/// Weights and bias as integers, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerWeights {
    /// `[outputs, inputs, height, width]`.
    pub dims: [usize; 4],
    /// Codes, row-major.
    pub q: Vec<i16>,
    /// What a code stands for.
    pub format: Fixed,
    /// Bias codes; empty when there is none.
    pub bias: Vec<i32>,
    /// Fractional length of the bias.
    pub bias_frac: i8,
}

impl IntegerWeights {
    /// The integers of quantized weights.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when weights or bias are still in floating point.
    pub fn of(weights: &Weights) -> Result<Self, Error> {
        let not_yet = || Error::new(ErrorKind::Format, "the layer is not quantized; run `quantize` first");
        let (q, format) = weights.codes().ok_or_else(not_yet)?;
        let (bias, bias_frac) = match &weights.bias {
            Bias::None => (Vec::new(), 0),
            Bias::Float(_) => return Err(not_yet()),
            Bias::Fixed { q, frac } => (q.clone(), *frac),
        };
        Ok(Self { dims: weights.dims, q: Cow::into_owned(q), format, bias, bias_frac })
    }

    /// As [`IntegerWeights::of`], without a copy where codes are stored one by one.
    ///
    /// # Errors
    /// As [`IntegerWeights::of`].
    pub fn consume(weights: Weights) -> Result<Self, Error> {
        match weights {
            Weights { dims, form: Form::Fixed { q, format }, bias: Bias::Fixed { q: bias, frac } } => {
                Ok(Self { dims, q, format, bias, bias_frac: frac })
            }
            weights => Self::of(&weights),
        }
    }

    /// The bias of one output at the fractional length of the accumulator (`weights.frac + input.frac`).
    pub fn bias_at(&self, output: usize, accumulator_frac: i32) -> i64 {
        match self.bias.get(output) {
            Some(&b) => round_shift(i64::from(b), i32::from(self.bias_frac) - accumulator_frac),
            None => 0,
        }
    }

    /// The largest magnitude that the accumulator of any output can reach, with its bias, for inputs of a format:
    /// sum of |weight| times the largest |input|.
    pub fn accumulator_bound(&self, input: Fixed) -> u128 {
        let (low, high) = input.range();
        let largest = u128::from(low.unsigned_abs().max(high.unsigned_abs()));
        let frac = i32::from(self.format.frac) + i32::from(input.frac);
        let row = self.q.len() / self.dims[0].max(1);
        let rows = self.q.chunks_exact(row.max(1)).enumerate();
        rows.map(|(o, row)| {
            let sum: u128 = row.iter().map(|&w| u128::from(w.unsigned_abs())).sum();
            sum * largest + u128::from(self.bias_at(o, frac).unsigned_abs())
        })
        .max()
        .unwrap_or(0)
    }

    /// Refuses weights whose accumulator could leave 62 bits, half of what rounding leaves room for.
    ///
    /// # Errors
    /// [`ErrorKind::Format`].
    pub fn verify(&self, input: Fixed) -> Result<(), Error> {
        if self.accumulator_bound(input) >= 1 << 62 {
            return Err(Error::new(
                ErrorKind::Format,
                format!(
                    "an accumulator could overflow 62 bits (weights {}, input {input}, bias fraction {})",
                    self.format, self.bias_frac
                ),
            ));
        }
        Ok(())
    }
}
