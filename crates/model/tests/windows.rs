//! Pooling, LRN, concat, softmax and dropout against their definitions, written as plainly as they can be; sizes
//! against Caffe's; integer forms against exact arithmetic.

mod common;

use common::Numbers;
use synapress_model::attributes::Attributes;
use synapress_model::layers::{Concat, Dropout, Lrn, Method, Pooling, Softmax, by_caffe_name, by_name};
use synapress_model::pass::{Memo, Scratch};
use synapress_model::{Error, ErrorKind, Fixed, Float, Forward, IntegerForward, Layer, Mode, Shape};

const BATCH: usize = 2;
const MODES: [Mode; 2] = [Mode::Infer, Mode::Train { seed: 5, batch_statistics: false }];

fn shape([channels, height, width]: [usize; 3]) -> Shape {
    Shape::new(channels, height, width).unwrap()
}

/// The output and the places that are kept.
fn forward(
    layer: &impl Float<f32>,
    of: &dyn Layer,
    inputs: &[Vec<f32>],
    shapes: &[Shape],
    mode: Mode,
) -> (Vec<f32>, Vec<u32>) {
    let output_shape = of.output_shape(shapes).unwrap();
    let mut output = vec![f32::NAN; BATCH * output_shape.len()];
    let (mut memo, mut scratch) = (Memo::default(), Scratch::default());
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    layer.forward(Forward {
        batch: BATCH,
        inputs: &inputs,
        input_shapes: shapes,
        output: &mut output,
        output_shape,
        weights: &[],
        bias: &[],
        memo: &mut memo,
        scratch: &mut scratch,
        mode,
        rectified: false,
        scaled: None,
    });
    (output, memo.places)
}

fn integers(layer: &dyn Layer, inputs: &[Vec<i16>], shapes: &[Shape], formats: &[Fixed], to: Fixed) -> Vec<i16> {
    let table = layer.table(formats, to, shapes);
    layer.verify_integer(formats, to, None, &table).unwrap();
    let output_shape = layer.output_shape(shapes).unwrap();
    let mut output = vec![0; output_shape.len()];
    let inputs: Vec<&[i16]> = inputs.iter().map(Vec::as_slice).collect();
    layer
        .forward_integer(IntegerForward {
            inputs: &inputs,
            input_shapes: shapes,
            input_formats: formats,
            output: &mut output,
            output_shape,
            output_format: to,
            weights: None,
            table: &table,
        })
        .unwrap();
    output
}

fn format(numbers: &mut Numbers) -> Fixed {
    let signed = numbers.bits().is_multiple_of(2);
    Fixed { bits: 4 + (numbers.bits() % 12) as u8, frac: (numbers.bits() % 12) as i8 - 3, signed }
}

fn codes(numbers: &mut Numbers, n: usize, format: Fixed) -> Vec<i16> {
    let (low, high) = format.range();
    (0..n).map(|_| (low + (numbers.bits() % (high - low + 1) as u64) as i64) as i16).collect()
}

fn values(codes: &[i16], format: Fixed) -> Vec<f64> {
    codes.iter().map(|&q| f64::from(q) * format.step()).collect()
}

/// The code nearest to an exact value, before saturation.
fn exact_code(value: f64, to: Fixed) -> f64 {
    let (low, high) = to.range();
    (value * f64::from(to.frac).exp2()).clamp(low as f64, high as f64)
}

