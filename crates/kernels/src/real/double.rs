//! Double precision: the plain loops that fast products are compared with.

use super::{Left, Mat, Real};

/// A packed left operand of `f64` products: a plain copy.
#[derive(Debug)]
pub struct Copied {
    data: Vec<f64>,
    rows: usize,
    columns: usize,
}

impl Real for f64 {
    type Packed = Copied;

    fn of(value: f32) -> Self {
        f64::from(value)
    }
    fn of64(value: f64) -> Self {
        value
    }
    fn to64(self) -> f64 {
        self
    }
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn ln(self) -> Self {
        f64::ln(self)
    }
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    fn powf(self, exponent: Self) -> Self {
        f64::powf(self, exponent)
    }
    fn floor(self) -> Self {
        f64::floor(self)
    }

    fn pack(a: Mat<'_, f64>, earlier: Option<Copied>) -> Copied {
        let mut data = earlier.map(|copied| copied.data).unwrap_or_default();
        data.clear();
        data.reserve_exact(a.rows * a.columns);
        for r in 0..a.rows {
            data.extend((0..a.columns).map(|c| a.data[r * a.row_stride + c * a.column_stride]));
        }
        Copied { data, rows: a.rows, columns: a.columns }
    }

    fn gemm(a: Left<'_, f64>, b: Mat<'_, f64>, c: &mut [f64], add: bool, bias: Option<&[f64]>) {
        let a = match a {
            Left::Plain(m) => m,
            Left::Packed(p) => Mat::new(&p.data, p.rows, p.columns),
        };
        assert_eq!(a.columns, b.rows);
        assert_eq!(c.len(), a.rows * b.columns);
        for r in 0..a.rows {
            for column in 0..b.columns {
                let mut sum = 0.0;
                for k in 0..a.columns {
                    sum += a.data[r * a.row_stride + k * a.column_stride]
                        * b.data[k * b.row_stride + column * b.column_stride];
                }
                let out = &mut c[r * b.columns + column];
                *out = if add { *out + sum } else { sum + bias.map_or(0.0, |b| b[r]) };
            }
        }
    }
}
