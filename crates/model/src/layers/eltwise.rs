//! Eltwise: sum (with coefficients), product or maximum of several inputs, element by element.

use rayon::prelude::*;
use synapress_kernels::real::Real;
use synapress_kernels::scalar::{round_shift, saturate};

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::linear::IntegerWeights;
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;

pub(super) const KIND: Kind = Kind {
    name: "Eltwise",
    caffe: &["Eltwise", "ELTWISE"],
    parameter: "eltwise_param",
    inputs: [2, usize::MAX],
    read: |a| {
        let coefficients = a.list::<f32>("coeff")?;
        a.ignore(&["stable_prod_grad"]);
        let operation = match a.text("operation")?.unwrap_or("SUM") {
            "SUM" | "1" => Operation::Sum(coefficients.clone()),
            "PROD" | "0" => Operation::Product,
            "MAX" | "2" => Operation::Maximum,
            other => return Err(super::senseless(format!("operation must be SUM, PROD or MAX, not {other}"))),
        };
        a.finish()?;
        match &operation {
            Operation::Sum(c) if c.iter().any(|c| !c.is_finite()) => {
                Err(super::senseless("every coeff must be a finite number"))
            }
            Operation::Product | Operation::Maximum if !coefficients.is_empty() => {
                Err(super::senseless("coeff is for operation: SUM alone"))
            }
            _ => super::boxed(Eltwise { operation }),
        }
    },
};

/// What becomes of the inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Their sum, each multiplied by its coefficient; no coefficients stand for ones.
    Sum(Vec<f32>),
    /// Their product.
    Product,
    /// The largest.
    Maximum,
}

/// Several inputs of one shape joined element by element.
///
/// In integers, coefficients have 16 bits and one fractional length; products with them are added at the fractional
/// length of the finest input, but at most 24 bits finer than the coarsest, and rounded to the output once. A product
/// is rounded once. A maximum compares the inputs as they round to the output.
#[derive(Clone, Debug)]
pub struct Eltwise {
    /// How they are joined.
    pub operation: Operation,
}

/// How much finer than the coarsest input the sum may be: 15 bits of a code, 15 of a coefficient and these leave room
/// for 256 inputs.
const FINER: i32 = 24;

/// Values in one piece of work.
const PIECE: usize = 1 << 13;

fn coefficient<T: Real>(coefficients: &[f32], input: usize) -> T {
    T::of(coefficients.get(input).copied().unwrap_or(1.0))
}

/// Integer coefficients and their format.
fn integer_coefficients(coefficients: &[f32], inputs: usize) -> (Vec<i64>, Fixed) {
    let all: Vec<f32> = (0..inputs).map(|i| coefficient(coefficients, i)).collect();
    let largest = all.iter().fold(0.0f32, |m, c| m.max(c.abs()));
    let format = Fixed::covering(16, true, largest);
    (all.iter().map(|&c| i64::from(format.quantize(c))).collect(), format)
}

/// The fractional length that inputs are added at, before that of the coefficients.
fn common(inputs: &[Fixed]) -> i32 {
    let frac = || inputs.iter().map(|f| i32::from(f.frac));
    frac().max().unwrap_or(0).min(frac().min().unwrap_or(0) + FINER)
}

/// The largest magnitude of a code.
fn largest(format: Fixed) -> u128 {
    let (low, high) = format.range();
    u128::from(low.unsigned_abs().max(high.unsigned_abs()))
}