/// One window over one plane: the value and the first place of the largest.
fn window(p: &Pooling, plane: &[f64], size: [usize; 2], at: [usize; 2]) -> (f64, usize) {
    let kernel = if p.global { size } else { p.kernel };
    let (mut sum, mut best, mut place, mut count) = (0.0, f64::NEG_INFINITY, 0, 0);
    for ky in 0..kernel[0] {
        for kx in 0..kernel[1] {
            let (y, x) = (at[0] * p.stride[0] + ky, at[1] * p.stride[1] + kx);
            // Padding counts, unless it is left out, what is beyond it does not.
            let ends: [usize; 2] = std::array::from_fn(|i| size[i] + p.pad[i] + p.pad_end[i]);
            let padded = y < ends[0] && x < ends[1];
            let (y, x) = (y.wrapping_sub(p.pad[0]), x.wrapping_sub(p.pad[1]));
            let inside = y < size[0] && x < size[1];
            count += i32::from(if p.count_padding { padded } else { inside });
            if inside {
                let value = plane[y * size[1] + x];
                sum += value;
                if value > best {
                    (best, place) = (value, y * size[1] + x);
                }
            }
        }
    }
    (if p.method == Method::Max { best } else { sum / f64::from(count) }, place)
}

/// Every window of every plane.
fn pooled(p: &Pooling, input: &[f64], from: Shape) -> Vec<(f64, usize)> {
    let to = p.output_shape(&[from]).unwrap();
    let planes = input.chunks_exact(from.area());
    let places = |plane| (0..to.area()).map(move |i| window(p, plane, from.size(), [i / to.width, i % to.width]));
    planes.flat_map(places).collect()
}

fn poolings() -> Vec<(Pooling, [usize; 3])> {
    let mut cases = vec![
        (Pooling::global(Method::Max), [3, 5, 4]),
        (Pooling { round_up: false, ..Pooling::max(3, 2, 0) }, [2, 8, 12]),
        (Pooling { kernel: [3, 2], stride: [1, 2], ..Pooling::max(1, 1, 0) }.padded([2, 1]), [2, 6, 9]),
        (Pooling { kernel: [1, 3], stride: [2, 1], ..Pooling::max(1, 1, 0) }.padded([0, 1]), [2, 6, 9]),
        (Pooling { pad_end: [1, 0], round_up: false, ..Pooling::max(3, 2, 0) }, [2, 8, 12]),
        (Pooling { pad_end: [0, 2], ..Pooling::max(3, 2, 1) }, [2, 8, 11]),
        // More planes than one piece of work takes.
        (Pooling::max(3, 1, 1), [70, 16, 15]),
        (Pooling::max(3, 2, 0), [9, 112, 111]),
    ];
    for (kernel, stride, pad) in
        [(1, 1, 0), (2, 1, 1), (2, 2, 0), (3, 1, 0), (3, 1, 1), (3, 2, 0), (3, 2, 1), (5, 3, 2), (7, 4, 3)]
    {
        for size in [[2, 2], [3, 4], [7, 6], [14, 14], [1, 9], [8, 33]] {
            let p = Pooling::max(kernel, stride, pad);
            let input = [3, size[0], size[1]];
            if p.output_shape(&[shape(input)]).is_ok() {
                cases.push((p, input));
            }
        }
    }
    let means: Vec<_> = cases.iter().map(|&(p, s)| (Pooling { method: Method::Average, ..p }, s)).collect();
    let own: Vec<_> = means.iter().map(|&(p, s)| (Pooling { count_padding: false, ..p }, s)).collect();
    cases.into_iter().chain(means).chain(own).collect()
}

#[test]
fn pooling_is_what_its_definition_says() {
    for (p, size) in poolings() {
        let from = shape(size);
        // Few distinct values, so that there are ties; the first place wins.
        let mut numbers = Numbers(4);
        let input: Vec<f32> = (0..BATCH * from.len()).map(|_| (numbers.bits() % 7) as f32 - 3.0).collect();
        let wide: Vec<f64> = input.iter().map(|&x| f64::from(x)).collect();
        let expected = pooled(&p, &wide, from);
        for mode in MODES {
            let (output, places) = forward(&p, &p, std::slice::from_ref(&input), &[from], mode);
            for (i, (found, expected)) in output.iter().zip(&expected).enumerate() {
                let close = (f64::from(*found) - expected.0).abs() < 1e-5;
                assert!(close, "{p:?} on {from}, {mode:?}, {i}: {found} {expected:?}");
            }
            if p.method == Method::Max && mode != Mode::Infer {
                let expected: Vec<u32> = expected.iter().map(|e| e.1 as u32).collect();
                assert_eq!(places, expected, "{p:?} on {from}");
            }
        }
    }
}

