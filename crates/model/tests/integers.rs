//! Integer forms against exact arithmetic: the value that the codes stand for, rounded to the output once, and
//! refusals of what could overflow.

mod common;

use common::Numbers;
use synapress_model::layers::{
    BatchNorm, Clip, Eltwise, Flatten, Operation, PRelu, Relu, Reshape, Scale, Sigmoid, Split, TanH,
};
use synapress_model::linear::IntegerWeights;
use synapress_model::{ErrorKind, Fixed, IntegerForward, Layer, Shape};

const SHAPE: Shape = Shape { channels: 5, height: 3, width: 4 };

/// A format of up to `most` bits.
fn format(numbers: &mut Numbers, most: u64) -> Fixed {
    let signed = numbers.bits().is_multiple_of(2);
    let bits = 2 + (numbers.bits() % (most.min(if signed { 16 } else { 15 }) - 1)) as u8;
    Fixed { bits, frac: (numbers.bits() % 15) as i8 - 3, signed }
}

fn codes(numbers: &mut Numbers, n: usize, format: Fixed) -> Vec<i16> {
    let (low, high) = format.range();
    (0..n).map(|_| (low + (numbers.bits() % (high - low + 1) as u64) as i64) as i16).collect()
}

fn run(
    layer: &dyn Layer,
    inputs: &[Vec<i16>],
    formats: &[Fixed],
    to: Fixed,
    weights: Option<&IntegerWeights>,
) -> Vec<i16> {
    let shapes = vec![SHAPE; inputs.len()];
    let table = layer.table(formats, to, &shapes);
    layer.verify_integer(formats, to, weights, &table).unwrap();
    let output_shape = layer.output_shape(&shapes).unwrap();
    let mut output = vec![i16::MIN; output_shape.len()];
    let inputs: Vec<&[i16]> = inputs.iter().map(Vec::as_slice).collect();
    layer
        .forward_integer(IntegerForward {
            inputs: &inputs,
            input_shapes: &shapes,
            input_formats: formats,
            output: &mut output,
            output_shape,
            output_format: to,
            weights,
            table: &table,
        })
        .unwrap();
    output
}

/// The code of an exact value.
fn rounded(value: f64, to: Fixed) -> i16 {
    let (low, high) = to.range();
    (value * f64::from(to.frac).exp2() + 0.5).floor().clamp(low as f64, high as f64) as i16
}

/// Checks a layer on random codes of random formats of up to `bits` bits against a function of the inputs' values and
/// the channel.
fn check(
    layer: &dyn Layer,
    inputs: usize,
    bits: u64,
    weights: Option<&IntegerWeights>,
    exact: impl Fn(&[f64], usize) -> f64,
) {
    let mut numbers = Numbers(3);
    for _ in 0..200 {
        let formats: Vec<Fixed> = (0..inputs).map(|_| format(&mut numbers, bits)).collect();
        let values: Vec<Vec<i16>> = formats.iter().map(|&f| codes(&mut numbers, SHAPE.len(), f)).collect();
        let to = format(&mut numbers, 16);
        for (i, found) in run(layer, &values, &formats, to, weights).into_iter().enumerate() {
            let at: Vec<f64> = values.iter().zip(&formats).map(|(v, f)| f64::from(v[i]) * f.step()).collect();
            let expected = rounded(exact(&at, i / SHAPE.area()), to);
            assert_eq!(found, expected, "{layer:?} {at:?} of {formats:?} to {to}");
        }
    }
}

fn by_channel(n: usize, bias: bool) -> IntegerWeights {
    let format = Fixed::new(10, 7).unwrap();
    let bias = if bias { vec![300, -45, 0, 7, -9] } else { vec![] };
    IntegerWeights { dims: [n, 1, 1, 1], q: codes(&mut Numbers(8), n, format), format, bias, bias_frac: 4 }
}

#[test]
fn sums_products_and_maxima_round_once() {
    let eltwise = |operation| Eltwise { operation };
    let coefficients = [1.0, -0.5, 2.25];
    let weighted = |x: &[f64], _| x.iter().zip(coefficients).map(|(x, c)| x * c).sum();
    check(&eltwise(Operation::Sum(vec![])), 2, 16, None, |x, _| x.iter().sum());
    check(&eltwise(Operation::Sum(coefficients.map(|c| c as f32).to_vec())), 3, 16, None, weighted);
    check(&eltwise(Operation::Product), 2, 16, None, |x, _| x[0] * x[1]);
    check(&eltwise(Operation::Product), 5, 8, None, |x, _| x.iter().product());
    check(&eltwise(Operation::Maximum), 3, 16, None, |x, _| x.iter().copied().fold(f64::MIN, f64::max));
}

