//! The two float types layers are written for, and their matrix product.

mod double;

use std::alloc::Layout;
use std::cell::Cell;
use std::fmt::Debug;
use std::mem::ManuallyDrop;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedAMatrix};
use rten_tensor::Matrix;
use rten_tensor::storage::Alloc;

/// A matrix seen through strides: element `(r, c)` is `data[r * row_stride + c * column_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T> {
    /// Elements.
    pub data: &'a [T],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Distance between rows, in elements.
    pub row_stride: usize,
    /// Distance between columns, in elements.
    pub column_stride: usize,
}

impl<'a, T> Mat<'a, T> {
    /// A row-major matrix without gaps.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        debug_assert!(data.len() >= rows * columns);
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same elements with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// The left operand of a product.
#[derive(Debug)]
pub enum Left<'a, T: Real> {
    /// As it lies in memory.
    Plain(Mat<'a, T>),
    /// Rearranged once by [`Real::pack`] for many products.
    Packed(&'a T::Packed),
}

/// `f32` (fast) or `f64` (the oracle): what layers compute in.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// A left operand rearranged for repeated use.
    type Packed: Debug + Send + Sync;

    /// From a single-precision number, exactly.
    fn of(value: f32) -> Self;
    /// From a double-precision number, rounded.
    fn of64(value: f64) -> Self;
    /// As a double-precision number, exactly.
    fn to64(self) -> f64;
    /// e to this power.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// This number to a real power.
    fn powf(self, exponent: Self) -> Self;
    /// The largest whole number that is not above.
    fn floor(self) -> Self;
    /// The larger number.
    fn larger(self, other: Self) -> Self {
        if other > self { other } else { self }
    }

    /// Rearranges a left operand for repeated products, in the memory of an earlier one where that is enough.
    fn pack(a: Mat<'_, Self>, earlier: Option<Self::Packed>) -> Self::Packed;

    /// `c = a b`, or `c += a b` when `add`; then, unless `add`, `bias[r]` is added to row `r`.
    /// `c` is row-major without gaps, `rows(a)` by `columns(b)`. The result does not depend on the number of threads.
    fn gemm(a: Left<'_, Self>, b: Mat<'_, Self>, c: &mut [Self], add: bool, bias: Option<&[Self]>);
}

/// The kernels are stateless and their choice reads a cached CPU flag, so making an executor costs next to nothing.
fn executor() -> GemmExecutor<f32> {
    GemmExecutor::new()
}

fn view<'a>(m: &Mat<'a, f32>) -> Matrix<'a, f32> {
    Matrix::from_data_with_strides([m.rows, m.columns], m.data, [m.row_stride, m.column_stride])
        .expect("a matrix lies within its data")
}

impl Real for f32 {
    type Packed = PackedA;

    fn of(value: f32) -> Self {
        value
    }
    fn of64(value: f64) -> Self {
        value as f32
    }
    fn to64(self) -> f64 {
        f64::from(self)
    }
    fn exp(self) -> Self {
        f32::exp(self)
    }
    fn ln(self) -> Self {
        f32::ln(self)
    }
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    fn tanh(self) -> Self {
        f32::tanh(self)
    }
    fn powf(self, exponent: Self) -> Self {
        f32::powf(self, exponent)
    }
    fn floor(self) -> Self {
        f32::floor(self)
    }

    fn pack(a: Mat<'_, f32>, earlier: Option<PackedA>) -> PackedA {
        let memory = earlier.map(|p| p.0.into_vec()).unwrap_or_default();
        PackedA(executor().prepack_a_in(Reuse(Cell::new(memory)), view(&a)))
    }

    fn gemm(a: Left<'_, f32>, b: Mat<'_, f32>, c: &mut [f32], add: bool, bias: Option<&[f32]>) {
        let options = GemmOptions {
            beta: if add { 1.0 } else { 0.0 },
            bias: if add { None } else { bias.map(BiasVector::Column) },
            ..GemmOptions::default()
        };
        let left = match &a {
            Left::Plain(m) => GemmInputA::Unpacked(view(m)),
            Left::Packed(p) => GemmInputA::Packed(&p.0),
        };
        executor().gemm(c, left, GemmInputB::Unpacked(view(&b)), options).expect("operands of matching sizes");
    }
}

