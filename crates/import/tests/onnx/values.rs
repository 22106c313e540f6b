//! What is done to values: sums, normalization, activations, fully connected layers.

use crate::build::{Build, close, float, int, ints, numbers};

const CHANNELS: usize = 3;
const AREA: usize = 4;

fn build(opset: u64) -> Build {
    Build::new(opset, &[3, 2, 2])
}

/// Each value by a function of it and its channel.
fn each(f: impl Fn(f32, usize) -> f32) -> Vec<f32> {
    image().iter().enumerate().map(|(i, &x)| f(x, i / AREA)).collect()
}

fn image() -> Vec<f32> {
    numbers(CHANNELS * AREA)
}

#[test]
fn activations() {
    let ends = || build(13).floats("low", &[], &[-0.5]).floats("high", &[], &[1.25]);
    let slopes = [0.1, -0.5, 2.0];
    let bent = |s: f32| move |x: f32| if x > 0.0 { x } else { s * x };
    let cases = [
        (build(9).node("Relu", &["x"], "y", &[]), each(|x, _| x.max(0.0))),
        (build(9).node("LeakyRelu", &["x"], "y", &[]), each(|x, _| bent(0.01)(x))),
        (build(9).node("LeakyRelu", &["x"], "y", &[float("alpha", 0.3)]), each(|x, _| bent(0.3)(x))),
        (build(9).node("Sigmoid", &["x"], "y", &[]), each(|x, _| 1.0 / (1.0 + (-x).exp()))),
        (build(9).node("Tanh", &["x"], "y", &[]), each(|x, _| x.tanh())),
        (build(9).node("Identity", &["x"], "z", &[]).node("Relu", &["z"], "y", &[]), each(|x, _| x.max(0.0))),
        (
            build(9).node("Clip", &["x"], "y", &[float("min", -0.5), float("max", 1.25)]),
            each(|x, _| x.clamp(-0.5, 1.25)),
        ),
        (ends().node("Clip", &["x", "low", "high"], "y", &[]), each(|x, _| x.clamp(-0.5, 1.25))),
        (ends().node("Clip", &["x", "", "high"], "y", &[]), each(|x, _| x.min(1.25))),
        (ends().node("Clip", &["x", "low"], "y", &[]), each(|x, _| x.max(-0.5))),
        (build(9).node("Dropout", &["x"], "y", &[float("ratio", 0.3)]), image()),
        (build(13).floats("r", &[], &[0.3]).node("Dropout", &["x", "r"], "y", &[]), image()),
        (
            build(9).floats("s", &[3, 1, 1], &slopes).node("PRelu", &["x", "s"], "y", &[]),
            each(|x, c| bent(slopes[c])(x)),
        ),
        (build(9).floats("s", &[1], &[0.2]).node("PRelu", &["x", "s"], "y", &[]), each(|x, _| bent(0.2)(x))),
    ];
    for (build, expected) in cases {
        close(&build.run(&image()), &expected);
    }
    assert_eq!(build(9).node("Clip", &["x"], "y", &[float("min", 0.0)]).layers(), ["ReLU"]);
}

#[test]
fn softmax_is_over_the_channels() {
    let expected: Vec<f32> = (0..12)
        .map(|i| {
            let sum: f32 = (0..CHANNELS).map(|c| image()[c * AREA + i % AREA].exp()).sum();
            image()[i].exp() / sum
        })
        .collect();
    close(&build(13).node("Softmax", &["x"], "y", &[int("axis", 1)]).run(&image()), &expected);
    close(&build(13).node("Softmax", &["x"], "y", &[int("axis", -3)]).run(&image()), &expected);
    for build in [
        build(13).node("Softmax", &["x"], "y", &[]),
        // Over all axes from the channels on.
        build(11).node("Softmax", &["x"], "y", &[]),
    ] {
        assert!(build.net().unwrap_err().contains("over the channels"));
    }
    let flat = |opset: u64| Build::new(opset, &[4]).node("Softmax", &["x"], "y", &[]);
    let sum: f32 = numbers(4).iter().map(|v| v.exp()).sum();
    let expected: Vec<f32> = numbers(4).iter().map(|v| v.exp() / sum).collect();
    close(&flat(11).run(&numbers(4)), &expected);
    close(&flat(13).run(&numbers(4)), &expected);
}

#[test]
fn arithmetic_with_constants_is_one_scale() {
    let c = [0.5, -2.0, 3.0];
    let constants =
        || build(13).floats("c", &[3, 1, 1], &c).floats("d", &[1, 3, 1, 1], &[1.0, 2.0, 4.0]).floats("s", &[], &[0.25]);
    let d = [1.0, 2.0, 4.0];
    let cases = [
        (constants().node("Add", &["x", "c"], "y", &[]), each(|x, i| x + c[i])),
        (constants().node("Add", &["s", "x"], "y", &[]), each(|x, _| x + 0.25)),
        (constants().node("Sub", &["x", "c"], "y", &[]), each(|x, i| x - c[i])),
        (constants().node("Sub", &["c", "x"], "y", &[]), each(|x, i| c[i] - x)),
        (constants().node("Mul", &["x", "d"], "y", &[]), each(|x, i| x * d[i])),
        (constants().node("Div", &["x", "d"], "y", &[]), each(|x, i| x / d[i])),
        (
            constants().node("Mul", &["d", "x"], "z", &[]).node("Add", &["z", "c"], "y", &[]),
            each(|x, i| x * d[i] + c[i]),
        ),
    ];
    for (build, expected) in cases {
        close(&build.run(&image()), &expected);
        assert_eq!(build.layers(), ["Scale"]);
    }
}

