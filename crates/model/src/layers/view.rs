//! What layers share that pass their input on as it is and only give it another shape: Flatten, Reshape, Split.

use synapress_kernels::real::Real;
use synapress_kernels::scalar::{round_shift, saturate};

use crate::error::Error;
use crate::layer::IntegerForward;
use crate::pass::{Backward, Forward};

/// Copies the input unless it lies in place already.
pub(super) fn forward<T: Real>(io: Forward<'_, T>) {
    if !io.inputs[0].is_empty() {
        io.output.copy_from_slice(io.inputs[0]);
    }
}

/// Copies or adds the gradient unless it lies in place already.
pub(super) fn backward<T: Real>(io: Backward<'_, T>) {
    let Some(gradient) = &mut io.input_gradients[0] else { return };
    if io.inputs[0].is_empty() {
        return;
    }
    if gradient.add {
        super::add_all(gradient.data, io.output_gradient);
    } else {
        gradient.data.copy_from_slice(io.output_gradient);
    }
}

/// The codes in the output's format, which is the input's by nature.
pub(super) fn forward_integer(io: IntegerForward<'_>) -> Result<(), Error> {
    let (from, to) = (io.input_formats[0], io.output_format);
    let shift = i32::from(from.frac) - i32::from(to.frac);
    for (out, &x) in io.output.iter_mut().zip(io.inputs[0]) {
        *out = saturate(round_shift(i64::from(x), shift), to.bits, to.signed) as i16;
    }
    Ok(())
}
