//! The meaning of fixed-point arithmetic: one rounding, one saturation.

/// Divides by `2^shift`, rounding to nearest with ties toward positive infinity (add half, shift right), as
/// hardware does. A negative `shift` multiplies by `2^-shift`. Results beyond `i64` saturate.
///
/// ```
/// use synapress_kernels::scalar::round_shift;
/// assert_eq!([round_shift(5, 1), round_shift(-5, 1), round_shift(-6, 2), round_shift(3, -2)], [3, -2, -1, 12]);
/// ```
#[inline]
pub fn round_shift(value: i64, shift: i32) -> i64 {
    if shift <= 0 {
        let left = shift.unsigned_abs();
        if value == 0 {
            return 0;
        }
        let room = if value > 0 { value.leading_zeros() } else { (!value).leading_zeros() };
        if left >= room { if value > 0 { i64::MAX } else { i64::MIN } } else { value << left }
    } else if shift >= 64 {
        // |value| / 2^64 is below one half, except for i64::MIN / 2^64 = -1/2, a tie, which rounds up to 0.
        0
    } else {
        // Half is added after the shift so that the sum cannot overflow: floor(v / 2^s) plus the highest bit cut off.
        (value >> shift) + ((value >> (shift - 1)) & 1)
    }
}

/// Clamps `value` to what `bits` bits hold, two's complement when `signed`, else from zero.
#[inline]
pub fn saturate(value: i64, bits: u8, signed: bool) -> i64 {
    let (low, high) = range(bits, signed);
    value.clamp(low, high)
}

/// The smallest and largest integer of `bits` bits.
#[inline]
pub fn range(bits: u8, signed: bool) -> (i64, i64) {
    if signed { (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1) } else { (0, (1i64 << bits) - 1) }
}

/// `1 / count` as `factor * 2^-scale`, rounded to nearest, with a factor above 2^15 and up to 2^16. Sums of `count`
/// 16-bit codes times the factor stay below 2^48 for any window.
pub fn reciprocal(count: usize) -> (i64, i32) {
    let log = count.next_power_of_two().trailing_zeros();
    let (scale, count) = (15 + log, count as i64);
    (((1 << (scale + 1)) / count + 1) / 2, scale as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_shift_is_floor_of_half_added() {
        for value in -300i64..300 {
            for shift in 1..8 {
                let expected = (value as f64 / f64::from(1 << shift) + 0.5).floor() as i64;
                assert_eq!(round_shift(value, shift), expected, "{value} >> {shift}");
            }
        }
    }

    #[test]
    fn round_shift_never_overflows() {
        assert_eq!(round_shift(i64::MAX, 1), 1 << 62);
        assert_eq!(round_shift(i64::MIN, 64), 0);
        assert_eq!(round_shift(i64::MIN, 63), -1);
        assert_eq!(round_shift(i64::MAX, 63), 1);
        assert_eq!(round_shift(1, -63), i64::MAX);
        assert_eq!(round_shift(-1, -63), i64::MIN);
        assert_eq!(round_shift(1, -200), i64::MAX);
        assert_eq!(round_shift(0, -200), 0);
    }

    #[test]
    fn saturation_clamps() {
        assert_eq!(saturate(200, 8, true), 127);
        assert_eq!(saturate(-200, 8, true), -128);
        assert_eq!(saturate(-1, 8, false), 0);
        assert_eq!(saturate(300, 8, false), 255);
    }
}
