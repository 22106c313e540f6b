//! Winograd's products against the definition, and each adjoint against what it is the adjoint of.

use super::*;
use crate::columns::{Window, gather};

struct Case {
    size: [usize; 2],
    pad: [usize; 2],
    pad_end: [usize; 2],
    /// Rows of tiles at a time.
    rows: usize,
}

const CASES: [Case; 7] = [
    Case { size: [8, 8], pad: [1, 1], pad_end: [1, 1], rows: 9 },
    Case { size: [9, 14], pad: [1, 1], pad_end: [1, 1], rows: 1 },
    Case { size: [2, 2], pad: [1, 1], pad_end: [1, 1], rows: 1 },
    Case { size: [1, 1], pad: [1, 1], pad_end: [1, 1], rows: 1 },
    Case { size: [7, 5], pad: [0, 0], pad_end: [0, 0], rows: 1 },
    Case { size: [7, 13], pad: [0, 2], pad_end: [3, 1], rows: 2 },
    Case { size: [3, 3], pad: [5, 4], pad_end: [4, 6], rows: 2 },
];

const IMAGES: usize = 3;

impl Case {
    fn tiles(&self) -> (Tiles, Window) {
        let w = Window { kernel: [3; 2], stride: [1; 2], pad: self.pad, pad_end: self.pad_end, dilation: [1; 2] };
        (Tiles::new(&w, self.size, w.positions(self.size).unwrap()).unwrap(), w)
    }

    fn pieces(&self, t: &Tiles) -> Vec<Range<usize>> {
        (0..t.down()).step_by(self.rows).map(|y| y..(y + self.rows).min(t.down())).collect()
    }
}

fn numbers(n: usize, seed: usize) -> Vec<f64> {
    (0..n).map(|i| ((i + seed) * 7919 % 257) as f64 / 64.0 - 2.0).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs())
}

#[test]
fn outputs_are_those_of_the_definition() {
    for case in &CASES {
        let (t, w) = case.tiles();
        let (len, out) = (case.size[0] * case.size[1], t.output[0] * t.output[1]);
        let images = numbers(IMAGES * len, 3);
        let taps = numbers(9, 100);
        for (bias, rectified) in [(0.75, false), (-0.5, true)] {
            let mut transformed = vec![0.0; t.elements()];
            t.weights(&taps, &mut transformed, 1);
            let mut outputs = vec![9.0; IMAGES * out];
            let mut scratch = vec![7.0; 3];
            for rows in case.pieces(&t) {
                let columns = Tiles::columns(IMAGES * rows.len() * t.across());
                let place = Place { stride: columns + 1, columns };
                let mut matrices = vec![7.0; t.elements() * place.stride];
                let planes = Planes { images: &images[..], len, from: 0, channels: 1 };
                t.inputs(planes, rows.clone(), &mut scratch, &mut matrices, place);
                for (matrix, &w) in matrices.chunks_exact_mut(place.stride).zip(&transformed) {
                    matrix[..columns].iter_mut().for_each(|x| *x *= w);
                }
                let planes = Planes { images: &mut outputs[..], len: out, from: 0, channels: 1 };
                t.outputs(&matrices, place, Some(&[bias]), rectified, rows, &mut scratch, planes);
            }
            for (image, y) in images.chunks_exact(len).zip(outputs.chunks_exact(out)) {
                let mut columns = vec![0.0; 9 * out];
                gather(image, 1, case.size, &w, t.output, &mut columns, out, 0);
                for (p, &y) in y.iter().enumerate() {
                    let sum = bias + (0..9).map(|tap| taps[tap] * columns[tap * out + p]).sum::<f64>();
                    assert!(close(if rectified { sum.max(0.0) } else { sum }, y), "{:?} {p}: {sum} {y}", case.size);
                }
            }
        }
    }
}

#[test]
fn gradients_are_adjoints() {
    for case in &CASES {
        let (t, _) = case.tiles();
        let (len, out) = (case.size[0] * case.size[1], t.output[0] * t.output[1]);
        let mut scratch = Vec::new();
        for rows in case.pieces(&t) {
            let columns = Tiles::columns(IMAGES * rows.len() * t.across());
            let place = Place { stride: columns, columns };
            let n = t.elements() * columns;

            let images = numbers(IMAGES * len, 3);
            let mut matrices = vec![7.0; n];
            let planes = Planes { images: &images[..], len, from: 0, channels: 1 };
            t.inputs(planes, rows.clone(), &mut scratch, &mut matrices, place);
            let other = numbers(n, 11);
            let mut back = vec![0.0; images.len()];
            let planes = Planes { images: &mut back[..], len, from: 0, channels: 1 };
            t.input_gradients(&other, place, rows.clone(), &mut scratch, planes, true);
            if rows == (0..t.down()) {
                let mut written = vec![5.0; images.len()];
                let planes = Planes { images: &mut written[..], len, from: 0, channels: 1 };
                t.input_gradients(&other, place, rows.clone(), &mut scratch, planes, false);
                assert_eq!(written, back, "{:?}", case.size);
            }
            assert!(close(dot(&matrices, &other), dot(&images, &back)), "inputs of {:?}", case.size);

            let mut outputs = vec![0.0; IMAGES * out];
            let planes = Planes { images: &mut outputs[..], len: out, from: 0, channels: 1 };
            t.outputs(&other, place, None, false, rows.clone(), &mut scratch, planes);
            let gradient = numbers(IMAGES * out, 5);
            let mut matrices = vec![7.0; n];
            let planes = Planes { images: &gradient[..], len: out, from: 0, channels: 1 };
            t.output_gradients(planes, rows.clone(), &mut scratch, &mut matrices, place);
            assert!(close(dot(&outputs, &gradient), dot(&other, &matrices)), "outputs of {:?}", case.size);
        }
        let weights = numbers(21 * 9, 1);
        let mut matrices = vec![0.0; t.elements() * 23];
        t.weights(&weights, &mut matrices, 23);
        let other = numbers(matrices.len(), 4);
        let mut back = vec![0.0; weights.len()];
        t.weight_gradients(&other, 23, &mut back);
        assert!(close(dot(&matrices, &other), dot(&weights, &back)), "weights of {:?}", case.size);
    }
}

#[test]
fn other_windows_have_no_tiles() {
    let w = Window { kernel: [3; 2], stride: [1; 2], pad: [1; 2], pad_end: [1; 2], dilation: [1; 2] };
    assert!(Tiles::new(&w, [8, 8], [8, 8]).is_some());
    for w in [
        Window { kernel: [3, 1], ..w },
        Window { kernel: [5, 5], ..w },
        Window { stride: [2, 2], ..w },
        Window { dilation: [2, 2], ..w },
    ] {
        assert_eq!(Tiles::new(&w, [8, 8], w.positions([8, 8]).unwrap()), None);
    }
}