#[test]
fn integer_pooling_is_exact_or_rounds_within_a_step() {
    let mut numbers = Numbers(9);
    for (p, size) in poolings() {
        let from = shape(size);
        let (format, to) = (format(&mut numbers), format(&mut numbers));
        let input = codes(&mut numbers, from.len(), format);
        let expected = pooled(&p, &values(&input, format), from);
        let to = if p.keeps_format() { format } else { to };
        let output = integers(&p, std::slice::from_ref(&input), &[from], &[format], to);
        for (q, (value, _)) in output.into_iter().zip(expected) {
            // The factor 1 / count has 16 bits: half a step for the rounding, half for the factor.
            let bound = if p.method == Method::Max { 0.0 } else { 0.5 + exact_code(value, to).abs() / 65536.0 };
            let off = (f64::from(q) - exact_code(value, to)).abs();
            assert!(off <= bound + 1e-9, "{p:?} on {from}: {format} to {to}: {q} {value}");
        }
    }
}

#[test]
fn sizes_are_those_of_caffe() {
    // Kernel, stride, pad, input: output. Known networks, then corners of the rule.
    let cases = [
        (3, 2, 0, 112, 56),
        (3, 2, 0, 56, 28),
        (3, 2, 0, 55, 27),
        (3, 2, 0, 113, 56),
        (3, 1, 1, 28, 28),
        (2, 2, 0, 7, 4),
        (3, 2, 1, 112, 57),
        // The last window would start in the padding on the far side.
        (2, 2, 1, 3, 2),
        (2, 2, 1, 4, 3),
        (3, 3, 1, 4, 2),
        // A window larger than the image counts if it is cut by less than a step.
        (3, 2, 0, 2, 1),
    ];
    for (kernel, stride, pad, input, output) in cases {
        let found = Pooling::max(kernel, stride, pad).output_shape(&[shape([4, input, input])]).unwrap();
        assert_eq!(found, shape([4, output, output]), "{kernel} {stride} {pad} on {input}");
    }
    let down = Pooling { round_up: false, ..Pooling::max(3, 2, 0) };
    assert_eq!(down.output_shape(&[shape([1, 112, 112])]).unwrap(), shape([1, 55, 55]));
    assert_eq!(Pooling::global(Method::Average).output_shape(&[shape([9, 7, 5])]).unwrap(), shape([9, 1, 1]));
    // No window may lie beyond the image, nor the image be too small.
    for (p, size) in [(Pooling::max(1, 4, 0), 2), (Pooling::max(5, 1, 0), 4), (down, 2)] {
        assert_eq!(p.output_shape(&[shape([1, size, size])]).unwrap_err().kind(), ErrorKind::Shape, "{p:?}");
    }
}

/// The factor of every pixel of one image.
fn factors(l: &Lrn, image: &[f64], s: Shape) -> Vec<f64> {
    let half = (l.local_size / 2) as isize;
    let at = |c: isize, y: isize, x: isize| {
        let inside = |v: isize, size: usize| v >= 0 && (v as usize) < size;
        let hit = inside(c, s.channels) && inside(y, s.height) && inside(x, s.width);
        if hit { image[(c as usize * s.height + y as usize) * s.width + x as usize] } else { 0.0 }
    };
    let window = -half..=half;
    let factor = |i: usize| {
        let [c, y, x] = [i / s.area(), i / s.width % s.height, i % s.width].map(|v| v as isize);
        let (sum, n): (f64, usize) = if l.within_channel {
            let square = |dy: isize| (-half..=half).map(|dx| at(c, y + dy, x + dx).powi(2)).sum::<f64>();
            (window.clone().map(square).sum(), l.local_size * l.local_size)
        } else {
            (window.clone().map(|d| at(c + d, y, x).powi(2)).sum(), l.local_size)
        };
        (f64::from(l.k) + f64::from(l.alpha) / n as f64 * sum).powf(-f64::from(l.beta))
    };
    (0..s.len()).map(factor).collect()
}