impl Layer for Eltwise {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        let a = Attributes::new();
        match &self.operation {
            Operation::Sum(coefficients) => coefficients.iter().fold(a, |a, c| a.with("coeff", c)),
            Operation::Product => a.with("operation", "PROD"),
            Operation::Maximum => a.with("operation", "MAX"),
        }
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        let first = *inputs.first().ok_or_else(|| Error::new(ErrorKind::Shape, "the layer has no inputs"))?;
        if let Some(other) = inputs.iter().find(|&&s| s != first) {
            return Err(Error::new(ErrorKind::Shape, format!("inputs of shapes {first} and {other} do not match")));
        }
        match &self.operation {
            Operation::Sum(c) if !c.is_empty() && c.len() != inputs.len() => Err(Error::new(
                ErrorKind::Shape,
                format!("{} coeff are given for {} inputs; give one for each or none", c.len(), inputs.len()),
            )),
            _ => Ok(first),
        }
    }

    fn verify_integer(
        &self,
        inputs: &[Fixed],
        _output: Fixed,
        _weights: Option<&IntegerWeights>,
        _table: &[i16],
    ) -> Result<(), Error> {
        let bound = match &self.operation {
            Operation::Sum(c) => {
                let (coefficients, _) = integer_coefficients(c, inputs.len());
                let common = common(inputs);
                let terms = inputs.iter().zip(coefficients).map(|(&f, c)| {
                    let left = (common - i32::from(f.frac)).max(0);
                    (largest(f) * u128::from(c.unsigned_abs())) << left
                });
                terms.fold(0u128, u128::saturating_add)
            }
            Operation::Product => inputs.iter().fold(1u128, |n, &f| n.saturating_mul(largest(f))),
            Operation::Maximum => 0,
        };
        if bound >= 1 << 62 {
            let what = match self.operation {
                Operation::Product => "product",
                _ => "sum",
            };
            return Err(Error::new(
                ErrorKind::Format,
                format!("the {what} of {} inputs could overflow 62 bits; give them fewer bits", inputs.len()),
            ));
        }
        Ok(())
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        let (to, formats) = (io.output_format, io.input_formats);
        let fracs: Vec<i32> = formats.iter().map(|f| i32::from(f.frac)).collect();
        let target = i32::from(to.frac);
        let pairs = || io.inputs.iter().zip(&fracs);
        match &self.operation {
            Operation::Sum(c) => {
                let (coefficients, format) = integer_coefficients(c, io.inputs.len());
                let common = common(formats);
                let shift = common + i32::from(format.frac) - target;
                for (i, out) in io.output.iter_mut().enumerate() {
                    let terms = pairs().zip(&coefficients);
                    let sum = terms.map(|((x, frac), c)| round_shift(i64::from(x[i]) * c, frac - common)).sum();
                    *out = saturate(round_shift(sum, shift), to.bits, to.signed) as i16;
                }
            }
            Operation::Product => {
                let shift = fracs.iter().sum::<i32>() - target;
                for (i, out) in io.output.iter_mut().enumerate() {
                    let product = io.inputs.iter().map(|x| i64::from(x[i])).product();
                    *out = saturate(round_shift(product, shift), to.bits, to.signed) as i16;
                }
            }
            Operation::Maximum => {
                for (i, out) in io.output.iter_mut().enumerate() {
                    let rounded = pairs().map(|(x, frac)| round_shift(i64::from(x[i]), frac - target));
                    *out = saturate(rounded.max().unwrap_or(0), to.bits, to.signed) as i16;
                }
            }
        }
        Ok(())
    }
}

/// The first of the inputs that has the largest value at a place.
fn first_largest<T: Real>(inputs: &[&[T]], at: usize) -> usize {
    (1..inputs.len()).fold(0, |best, i| if inputs[i][at] > inputs[best][at] { i } else { best })
}

/// Writes the value of each place to `out`, or adds it.
fn put<T: Real>(out: &mut [T], add: bool, value: impl Fn(usize) -> T) {
    if add {
        out.iter_mut().enumerate().for_each(|(i, g)| *g += value(i));
    } else {
        out.iter_mut().enumerate().for_each(|(i, g)| *g = value(i));
    }
}

impl<T: Real> Float<T> for Eltwise {
    fn forward(&self, io: Forward<'_, T>) {
        let inputs = io.inputs;
        io.output.par_chunks_mut(PIECE).enumerate().for_each(|(piece, out)| {
            let from = piece * PIECE;
            let range = from..from + out.len();
            let first = &inputs[0][range.clone()];
            match &self.operation {
                Operation::Sum(c) if c.is_empty() => out.copy_from_slice(first),
                Operation::Sum(c) => out.iter_mut().zip(first).for_each(|(y, x)| *y = *x * coefficient(c, 0)),
                _ => out.copy_from_slice(first),
            }
            for (i, input) in inputs.iter().enumerate().skip(1) {
                let pairs = out.iter_mut().zip(&input[range.clone()]);
                match &self.operation {
                    Operation::Sum(c) => {
                        let c = coefficient::<T>(c, i);
                        pairs.for_each(|(y, x)| *y += c * *x);
                    }
                    Operation::Product => pairs.for_each(|(y, x)| *y = *y * *x),
                    Operation::Maximum => pairs.for_each(|(y, x)| *y = y.larger(*x)),
                }
            }
        });
    }

    fn backward(&self, io: Backward<'_, T>) {
        let (inputs, gradient) = (io.inputs, io.output_gradient);
        for (own, target) in io.input_gradients.iter_mut().enumerate() {
            let Some(target) = target else { continue };
            let add = target.add;
            target.data.par_chunks_mut(PIECE).enumerate().for_each(|(piece, out)| {
                let from = piece * PIECE;
                let gradient = &gradient[from..from + out.len()];
                match &self.operation {
                    Operation::Sum(c) => {
                        let c = coefficient::<T>(c, own);
                        put(out, add, |i| gradient[i] * c);
                    }
                    // Multiplied anew instead of divided out, for inputs that are zero.
                    Operation::Product => put(out, add, |i| {
                        let others = inputs.iter().enumerate().filter(|&(other, _)| other != own);
                        others.fold(gradient[i], |product, (_, x)| product * x[from + i])
                    }),
                    // Among equals the first takes it all.
                    Operation::Maximum => {
                        put(
                            out,
                            add,
                            |i| {
                                if first_largest(inputs, from + i) == own { gradient[i] } else { T::default() }
                            },
                        )
                    }
                }
            });
        }
    }
}
