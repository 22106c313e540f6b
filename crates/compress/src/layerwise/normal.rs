//! Least squares for all rows of a layer at once: normal equations of centred samples, and conjugate gradients that
//! leave pruned weights at zero.

use rayon::prelude::*;
use synapress_kernels::real::{Left, Mat, Real};

use super::inverse::inverse;

/// The normal equations of one group of a layer.
///
/// With patches `X` and wanted outputs `Y`, both less their means where there is a bias to take them up, the error of
/// weights `W` is `|X Wᵀ - Y|²`; only `H = Xᵀ X` and `G = Yᵀ X` are needed for it.
#[derive(Debug)]
pub(crate) struct Normal {
    pub taps: usize,
    /// `H` without damping.
    gram: Gram,
    /// Its diagonal.
    diagonal: Vec<f32>,
    /// `(outputs, taps)`.
    g: Vec<f32>,
    /// What is added to the diagonal.
    pub damping: f32,
    /// Squared length of each wanted output.
    squares: Vec<f64>,
    input_mean: Vec<f64>,
    output_mean: Vec<f64>,
}

/// Where `H` comes from.
#[derive(Debug)]
enum Gram {
    /// `(taps, taps)`.
    Primal(Vec<f32>),
    /// The centred patches `(samples, taps)`: with far more taps than samples these are smaller, and products with `H`
    /// are two products with them (the dual form).
    Dual(Vec<f32>),
}

/// Column means of a row-major matrix; rows are summed in a fixed order.
pub(crate) fn means(data: &[f32], columns: usize) -> Vec<f64> {
    const ROWS: usize = 1024;
    let partial: Vec<Vec<f64>> = data
        .par_chunks(ROWS * columns)
        .map(|rows| {
            let mut sum = vec![0.0; columns];
            rows.chunks(columns).for_each(|row| sum.iter_mut().zip(row).for_each(|(s, &v)| *s += f64::from(v)));
            sum
        })
        .collect();
    let mut sum = vec![0.0; columns];
    partial.iter().for_each(|p| sum.iter_mut().zip(p).for_each(|(s, v)| *s += v));
    let count = (data.len() / columns).max(1) as f64;
    sum.iter().map(|s| s / count).collect()
}

fn centre(data: &mut [f32], mean: &[f64]) {
    data.par_chunks_mut(mean.len()).for_each(|row| row.iter_mut().zip(mean).for_each(|(v, &m)| *v -= m as f32));
}

/// What is kept of normal equations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The matrix itself.
    Primal,
    /// The samples, for layers with far more inputs than there are samples.
    Dual,
}

impl Normal {
    /// From patches `(samples, taps)` and wanted outputs `(samples, outputs)`. `damping` is relative to the mean of
    /// the diagonal of `H`. `None` when the inputs do not vary at all.
    pub fn new(
        mut x: Vec<f32>,
        taps: usize,
        mut y: Vec<f32>,
        outputs: usize,
        bias: bool,
        damping: f64,
        kept: Kept,
    ) -> Option<Self> {
        let (mut input_mean, mut output_mean) = (vec![0.0; taps], vec![0.0; outputs]);
        if bias {
            (input_mean, output_mean) = (means(&x, taps), means(&y, outputs));
            centre(&mut x, &input_mean);
            centre(&mut y, &output_mean);
        }
        let samples = x.len() / taps;
        let (xm, ym) = (Mat::new(&x, samples, taps), Mat::new(&y, samples, outputs));
        let mut h = Vec::new();
        let diagonal: Vec<f32> = match kept {
            Kept::Primal => {
                h = vec![0.0; taps * taps];
                f32::gemm(Left::Plain(xm.transposed()), xm, &mut h, false, None);
                (0..taps).map(|j| h[j * taps + j]).collect()
            }
            Kept::Dual => {
                let squares = means(&x.iter().map(|v| v * v).collect::<Vec<_>>(), taps);
                squares.iter().map(|s| (s * samples as f64) as f32).collect()
            }
        };
        let mut g = vec![0.0; outputs * taps];
        f32::gemm(Left::Plain(ym.transposed()), xm, &mut g, false, None);
        let squares = means(&y.iter().map(|v| v * v).collect::<Vec<_>>(), outputs);
        let squares = squares.iter().map(|s| s * samples as f64).collect();
        let mean = diagonal.iter().map(|&d| f64::from(d)).sum::<f64>() / taps as f64;
        let damping = (mean * damping) as f32;
        (damping > 0.0 && damping.is_finite()).then_some(Self {
            taps,
            gram: if kept == Kept::Primal { Gram::Primal(h) } else { Gram::Dual(x) },
            diagonal,
            g,
            damping,
            squares,
            input_mean,
            output_mean,
        })
    }