#[test]
fn arithmetic_between_layers() {
    let two = |op: &str| build(13).node("Relu", &["x"], "r", &[]).node(op, &["x", "r"], "y", &[]);
    close(&two("Add").run(&image()), &each(|x, _| x + x.max(0.0)));
    close(&two("Sub").run(&image()), &each(|x, _| x - x.max(0.0)));
    close(&two("Mul").run(&image()), &each(|x, _| x * x.max(0.0)));
    close(&two("Max").run(&image()), &each(|x, _| x.max(0.0)));
    let three = build(13).node("Relu", &["x"], "r", &[]).node("Sum", &["x", "r", "x"], "y", &[]);
    close(&three.run(&image()), &each(|x, _| 2.0 * x + x.max(0.0)));
    let joined = build(13).node("Relu", &["x"], "r", &[]).node("Concat", &["r", "x"], "y", &[int("axis", -3)]);
    close(&joined.run(&image()), &[each(|x, _| x.max(0.0)), image()].concat());
}

#[test]
fn normalization() {
    let (scale, bias, mean, variance) = ([2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [1.0, -1.0, 0.0], [4.0, 0.25, 1.0]);
    let norm = build(9)
        .floats("s", &[3], &scale)
        .floats("b", &[3], &bias)
        .floats("m", &[3], &mean)
        .floats("v", &[3], &variance)
        .node("BatchNormalization", &["x", "s", "b", "m", "v"], "y", &[float("epsilon", 0.01), float("momentum", 0.9)]);
    let line = |x: f32, c: usize| (x - mean[c]) / (variance[c] + 0.01f32).sqrt() * scale[c] + bias[c];
    close(&norm.run(&image()), &each(line));
    assert_eq!(norm.layers(), ["BatchNorm", "Scale"]);
    for (a, [alpha, beta, k], size) in [
        (vec![int("size", 3)], [1e-4f32, 0.75, 1.0], 3),
        (vec![int("size", 5), float("alpha", 0.5), float("beta", 0.5), float("bias", 2.0)], [0.5, 0.5, 2.0], 5),
    ] {
        let lrn = build(13).node("LRN", &["x"], "y", &a);
        let square = |c: usize, i: usize| image()[c * AREA + i % AREA].powi(2);
        let expected: Vec<f32> = (0..12)
            .map(|i| {
                let near = (0..CHANNELS).filter(|c| c.abs_diff(i / AREA) <= size / 2);
                let sum: f32 = near.map(|c| square(c, i)).sum();
                image()[i] / (k + alpha / size as f32 * sum).powf(beta)
            })
            .collect();
        close(&lrn.run(&image()), &expected);
    }
}

#[test]
fn fully_connected_layers() {
    let (weights, bias) = (numbers(24), [1.0, -1.0]);
    let flat = |opset: u64| build(opset).floats("b", &[2], &bias).node("Flatten", &["x"], "f", &[]);
    let sum = |weight: &dyn Fn(usize) -> f32| (0..12).map(|i| image()[i] * weight(i)).sum::<f32>();
    let rows: Vec<f32> = (0..2).map(|o| sum(&|i| weights[o * 12 + i])).collect();
    let columns: Vec<f32> = (0..2).map(|o| sum(&|i| weights[i * 2 + o])).collect();
    let plus = |v: &[f32], b: f32| v.iter().zip(bias).map(|(v, c)| v + b * c).collect::<Vec<_>>();
    let [by_row, by_column] = [[2, 12], [12, 2]].map(|d| flat(13).floats("w", &d, &weights));
    let cases = [
        (by_row.clone().node("Gemm", &["f", "w", "b"], "y", &[int("transB", 1)]), plus(&rows, 1.0)),
        (by_row.clone().node("Gemm", &["f", "w"], "y", &[int("transB", 1)]), rows.clone()),
        (by_column.clone().node("Gemm", &["f", "w", "b"], "y", &[float("beta", 0.5)]), plus(&columns, 0.5)),
        (
            by_column.clone().node("Gemm", &["f", "w"], "y", &[float("alpha", 2.0)]),
            columns.iter().map(|c| 2.0 * c).collect(),
        ),
        (by_column.clone().node("MatMul", &["f", "w"], "y", &[]), columns.clone()),
        (
            by_column.clone().node("MatMul", &["f", "w"], "m", &[]).node("Add", &["m", "b"], "y", &[]),
            plus(&columns, 1.0),
        ),
        (by_row.node("Transpose", &["w"], "t", &[ints("perm", &[1, 0])]).node("MatMul", &["f", "t"], "y", &[]), rows),
    ];
    for (build, expected) in cases {
        close(&build.run(&image()), &expected);
        assert_eq!(build.layers(), ["InnerProduct"]);
    }
}
