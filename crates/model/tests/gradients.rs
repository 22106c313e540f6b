//! Every layer kind against finite differences, and its attributes written and read again. The check itself is in
//! `common`.

mod common;

use std::collections::BTreeSet;

use common::{Case, check};
use synapress_kernels::columns::Window;
use synapress_model::layers::{
    BatchNorm, Clip, Concat, Convolution, Dropout, Eltwise, Flatten, InnerProduct, LAYERS, Lrn, Method, Operation,
    PRelu, Pooling, Power, Relu, Reshape, Scale, Sigmoid, Softmax, Split, TanH,
};

fn convolutions() -> Vec<Case> {
    let window = |kernel, stride, pad, dilation| Window { kernel, stride, pad, pad_end: pad, dilation };
    let uneven = Window { pad_end: [2, 0], ..window([3, 3], [2, 1], [0, 1], [1, 1]) };
    let plain = Convolution::square(4, 3, 1, 1);
    vec![
        Case::new(plain, &[[3, 5, 6]]),
        Case::new(Convolution { bias: false, ..Convolution::square(5, 1, 1, 0) }, &[[4, 3, 3]]),
        Case::new(Convolution::square(3, 1, 1, 0), &[[2, 23, 24]]),
        Case::new(Convolution { groups: 2, ..plain }, &[[6, 5, 4]]),
        Case::new(Convolution { groups: 4, ..plain }, &[[4, 5, 5]]),
        Case::new(Convolution { window: window([2, 3], [2, 1], [1, 0], [1, 1]), ..plain }, &[[2, 6, 7]]),
        Case::new(Convolution { window: window([3, 2], [1, 2], [2, 1], [2, 3]), ..plain }, &[[2, 6, 7]]),
        Case::new(Convolution { window: uneven, ..plain }, &[[3, 5, 6]]),
        Case::new(Convolution { groups: 2, window: window([3, 3], [3, 2], [1, 1], [1, 1]), ..plain }, &[[4, 8, 7]]),
    ]
}

fn fully_connected() -> Vec<Case> {
    vec![
        Case::new(InnerProduct { outputs: 7, bias: true }, &[[3, 4, 2]]),
        Case::new(InnerProduct { outputs: 5, bias: false }, &[[19, 1, 1]]),
    ]
}

fn activations() -> Vec<Case> {
    vec![
        Case::new(Relu::default(), &[[3, 4, 5]]),
        Case::new(Relu { negative_slope: 0.1 }, &[[3, 4, 5]]),
        Case::new(Relu { negative_slope: -0.5 }, &[[3, 4, 5]]),
        Case::new(PRelu { shared: false }, &[[3, 4, 5]]),
        Case::new(PRelu { shared: true }, &[[3, 4, 5]]),
        Case::new(Clip { min: -0.51, max: 0.72 }, &[[3, 4, 5]]),
        Case::new(Sigmoid, &[[3, 4, 5]]).spread(5.0),
        Case::new(TanH, &[[3, 4, 5]]).spread(3.0),
        Case::new(Power { scale: -0.5, shift: 2.0, ..Power::default() }, &[[3, 4, 5]]),
        Case::new(Power { power: 1.5, scale: 0.5, shift: 2.0 }, &[[3, 4, 5]]),
        Case::new(Power { power: 2.0, ..Power::default() }, &[[3, 4, 5]]),
        Case::new(Power { power: 0.0, ..Power::default() }, &[[3, 4, 5]]),
    ]
}

fn by_channel() -> Vec<Case> {
    vec![
        Case::new(BatchNorm::default(), &[[4, 3, 5]]).weights(0.3, 2.0).frozen(),
        Case::new(BatchNorm { eps: 0.001, ..BatchNorm::default() }, &[[9, 1, 1]]).weights(0.3, 2.0).frozen(),
        Case::new(BatchNorm::default(), &[[4, 3, 5]]).weights(0.3, 2.0).frozen().by_batch(),
        Case::new(Scale { bias: true }, &[[4, 3, 5]]),
        Case::new(Scale { bias: false }, &[[9, 1, 1]]),
    ]
}

fn elementwise() -> Vec<Case> {
    let case = |operation, inputs| Case::new(Eltwise { operation }, &vec![[3, 4, 5]; inputs]);
    vec![
        case(Operation::Sum(vec![]), 2),
        case(Operation::Sum(vec![1.0, -0.5, 2.25]), 3),
        case(Operation::Product, 2),
        case(Operation::Product, 4),
        case(Operation::Maximum, 2),
        case(Operation::Maximum, 4),
    ]
}