fn normalizations() -> Vec<(Lrn, [usize; 3])> {
    let across = Lrn { alpha: 0.3, ..Lrn::default() };
    let within = Lrn { within_channel: true, ..across };
    vec![
        (across, [9, 3, 5]),
        (across, [40, 17, 18]),
        (Lrn { k: 2.0, alpha: 1e-4, ..across }, [3, 3, 5]),
        (Lrn { local_size: 3, beta: 0.5, ..across }, [7, 3, 5]),
        (Lrn { local_size: 9, beta: 1.0, ..across }, [7, 3, 5]),
        (Lrn { local_size: 1, beta: 0.9, ..across }, [2, 3, 5]),
        (within, [3, 7, 8]),
        (Lrn { local_size: 3, ..within }, [2, 1, 9]),
        (Lrn { local_size: 7, ..within }, [2, 3, 2]),
    ]
}

#[test]
fn normalization_is_what_its_definition_says() {
    for (l, size) in normalizations() {
        let s = shape(size);
        let wide = Numbers(2).even(BATCH * s.len(), [-6.0, 6.0]);
        let input: Vec<f32> = wide.iter().map(|&x| x as f32).collect();
        for mode in MODES {
            let output = forward(&l, &l, std::slice::from_ref(&input), &[s], mode).0;
            for (image, output) in wide.chunks_exact(s.len()).zip(output.chunks_exact(s.len())) {
                for ((x, f), y) in image.iter().zip(factors(&l, image, s)).zip(output) {
                    assert!((x * f - f64::from(*y)).abs() < 1e-5, "{l:?} on {s}: {x} {f} {y}");
                }
            }
        }
    }
}

#[test]
fn integer_normalization_is_within_a_percent() {
    let mut numbers = Numbers(11);
    for (l, size) in normalizations() {
        for _ in 0..20 {
            let s = shape(size);
            let (from, to) = (format(&mut numbers), format(&mut numbers));
            let input = codes(&mut numbers, s.len(), from);
            let exact = values(&input, from);
            let output = integers(&l, std::slice::from_ref(&input), &[s], &[from], to);
            for ((x, f), q) in exact.iter().zip(factors(&l, &exact, s)).zip(output) {
                let expected = exact_code(x * f, to);
                let off = (f64::from(q) - expected).abs();
                assert!(off <= 0.5 + 0.0095 * expected.abs(), "{l:?}: {from} to {to}: {x} * {f}: {q} {expected}");
            }
        }
    }
}

#[test]
fn a_table_of_another_length_is_refused() {
    let l = Lrn { alpha: 1e-4, ..Lrn::default() };
    let formats = [Fixed::new(16, 6).unwrap()];
    let table = l.table(&formats, formats[0], &[]);
    assert_eq!(table.len(), 28 * 64);
    l.verify_integer(&formats, formats[0], None, &table).unwrap();
    for wrong in [&table[1..], &[]] {
        assert_eq!(l.verify_integer(&formats, formats[0], None, wrong).unwrap_err().kind(), ErrorKind::Format);
    }
    // The widest of all windows and the most extreme formats give tables too.
    for frac in [-64, 0, 64] {
        let wide = Fixed { bits: 16, frac, signed: true };
        let widest = Lrn { local_size: 4095, within_channel: true, alpha: f32::MAX, ..Lrn::default() };
        assert!(widest.table(&[wide], wide, &[]).len() < 4096);
    }
}

