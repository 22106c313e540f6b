//! The triangular factor of the normal equations, and the sweep over it: weights of a row are replaced one after
//! another by values that are allowed, and those still to come make up for the error of those before.
//!
//! With `H = M Mᵀ`, `M` upper triangular, the error of weights that differ from the optimum by `d` is
//! `Σ_j (Σ_{k<=j} M_kj d_k)²`: the j-th term depends on the weights up to j alone, so that each can be settled in its
//! turn at a cost that is exactly what it adds. This is the sweep of Frantar and Alistarh (GPTQ 2023) in the form of
//! Babai's nearest plane, without the inverse.

use rayon::prelude::*;
use synapress_kernels::real::{Left, Mat, Real};

use super::normal::Normal;

/// Columns that are factored, or swept, at a time.
const BLOCK: usize = 64;

/// `H` with damping, its columns in descending order of their diagonal, as `M Mᵀ`.
#[derive(Debug)]
pub(crate) struct Factor {
    /// The column of each place.
    order: Vec<usize>,
    /// `(taps, taps)`, upper triangular.
    m: Vec<f32>,
}

/// What one weight is to become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// The weight's row (output).
    pub row: usize,
    /// Its column (tap).
    pub tap: usize,
    /// The value that adds no error, those settled before being what they are.
    pub best: f32,
    /// The error of any other value is its squared distance times this.
    pub curvature: f32,
}

/// Replaces a symmetric positive definite matrix by the upper triangular `m` with `h = m mᵀ`. `None` when it is not
/// positive definite.
fn reverse_cholesky(h: &mut [f32], n: usize) -> Option<()> {
    let mut end = n;
    while end > 0 {
        let start = (end - 1) / BLOCK * BLOCK;
        let size = end - start;
        let mut d: Vec<f64> =
            (0..size * size).map(|i| f64::from(h[(start + i / size) * n + start + i % size])).collect();
        small(&mut d, size)?;
        let inverse = inverted(&d, size);
        // What lies above the block: b = x mᵀ.
        if start > 0 {
            let above = Mat { data: &h[start..], rows: start, columns: size, row_stride: n, column_stride: 1 };
            let mut x = vec![0.0; start * size];
            f32::gemm(Left::Plain(above), Mat::new(&inverse, size, size).transposed(), &mut x, false, None);
            let mut taken = vec![0.0; start * start];
            let xm = Mat::new(&x, start, size);
            f32::gemm(Left::Plain(xm), xm.transposed(), &mut taken, false, None);
            h[..start * n].par_chunks_mut(n).zip(taken.par_chunks(start)).zip(x.par_chunks(size)).for_each(
                |((row, taken), x)| {
                    row[..start].iter_mut().zip(taken).for_each(|(h, t)| *h -= t);
                    row[start..end].copy_from_slice(x);
                },
            );
        }
        for r in 0..size {
            let row = &mut h[(start + r) * n..][..n];
            row[..start].fill(0.0);
            row[start..end].iter_mut().zip(&d[r * size..]).for_each(|(h, &d)| *h = d as f32);
        }
        end = start;
    }
    Some(())
}

/// [`reverse_cholesky`] of a small matrix.
fn small(d: &mut [f64], n: usize) -> Option<()> {
    for j in (0..n).rev() {
        for i in (0..=j).rev() {
            let taken: f64 = (j + 1..n).map(|k| d[i * n + k] * d[j * n + k]).sum();
            let left = d[i * n + j] - taken;
            if i == j {
                if !(left > 0.0 && left.is_finite()) {
                    return None;
                }
                d[j * n + j] = left.sqrt();
            } else {
                d[i * n + j] = left / d[j * n + j];
            }
        }
        (0..j).for_each(|i| d[j * n + i] = 0.0);
    }
    Some(())
}

