//! The numbers of a tensor, from any of the forms that a file may have them in.

use super::proto::{Data, kinds};

/// What a tensor message holds: exactly one of these, by its type.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Single or double precision, or raw bytes of single precision.
    pub floats: Vec<f32>,
    /// Whole numbers, or the bits of 16-bit floating point.
    pub ints: Vec<i64>,
    /// Raw bytes of any type.
    pub raw: Vec<u8>,
}

impl Numbers {
    /// The numbers by the type of this number; at most `most` whole ones.
    pub fn typed(self, kind: u64, most: usize) -> Result<Data, String> {
        if !self.raw.is_empty() {
            return of_bytes(self.raw, kind, most);
        }
        Ok(match kind {
            kinds::FLOAT | kinds::DOUBLE => Data::Floats(self.floats),
            kinds::FLOAT16 => Data::Floats(self.ints.iter().map(|&v| half(low(v))).collect()),
            kinds::BFLOAT16 => Data::Floats(self.ints.iter().map(|&v| upper(low(v))).collect()),
            kinds::INT64 | kinds::INT32 | kinds::INT16 | kinds::INT8 | kinds::UINT8 | kinds::UINT16 | kinds::BOOL => {
                Data::Ints(self.ints)
            }
            _ => Data::Unknown,
        })
    }
}

/// The numbers of raw bytes, little-endian.
pub(super) fn of_bytes(bytes: Vec<u8>, kind: u64, most: usize) -> Result<Data, String> {
    fn each<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Result<Vec<T>, String> {
        match bytes.as_chunks::<N>() {
            (chunks, []) => Ok(chunks.iter().map(|&b| number(b)).collect()),
            _ => Err(format!("{} bytes of numbers are no multiple of {N}", bytes.len())),
        }
    }
    let Some(size) = size_of(kind) else { return Ok(Data::Unknown) };
    let whole = !matches!(kind, kinds::FLOAT | kinds::DOUBLE | kinds::FLOAT16 | kinds::BFLOAT16);
    if whole && bytes.len() / size > most {
        // Weights of quantized models, which no rule takes.
        return Ok(Data::Unknown);
    }
    Ok(match kind {
        kinds::FLOAT => Data::Floats(each(&bytes, f32::from_le_bytes)?),
        kinds::DOUBLE => Data::Floats(each(&bytes, |b| narrow(f64::from_le_bytes(b)))?),
        kinds::FLOAT16 => Data::Floats(each(&bytes, |b| half(u16::from_le_bytes(b)))?),
        kinds::BFLOAT16 => Data::Floats(each(&bytes, |b| upper(u16::from_le_bytes(b)))?),
        kinds::INT64 => Data::Ints(each(&bytes, i64::from_le_bytes)?),
        kinds::INT32 => Data::Ints(each(&bytes, |b| i32::from_le_bytes(b).into())?),
        kinds::INT16 => Data::Ints(each(&bytes, |b| i16::from_le_bytes(b).into())?),
        kinds::UINT16 => Data::Ints(each(&bytes, |b| u16::from_le_bytes(b).into())?),
        kinds::INT8 => Data::Ints(each(&bytes, |b| i8::from_le_bytes(b).into())?),
        _ => Data::Ints(bytes.iter().map(|&b| b.into()).collect()),
    })
}

/// Bytes of a number of a type, if it is a known one.
pub(super) fn size_of(kind: u64) -> Option<usize> {
    match kind {
        kinds::UINT8 | kinds::INT8 | kinds::BOOL => Some(1),
        kinds::UINT16 | kinds::INT16 | kinds::FLOAT16 | kinds::BFLOAT16 => Some(2),
        kinds::FLOAT | kinds::INT32 => Some(4),
        kinds::DOUBLE | kinds::INT64 => Some(8),
        _ => None,
    }
}

/// Refuses numbers that are not as many as the sizes say.
pub(super) fn check(data: &Data, dims: &[u64]) -> Result<(), String> {
    let count = match data {
        Data::Floats(v) => v.len(),
        Data::Ints(v) => v.len(),
        Data::Bytes(_) | Data::External(_) | Data::Unknown => return Ok(()),
    };
    let product = dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d));
    if product.is_some() && product == u64::try_from(count).ok() {
        return Ok(());
    }
    Err(format!("a shape of {dims:?} has {count} numbers"))
}

/// The lowest 16 bits, which hold the number.
fn low(value: i64) -> u16 {
    let [a, b, ..] = value.to_le_bytes();
    u16::from_le_bytes([a, b])
}

/// Half precision, exactly.
fn half(bits: u16) -> f32 {
    let (sign, exponent, mantissa) = (u32::from(bits >> 15), u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let magnitude = match exponent {
        // 2^-24 a step; the product is exact.
        0 => return f32::from(bits & 1023) * if sign == 1 { -1.0 } else { 1.0 } / 16_777_216.0,
        31 => 0x7f80_0000 | mantissa << 13,
        _ => (exponent + 112) << 23 | mantissa << 13,
    };
    f32::from_bits(sign << 31 | magnitude)
}

/// The upper half of single precision.
fn upper(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[expect(clippy::as_conversions, reason = "rounding to the nearest single is what is meant")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_exact() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x83ff, -6.097_555e-5),
            (0x0000, 0.0),
        ] {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0xfc01).is_nan());
        assert_eq!(upper(0x3fc0), 1.5);
    }

    #[test]
    fn bytes_are_numbers_of_their_type() {
        let of = |bytes: &[u8], kind| of_bytes(bytes.to_vec(), kind, 10);
        assert_eq!(of(&[0, 0, 0x80, 0x3f], kinds::FLOAT), Ok(Data::Floats(vec![1.0])));
        assert_eq!(of(&1.5f64.to_le_bytes(), kinds::DOUBLE), Ok(Data::Floats(vec![1.5])));
        assert_eq!(of(&(-3i64).to_le_bytes(), kinds::INT64), Ok(Data::Ints(vec![-3])));
        assert_eq!(of(&[0xff, 0xff], kinds::INT16), Ok(Data::Ints(vec![-1])));
        assert_eq!(of(&[0xff, 1], kinds::UINT8), Ok(Data::Ints(vec![255, 1])));
        assert_eq!(of(&[1, 2, 3, 4], 8), Ok(Data::Unknown));
        assert!(of(&[1, 2, 3], kinds::FLOAT).is_err());
        assert_eq!(of(&[1; 11], kinds::INT8), Ok(Data::Unknown));
    }
}
