//! Weights, centroids and biases as integers.

use rayon::prelude::*;
use synapress_model::{Bias, Centroids, Error, Fixed, Form, Net, Weights};

use super::histogram::least;
use super::{Loss, Options, Range};

/// Numbers in one piece of work: sums are taken piece by piece, so that they do not depend on the threads.
const PIECE: usize = 1 << 16;

/// Bits of a weight with which the largest may be worth saturating.
const FEW: u8 = 5;

/// Bits of a bias, with the sign.
const BIAS_BITS: u32 = 24;

/// Quantizes all weights; biases stay as they are. Returns what was lost by node.
pub(super) fn quantize(net: &mut Net, options: &Options) -> Result<Vec<Option<Loss>>, Error> {
    let widths: Vec<u8> = (0..net.weights.len()).map(|id| options.weight_bits(net, id)).collect();
    let each = net.weights.iter_mut().zip(widths);
    Ok(each.map(|(weights, bits)| Some(quantize_layer(weights.as_mut()?, bits, options.range))).collect())
}

fn quantize_layer(weights: &mut Weights, bits: u8, range: Range) -> Loss {
    let numbers = Numbers::of(weights);
    let [lowest, highest] = numbers.extremes();
    let widest = Fixed::spanning(bits, lowest, highest);
    let format = match range {
        Range::Max => widest,
        // One large, rare weight counts for more in the outputs than its square says; with some bits it need not saturate.
        Range::SquaredError if bits > FEW => widest,
        Range::SquaredError => least(widest, |format| numbers.sum(|x| error(format, x))),
    };
    let (low, high) = format.range();
    let beyond = |x: f32| {
        let code = (f64::from(x) * f64::from(format.frac).exp2() + 0.5).floor();
        f64::from(u8::from(code < low as f64 || code > high as f64))
    };
    let loss = Loss::new(
        format,
        numbers.sum(beyond) / numbers.sum(|_| 1.0).max(1.0),
        numbers.sum(|x| f64::from(x) * f64::from(x)),
        numbers.sum(|x| error(format, x)),
    );
    put(weights, format);
    loss
}

/// Weights or centroids as the nearest codes of a format; what has codes already stays.
pub(super) fn put(weights: &mut Weights, format: Fixed) {
    let form = std::mem::replace(&mut weights.form, Form::Dense(Vec::new()));
    weights.form = match form {
        Form::Dense(w) => Form::Fixed { q: w.par_iter().map(|&w| format.quantize(w)).collect(), format },
        Form::Coded { centroids, index } => {
            let q = centroids.values().iter().map(|&c| format.quantize(c)).collect();
            Form::Coded { centroids: Centroids::Fixed { q, format }, index }
        }
        fixed @ Form::Fixed { .. } => fixed,
    };
}

/// The squared error of a number in a format.
fn error(format: Fixed, x: f32) -> f64 {
    (f64::from(x) - f64::from(format.quantize(x)) * format.step()).powi(2)
}

/// Weights, or centroids and how many weights have each.
enum Numbers<'a> {
    Plain(&'a [f32]),
    Counted(Vec<(f32, f64)>),
}

impl<'a> Numbers<'a> {
    fn of(weights: &'a Weights) -> Self {
        match &weights.form {
            Form::Dense(w) => Self::Plain(w),
            Form::Coded { centroids, index } => {
                let mut counted: Vec<(f32, f64)> = centroids.values().into_iter().map(|c| (c, 0.0)).collect();
                index.iter().for_each(|&i| counted[usize::from(i)].1 += 1.0);
                Self::Counted(counted)
            }
            Form::Fixed { .. } => Self::Plain(&[]),
        }
    }

    /// The lowest and the highest, zero included.
    fn extremes(&self) -> [f32; 2] {
        let wider = |[low, high]: [f32; 2], x: f32| [low.min(x), high.max(x)];
        match self {
            Self::Plain(w) => w.iter().fold([0.0; 2], |m, &x| wider(m, x)),
            Self::Counted(c) => c.iter().fold([0.0; 2], |m, &(x, _)| wider(m, x)),
        }
    }

    /// The sum of `f` over all weights.
    fn sum(&self, f: impl Fn(f32) -> f64 + Sync) -> f64 {
        match self {
            Self::Plain(w) => {
                let pieces: Vec<f64> = w.par_chunks(PIECE).map(|piece| piece.iter().map(|&x| f(x)).sum()).collect();
                pieces.iter().sum()
            }
            Self::Counted(c) => c.iter().map(|&(x, n)| n * f(x)).sum(),
        }
    }
}

/// Makes a layer's bias integers, as fine as [`BIAS_BITS`] allow but not finer than the accumulator.
pub(super) fn fix_bias(weights: &mut Weights, input: Fixed) {
    let (Bias::Float(values), Some((_, format))) = (&weights.bias, weights.codes()) else { return };
    let accumulator = f64::from(format.frac) + f64::from(input.frac);
    let top = f64::from((1u32 << (BIAS_BITS - 1)) - 1);
    let largest = values.iter().fold(0.0f64, |m, &b| m.max(f64::from(b).abs()));
    let fitting = if largest > 0.0 { (top / largest).log2().floor() } else { accumulator };
    let frac = fitting.min(accumulator).clamp(-64.0, 64.0);
    let code = |&b: &f32| (f64::from(b) * frac.exp2() + 0.5).floor().clamp(-top, top) as i32;
    weights.bias = Bias::Fixed { q: values.iter().map(code).collect(), frac: frac as i8 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn biases_are_as_fine_as_they_can_be() {
        let input = Fixed::new(8, 3).unwrap();
        for (bias, expected) in
            [(vec![0.0, 0.0], 10), (vec![0.3, -2.0], 10), (vec![0.3, -30000.0], 8), (vec![1e30], -64)]
        {
            let form = Form::Fixed { q: vec![1; bias.len()], format: Fixed::new(8, 7).unwrap() };
            let mut weights = Weights { dims: [bias.len(), 1, 1, 1], form, bias: Bias::Float(bias.clone()) };
            fix_bias(&mut weights, input);
            let Bias::Fixed { frac, .. } = weights.bias else { panic!("not quantized") };
            assert_eq!(frac, expected, "{bias:?}");
            if expected == 10 {
                let found = weights.bias.values();
                assert!(bias.iter().zip(found.iter()).all(|(a, b)| (a - b).abs() <= 0.5 / 1024.0));
            }
        }
    }

    #[test]
    fn zeros_stay_and_centroids_keep_their_indices() {
        let index = vec![0, 1, 2, 3, 0, 2];
        let form = Form::Coded { centroids: Centroids::Float(vec![0.0, -0.5, 0.26, 0.9]), index: index.clone() };
        let mut weights = Weights { dims: [6, 1, 1, 1], form, bias: Bias::None };
        let loss = quantize_layer(&mut weights, 4, Range::SquaredError);
        assert_eq!((loss.bits, loss.frac), (4, 3));
        let format = Fixed::new(4, 3).unwrap();
        let expected = Form::Coded { centroids: Centroids::Fixed { q: vec![0, -4, 2, 7], format }, index };
        assert_eq!(weights.form, expected);
    }
}