/// The inverse of an upper triangular matrix.
fn inverted(m: &[f64], n: usize) -> Vec<f32> {
    let mut inverse = vec![0.0f64; n * n];
    for column in 0..n {
        for i in (0..=column).rev() {
            let rest: f64 = (i + 1..=column).map(|k| m[i * n + k] * inverse[k * n + column]).sum();
            let unit = if i == column { 1.0 } else { 0.0 };
            inverse[i * n + column] = (unit - rest) / m[i * n + i];
        }
    }
    inverse.into_iter().map(|x| x as f32).collect()
}

impl Factor {
    /// Of normal equations; `None` when these are not positive definite, which damping prevents but for rounding.
    pub fn new(normal: &Normal) -> Option<Self> {
        let n = normal.taps;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| normal.curvature(b).total_cmp(&normal.curvature(a)).then(a.cmp(&b)));
        let mut m = vec![0.0; n * n];
        m.par_chunks_mut(n).zip(&order).for_each(|(to, &i)| {
            let from = normal.row(i);
            to.iter_mut().zip(&order).for_each(|(to, &j)| *to = from[j] + if i == j { normal.damping } else { 0.0 });
        });
        reverse_cholesky(&mut m, n)?;
        Some(Self { order, m })
    }

    /// The mean of the logarithm of what an error of one is worth, over columns.
    pub fn mean_log_curvature(&self) -> f64 {
        let n = self.order.len();
        (0..n).map(|j| 2.0 * f64::from(self.m[j * n + j]).ln()).sum::<f64>() / n as f64
    }

    /// Settles every weight of rows `(outputs, taps)` whose optimum is `optimum` as `choose` says.
    pub fn sweep(&self, optimum: &[f32], choose: impl Fn(Choice) -> f32 + Sync) -> Vec<f32> {
        let n = self.order.len();
        let rows = optimum.len() / n;
        let mut values = vec![0.0; optimum.len()];
        let mut d = vec![0.0; optimum.len()];
        for start in (0..n).step_by(BLOCK) {
            let size = BLOCK.min(n - start);
            let mut base = vec![0.0; rows * size];
            if start > 0 {
                let before = Mat { data: &d, rows, columns: start, row_stride: n, column_stride: 1 };
                let m = Mat { data: &self.m[start..], rows: start, columns: size, row_stride: n, column_stride: 1 };
                f32::gemm(Left::Plain(before), m, &mut base, false, None);
            }
            // Columns of the block as rows.
            let mut own = vec![0.0; size * size];
            for k in 0..size {
                (k..size).for_each(|j| own[j * size + k] = self.m[(start + k) * n + start + j]);
            }
            let each = values.par_chunks_mut(n).zip(d.par_chunks_mut(n)).zip(base.par_chunks(size)).enumerate();
            each.for_each(|(row, ((values, d), base))| {
                let optimum = &optimum[row * n..][..n];
                for j in 0..size {
                    let column = &own[j * size..][..j + 1];
                    let settled: f32 = column[..j].iter().zip(&d[start..]).map(|(m, d)| m * d).sum();
                    let tap = self.order[start + j];
                    let best = optimum[tap] - (base[j] + settled) / column[j];
                    values[tap] = choose(Choice { row, tap, best, curvature: column[j] * column[j] });
                    d[start + j] = values[tap] - optimum[tap];
                }
            });
        }
        values
    }
}

