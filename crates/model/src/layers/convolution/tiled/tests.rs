//! Tiles against columns, in double precision.

use super::*;
use crate::layers::Convolution;
use crate::pass::{Float, InputGradient, Memo, Mode, Scratch};
use crate::shape::Shape;

fn numbers(n: usize, seed: usize) -> Vec<f64> {
    (0..n).map(|i| ((i + seed) * 7919 % 257) as f64 / 128.0 - 1.0).collect()
}

/// Outputs, and gradients of inputs, weights and bias, of `batch` images at a time.
fn passes(layer: &Convolution, input: Shape, batch: usize, images: &[f64], rectified: bool) -> [Vec<f64>; 4] {
    let g = layer.geometry(&[input]).unwrap();
    let weights = numbers(g.output.channels * g.taps(), 5);
    let bias = numbers(g.output.channels, 9);
    let count = images.len() / input.len();
    let mut out = vec![7.0; count * g.output.len()];
    let mut dx = numbers(images.len(), 21);
    let (mut dw, mut db) = (numbers(weights.len(), 31), numbers(bias.len(), 41));
    let (mut memo, mut scratch) = (Memo::default(), Scratch::default());
    let work = images.chunks(batch * input.len()).zip(out.chunks_mut(batch * g.output.len()));
    for ((images, out), dx) in work.zip(dx.chunks_mut(batch * input.len())) {
        let n = images.len() / input.len();
        layer.forward(Forward {
            batch: n,
            inputs: &[images],
            input_shapes: &[input],
            output: out,
            output_shape: g.output,
            weights: &weights,
            bias: &bias,
            memo: &mut memo,
            scratch: &mut scratch,
            mode: Mode::Infer,
            rectified,
            scaled: None,
        });
        let gradient: Vec<f64> = out.iter().map(|y| y.sin()).collect();
        layer.backward(Backward {
            batch: n,
            inputs: &[images],
            input_shapes: &[input],
            output: out,
            output_shape: g.output,
            output_gradient: &gradient,
            input_gradients: &mut [Some(InputGradient { data: dx, add: rectified })],
            weights: &weights,
            weight_gradient: &mut dw,
            bias_gradient: &mut db,
            memo: &mut memo,
            scratch: &mut scratch,
            scaled: None,
        });
    }
    [out, dx, dw, db]
}

#[test]
fn tiles_give_what_columns_give() {
    let plain = Convolution::square(16, 3, 1, 1);
    for (layer, shape, n) in [
        (plain, [17, 9, 14], 7),
        (plain, [16, 2, 2], 34),
        (Convolution { groups: 2, outputs: 34, ..plain }, [32, 6, 5], 9),
        (Convolution { outputs: 70, ..plain }, [90, 4, 4], 33),
        // Several pieces of an image.
        (Convolution { outputs: 64, ..plain }, [64, 47, 45], 2),
    ] {
        let input = Shape::new(shape[0], shape[1], shape[2]).unwrap();
        let images = numbers(n * input.len(), 1);
        for rectified in [false, true] {
            assert!(Tiling::new(&layer.geometry(&[input]).unwrap(), n).is_some());
            assert!(Tiling::new(&layer.geometry(&[input]).unwrap(), 1).is_none());
            let tiled = passes(&layer, input, n, &images, rectified);
            let plain = passes(&layer, input, 1, &images, rectified);
            for (tiled, plain) in tiled.iter().zip(&plain) {
                let largest = plain.iter().fold(0.0f64, |l, x| l.max(x.abs()));
                let apart = tiled.iter().zip(plain).fold(0.0f64, |l, (x, y)| l.max((x - y).abs()));
                assert!(apart < 1e-9 * largest, "{shape:?}: {apart} of {largest}");
            }
        }
    }
}