#[test]
fn concat_puts_channels_after_one_another() {
    let shapes = [[2, 2, 3], [1, 2, 3], [3, 2, 3]].map(shape);
    let mut numbers = Numbers(3);
    let inputs: Vec<Vec<f32>> =
        shapes.iter().map(|s| (0..BATCH * s.len()).map(|_| numbers.bits() as f32).collect()).collect();
    let expected: Vec<f32> = (0..BATCH)
        .flat_map(|i| inputs.iter().zip(&shapes).flat_map(move |(x, s)| x[i * s.len()..][..s.len()].to_vec()))
        .collect();
    assert_eq!(forward(&Concat, &Concat, &inputs, &shapes, Mode::Infer).0, expected);
    for _ in 0..50 {
        let formats: Vec<Fixed> = shapes.iter().map(|_| format(&mut numbers)).collect();
        let to = format(&mut numbers);
        let inputs: Vec<Vec<i16>> =
            shapes.iter().zip(&formats).map(|(s, &f)| codes(&mut numbers, s.len(), f)).collect();
        let exact = inputs.iter().zip(&formats).flat_map(|(q, &f)| values(q, f));
        for (q, x) in integers(&Concat, &inputs, &shapes, &formats, to).into_iter().zip(exact) {
            assert_eq!(
                f64::from(q),
                (exact_code(x, to) + 0.5).floor().min(to.range().1 as f64),
                "{formats:?} to {to}: {x}"
            );
        }
    }
    let error = Concat.output_shape(&[shape([1, 2, 3]), shape([1, 3, 2])]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
}

#[test]
fn softmax_is_a_distribution_over_the_channels() {
    let s = shape([5, 2, 3]);
    let input: Vec<f32> = Numbers(7).even(BATCH * s.len(), [-300.0, 300.0]).iter().map(|&x| x as f32).collect();
    let layer = Softmax::default();
    let output = forward(&layer, &layer, std::slice::from_ref(&input), &[s], Mode::Infer).0;
    for (x, y) in input.chunks_exact(s.len()).zip(output.chunks_exact(s.len())) {
        for pixel in 0..s.area() {
            let at = |v: &[f32]| (0..5).map(|c| f64::from(v[c * s.area() + pixel])).collect::<Vec<f64>>();
            let (x, y) = (at(x), at(y));
            let top = x.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = x.iter().map(|x| (x - top).exp()).sum();
            assert!(x.iter().zip(&y).all(|(x, y)| ((x - top).exp() / sum - y).abs() < 1e-5));
            assert!((y.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        }
    }
    assert_eq!(Softmax { loss_weight: 0.3 }.loss_weight(), Some(0.3));
    let format = Fixed::new(8, 0).unwrap();
    let io = IntegerForward {
        inputs: &[&[0; 5]],
        input_shapes: &[shape([5, 1, 1])],
        input_formats: &[format],
        output: &mut [0; 5],
        output_shape: shape([5, 1, 1]),
        output_format: format,
        weights: None,
        table: &[],
    };
    assert_eq!(layer.forward_integer(io).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn dropout_drops_its_share_and_keeps_the_mean() {
    let s = shape([50_000, 1, 1]);
    let ones = vec![1.0f32; BATCH * s.len()];
    for ratio in [0.0, 0.1, 0.5, 0.9] {
        let layer = Dropout { ratio };
        let run = |seed| {
            forward(&layer, &layer, std::slice::from_ref(&ones), &[s], Mode::Train { seed, batch_statistics: false }).0
        };
        let output = run(1);
        let kept = 1.0 / (1.0 - ratio);
        assert!(output.iter().all(|&y| y == 0.0 || (y - kept).abs() < 1e-5));
        let dropped = output.iter().filter(|&&y| y == 0.0).count() as f32 / output.len() as f32;
        // Five standard deviations.
        assert!((dropped - ratio).abs() < 5.0 * (ratio * (1.0 - ratio) / 1e5).sqrt() + 1e-6, "{ratio}: {dropped}");
        assert_eq!(run(1), output);
        assert!(ratio == 0.0 || run(2) != output);
        let infer = forward(&layer, &layer, std::slice::from_ref(&ones), &[s], Mode::Infer).0;
        assert_eq!(infer, ones);
    }
}

/// A kind, attributes, and what comes of them.
type Reading = (&'static str, &'static [(&'static str, &'static str)], &'static str);

fn read(kind: &str, attributes: &Attributes) -> Result<Box<dyn Layer>, Error> {
    (by_name(kind).unwrap().read)(attributes)
}

#[test]
fn attributes_have_the_meaning_and_the_defaults_of_caffe() {
    let with = |fields: &[(&str, &str)]| fields.iter().fold(Attributes::new(), |a, (name, value)| a.with(name, value));
    let cases: &[Reading] = &[
        ("Pooling", &[("kernel_size", "3")], "MAX 3x3 stride 1 pad 0"),
        ("LRN", &[], "Lrn { local_size: 5, alpha: 1.0, beta: 0.75, k: 1.0, within_channel: false }"),
        (
            "LRN",
            &[("norm_region", "WITHIN_CHANNEL"), ("k", "2"), ("local_size", "3"), ("engine", "CAFFE")],
            "Lrn { local_size: 3, alpha: 1.0, beta: 0.75, k: 1.0, within_channel: true }",
        ),
        ("Dropout", &[], "Dropout { ratio: 0.5 }"),
        ("Softmax", &[("axis", "1")], "Softmax { loss_weight: 1.0 }"),
        ("Softmax", &[("loss_weight", "0.3")], "Softmax { loss_weight: 0.3 }"),
        ("Concat", &[("concat_dim", "1")], "Concat"),
    ];
    for (kind, fields, expected) in cases {
        let layer = read(kind, &with(fields)).unwrap();
        if *kind == "Pooling" {
            assert_eq!(format!("{layer:?}"), format!("{:?}", Pooling::max(3, 1, 0)), "{expected}");
        } else {
            assert_eq!(format!("{layer:?}"), *expected);
        }
    }
    let refused: &[Reading] = &[
        ("Pooling", &[], "kernel_size"),
        ("Pooling", &[("pool", "STOCHASTIC"), ("kernel_size", "2")], "STOCHASTIC"),
        ("Pooling", &[("kernel_size", "2"), ("pad", "2")], "pad"),
        ("Pooling", &[("kernel_size", "0")], "kernel_size"),
        ("Pooling", &[("kernel_size", "3"), ("stride", "0")], "stride"),
        ("Pooling", &[("kernel_size", "18446744073709551615")], "kernel_size"),
        ("Pooling", &[("kernel_h", "3")], "kernel_w"),
        ("Pooling", &[("kernel_size", "3"), ("global_pooling", "true")], "global_pooling"),
        ("Pooling", &[("kernel_size", "3"), ("round_mode", "UP")], "round_mode"),
        ("Pooling", &[("kernel_size", "3"), ("dilation", "2")], "dilation"),
        ("LRN", &[("local_size", "4")], "local_size"),
        ("LRN", &[("local_size", "99999999999")], "local_size"),
        ("LRN", &[("k", "0")], "k"),
        ("LRN", &[("alpha", "NaN")], "alpha"),
        ("LRN", &[("norm_region", "BETWEEN")], "BETWEEN"),
        ("Concat", &[("axis", "2")], "axis"),
        ("Concat", &[("concat_dim", "0")], "concat_dim"),
        ("Softmax", &[("axis", "-1")], "axis"),
        ("Softmax", &[("loss_weight", "inf")], "loss_weight"),
        ("Dropout", &[("dropout_ratio", "1")], "dropout_ratio"),
        ("Dropout", &[("scale_train", "false")], "scale_train"),
    ];
    for (kind, fields, named) in refused {
        let message = read(kind, &with(fields)).map(|l| format!("{l:?}")).unwrap_err().to_string();
        assert!(message.contains(named), "{kind} {fields:?}: {message}");
    }
    for name in ["POOLING", "LRN", "CONCAT", "SOFTMAX", "SOFTMAX_LOSS", "SoftmaxWithLoss", "DROPOUT"] {
        assert!(by_caffe_name(name).is_some(), "{name}");
    }
}