#[test]
fn factors_and_slopes_round_once() {
    let value = |w: &IntegerWeights, c: usize| f64::from(w.q[c]) * w.format.step();
    let w = by_channel(5, true);
    let bias = |c: usize| f64::from(w.bias[c]) / 16.0;
    check(&Scale { bias: true }, 1, 16, Some(&w), |x, c| x[0] * value(&w, c) + bias(c));
    let w = by_channel(5, false);
    check(&Scale { bias: false }, 1, 16, Some(&w), |x, c| x[0] * value(&w, c));
    let rectified = |x: f64, slope: f64| if x > 0.0 { x } else { x * slope };
    check(&PRelu { shared: false }, 1, 16, Some(&w), |x, c| rectified(x[0], value(&w, c)));
    let w = by_channel(1, false);
    check(&PRelu { shared: true }, 1, 16, Some(&w), |x, _| rectified(x[0], value(&w, 0)));
    check(&Relu { negative_slope: 0.25 }, 1, 16, None, |x, _| rectified(x[0], 0.25));
}

#[test]
fn clips_keep_between_the_nearest_codes() {
    for [min, max] in [[0.0, 6.0], [-0.7, 0.3], [2.0, 3e6]] {
        let (clip, mut numbers) = (Clip { min, max }, Numbers(8));
        for _ in 0..200 {
            let (from, to) = (format(&mut numbers, 16), format(&mut numbers, 16));
            let input = codes(&mut numbers, SHAPE.len(), from);
            let found = run(&clip, std::slice::from_ref(&input), &[from], to, None);
            for (x, y) in input.iter().zip(found) {
                let expected = rounded(f64::from(*x) * from.step(), to).clamp(to.quantize(min), to.quantize(max));
                assert_eq!(y, expected, "{clip:?} {x} of {from} to {to}");
            }
        }
    }
}

#[test]
fn views_pass_codes_on() {
    let reshape = Reshape::new(&[0, -1, 3]).unwrap();
    for layer in [&Split as &dyn Layer, &Flatten, &reshape] {
        assert!(layer.is_view() && layer.in_place() && layer.keeps_format());
        check(layer, 1, 16, None, |x, _| x[0]);
        let format = Fixed::new(12, 5).unwrap();
        let input = codes(&mut Numbers(2), SHAPE.len(), format);
        assert_eq!(run(layer, std::slice::from_ref(&input), &[format], format, None), input);
    }
}

#[test]
fn tables_are_close_to_their_function() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for (layer, f) in [(&Sigmoid as &dyn Layer, sigmoid as fn(f64) -> f64), (&TanH, f64::tanh)] {
        // Up to 12 bits an entry for each code, then one for 16 codes, 8 steps of 2^-12 off at most.
        for (bits, frac, off) in [(8, 5, 0.0), (12, 8, 0.0), (16, 12, 8.0 / 4096.0)] {
            let (from, to) = (Fixed::new(bits, frac).unwrap(), Fixed::new(16, 14).unwrap());
            let input = codes(&mut Numbers(6), SHAPE.len(), from);
            let output = run(layer, std::slice::from_ref(&input), &[from], to, None);
            for (x, y) in input.iter().zip(output) {
                let expected = f(f64::from(from.value(*x)));
                let found = f64::from(to.value(y));
                assert!((found - expected).abs() <= to.step() * 0.51 + off, "{layer:?} {from} {x}: {found} {expected}");
            }
        }
    }
}

#[test]
fn what_could_overflow_is_refused() {
    let wide = Fixed::new(16, 0).unwrap();
    let refused = |layer: &dyn Layer, inputs: &[Fixed], weights: Option<&IntegerWeights>, table: &[i16]| {
        let error = layer.verify_integer(inputs, wide, weights, table).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
    };
    let eltwise = |operation| Eltwise { operation };
    refused(&eltwise(Operation::Product), &[wide; 5], None, &[]);
    eltwise(Operation::Product).verify_integer(&[wide; 4], wide, None, &[]).unwrap();
    let fine = Fixed { frac: 64, ..wide };
    let mut many = vec![wide; 1000];
    many[0] = fine;
    refused(&eltwise(Operation::Sum(vec![])), &many, None, &[]);
    // Far apart, but few: the finer one is rounded.
    for operation in [Operation::Sum(vec![-1.0, 1.0]), Operation::Maximum] {
        let coarse = Fixed { frac: -64, ..wide };
        let (least, most) = (vec![i16::MIN; SHAPE.len()], vec![i16::MAX; SHAPE.len()]);
        for to in [coarse, wide, fine] {
            run(&eltwise(operation.clone()), &[least.clone(), most.clone()], &[coarse, fine], to, None);
        }
    }
    let heavy = IntegerWeights { bias: vec![i32::MAX; 5], bias_frac: -64, ..by_channel(5, true) };
    refused(&Scale { bias: true }, &[wide], Some(&heavy), &[]);
    refused(&Sigmoid, &[wide], None, &[0; 4095]);
    refused(&TanH, &[wide], None, &[]);
    refused(&BatchNorm::default(), &[wide], None, &[]);
}
