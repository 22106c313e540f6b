//! What functions of a single value share (Sigmoid, TanH): float loops, and an integer form by a table.
//!
//! The table has one entry for each input code up to 12 bits, from the lowest code on. Wider codes are cut to their
//! top 12 bits, and an entry holds the function at the middle of the codes that share it. It is made once, in
//! double precision, and stored with the network, so that execution needs no transcendental function.

use rayon::prelude::*;
use synapress_kernels::real::Real;

use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::layer::IntegerForward;
use crate::pass::{Backward, Forward};

/// Values in one piece of work.
const PIECE: usize = 1 << 13;

/// Bits of a code that a table tells apart.
const TABLE_BITS: u8 = 12;

/// Applies `f` to every value.
pub(super) fn forward<T: Real>(io: Forward<'_, T>, f: impl Fn(T) -> T + Sync) {
    match io.inputs[0] {
        [] => io.output.par_chunks_mut(PIECE).for_each(|out| out.iter_mut().for_each(|y| *y = f(*y))),
        input => io
            .output
            .par_chunks_mut(PIECE)
            .zip(input.par_chunks(PIECE))
            .for_each(|(out, input)| out.iter_mut().zip(input).for_each(|(y, x)| *y = f(*x))),
    }
}

/// Multiplies the gradient by the slope, which is a function of the output.
pub(super) fn backward<T: Real>(io: Backward<'_, T>, slope: impl Fn(T) -> T + Sync) {
    let Some(target) = &mut io.input_gradients[0] else { return };
    let pieces = target.data.par_chunks_mut(PIECE).zip(io.output.par_chunks(PIECE));
    if io.inputs[0].is_empty() {
        pieces.for_each(|(g, y)| g.iter_mut().zip(y).for_each(|(g, y)| *g = *g * slope(*y)));
    } else {
        let add = target.add;
        pieces.zip(io.output_gradient.par_chunks(PIECE)).for_each(|((g, y), d)| {
            for ((g, y), d) in g.iter_mut().zip(y).zip(d) {
                let d = *d * slope(*y);
                *g = if add { *g + d } else { d };
            }
        });
    }
}

/// Bits cut off a code before it is looked up.
fn spare(input: Fixed) -> u8 {
    input.bits.saturating_sub(TABLE_BITS)
}

/// The table of a function.
pub(super) fn table(input: Fixed, output: Fixed, f: impl Fn(f64) -> f64) -> Vec<i16> {
    let (low, spare) = (input.range().0, spare(input));
    let middle = ((1i64 << spare) - 1) as f64 / 2.0;
    let value = |entry: i64| f(((low + (entry << spare)) as f64 + middle) * input.step());
    (0..1i64 << (input.bits - spare)).map(|entry| output.quantize(value(entry) as f32)).collect()
}

/// Refuses a table of the wrong length, or with entries outside the output's format.
pub(super) fn verify_table(input: Fixed, output: Fixed, table: &[i16]) -> Result<(), Error> {
    let entries = 1usize << (input.bits - spare(input));
    if table.len() != entries {
        return Err(Error::new(
            ErrorKind::Format,
            format!("the table has {} entries, an input of format {input} needs {entries}", table.len()),
        ));
    }
    let (low, high) = output.range();
    match table.iter().find(|&&q| !(low..=high).contains(&i64::from(q))) {
        Some(q) => Err(Error::new(ErrorKind::Format, format!("the table's entry {q} does not fit {output}"))),
        None => Ok(()),
    }
}

/// Looks every code up; one outside its format takes the nearest entry.
pub(super) fn look_up(io: IntegerForward<'_>) -> Result<(), Error> {
    let input = io.input_formats[0];
    verify_table(input, io.output_format, io.table)?;
    let ((low, high), spare) = (input.range(), spare(input));
    for (out, &x) in io.output.iter_mut().zip(io.inputs[0]) {
        let entry = (i64::from(x).clamp(low, high) - low) >> spare;
        *out = io.table[entry as usize];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_the_function_at_every_code_or_at_the_middle_of_those_that_share_an_entry() {
        for (bits, frac, signed) in [(8, 5, true), (12, 9, true), (16, 12, true), (15, 12, false), (1, 0, false)] {
            let input = Fixed { bits, frac, signed };
            let output = Fixed::new(12, 10).unwrap();
            let table = table(input, output, f64::tanh);
            verify_table(input, output, &table).unwrap();
            let (low, high) = input.range();
            let codes: Vec<i16> = (low..=high).map(|q| q as i16).collect();
            let mut found = vec![0; codes.len()];
            look_up(IntegerForward {
                inputs: &[&codes],
                input_shapes: &[],
                input_formats: &[input],
                output: &mut found,
                output_shape: crate::shape::Shape::new(1, 1, codes.len()).unwrap(),
                output_format: output,
                weights: None,
                table: &table,
            })
            .unwrap();
            // Half a step of the output, and half the width of an entry where codes share one.
            let shared = if bits > 12 { input.step() * f64::from(1 << (bits - 12)) / 2.0 } else { 0.0 };
            for (x, y) in codes.iter().zip(&found) {
                let expected = f64::from(input.value(*x)).tanh();
                let off = (f64::from(output.value(*y)) - expected).abs();
                assert!(off <= output.step() * 0.5001 + shared, "{input} {x}: off by {off}");
            }
        }
    }

    #[test]
    fn damaged_tables_are_refused() {
        let (input, output) = (Fixed::new(8, 4).unwrap(), Fixed::new(6, 4).unwrap());
        assert!(verify_table(input, output, &[0; 255]).is_err());
        assert!(verify_table(input, output, &[]).is_err());
        assert!(verify_table(input, output, &[32; 256]).is_err());
        assert!(verify_table(input, output, &[31; 256]).is_ok());
    }
}
