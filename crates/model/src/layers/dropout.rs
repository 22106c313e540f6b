//! Dropout: in training a random share of the values is zero (Srivastava et al. 2014); at inference nothing happens.

use rayon::prelude::*;
use synapress_kernels::real::Real;

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::layer::{IntegerForward, Kind, Layer};
use crate::pass::{Backward, Float, Forward, Mode};
use crate::shape::Shape;
use crate::share;

pub(super) const KIND: Kind = Kind {
    name: "Dropout",
    caffe: &["Dropout", "DROPOUT"],
    parameter: "dropout_param",
    inputs: [1, 1],
    read: |a| {
        let ratio = a.get_or("dropout_ratio", 0.5)?;
        let scale_train = a.get_or("scale_train", true)?;
        a.finish()?;
        if !(0.0..1.0).contains(&ratio) {
            return Err(super::senseless(format!("dropout_ratio must be at least 0 and below 1, not {ratio}")));
        }
        if !scale_train {
            return Err(Error::new(ErrorKind::Unsupported, "only scale_train: true is supported"));
        }
        super::boxed(Dropout { ratio })
    },
};

/// Zeroes values at random in training and scales the others by `1 / (1 - ratio)`, so that the mean stays.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Probability of a zero, from 0 and below 1.
    pub ratio: f32,
}

/// Values in one piece of work.
const PIECE: usize = 1 << 14;

impl Dropout {
    /// What the value at place `at` of a whole batch is multiplied by: it depends on the seed and the place alone
    /// (SplitMix64, Steele et al. 2014), so the backward pass finds it again without a mask.
    fn factor<T: Real>(&self, seed: u64, at: usize, kept: T) -> T {
        let mut z = seed.wrapping_add((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let dropped = ((z ^ (z >> 31)) >> 40) < (f64::from(self.ratio) * f64::from(1 << 24)) as u64;
        if dropped { T::default() } else { kept }
    }

    fn kept<T: Real>(&self) -> T {
        T::of64(1.0 / (1.0 - f64::from(self.ratio)))
    }
}

impl Layer for Dropout {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new().with_unless("dropout_ratio", self.ratio, 0.5)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        super::only(inputs)
    }

    fn in_place(&self) -> bool {
        true
    }

    fn is_view(&self) -> bool {
        true
    }

    fn keeps_format(&self) -> bool {
        true
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        super::view::forward_integer(io)
    }
}

impl<T: Real> Float<T> for Dropout {
    fn forward(&self, io: Forward<'_, T>) {
        if let [_, ..] = io.inputs[0] {
            io.output.copy_from_slice(io.inputs[0]);
        }
        io.memo.places.clear();
        let Mode::Train { seed, .. } = io.mode else { return };
        let first = share::own(io.batch, &*io.scratch.peers).start * io.output_shape.len();
        io.memo.places.extend([seed, first as u64].map(|n| [(n >> 32) as u32, n as u32]).as_flattened());
        let kept = self.kept();
        io.output.par_chunks_mut(PIECE).enumerate().for_each(|(piece, values)| {
            for (i, v) in values.iter_mut().enumerate() {
                *v = *v * self.factor(seed, first + piece * PIECE + i, kept);
            }
        });
    }

    fn backward(&self, io: Backward<'_, T>) {
        let Some(target) = &mut io.input_gradients[0] else { return };
        let (kept, add) = (self.kept::<T>(), target.add);
        // Nothing was drawn where the forward pass was one of inference.
        let join = |high, low| u64::from(high) << 32 | u64::from(low);
        let drawn = match io.memo.places[..] {
            [a, b, c, d] => Some((join(a, b), join(c, d) as usize)),
            _ => None,
        };
        let factor = |i: usize| drawn.map_or(T::of(1.0), |(seed, first)| self.factor(seed, first + i, kept));
        let in_place = io.output_gradient.is_empty();
        target.data.par_chunks_mut(PIECE).enumerate().for_each(|(piece, gradients)| {
            let at = piece * PIECE;
            if in_place {
                for (i, g) in gradients.iter_mut().enumerate() {
                    *g = *g * factor(at + i);
                }
                return;
            }
            for (i, (g, &d)) in gradients.iter_mut().zip(&io.output_gradient[at..]).enumerate() {
                let d = d * factor(at + i);
                *g = if add { *g + d } else { d };
            }
        });
    }
}
