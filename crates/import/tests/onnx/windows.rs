//! Convolution and pooling against plain loops over the standard's definitions.

use crate::build::{Build, attribute, close, int, ints, numbers, text};
use synapress_import::onnx::proto::{Attribute, Value};

/// A window; pads are top, left, bottom, right.
#[derive(Clone, Copy)]
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    pads: [usize; 4],
    up: bool,
}

impl Window {
    const fn new(kernel: [usize; 2], stride: [usize; 2], pads: [usize; 4]) -> Self {
        Self { kernel, stride, dilation: [1, 1], pads, up: false }
    }

    /// Positions along an axis, by the formula of the standard; rounded up, a last window that would begin behind the
    /// image and the padding before it is left out.
    fn positions(&self, axis: usize, size: usize) -> usize {
        let extent = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
        let room = size + self.pads[axis] + self.pads[axis + 2] - extent;
        let steps = if self.up { room.div_ceil(self.stride[axis]) } else { room / self.stride[axis] };
        if self.up && steps * self.stride[axis] >= size + self.pads[axis] { steps } else { steps + 1 }
    }

    /// For each window of an image its taps: which, and the pixel or `None` in padding, `padded` or beyond it.
    fn each(&self, [height, width]: [usize; 2], mut f: impl FnMut(&[(usize, Option<usize>, bool)])) {
        for y in 0..self.positions(0, height) {
            for x in 0..self.positions(1, width) {
                let mut taps = Vec::new();
                for t in 0..self.kernel[0] * self.kernel[1] {
                    let (ky, kx) = (t / self.kernel[1], t % self.kernel[1]);
                    let (py, px) =
                        (y * self.stride[0] + ky * self.dilation[0], x * self.stride[1] + kx * self.dilation[1]);
                    let (iy, ix) = (py.wrapping_sub(self.pads[0]), px.wrapping_sub(self.pads[1]));
                    let pixel = (iy < height && ix < width).then(|| iy * width + ix);
                    let padded = py < height + self.pads[0] + self.pads[2] && px < width + self.pads[1] + self.pads[3];
                    taps.push((t, pixel, padded));
                }
                f(&taps);
            }
        }
    }

    fn attributes(&self) -> Vec<Attribute> {
        let sizes = |v: &[usize]| v.iter().map(|&n| n as i64).collect::<Vec<_>>();
        vec![
            ints("kernel_shape", &sizes(&self.kernel)),
            ints("strides", &sizes(&self.stride)),
            ints("pads", &sizes(&self.pads)),
        ]
    }
}

fn convolved(
    w: &Window,
    image: &[f32],
    channels: usize,
    size: [usize; 2],
    weights: &[f32],
    outputs: usize,
    groups: usize,
) -> Vec<f32> {
    let (area, taps) = (size[0] * size[1], w.kernel[0] * w.kernel[1]);
    let (group_in, group_out) = (channels / groups, outputs / groups);
    let mut out = Vec::new();
    for o in 0..outputs {
        w.each(size, |window| {
            let mut sum = 0.0f64;
            for c in 0..group_in {
                let plane = &image[(o / group_out * group_in + c) * area..][..area];
                for &(t, pixel, _) in window {
                    sum += f64::from(pixel.map_or(0.0, |p| plane[p]) * weights[(o * group_in + c) * taps + t]);
                }
            }
            out.push(sum as f32);
        });
    }
    out
}

const SIZE: [usize; 2] = [7, 6];