    /// The squared error of weights `(outputs, taps)` over all samples, relative to that of constant outputs.
    pub fn error(&self, weights: &[f32]) -> f64 {
        let product = self.times_h(weights, false);
        let rows = weights.chunks(self.taps).zip(product.chunks(self.taps)).zip(self.g.chunks(self.taps));
        let error: f64 = rows
            .zip(&self.squares)
            .map(|(((w, hw), g), square)| {
                let change: f64 =
                    w.iter().zip(hw).zip(g).map(|((&w, &hw), &g)| wide(w) * (wide(hw) - 2.0 * wide(g))).sum();
                (square + change).max(0.0)
            })
            .sum();
        error / self.power()
    }

    /// The bias that makes the mean output right.
    pub fn bias(&self, weights: &[f32]) -> Vec<f32> {
        let mean = |row: &[f32]| row.iter().zip(&self.input_mean).map(|(&w, m)| wide(w) * m).sum::<f64>();
        weights.chunks(self.taps).zip(&self.output_mean).map(|(row, y)| (y - mean(row)) as f32).collect()
    }

    /// A row, or column, of `H` without damping.
    ///
    /// # Panics
    /// In the dual form, which has none.
    pub fn row(&self, tap: usize) -> &[f32] {
        match &self.gram {
            Gram::Primal(h) => &h[tap * self.taps..][..self.taps],
            Gram::Dual(_) => panic!("the dual form has no rows"),
        }
    }

    /// The diagonal of the damped `H`: what an error of one in a weight costs while all others stay.
    pub fn curvature(&self, tap: usize) -> f32 {
        self.diagonal[tap] + self.damping
    }

    /// The squared error of constant outputs: what [`Normal::error`] is relative to.
    pub fn power(&self) -> f64 {
        self.squares.iter().sum::<f64>().max(f64::MIN_POSITIVE)
    }

    /// `(outputs, taps)` times `H`, damped or not.
    pub fn times_h(&self, rows: &[f32], damped: bool) -> Vec<f32> {
        let mut product = vec![0.0; rows.len()];
        let rows_of = rows.len() / self.taps;
        let left = Left::Plain(Mat::new(rows, rows_of, self.taps));
        match &self.gram {
            Gram::Primal(h) => f32::gemm(left, Mat::new(h, self.taps, self.taps), &mut product, false, None),
            Gram::Dual(x) => {
                let x = Mat::new(x, x.len() / self.taps, self.taps);
                let mut outputs = vec![0.0; rows_of * x.rows];
                f32::gemm(left, x.transposed(), &mut outputs, false, None);
                f32::gemm(Left::Plain(Mat::new(&outputs, rows_of, x.rows)), x, &mut product, false, None);
            }
        }
        if damped {
            product.par_iter_mut().zip(rows).for_each(|(p, r)| *p += self.damping * r);
        }
        product
    }

