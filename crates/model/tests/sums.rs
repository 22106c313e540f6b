//! Weighted sums in floating point against plain loops, for one image and for several, with and without a rectifier that
//! joined them.

mod common;

use common::Numbers;
use synapress_kernels::columns::Window;
use synapress_model::layers::{Convolution, InnerProduct};
use synapress_model::linear::Linear;
use synapress_model::pass::{Memo, Scratch};
use synapress_model::{Forward, Layer, Mode, Shape};

/// The sums of one image, one multiplication at a time.
fn plain(g: &Linear, image: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
    let ([height, width], taps) = (g.input.size(), g.taps());
    let (inputs, outputs) = (g.input.channels / g.groups, g.output.channels / g.groups);
    let (w, [rows, across]) = (&g.window, g.window.kernel);
    let mut sums = Vec::new();
    for o in 0..g.output.channels {
        for at in 0..g.output.area() {
            let (y, x) = (at / g.output.width, at % g.output.width);
            let mut sum = bias.get(o).map_or(0.0, |&b| f64::from(b));
            for tap in 0..taps {
                let (c, ky, kx) = (tap / (rows * across), tap / across % rows, tap % across);
                let iy = (y * w.stride[0] + ky * w.dilation[0]).wrapping_sub(w.pad[0]);
                let ix = (x * w.stride[1] + kx * w.dilation[1]).wrapping_sub(w.pad[1]);
                if iy < height && ix < width {
                    let c = o / outputs * inputs + c;
                    sum += f64::from(weights[o * taps + tap]) * f64::from(image[(c * height + iy) * width + ix]);
                }
            }
            sums.push(sum);
        }
    }
    sums
}

fn check(layer: &impl Layer, input: [usize; 3], numbers: &mut Numbers) {
    let shape = Shape::new(input[0], input[1], input[2]).unwrap();
    let g = layer.linear(&[shape]).unwrap();
    let mut some = |n| -> Vec<f32> { numbers.even(n, [-1.0, 1.0]).iter().map(|&x| x as f32).collect() };
    let bias = if layer.weight_shape(&[shape]).unwrap().bias { some(g.output.channels) } else { Vec::new() };
    let weights = some(g.output.channels * g.taps());
    for batch in [1, 3] {
        let images = some(batch * shape.len());
        for rectified in [false, true] {
            let mut output = vec![f32::NAN; batch * g.output.len()];
            let (mut memo, mut scratch) = (Memo::default(), Scratch::default());
            layer.forward(Forward {
                batch,
                inputs: &[&images],
                input_shapes: &[shape],
                output: &mut output,
                output_shape: g.output,
                weights: &weights,
                bias: &bias,
                memo: &mut memo,
                scratch: &mut scratch,
                mode: Mode::Infer,
                rectified,
                scaled: None,
            });
            let wanted = images.chunks_exact(shape.len()).flat_map(|image| plain(&g, image, &weights, &bias));
            for (found, sum) in output.iter().zip(wanted) {
                let wanted = if rectified { sum.max(0.0) } else { sum };
                let near = (f64::from(*found) - wanted).abs() < 1e-4 * (1.0 + sum.abs());
                assert!(near, "{layer:?} {input:?}, {batch} images, {rectified}: {found}, not {wanted}");
            }
        }
    }
}

#[test]
fn sums_equal_plain_loops() {
    let window = |kernel, stride, pad, dilation| Window { kernel, stride, pad, pad_end: pad, dilation };
    let three = Convolution::square(6, 3, 1, 1);
    let mut numbers = Numbers(3);
    // Maps of many positions are shared out to lanes, those of few are not.
    for size in [[4, 5, 6], [4, 33, 29], [2, 80, 61]] {
        for layer in [
            three,
            Convolution::square(5, 1, 1, 0),
            Convolution { groups: 2, bias: false, ..three },
            Convolution { groups: 2, ..Convolution::square(4, 1, 1, 0) },
            Convolution { window: window([3, 2], [1, 2], [2, 1], [1, 3]), ..three },
            Convolution::square(3, 5, 2, 2),
        ] {
            check(&layer, size, &mut numbers);
        }
    }
    check(&InnerProduct { outputs: 7, bias: true }, [3, 4, 2], &mut numbers);
    check(&InnerProduct { outputs: 70, bias: false }, [19, 1, 1], &mut numbers);
}
