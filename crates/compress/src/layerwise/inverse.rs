//! The inverse of a symmetric positive definite matrix by halves, so that matrix products do nearly all the work.

use synapress_kernels::real::{Left, Mat, Real};

/// Matrices up to this size are inverted directly, in double precision.
const DIRECT: usize = 48;

/// The inverse of an `n` x `n` matrix `[[a, bᵀ], [b, d]]`, from that of `a` and of what remains of `d`,
/// `s = d - b a⁻¹ bᵀ`. `None` when it is not positive definite.
pub(super) fn inverse(m: &[f32], n: usize) -> Option<Vec<f32>> {
    if n <= DIRECT {
        return direct(m, n);
    }
    let (k, rest) = (n / 2, n - n / 2);
    let a = inverse(&block(m, n, 0, 0, k, k), k)?;
    let b = block(m, n, k, 0, rest, k);
    let mut s = block(m, n, k, k, rest, rest);
    // u = b a⁻¹, (rest, k).
    let u = product(&b, &a, [rest, k, k]);
    let taken = product_transposed(&u, &b, [rest, k, rest]);
    s.iter_mut().zip(&taken).for_each(|(s, t)| *s -= t);
    let s = inverse(&s, rest)?;
    // v = s⁻¹ u, (rest, k).
    let v = product(&s, &u, [rest, rest, k]);
    let mut corner = vec![0.0; k * k];
    f32::gemm(Left::Plain(Mat::new(&u, rest, k).transposed()), Mat::new(&v, rest, k), &mut corner, false, None);
    let mut out = vec![0.0; n * n];
    for r in 0..n {
        for c in 0..n {
            out[r * n + c] = match (r < k, c < k) {
                (true, true) => a[r * k + c] + corner[r * k + c],
                (false, true) => -v[(r - k) * k + c],
                (true, false) => -v[(c - k) * k + r],
                (false, false) => s[(r - k) * rest + c - k],
            };
        }
    }
    Some(out)
}

fn block(m: &[f32], n: usize, row: usize, column: usize, rows: usize, columns: usize) -> Vec<f32> {
    (row..row + rows).flat_map(|r| &m[r * n + column..][..columns]).copied().collect()
}

fn product(a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
    let mut c = vec![0.0; m * n];
    f32::gemm(Left::Plain(Mat::new(a, m, k)), Mat::new(b, k, n), &mut c, false, None);
    c
}

/// `a bᵀ` with `b` of `n` rows.
fn product_transposed(a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
    let mut c = vec![0.0; m * n];
    f32::gemm(Left::Plain(Mat::new(a, m, k)), Mat::new(b, n, k).transposed(), &mut c, false, None);
    c
}

/// Gauss and Jordan's elimination in place; a positive definite matrix needs no pivoting.
fn direct(m: &[f32], n: usize) -> Option<Vec<f32>> {
    let mut a: Vec<f64> = m.iter().map(|&v| f64::from(v)).collect();
    for p in 0..n {
        let pivot = a[p * n + p];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        a[p * n + p] = 1.0;
        a[p * n..][..n].iter_mut().for_each(|v| *v /= pivot);
        let row = a[p * n..][..n].to_vec();
        for r in (0..n).filter(|&r| r != p) {
            let factor = std::mem::replace(&mut a[r * n + p], 0.0);
            a[r * n..][..n].iter_mut().zip(&row).for_each(|(v, p)| *v -= factor * p);
        }
    }
    Some(a.iter().map(|&v| v as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::numbers;

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        for n in [1, 2, 48, 49, 130, 301] {
            let x = numbers(2 * n * n, 4);
            let mut m = product_transposed(&x, &x, [n, 2 * n, n]);
            (0..n).for_each(|i| m[i * n + i] += 1.0);
            let one = product(&m, &inverse(&m, n).unwrap(), [n, n, n]);
            for (i, v) in one.iter().enumerate() {
                let expected = if i / n == i % n { 1.0 } else { 0.0 };
                assert!((v - expected).abs() < 1e-3, "{n}: {v}");
            }
        }
        assert!(inverse(&[1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!(inverse(&[0.0; 100 * 100], 100).is_none());
    }
}
