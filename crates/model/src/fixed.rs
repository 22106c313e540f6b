//! Dynamic fixed point: integers that share a power-of-two scale.

use std::fmt;

use synapress_kernels::scalar;

use crate::error::{Error, ErrorKind};

/// A format of dynamic fixed point: an integer `q` of `bits` bits stands for `q * 2^-frac`.
/// Codes are kept in `i16`, so unsigned formats have at most 15 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fixed {
    /// Bit width, with the sign.
    pub bits: u8,
    /// Fractional length; negative when the step is larger than one.
    pub frac: i8,
    /// Two's complement, or from zero.
    pub signed: bool,
}

impl Fixed {
    /// A signed format.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] unless `bits` is 2 to 16 and `frac` -64 to 64.
    pub fn new(bits: u8, frac: i8) -> Result<Self, Error> {
        Self { bits, frac, signed: true }.checked()
    }

    /// This format if its codes fit `i16`: 2 to 16 bits signed, 1 to 15 unsigned; fractional length -64 to 64.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] otherwise.
    pub fn checked(self) -> Result<Self, Error> {
        let ok = if self.signed { (2..=16).contains(&self.bits) } else { (1..=15).contains(&self.bits) };
        if ok && (-64..=64).contains(&self.frac) {
            Ok(self)
        } else {
            Err(Error::new(ErrorKind::Format, format!("the fixed-point format {self} is not supported")))
        }
    }

    /// The largest fractional length at which `largest` (the greatest magnitude) does not saturate (Ristretto's
    /// rule: Gysel et al. 2016, section 4.1). Zero and non-finite magnitudes take the format of 1.
    pub fn covering(bits: u8, signed: bool, largest: f32) -> Self {
        let (_, top) = scalar::range(bits, signed);
        // What is below the largest code and a half rounds to it.
        Self { bits, frac: longest(top as f64 + 0.5, largest), signed }
    }

    /// The signed format of the finest step at which neither of two extremes saturates. The lowest code of two's
    /// complement has no opposite, so that a negative extreme may reach one step further.
    pub fn spanning(bits: u8, lowest: f32, highest: f32) -> Self {
        let (low, top) = scalar::range(bits, true);
        let below = (lowest < 0.0).then(|| longest(-low as f64 + 0.5, -lowest));
        let above = (highest > 0.0).then(|| longest(top as f64 + 0.5, highest));
        let frac = below.into_iter().chain(above).min();
        frac.map_or_else(|| Self::covering(bits, true, 0.0), |frac| Self { bits, frac, signed: true })
    }

    /// Formats worth trying for numbers of which `largest` is the greatest magnitude: the [covering](Self::covering) one
    /// and, for few bits, finer ones in which the largest saturate.
    pub fn candidates(bits: u8, largest: f32) -> impl Iterator<Item = Self> {
        let widest = Self::covering(bits, true, largest);
        let finer = match bits {
            0..=5 => 2,
            6..=9 => 1,
            _ => 0,
        };
        (0..=finer).map(move |d| Self { frac: widest.frac.saturating_add(d).min(64), ..widest })
    }

    /// The smallest and the largest code.
    pub fn range(&self) -> (i64, i64) {
        scalar::range(self.bits, self.signed)
    }

    /// The value of one step.
    pub fn step(&self) -> f64 {
        f64::from(-i32::from(self.frac)).exp2()
    }

    /// The nearest code: `floor(x / step + 1/2)`, saturated; 0 for NaN. The only conversion from float to integer.
    pub fn quantize(&self, x: f32) -> i16 {
        let (low, high) = self.range();
        let scaled = (f64::from(x) * f64::from(self.frac).exp2() + 0.5).floor();
        scaled.clamp(low as f64, high as f64) as i16
    }

    /// The value of a code, exactly.
    pub fn value(&self, code: i16) -> f32 {
        (f64::from(code) * self.step()) as f32
    }
}

/// The largest fractional length at which a magnitude stays below `bound` steps.
fn longest(bound: f64, magnitude: f32) -> i8 {
    let magnitude = if magnitude.is_finite() && magnitude > 0.0 { f64::from(magnitude) } else { 1.0 };
    let frac = ((bound / magnitude).log2().floor()).clamp(-64.0, 64.0) as i8;
    // The logarithm may be off by one step at powers of two.
    if frac > -64 && magnitude * f64::from(frac).exp2() >= bound { frac - 1 } else { frac }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}.{}", if self.signed { "s" } else { "u" }, self.bits, self.frac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covering_holds_the_largest_value_with_the_finest_step() {
        for bits in 2..=16 {
            for largest in [1e-9f32, 0.1, 0.5, 0.999, 1.0, 1.5, 127.0, 127.4, 128.0, 255.0, 3e7] {
                let format = Fixed::covering(bits, true, largest);
                let (_, top) = format.range();
                let fits = |f: i8| (f64::from(largest) * f64::from(f).exp2() + 0.5).floor() <= top as f64;
                assert!(fits(format.frac), "{bits} {largest}");
                assert!(format.frac == 64 || !fits(format.frac + 1), "{bits} {largest} {format}");
            }
        }
    }

    #[test]
    fn what_has_codes_of_a_width_keeps_them() {
        for bits in 2..=16 {
            for frac in [-3, 0, 9] {
                let format = Fixed::new(bits, frac).unwrap();
                let (low, top) = format.range();
                for (low, top) in [(low, top), (low, 0), (0, top), (low, top / 2), (low / 2 - 1, top)] {
                    let [a, b] = [low, top].map(|q| format.value(q as i16));
                    let found = Fixed::spanning(bits, a, b);
                    assert!(found.frac >= frac, "{bits} {frac}: {found}");
                    assert!([a, b].iter().all(|&x| found.value(found.quantize(x)) == x), "{bits} {frac}: {found}");
                }
            }
            assert_eq!(Fixed::spanning(bits, 0.0, 0.0), Fixed::covering(bits, true, 0.0));
        }
    }

    #[test]
    fn quantize_rounds_ties_up_and_saturates() {
        let format = Fixed::new(8, 1).unwrap();
        for (x, q) in
            [(0.25, 1), (-0.25, 0), (-0.26, -1), (1e9, 127), (-1e9, -128), (f32::NAN, 0), (f32::INFINITY, 127)]
        {
            assert_eq!(format.quantize(x), q, "{x}");
        }
        assert!((-128..=127).all(|q| format.quantize(format.value(q)) == q));
    }
}