#[test]
fn convolution_of_any_window() {
    let image = numbers(4 * 42);
    let wide = Window { dilation: [2, 3], ..Window::new([3, 2], [1, 2], [2, 1, 2, 1]) };
    let cases = [
        (Window::new([3, 3], [1, 1], [1, 1, 1, 1]), 1),
        (Window::new([3, 3], [2, 2], [0, 0, 1, 1]), 1),
        (Window::new([3, 2], [2, 1], [2, 0, 0, 3]), 2),
        (Window::new([1, 1], [1, 1], [0, 0, 0, 0]), 4),
        (wide, 2),
    ];
    for (w, groups) in cases {
        let weights = numbers(4 * (4 / groups) * w.kernel[0] * w.kernel[1]);
        let mut a = w.attributes();
        a.extend([int("group", groups as i64), ints("dilations", &w.dilation.map(|d| d as i64))]);
        let dims = [4, 4 / groups, w.kernel[0], w.kernel[1]];
        let plain = Build::new(13, &[4, 7, 6]).floats("w", &dims, &weights);
        let mut expected = convolved(&w, &image, 4, SIZE, &weights, 4, groups);
        let conv = plain.clone().node("Conv", &["x", "w"], "y", &a);
        close(&conv.run(&image), &expected);
        // A bias, as an input and by an Add behind.
        let area = expected.len() / 4;
        let bias = [0.5, -1.0, 2.0, 0.0];
        expected.iter_mut().enumerate().for_each(|(i, v)| *v += bias[i / area]);
        let input = plain.clone().floats("b", &[4], &bias).node("Conv", &["x", "w", "b"], "y", &a);
        close(&input.run(&image), &expected);
        let added =
            plain.floats("b", &[4, 1, 1], &bias).node("Conv", &["x", "w"], "z", &a).node("Add", &["b", "z"], "y", &[]);
        close(&added.run(&image), &expected);
        assert_eq!(added.layers(), ["Convolution"]);
    }
}

#[test]
fn automatic_padding_puts_the_odd_pixel_where_it_says() {
    let (image, weights) = (numbers(42), numbers(9));
    for (mode, pads) in [("SAME_UPPER", [1, 0, 1, 1]), ("SAME_LOWER", [1, 1, 1, 0]), ("VALID", [0; 4])] {
        let w = Window::new([3, 3], [2, 2], pads);
        let conv = Build::new(13, &[1, 7, 6]).floats("w", &[1, 1, 3, 3], &weights).node(
            "Conv",
            &["x", "w"],
            "y",
            &[text("auto_pad", mode), ints("strides", &[2, 2])],
        );
        close(&conv.run(&image), &convolved(&w, &image, 1, SIZE, &weights, 1, 1));
        let mean = [text("auto_pad", mode), ints("strides", &[2, 2]), ints("kernel_shape", &[3, 3])];
        let pool = Build::new(13, &[1, 7, 6]).node("AveragePool", &["x"], "y", &mean);
        close(&pool.run(&image), &pooled(&w, &image, Some(false)));
    }
}

#[test]
fn a_pad_before_a_convolution_becomes_its_own() {
    let (image, weights) = (numbers(42), numbers(9));
    let w = Window::new([3, 3], [1, 1], [3, 2, 0, 2]);
    let a = Window { pads: [1, 1, 0, 1], ..w }.attributes();
    let build = |opset: u64| Build::new(opset, &[1, 7, 6]).floats("w", &[1, 1, 3, 3], &weights);
    let pads = [0, 0, 2, 1, 0, 0, 0, 1];
    let old = build(9).node("Pad", &["x"], "p", &[ints("pads", &pads)]);
    let new = build(13).ints("pads", &pads).node("Pad", &["x", "pads"], "p", &[text("mode", "constant")]);
    let some =
        build(18).ints("pads", &[1, 2, 1, 0]).ints("axes", &[3, 2]).node("Pad", &["x", "pads", "", "axes"], "p", &[]);
    for build in [old, new, some] {
        let build = build.node("Conv", &["p", "w"], "y", &a);
        close(&build.run(&image), &convolved(&w, &image, 1, SIZE, &weights, 1, 1));
        assert_eq!(build.layers(), ["Convolution"]);
    }
}

/// The largest of every window of a plane, or, by whether padding counts, its mean.
fn pooled(w: &Window, plane: &[f32], mean: Option<bool>) -> Vec<f32> {
    let mut out = Vec::new();
    w.each(SIZE, |window| {
        let pixels = || window.iter().filter_map(|t| t.1).map(|p| plane[p]);
        out.push(match mean {
            None => pixels().fold(f32::MIN, f32::max),
            Some(count) => {
                let n = window.iter().filter(|t| if count { t.2 } else { t.1.is_some() }).count();
                pixels().sum::<f32>() / n as f32
            }
        });
    });
    out
}