    /// Improves the weights that `mask` lets live, starting from `weights`, by conjugate gradients with the diagonal
    /// as preconditioner. Damping draws towards `anchor` instead of zero: what the samples do not tell stays as it is.
    pub fn solve(&self, weights: &mut [f32], mask: &[bool], anchor: &[f32], iterations: usize) {
        let taps = self.taps;
        let inverse: Vec<f32> = (0..taps).map(|j| 1.0 / self.curvature(j)).collect();
        keep(weights, mask);
        let mut residual = self.times_h(weights, true);
        residual.par_iter_mut().zip(&self.g).zip(anchor).for_each(|((r, g), a)| *r = g + self.damping * a - *r);
        keep(&mut residual, mask);
        let scale: Vec<f64> = self.g.par_chunks(taps).map(|g| dot(g, g, &inverse)).collect();
        let mut direction = residual.clone();
        direction.par_chunks_mut(taps).for_each(|row| row.iter_mut().zip(&inverse).for_each(|(d, i)| *d *= i));
        let mut rho: Vec<f64> = residual.par_chunks(taps).map(|r| dot(r, r, &inverse)).collect();
        for _ in 0..iterations {
            // Four digits of the weights, by length.
            if rho.iter().zip(&scale).all(|(r, s)| *r <= 1e-8 * s) {
                break;
            }
            let product = self.times_h(&direction, true);
            let rows =
                weights.par_chunks_mut(taps).zip(residual.par_chunks_mut(taps)).zip(direction.par_chunks_mut(taps));
            rows.zip(rho.par_iter_mut()).enumerate().for_each(|(o, (((w, r), d), rho))| {
                let (mask, product) = (&mask[o * taps..][..taps], &product[o * taps..][..taps]);
                let curvature: f64 = d.iter().zip(product).map(|(&d, &p)| wide(d) * wide(p)).sum();
                if curvature <= 0.0 || *rho <= 0.0 {
                    return;
                }
                let step = (*rho / curvature) as f32;
                for j in 0..taps {
                    w[j] += step * d[j];
                    r[j] = if mask[j] { r[j] - step * product[j] } else { 0.0 };
                }
                let next = dot(r, r, &inverse);
                let turn = (next / *rho) as f32;
                *rho = next;
                for j in 0..taps {
                    d[j] = r[j] * inverse[j] + turn * d[j];
                }
            });
        }
    }

    /// The diagonal of the inverse of the damped `H`; `None` when it is not positive definite, which damping prevents
    /// but for rounding.
    pub fn inverse_diagonal(&self) -> Option<Vec<f64>> {
        let diagonal: Vec<f64> = match &self.gram {
            Gram::Primal(h) => {
                let mut damped = h.clone();
                (0..self.taps).for_each(|j| damped[j * self.taps + j] += self.damping);
                let inverse = inverse(&damped, self.taps)?;
                (0..self.taps).map(|j| wide(inverse[j * self.taps + j])).collect()
            }
            // Woodbury: (1 - xⱼᵀ (X Xᵀ + damping)⁻¹ xⱼ) / damping.
            Gram::Dual(x) => {
                let xm = Mat::new(x, x.len() / self.taps, self.taps);
                let n = xm.rows;
                let mut k = vec![0.0; n * n];
                f32::gemm(Left::Plain(xm), xm.transposed(), &mut k, false, None);
                (0..n).for_each(|i| k[i * n + i] += self.damping);
                let k = inverse(&k, n)?;
                let mut solved = vec![0.0; x.len()];
                f32::gemm(Left::Plain(Mat::new(&k, n, n)), xm, &mut solved, false, None);
                let mut taken = vec![0.0f64; self.taps];
                for (x, z) in x.chunks_exact(self.taps).zip(solved.chunks_exact(self.taps)) {
                    taken.iter_mut().zip(x).zip(z).for_each(|((t, &x), &z)| *t += wide(x) * wide(z));
                }
                taken.iter().map(|t| (1.0 - t) / wide(self.damping)).collect()
            }
        };
        diagonal.iter().all(|&d| d > 0.0 && d.is_finite()).then_some(diagonal)
    }
}

fn wide(x: f32) -> f64 {
    f64::from(x)
}

/// The sum of `a b w`.
fn dot(a: &[f32], b: &[f32], w: &[f32]) -> f64 {
    a.iter().zip(b).zip(w).map(|((&a, &b), &w)| wide(a) * wide(b) * wide(w)).sum()
}