fn views() -> Vec<Case> {
    vec![
        Case::new(Split, &[[3, 4, 5]]),
        Case::new(Flatten, &[[3, 4, 5]]),
        Case::new(Reshape::new(&[0, -1, 0, 2]).unwrap(), &[[3, 4, 6]]),
        Case::new(Reshape::new(&[-1, 72]).unwrap(), &[[3, 4, 6]]),
    ]
}

fn pooling() -> Vec<Case> {
    let [max, average] = [Pooling::max, Pooling::average];
    let skewed = Pooling { kernel: [2, 3], stride: [3, 2], ..max(3, 2, 0) }.padded([1, 0]);
    let uneven = Pooling { pad_end: [1, 2], round_up: false, ..max(3, 2, 0) };
    let own = Pooling { count_padding: false, ..average(3, 2, 1) };
    vec![
        Case::new(max(3, 2, 0), &[[3, 7, 8]]),
        Case::new(max(3, 1, 1), &[[3, 5, 6]]),
        Case::new(max(2, 2, 0), &[[3, 5, 6]]),
        Case::new(Pooling { round_up: false, ..max(3, 2, 1) }, &[[2, 8, 7]]),
        Case::new(max(5, 3, 2), &[[2, 9, 4]]),
        Case::new(skewed, &[[2, 7, 8]]),
        Case::new(Pooling::global(Method::Max), &[[4, 3, 2]]),
        Case::new(average(3, 2, 1), &[[3, 6, 7]]),
        Case::new(average(7, 1, 0), &[[2, 7, 7]]),
        Case::new(average(5, 3, 0), &[[2, 7, 9]]),
        Case::new(Pooling { method: Method::Average, ..skewed }, &[[2, 7, 8]]),
        Case::new(Pooling::global(Method::Average), &[[4, 3, 2]]),
        Case::new(uneven, &[[2, 6, 7]]),
        Case::new(Pooling { method: Method::Average, ..uneven }, &[[2, 6, 7]]),
        Case::new(own, &[[2, 6, 7]]),
        Case::new(Pooling { pad_end: [0, 2], ..own }, &[[2, 6, 7]]),
    ]
}

fn normalization() -> Vec<Case> {
    let across = Lrn { alpha: 0.7, ..Lrn::default() };
    let within = Lrn { within_channel: true, ..across };
    vec![
        Case::new(across, &[[9, 3, 4]]),
        Case::new(across, &[[6, 1, 300]]),
        Case::new(Lrn { local_size: 3, beta: 0.5, k: 2.0, ..across }, &[[4, 3, 4]]),
        Case::new(Lrn { beta: 1.0, ..across }, &[[2, 3, 4]]),
        Case::new(Lrn { local_size: 1, beta: 1.3, ..across }, &[[3, 3, 4]]),
        Case::new(within, &[[3, 6, 7]]),
        Case::new(Lrn { local_size: 3, ..within }, &[[2, 2, 1]]),
    ]
}

fn classifiers() -> Vec<Case> {
    vec![
        Case::new(Softmax::default(), &[[7, 1, 1]]),
        Case::new(Softmax { loss_weight: 0.3 }, &[[5, 2, 3]]),
        Case::new(Dropout { ratio: 0.5 }, &[[9, 3, 4]]),
        Case::new(Dropout { ratio: 0.0 }, &[[9, 1, 1]]),
        Case::new(Concat, &[[2, 3, 4], [1, 3, 4], [5, 3, 4]]),
        Case::new(Concat, &[[2, 3, 4]]),
    ]
}

/// The cases of all kinds; a new kind adds its own here.
fn cases() -> Vec<Case> {
    let windows = [pooling(), normalization(), classifiers()];
    [convolutions(), fully_connected(), activations(), by_channel(), elementwise(), views()]
        .into_iter()
        .chain(windows)
        .flatten()
        .collect()
}

#[test]
fn gradients_equal_finite_differences() {
    for case in cases() {
        check(&case);
    }
}

#[test]
fn every_kind_has_a_case() {
    let covered: BTreeSet<_> = cases().iter().map(|c| c.layer.kind().name).collect();
    // The image has no gradient.
    let needed = LAYERS.iter().filter(|k| k.inputs != [0, 0]).map(|k| k.name);
    let missing: Vec<_> = needed.filter(|name| !covered.contains(name)).collect();
    assert!(missing.is_empty(), "no gradient case for {missing:?}");
}

#[test]
fn attributes_are_read_as_they_were_written() {
    for case in cases() {
        let written = case.layer.attributes();
        let kind = case.layer.kind();
        let again = (kind.read)(&written).unwrap_or_else(|e| panic!("{:?}: {e}", case.layer));
        assert_eq!(again.attributes(), written, "{:?}", case.layer);
        assert_eq!(format!("{again:?}"), format!("{:?}", case.layer));
        assert_eq!(again.kind().name, kind.name);
    }
}