#[test]
fn pooling_of_any_window() {
    let image = numbers(42);
    let windows = [
        Window::new([3, 3], [2, 2], [0; 4]),
        Window::new([3, 3], [2, 2], [1; 4]),
        Window::new([2, 2], [2, 2], [0, 1, 1, 0]),
        Window::new([3, 2], [1, 2], [2, 0, 1, 1]),
        Window::new([2, 3], [3, 2], [0, 0, 1, 0]),
    ];
    for w in windows.into_iter().flat_map(|w| [w, Window { up: true, ..w }]) {
        let a = |more: &[Attribute]| [w.attributes(), vec![int("ceil_mode", w.up.into())], more.to_vec()].concat();
        let build = || Build::new(13, &[1, 7, 6]);
        let max = build().node("MaxPool", &["x"], "y", &a(&[]));
        close(&max.run(&image), &pooled(&w, &image, None));
        for count in [false, true] {
            let mean = build().node("AveragePool", &["x"], "y", &a(&[int("count_include_pad", count.into())]));
            close(&mean.run(&image), &pooled(&w, &image, Some(count)));
        }
        if w.up {
            continue;
        }
        // Padding by a node of its own counts.
        let [top, left, bottom, right] = w.pads.map(|p| p as i64);
        let pads = [0, 0, top, left, 0, 0, bottom, right];
        let bare = Window { pads: [0; 4], ..w }.attributes();
        let padded = build().ints("pads", &pads).node("Pad", &["x", "pads"], "p", &[]);
        close(&padded.node("AveragePool", &["p"], "y", &bare).run(&image), &pooled(&w, &image, Some(true)));
        let least = build().ints("pads", &pads).floats("least", &[], &[f32::NEG_INFINITY]);
        let padded = least.node("Pad", &["x", "pads", "least"], "p", &[]);
        close(&padded.node("MaxPool", &["p"], "y", &bare).run(&image), &pooled(&w, &image, None));
    }
}

#[test]
fn means_over_height_and_width() {
    let image = numbers(3 * 42);
    let expected: Vec<f32> = image.chunks(42).map(|p| p.iter().sum::<f32>() / 42.0).collect();
    let build = |opset: u64| Build::new(opset, &[3, 7, 6]);
    let cases = [
        build(9).node("GlobalAveragePool", &["x"], "y", &[]),
        build(13).node("ReduceMean", &["x"], "y", &[ints("axes", &[2, 3])]),
        build(13).node("ReduceMean", &["x"], "y", &[ints("axes", &[-1, -2]), int("keepdims", 0)]),
        build(18).ints("axes", &[-1, -2]).node("ReduceMean", &["x", "axes"], "y", &[int("keepdims", 0)]),
    ];
    for case in cases {
        close(&case.run(&image), &expected);
        assert_eq!(case.layers(), ["Pooling"]);
    }
    let largest: Vec<f32> = image.chunks(42).map(|p| p.iter().copied().fold(f32::MIN, f32::max)).collect();
    close(&build(9).node("GlobalMaxPool", &["x"], "y", &[]).run(&image), &largest);
}

#[test]
fn other_windows_are_refused() {
    let pool = |a: &[Attribute]| Build::new(13, &[1, 7, 6]).node("MaxPool", &["x"], "y", a).net().unwrap_err();
    let kernel = ints("kernel_shape", &[2, 2]);
    let cases = [
        (vec![kernel.clone(), ints("dilations", &[2, 2])], "dilations"),
        (vec![kernel.clone(), int("storage_order", 1)], "storage_order"),
        (vec![kernel.clone(), ints("pads", &[-1, 0, 0, 0])], "padding of -1"),
        (vec![kernel.clone(), ints("pads", &[0, 0])], "2 pads"),
        (vec![kernel.clone(), ints("strides", &[0, 1])], "strides"),
        (vec![kernel.clone(), ints("strides", &[i64::MAX, 1])], "strides"),
        (vec![kernel.clone(), ints("pads", &[2, 2, 2, 2])], "pad must be smaller"),
        (vec![ints("kernel_shape", &[9, 9])], "do not fit"),
        (vec![ints("kernel_shape", &[2])], "1 numbers"),
        (vec![kernel, attribute("mystery", Value::Int(1))], "the option \"mystery\" is not supported"),
    ];
    for (a, part) in cases {
        let e = pool(&a);
        assert!(e.contains(part) && e.contains("layer \"MaxPool:y\"") && e.contains("(type MaxPool)"), "{e}");
    }
}