/// Changes one weight after another of rows `(outputs, taps)` to what `choose` says is best while all others stay, in
/// so many passes or until none changes.
pub(crate) fn descend(
    normal: &Normal,
    optimum: &[f32],
    values: &mut [f32],
    passes: usize,
    choose: impl Fn(Choice) -> f32 + Sync,
) {
    let n = normal.taps;
    let d: Vec<f32> = values.iter().zip(optimum).map(|(v, o)| v - o).collect();
    let mut slope = normal.times_h(&d, true);
    values.par_chunks_mut(n).zip(slope.par_chunks_mut(n)).enumerate().for_each(|(row, (values, slope))| {
        for _ in 0..passes {
            let mut changed = false;
            for tap in 0..n {
                let curvature = normal.curvature(tap);
                let best = values[tap] - slope[tap] / curvature;
                let value = choose(Choice { row, tap, best, curvature });
                let step = value - values[tap];
                if step != 0.0 {
                    slope.iter_mut().zip(normal.row(tap)).for_each(|(s, h)| *s += step * h);
                    slope[tap] += step * normal.damping;
                    values[tap] = value;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layerwise::normal::Kept;
    use crate::prune::tests::numbers;

    fn problem(taps: usize, outputs: usize) -> (Normal, Vec<f32>) {
        let samples = 2 * taps + 40;
        let base = numbers(samples * taps, 1);
        // Neighbouring inputs are alike, as in images.
        let x = (0..base.len()).map(|i| base[i] + 0.8 * base[i.saturating_sub(1)] + (i % 5) as f32 * 0.1).collect();
        let normal = Normal::new(x, taps, numbers(samples * outputs, 2), outputs, true, 0.01, Kept::Primal).unwrap();
        let anchor = vec![0.0; outputs * taps];
        let mut optimum = anchor.clone();
        normal.solve(&mut optimum, &vec![true; outputs * taps], &anchor, 200);
        (normal, optimum)
    }

    #[test]
    fn the_factor_times_its_transpose_is_the_matrix() {
        for n in [1, 5, 64, 65, 150] {
            let (normal, _) = problem(n, 1);
            let f = Factor::new(&normal).unwrap();
            for (i, &a) in f.order.iter().enumerate() {
                for (j, &b) in f.order.iter().enumerate() {
                    let found: f64 = (0..n).map(|k| f64::from(f.m[i * n + k]) * f64::from(f.m[j * n + k])).sum();
                    let wanted = f64::from(normal.row(a)[b]) + if a == b { f64::from(normal.damping) } else { 0.0 };
                    assert!((found - wanted).abs() < 1e-3 * (1.0 + wanted.abs()), "{n} {i} {j}: {found} {wanted}");
                    assert!(j >= i || f.m[i * n + j] == 0.0);
                }
            }
        }
    }

    #[test]
    fn a_sweep_that_may_choose_freely_ends_at_the_optimum() {
        let (normal, optimum) = problem(130, 3);
        let swept = Factor::new(&normal).unwrap().sweep(&optimum, |c| c.best);
        assert!(swept.iter().zip(&optimum).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn a_sweep_beats_rounding_and_descent_beats_the_sweep() {
        let (normal, optimum) = problem(130, 6);
        let step = 0.05f32;
        let round = |x: f32| (x / step).round() * step;
        let factor = Factor::new(&normal).unwrap();
        let plain: Vec<f32> = optimum.iter().map(|&w| round(w)).collect();
        let mut swept = factor.sweep(&optimum, |c| round(c.best));
        let [before, after] = [normal.error(&plain), normal.error(&swept)].map(|e| e - normal.error(&optimum));
        assert!(after < 0.7 * before, "{after} {before}");
        descend(&normal, &optimum, &mut swept, 20, |c| round(c.best));
        let last = normal.error(&swept) - normal.error(&optimum);
        assert!(last <= after, "{last} {after}");
        assert!(swept.iter().all(|&w| (w / step - (w / step).round()).abs() < 1e-4));
    }

    #[test]
    fn what_a_choice_adds_is_what_it_is_said_to() {
        let (normal, optimum) = problem(70, 1);
        let added = std::sync::Mutex::new(0.0);
        let values = Factor::new(&normal).unwrap().sweep(&optimum, |c| {
            let value = (c.best * 8.0).round() / 8.0;
            *added.lock().unwrap() += f64::from(c.curvature) * f64::from(value - c.best).powi(2);
            value
        });
        let d: Vec<f32> = values.iter().zip(&optimum).map(|(v, o)| v - o).collect();
        let hd = normal.times_h(&d, true);
        let true_cost: f64 = d.iter().zip(&hd).map(|(&d, &h)| f64::from(d) * f64::from(h)).sum();
        let added = *added.lock().unwrap();
        assert!((added - true_cost).abs() < 1e-3 * true_cost, "{added} {true_cost}");
    }
}
