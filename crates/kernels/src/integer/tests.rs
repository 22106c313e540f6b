//! Every kernel against the plain definition.

use super::*;
use crate::scalar::{round_shift, saturate};

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn codes(&mut self, n: usize, low: i64, high: i64) -> Vec<i16> {
        // Extremes are frequent.
        let mut code = || match self.next() % 4 {
            0 => low,
            1 => high,
            _ => low + (self.next() % (high - low + 1) as u64) as i64,
        };
        (0..n).map(|_| code() as i16).collect()
    }
}

/// Where a machine is known to have certain kernels none of them may go untested: `SYNAPRESS_KERNELS` names them, when the
/// test runs or where there are no variables when it is compiled.
#[test]
fn the_kernels_are_those_of_the_machine() {
    let named = std::env::var("SYNAPRESS_KERNELS").ok();
    let Some(named) = named.as_deref().or(option_env!("SYNAPRESS_KERNELS")) else { return };
    let available: Vec<_> = Kernel::available().into_iter().map(Kernel::name).collect();
    assert_eq!(available.join(", "), named);
}

struct Case {
    outputs: usize,
    taps: usize,
    positions: usize,
    weights: (i64, i64),
    inputs: (i64, i64),
}

fn expected(case: &Case, q: &[i16], matrix: &[i16], bias: &[i64], shift: i32) -> Vec<i16> {
    let mut out = Vec::new();
    for o in 0..case.outputs {
        for n in 0..case.positions {
            let products =
                (0..case.taps).map(|t| i64::from(q[o * case.taps + t]) * i64::from(matrix[t * case.positions + n]));
            let sum = products.sum::<i64>() + bias.get(o).copied().unwrap_or(0);
            out.push(saturate(round_shift(sum, shift), 16, true) as i16);
        }
    }
    out
}

#[test]
fn every_kernel_equals_the_definition() {
    let full = (-32768, 32767);
    let mut numbers = Numbers(5);
    let mut cases = vec![
        Case { outputs: 17, taps: 301, positions: 50, weights: (-32767, 32767), inputs: full },
        Case { outputs: 8, taps: 64, positions: 32, weights: (-128, 127), inputs: (-128, 127) },
        Case { outputs: 3, taps: 1, positions: 1, weights: (-32767, 32767), inputs: full },
        Case { outputs: 40, taps: 4097, positions: 3, weights: (-2, 1), inputs: full },
        Case { outputs: 9, taps: 999, positions: 33, weights: (-512, 511), inputs: (0, 32767) },
    ];
    for _ in 0..40 {
        let [outputs, taps, positions] = [30, 90, 90].map(|n| 1 + (numbers.next() % n) as usize);
        let (w, x) = (1 << (1 + numbers.next() % 14), 1 << (1 + numbers.next() % 15));
        cases.push(Case { outputs, taps, positions, weights: (-w, w - 1), inputs: (-x, x - 1) });
    }
    for case in &cases {
        let q = numbers.codes(case.outputs * case.taps, case.weights.0, case.weights.1);
        let matrix = numbers.codes(case.taps * case.positions, case.inputs.0, case.inputs.1);
        let big = 1i64 << (numbers.next() % 40);
        let bias: Vec<i64> =
            (0..case.outputs).map(|_| (numbers.next() as i64 - (1 << 30)) % big).take(case.outputs).collect();
        let bias = if numbers.next().is_multiple_of(3) { Vec::new() } else { bias };
        for shift in [12, 0, -3, 31, 32, 40, 1] {
            let expected = expected(case, &q, &matrix, &bias, shift);
            let finish = Finish::new(bias.clone(), shift, 16, true);
            for kernel in Kernel::available() {
                let weights =
                    Weights::new(kernel, Layout::Rows, &q, case.outputs, case.taps, case.inputs).expect("pairs fit");
                let mut panels = vec![77; weights.panels_len(case.positions)];
                interleave(kernel, &matrix, case.positions, case.taps, case.positions, &mut panels);
                let mut out = vec![0; expected.len()];
                let positive = none_negative(kernel, &matrix);
                assert_eq!(positive, matrix.iter().all(|&x| x >= 0));
                weights.multiply(&panels, case.positions, positive, &finish, &mut out, case.positions);
                assert!(
                    out == expected,
                    "{} {}x{}x{} >> {shift}",
                    kernel.name(),
                    case.outputs,
                    case.taps,
                    case.positions
                );

                let panels =
                    Weights::new(kernel, Layout::Panels, &q, case.outputs, case.taps, case.inputs).expect("pairs fit");
                let mut column: Vec<i16> = matrix.iter().step_by(case.positions).copied().collect();
                column.push(0);
                let mut out = vec![0; case.outputs];
                panels.multiply_one(&column, positive, &finish, &mut out);
                let first: Vec<i16> = expected.iter().step_by(case.positions).copied().collect();
                assert!(out == first, "{} one position, {}x{}", kernel.name(), case.outputs, case.taps);
            }
        }
    }
}

#[test]
fn what_no_pair_can_hold_is_left_to_others() {
    for kernel in Kernel::available() {
        let make = |q: &[i16], range| Weights::new(kernel, Layout::Rows, q, 1, q.len(), range);
        assert!(make(&[-32768, -32768], (-32768, 32767)).is_none());
        assert_eq!(make(&[-32768, 0], (-32768, 32767)).map(|w| w.runs()), Some(1));
        assert_eq!(make(&[-32768, 0, -32768, 0, 1, 1], (-32768, 32767)).map(|w| w.runs()), Some(2));
    }
}

#[test]
fn parts_make_the_whole() {
    for runs in [vec![i32::MAX; 9], vec![i32::MIN; 32768], vec![5, -7, 65535, -65537, i32::MIN], vec![-1; 1000]] {
        let low = runs.iter().fold(0i32, |a, &b| a.wrapping_add(b));
        let high = runs.iter().map(|&r| r >> DROPPED).sum();
        assert_eq!(whole(low, high), runs.iter().map(|&r| i64::from(r)).sum());
    }
}