/// Memory to be given to one matrix.
struct Reuse(Cell<Vec<u32>>);

impl Alloc for Reuse {
    #[allow(unsafe_code)]
    fn alloc<T>(&self, capacity: usize) -> Vec<T> {
        let memory = self.0.take();
        if Layout::new::<T>() != Layout::new::<u32>() || memory.capacity() < capacity {
            return Vec::with_capacity(capacity);
        }
        let mut memory = ManuallyDrop::new(memory);
        // Safety: the elements have the layout of those the memory was allocated for, it is given away once, and none of
        // what is there counts as an element.
        unsafe { Vec::from_raw_parts(memory.as_mut_ptr().cast(), 0, memory.capacity()) }
    }

    fn dealloc<T>(&self, memory: Vec<T>) {
        drop(memory);
    }
}

/// A packed left operand of `f32` products.
pub struct PackedA(PackedAMatrix<f32>);

impl Debug for PackedA {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PackedA")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_product_equals_the_plain_loops() {
        for (m, n, k, add) in [(1, 7, 5, false), (13, 1, 300, true), (64, 49, 700, false), (5, 130, 3, true)] {
            let number = |i: usize| ((i * 7919 % 257) as f32 - 128.0) / 64.0;
            let a: Vec<f32> = (0..m * k).map(number).collect();
            let b: Vec<f32> = (0..n * k).map(|i| number(i + 11)).collect();
            let bias: Vec<f32> = (0..m).map(number).collect();
            let wide = |v: &[f32]| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            let (a64, b64, bias64) = (wide(&a), wide(&b), wide(&bias));
            for transposed in [false, true] {
                let (bm, bm64) = if transposed {
                    (Mat::new(&b, n, k).transposed(), Mat::new(&b64, n, k).transposed())
                } else {
                    (Mat::new(&b, k, n), Mat::new(&b64, k, n))
                };
                let mut c = vec![0.5f32; m * n];
                let mut c64 = vec![0.5f64; m * n];
                let packed = f32::pack(Mat::new(&a, m, k), None);
                f32::gemm(Left::Packed(&packed), bm, &mut c, add, Some(&bias));
                f64::gemm(Left::Plain(Mat::new(&a64, m, k)), bm64, &mut c64, add, Some(&bias64));
                for (x, y) in c.iter().zip(&c64) {
                    assert!((f64::from(*x) - y).abs() < 1e-3 * (1.0 + y.abs()), "{m}x{n}x{k}: {x} {y}");
                }
            }
        }
    }

    #[test]
    fn packing_in_the_memory_of_an_earlier_matrix_changes_nothing() {
        let number = |i: usize| ((i * 7919 % 257) as f32 - 128.0) / 64.0;
        let values: Vec<f32> = (0..130 * 300).map(number).collect();
        let product = |packed: &PackedA, m: usize, k: usize| {
            let mut c = vec![0.0; m * 9];
            f32::gemm(Left::Packed(packed), Mat::new(&values, k, 9), &mut c, false, None);
            c
        };
        let (m, k) = (64, 70);
        let matrix = Mat::new(&values[5..], m, k);
        let fresh = product(&f32::pack(matrix, None), m, k);
        for (rows, columns) in [(3, 4), (m, k), (130, 300)] {
            let earlier = f32::pack(Mat::new(&values, rows, columns), None);
            assert_eq!(product(&f32::pack(matrix, Some(earlier)), m, k), fresh, "after {rows}x{columns}");
        }
        let packed = f32::pack(matrix, None).0.into_vec();
        let memory = packed.as_ptr();
        let again = executor().prepack_a_in(Reuse(Cell::new(packed)), view(&matrix)).into_vec();
        assert_eq!(again.as_ptr(), memory, "the memory is used again");
    }
}
