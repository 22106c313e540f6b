//! The matrices of Winograd's minimal filtering for windows of three taps (Lavin and Gray, "Fast Algorithms for
//! Convolutional Neural Networks", 2015, section 4), and their application to both axes of many tiles at once.

use std::marker::PhantomData;

use crate::real::Real;

/// So many tiles are transformed at once, element by element.
pub(super) const RUN: usize = 16;

/// One element of as many tiles.
pub(super) type Run<T> = [T; RUN];

/// A matrix that the compiler knows.
pub(super) trait Matrix<const R: usize, const C: usize> {
    /// Its rows.
    const M: [[f64; C]; R];
}

/// `B` of F(2, 3), transposed: of inputs.
pub(super) struct B2;
/// `G` of F(2, 3): of weights.
pub(super) struct G2;
/// `A` of F(2, 3), transposed: of products.
pub(super) struct A2;
/// `B` of F(4, 3), transposed.
pub(super) struct B4;
/// `G` of F(4, 3).
pub(super) struct G4;
/// `A` of F(4, 3), transposed.
pub(super) struct A4;
/// The adjoint of a matrix.
pub(super) struct Adjoint<M>(PhantomData<M>);

impl Matrix<4, 4> for B2 {
    const M: [[f64; 4]; 4] =
        [[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, 1.0, 0.0, -1.0]];
}

impl Matrix<4, 3> for G2 {
    const M: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
}

impl Matrix<2, 4> for A2 {
    const M: [[f64; 4]; 2] = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, -1.0]];
}

impl Matrix<6, 6> for B4 {
    const M: [[f64; 6]; 6] = [
        [4.0, 0.0, -5.0, 0.0, 1.0, 0.0],
        [0.0, -4.0, -4.0, 1.0, 1.0, 0.0],
        [0.0, 4.0, -4.0, -1.0, 1.0, 0.0],
        [0.0, -2.0, -1.0, 2.0, 1.0, 0.0],
        [0.0, 2.0, -1.0, -2.0, 1.0, 0.0],
        [0.0, 4.0, 0.0, -5.0, 0.0, 1.0],
    ];
}

impl Matrix<6, 3> for G4 {
    const M: [[f64; 3]; 6] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
}

impl Matrix<4, 6> for A4 {
    const M: [[f64; 6]; 4] = [
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, -1.0, 2.0, -2.0, 0.0],
        [0.0, 1.0, 1.0, 4.0, 4.0, 0.0],
        [0.0, 1.0, -1.0, 8.0, -8.0, 1.0],
    ];
}

impl<const R: usize, const C: usize, M: Matrix<R, C>> Matrix<C, R> for Adjoint<M> {
    const M: [[f64; R]; C] = transposed(&M::M);
}

const fn transposed<const R: usize, const C: usize>(m: &[[f64; C]; R]) -> [[f64; R]; C] {
    let mut out = [[0.0; R]; C];
    let mut r = 0;
    while r < R {
        let mut c = 0;
        while c < C {
            out[c][r] = m[r][c];
            c += 1;
        }
        r += 1;
    }
    out
}

/// `m x`. The compiler leaves nothing of zeros and ones.
#[inline(always)]
fn along<T: Real, M: Matrix<R, C>, const R: usize, const C: usize>(x: [&Run<T>; C], out: &mut [Run<T>; R]) {
    for i in 0..RUN {
        for r in 0..R {
            let mut sum: Option<T> = None;
            for c in 0..C {
                if M::M[r][c] != 0.0 {
                    let term = x[c][i] * T::of64(M::M[r][c]);
                    sum = Some(sum.map_or(term, |sum| sum + term));
                }
            }
            out[r][i] = sum.unwrap_or_default();
        }
    }
}

/// What is written while tiles are transformed, and never read before: made once, for it takes as long to clear as to
/// write.
pub(super) struct Room<T, const R: usize, const C: usize> {
    /// Columns of `m x`.
    half: [[Run<T>; R]; C],
    out: [[Run<T>; R]; R],
}

impl<T: Real, const R: usize, const C: usize> Room<T, R, C> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        let zeros = [T::default(); RUN];
        Self { half: [[zeros; R]; C], out: [[zeros; R]; R] }
    }

    /// `m x m'`: along both axes.
    #[inline(always)]
    pub(super) fn both<M: Matrix<R, C>>(&mut self, x: &[[Run<T>; C]; C]) -> &[[Run<T>; R]; R] {
        for c in 0..C {
            along::<T, M, R, C>(std::array::from_fn(|r| &x[r][c]), &mut self.half[c]);
        }
        for r in 0..R {
            along::<T, M, R, C>(std::array::from_fn(|c| &self.half[c][r]), &mut self.out[r]);
        }
        &self.out
    }
}
