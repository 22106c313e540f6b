//! Stochastic gradient descent with momentum, Adam, and how their learning rate changes.

use std::f64::consts::PI;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::trainer::Rates;

/// Learning-rate policies: Caffe's, and cosine (Loshchilov and Hutter 2017).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Policy {
    /// The base rate throughout.
    Fixed,
    /// `base * gamma^floor(step / every)`.
    Step {
        /// Factor.
        gamma: f64,
        /// Steps between changes.
        every: usize,
    },
    /// `base * gamma^step`.
    Exp {
        /// Factor.
        gamma: f64,
    },
    /// `base * (1 + gamma * step)^-power`.
    Inv {
        /// Pace.
        gamma: f64,
        /// Exponent.
        power: f64,
    },
    /// `base * gamma^(number of `at` that were passed)`.
    Multistep {
        /// Factor.
        gamma: f64,
        /// Steps at which the rate changes.
        at: Vec<usize>,
    },
    /// `base * (1 - step / steps)^power`.
    Poly {
        /// Exponent.
        power: f64,
    },
    /// `base / (1 + exp(-gamma * (step - middle)))`.
    Sigmoid {
        /// Steepness.
        gamma: f64,
        /// Step of half the base rate.
        middle: usize,
    },
    /// Half a cosine from the base rate to zero, after `warmup` steps of linear rise.
    Cosine {
        /// Steps of rise.
        #[serde(default)]
        warmup: usize,
    },
}

impl Policy {
    /// The learning rate of a step (from 0) out of `steps`.
    pub fn rate(&self, base: f64, step: usize, steps: usize) -> f64 {
        let (at, all) = (step as f64, steps.max(1) as f64);
        match self {
            Self::Fixed => base,
            Self::Step { gamma, every } => base * gamma.powi((step / (*every).max(1)) as i32),
            Self::Exp { gamma } => base * gamma.powf(at),
            Self::Inv { gamma, power } => base * (1.0 + gamma * at).powf(-power),
            Self::Multistep { gamma, at } => base * gamma.powi(at.iter().filter(|&&a| a <= step).count() as i32),
            Self::Poly { power } => base * (1.0 - at / all).max(0.0).powf(*power),
            Self::Sigmoid { gamma, middle } => base / (1.0 + (-gamma * (at - *middle as f64)).exp()),
            Self::Cosine { warmup } if step < *warmup => base * (at + 1.0) / (*warmup as f64 + 1.0),
            Self::Cosine { warmup } => {
                let warmup = *warmup as f64;
                base * 0.5 * (1.0 + (PI * (at - warmup) / (all - warmup).max(1.0)).cos())
            }
        }
    }
}

/// One update of a parameter: `v = momentum * v + rate * (g + decay * w)`, `w -= v`, as Caffe's SGD solver; with
/// Nesterov's momentum `w -= (1 + momentum) * v - momentum * (v before)`, as its solver of that name. `rate` is the
/// parameter's own learning rate. With `hold_zeros`, values that are exactly zero (pruned) stay so. Elements are
/// independent, so threads do not change the result.
pub fn update(w: &mut [f32], v: &mut [f32], g: &[f32], rate: f32, rates: &Rates, hold_zeros: bool) {
    const PIECE: usize = 1 << 14;
    let &Rates { momentum, decay, nesterov, .. } = rates;
    let ahead = if nesterov { momentum } else { 0.0 };
    w.par_chunks_mut(PIECE).zip(v.par_chunks_mut(PIECE)).zip(g.par_chunks(PIECE)).for_each(|((w, v), g)| {
        for ((w, v), g) in w.iter_mut().zip(v).zip(g) {
            let held = hold_zeros && *w == 0.0;
            let step = momentum * *v + rate * (g + decay * *w);
            let moved = step + ahead * (step - *v);
            *v = if held { 0.0 } else { step };
            *w = if held { 0.0 } else { *w - moved };
        }
    });
}

/// Share of the mean squared gradient that is kept from step to step.
const KEPT: f32 = 0.999;

/// What keeps the pace of a parameter without gradients finite.
const LEAST: f32 = 1e-12;