fn keep(values: &mut [f32], mask: &[bool]) {
    values.par_iter_mut().zip(mask).for_each(|(v, &m)| {
        if !m {
            *v = 0.0;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::numbers;

    fn problem(samples: usize, taps: usize, outputs: usize) -> (Vec<f32>, Vec<f32>) {
        let x: Vec<f32> =
            numbers(samples * taps, 1).iter().enumerate().map(|(i, v)| v + (i % taps) as f32 * 0.1).collect();
        (x, numbers(samples * outputs, 2))
    }

    #[test]
    fn without_pruning_the_solution_solves_the_normal_equations() {
        let (x, y) = problem(300, 12, 4);
        let n = Normal::new(x, 12, y, 4, true, 1e-6, Kept::Primal).unwrap();
        let mut w = vec![0.0; 48];
        n.solve(&mut w, &[true; 48], &[0.0; 48], 100);
        let hw = n.times_h(&w, true);
        assert!(hw.iter().zip(&n.g).all(|(a, b)| (a - b).abs() < 1e-2), "{hw:?} {:?}", n.g);
        assert!(n.error(&w) < n.error(&[0.0; 48]) && (n.error(&[0.0; 48]) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn pruned_weights_stay_zero_and_no_change_of_a_survivor_helps() {
        let (x, y) = problem(200, 10, 3);
        let n = Normal::new(x, 10, y, 3, true, 1e-6, Kept::Primal).unwrap();
        let mask: Vec<bool> = (0..30).map(|i| i % 3 != 0).collect();
        let mut w = vec![0.5; 30];
        n.solve(&mut w, &mask, &[0.0; 30], 100);
        let least = n.error(&w);
        for i in 0..30 {
            assert_eq!(w[i] == 0.0, !mask[i]);
            for step in [-0.01, 0.01] {
                let mut other = w.clone();
                other[i] += step;
                assert!(!mask[i] || n.error(&other) > least);
            }
        }
    }

    #[test]
    fn the_inverse_diagonal_is_that_of_a_small_matrix() {
        let x = vec![1.0, 0.0, 1.0, 1.0];
        // H = [[2, 1], [1, 1]], inverse [[1, -1], [-1, 2]].
        let n = Normal::new(x, 2, vec![0.0, 0.0], 1, false, 1e-9, Kept::Primal).unwrap();
        let d = n.inverse_diagonal().unwrap();
        assert!((d[0] - 1.0).abs() < 1e-6 && (d[1] - 2.0).abs() < 1e-6, "{d:?}");
        assert!(Normal::new(vec![3.0; 8], 2, vec![1.0; 4], 1, true, 0.01, Kept::Primal).is_none());
    }

    #[test]
    fn the_dual_form_is_the_same_problem() {
        let (x, y) = problem(9, 40, 3);
        let [primal, dual] =
            [Kept::Primal, Kept::Dual].map(|kept| Normal::new(x.clone(), 40, y.clone(), 3, true, 0.05, kept).unwrap());
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3 * (1.0 + a.abs()));
        let rows = numbers(120, 8);
        assert!(near(&primal.times_h(&rows, true), &dual.times_h(&rows, true)));
        assert!((primal.error(&rows) - dual.error(&rows)).abs() < 1e-3 * primal.error(&rows));
        let diagonals = [&primal, &dual].map(|n| n.inverse_diagonal().unwrap());
        let same = diagonals[0].iter().zip(&diagonals[1]).all(|(a, b)| (a - b).abs() < 1e-2 * a.abs());
        assert!(same, "{diagonals:?}");
        let mask: Vec<bool> = (0..120).map(|i| i % 3 != 0).collect();
        let solved = [&primal, &dual].map(|n| {
            let mut weights = vec![0.0; 120];
            n.solve(&mut weights, &mask, &rows, 200);
            weights
        });
        let errors = solved.map(|weights| primal.error(&weights));
        assert!((errors[0] - errors[1]).abs() < 0.02 * errors[0] + 1e-4, "{errors:?}");
    }
}