/// One update of a parameter by Adam (Kingma and Ba 2015, algorithm 1), `step` from 1: `v` is the mean of its gradients,
/// `s` that of their squares, and it moves by about `rate` at first, whatever the size of the gradients. With `hold_zeros`
/// as [`update`].
pub fn adapt(
    w: &mut [f32],
    v: &mut [f32],
    s: &mut [f32],
    g: &[f32],
    rate: f32,
    momentum: f32,
    step: i32,
    hold_zeros: bool,
) {
    const PIECE: usize = 1 << 14;
    let (first, second) = (1.0 - momentum.powi(step), 1.0 - KEPT.powi(step));
    let pieces = w.par_chunks_mut(PIECE).zip(v.par_chunks_mut(PIECE)).zip(s.par_chunks_mut(PIECE));
    pieces.zip(g.par_chunks(PIECE)).for_each(|(((w, v), s), g)| {
        for (((w, v), s), &g) in w.iter_mut().zip(v).zip(s).zip(g) {
            if hold_zeros && *w == 0.0 {
                continue;
            }
            *v = momentum * *v + (1.0 - momentum) * g;
            *s = KEPT * *s + (1.0 - KEPT) * g * g;
            let next = *w - rate * (*v / first) / ((*s / second).sqrt() + LEAST);
            // Zero is for pruned weights alone.
            *w = if hold_zeros && next == 0.0 { f32::MIN_POSITIVE } else { next };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_follow_their_formulas() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(Policy::Fixed.rate(0.1, 70, 100), 0.1);
        close(Policy::Step { gamma: 0.5, every: 30 }.rate(0.1, 70, 100), 0.025);
        close(Policy::Exp { gamma: 0.9 }.rate(1.0, 2, 100), 0.81);
        close(Policy::Inv { gamma: 0.1, power: 0.5 }.rate(1.0, 30, 100), 0.5);
        close(Policy::Multistep { gamma: 0.1, at: vec![10, 50, 90] }.rate(1.0, 50, 100), 0.01);
        close(Policy::Poly { power: 2.0 }.rate(1.0, 50, 100), 0.25);
        close(Policy::Sigmoid { gamma: 1.0, middle: 20 }.rate(1.0, 20, 100), 0.5);
        close(Policy::Cosine { warmup: 0 }.rate(1.0, 50, 100), 0.5);
        close(Policy::Cosine { warmup: 9 }.rate(1.0, 0, 100), 0.1);
    }

    #[test]
    fn pruned_weights_stay_zero_and_others_move() {
        let (mut w, mut v) = (vec![0.0, 1.0, -1.0], vec![0.0; 3]);
        for _ in 0..3 {
            let rates = Rates { learn: 0.1, momentum: 0.9, nesterov: false, decay: 0.01, clip: f32::INFINITY };
            update(&mut w, &mut v, &[1.0, 1.0, 1.0], 0.1, &rates, true);
        }
        assert_eq!(w[0], 0.0);
        assert!(w[1] < 1.0 && w[2] < -1.0);
    }

    #[test]
    fn nesterov_weighs_the_gradient_one_step_ahead() {
        let rates = Rates { learn: 0.1, momentum: 0.5, nesterov: true, decay: 0.0, clip: f32::INFINITY };
        let (mut w, mut v) = (vec![1.0], vec![0.0]);
        update(&mut w, &mut v, &[2.0], 0.1, &rates, false);
        // v = 0.2, and w moves by 1.5 v - 0.5 * 0.
        assert!((v[0] - 0.2).abs() < 1e-6 && (w[0] - 0.7).abs() < 1e-6, "{w:?} {v:?}");
        update(&mut w, &mut v, &[2.0], 0.1, &rates, false);
        // v = 0.5 * 0.2 + 0.2 = 0.3, and w moves by 1.5 * 0.3 - 0.5 * 0.2.
        assert!((v[0] - 0.3).abs() < 1e-6 && (w[0] - 0.35).abs() < 1e-6, "{w:?} {v:?}");
    }

    #[test]
    fn adam_moves_by_its_rate_and_finds_the_least() {
        let start = [3.0f32, -0.2, 0.0];
        let (mut w, mut v, mut s) = (start.to_vec(), vec![0.0; 3], vec![0.0; 3]);
        // Gradients of very different sizes.
        let gradient = |w: &[f32]| vec![1e4 * (w[0] - 1.0), 1e-4 * (w[1] - 1.0), 5.0];
        adapt(&mut w, &mut v, &mut s, &gradient(&start), 0.01, 0.9, 1, true);
        assert!((w[0] - 2.99).abs() < 1e-5 && (w[1] + 0.19).abs() < 1e-5 && w[2] == 0.0, "{w:?}");
        for step in 2..2000 {
            let g = gradient(&w);
            adapt(&mut w, &mut v, &mut s, &g, 0.01, 0.9, step, true);
        }
        assert!((w[0] - 1.0).abs() < 0.02 && (w[1] - 1.0).abs() < 0.02 && w[2] == 0.0, "{w:?}");
    }
}
