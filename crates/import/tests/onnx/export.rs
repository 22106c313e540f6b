//! Networks of every layer kind written as models: the same scores when read again. Of quantized ones, the codes and
//! scales.

use std::path::Path;

use crate::build::{again, close, numbers, run, same};
use synapress_import::caffe::{self, Options};
use synapress_import::onnx::proto::{Data, Model, kinds};
use synapress_import::{fill, onnx, zoo};
use synapress_model::fold::fold_batch_norm;
use synapress_model::layers::{Clip, Convolution, InnerProduct, Input, Pooling, Relu, Softmax};
use synapress_model::{Bias, ErrorKind, Fixed, Form, Integers, Net, Shape, Weights};

/// A layer of every kind that an operator stands for in both directions.
const EVERY: &str = "
name: 'every' input: 'data' input_shape { dim: 1 dim: 4 dim: 12 dim: 12 }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv'
  convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 stride_w: 2 pad_h: 1 pad_w: 1 pad_end: 2 dilation: 1 group: 2 } }
layer { name: 'lrn' type: 'LRN' bottom: 'conv' top: 'lrn' lrn_param { local_size: 3 alpha: 0.5 k: 2 } }
layer { name: 'max' type: 'Pooling' bottom: 'lrn' top: 'max' pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }
layer { name: 'mean' type: 'Pooling' bottom: 'lrn' top: 'mean' pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: 'own' type: 'Pooling' bottom: 'lrn' top: 'own'
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 count_include_pad: false } }
layer { name: 'sum' type: 'Eltwise' bottom: 'max' bottom: 'mean' bottom: 'own' top: 'sum' }
layer { name: 'less' type: 'Eltwise' bottom: 'max' bottom: 'mean' top: 'less' eltwise_param { coeff: 1 coeff: -1 } }
layer { name: 'product' type: 'Eltwise' bottom: 'sum' bottom: 'less' top: 'product' eltwise_param { operation: PROD } }
layer { name: 'larger' type: 'Eltwise' bottom: 'sum' bottom: 'less' top: 'larger' eltwise_param { operation: MAX } }
layer { name: 'all' type: 'Concat' bottom: 'product' bottom: 'larger' bottom: 'mean' top: 'all' }
layer { name: 'bn' type: 'BatchNorm' bottom: 'all' top: 'bn' batch_norm_param { eps: 0.5 } }
layer { name: 'bn/scale' type: 'Scale' bottom: 'bn' top: 'scale' scale_param { bias_term: true } }
layer { name: 'factor' type: 'Scale' bottom: 'scale' top: 'factor' }
layer { name: 'line' type: 'Scale' bottom: 'factor' top: 'line' scale_param { bias_term: true } }
layer { name: 'prelu' type: 'PReLU' bottom: 'line' top: 'prelu' }
layer { name: 'relu' type: 'ReLU' bottom: 'prelu' top: 'relu' relu_param { negative_slope: 0.3 } }
layer { name: 'clip' type: 'Clip' bottom: 'relu' top: 'clip' clip_param { min: -1 max: 6 } }
layer { name: 'tanh' type: 'TanH' bottom: 'clip' top: 'tanh' }
layer { name: 'sigmoid' type: 'Sigmoid' bottom: 'tanh' top: 'sigmoid' }
layer { name: 'drop' type: 'Dropout' bottom: 'sigmoid' top: 'drop' dropout_param { dropout_ratio: 0.25 } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'drop' top: 'fc' inner_product_param { num_output: 6 } }
layer { name: 'rectified' type: 'ReLU' bottom: 'fc' top: 'rectified' }
layer { name: 'fc2' type: 'InnerProduct' bottom: 'rectified' top: 'fc2' inner_product_param { num_output: 5 bias_term: false } }
layer { name: 'prob' type: 'Softmax' bottom: 'fc2' top: 'prob' }
";

/// Layers that come back as others that do the same.
const OTHERS: &str = "
name: 'others' input: 'data' input_shape { dim: 1 dim: 4 dim: 7 dim: 7 }
layer { name: 'split' type: 'Split' bottom: 'data' top: 'split' }
layer { name: 'bn' type: 'BatchNorm' bottom: 'split' top: 'bn' }
layer { name: 'mean' type: 'Pooling' bottom: 'bn' top: 'mean' pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: 'weighted' type: 'Eltwise' bottom: 'mean' bottom: 'mean' top: 'weighted' eltwise_param { coeff: 0.5 coeff: 2 } }
layer { name: 'product' type: 'Eltwise' bottom: 'mean' bottom: 'mean' bottom: 'weighted' top: 'product'
  eltwise_param { operation: PROD } }
layer { name: 'line' type: 'Power' bottom: 'product' top: 'line' power_param { scale: 0.5 shift: 1 } }
layer { name: 'reshape' type: 'Reshape' bottom: 'line' top: 'reshape' reshape_param { shape { dim: 0 dim: 8 dim: -1 } } }
layer { name: 'pool' type: 'Pooling' bottom: 'reshape' top: 'pool' pooling_param { pool: MAX kernel_h: 2 kernel_w: 1 } }
layer { name: 'flat' type: 'Flatten' bottom: 'pool' top: 'flat' }
layer { name: 'scale' type: 'Scale' bottom: 'flat' top: 'scale' scale_param { bias_term: true } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'scale' top: 'fc' inner_product_param { num_output: 6 } }
layer { name: 'more' type: 'Convolution' bottom: 'fc' top: 'more' convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: 'both' type: 'Concat' bottom: 'fc' bottom: 'more' top: 'both' }
";

fn net(text: &str) -> Net {
    let mut net = caffe::parse(text, "test", &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    fill(&mut net, 3).unwrap();
    // Numbers that are not all alike.
    for weights in net.weights.iter_mut().flatten() {
        let shift =
            |values: &mut Vec<f32>| values.iter_mut().enumerate().for_each(|(i, v)| *v += 0.01 * (i % 7) as f32);
        if let Form::Dense(values) = &mut weights.form {
            shift(values);
        }
        if let Bias::Float(values) = &mut weights.bias {
            shift(values);
        }
    }
    net
}

#[test]
fn every_kind_comes_back() {
    let net = net(EVERY);
    same(&net, &again(&net));
}

#[test]
fn what_comes_back_as_other_layers_does_the_same() {
    let net = net(OTHERS);
    let image = numbers(4 * 49);
    close(&run(&again(&net), &image), &run(&net, &image));
    let twice = again(&again(&net));
    same(&twice, &again(&net));
}

#[test]
fn networks_of_the_zoo_come_back() {
    for name in ["squeezenet_v1.1", "googlenet"] {
        let mut net = zoo::net(name).unwrap();
        fill(&mut net, 1).unwrap();
        same(&net, &again(&net));
    }
    // The Scale of a normalization is called after it.
    let mut net = zoo::net("mobilenet").unwrap();
    fill(&mut net, 1).unwrap();
    let read = again(&net);
    assert_eq!(read.graph.nodes().len(), net.graph.nodes().len());
    assert_eq!(read.weights, net.weights);
    let folded = fold_batch_norm(&net).unwrap();
    same(&folded, &again(&folded));
}

#[test]
fn powers_and_normalization_within_channels_are_written() {
    let text = "input: 'data' input_shape { dim: 1 dim: 4 dim: 7 dim: 7 }
        layer { name: 'lrn' type: 'LRN' bottom: 'data' top: 'lrn' lrn_param { norm_region: WITHIN_CHANNEL } }
        layer { name: 'power' type: 'Power' bottom: 'lrn' top: 'power' power_param { power: 2 } }";
    let model = onnx::single(&net(text)).unwrap();
    let operators: Vec<&str> = model.graph.nodes.iter().map(|n| n.op.as_str()).collect();
    assert_eq!(operators, ["Mul", "AveragePool", "Mul", "Add", "Pow", "Div", "Pow"]);
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    let net = net(EVERY);
    onnx::write(&path, &onnx::single(&net).unwrap()).unwrap();
    same(&net, &onnx::load(&path, &onnx::Options::default()).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
    let missing = folder.path().join("missing/net.onnx");
    let e = onnx::write(&missing, &onnx::single(&net).unwrap()).unwrap_err().to_string();
    assert!(e.contains("net.onnx"), "{e}");
}

/// A network of a convolution of 8 bits, its ReLU of 6 without a sign, a fully connected layer of 12 bits on outputs of 10.
fn quantized() -> Net {
    let fixed = |bits, frac, signed| Fixed { bits, frac, signed };
    let mut net = Net { name: "quantized".to_owned(), ..Net::default() };
    let g = &mut net.graph;
    let data = g.add("data", Input { shape: Shape::new(2, 5, 5).unwrap() }, &[]).unwrap();
    let conv = g.add("conv", Convolution::square(3, 3, 1, 0), &[data]).unwrap();
    let relu = g.add("relu", Relu::default(), &[conv]).unwrap();
    let pool = g.add("pool", Pooling::max(3, 1, 0), &[relu]).unwrap();
    let clip = g.add("clip", Clip { min: 0.0, max: 6.0 }, &[pool]).unwrap();
    let fc = g.add("fc", InnerProduct { outputs: 2, bias: true }, &[clip]).unwrap();
    g.add("prob", Softmax::default(), &[fc]).unwrap();
    let codes = |n: usize, most: i16| (0..n as i16).map(|i| (i * 29) % (2 * most) - most).collect::<Vec<_>>();
    let weights = |dims: [usize; 4], format: Fixed, bias: Vec<i32>| {
        let q = codes(dims.iter().product(), 1 << (format.bits - 1));
        Some(Weights { dims, form: Form::Fixed { q, format }, bias: Bias::Fixed { q: bias, frac: 9 } })
    };
    net.weights = vec![None; 7];
    net.weights[conv] = weights([3, 2, 3, 3], fixed(8, 5, true), vec![-700, 3, 1000]);
    net.weights[fc] = weights([2, 3, 1, 1], fixed(12, 9, true), vec![50, -1]);
    let (relu, scores) = (fixed(6, 1, false), fixed(10, 3, true));
    let outputs = vec![fixed(8, 2, true), fixed(8, 1, true), relu, relu, fixed(8, 3, false), scores, scores];
    net.integers = Some(Integers { outputs, tables: vec![Vec::new(); 7] });
    net.verify().unwrap();
    net
}

/// The constants of this name: type and numbers.
fn constant(model: &Model, name: &str) -> (u64, Data) {
    let found = model.graph.initializers.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("no {name}"));
    (found.kind, found.data.clone())
}

fn floats(numbers: &[f32]) -> (u64, Data) {
    (kinds::FLOAT, Data::Floats(numbers.to_vec()))
}

#[test]
fn quantized_networks_keep_codes_and_scales() {
    let net = quantized();
    let model = onnx::quantized(&net).unwrap();
    let bytes = crate::build::bytes(&model);
    let model = onnx::parse(&bytes[..], bytes.len() as u64).unwrap();
    assert_eq!(model.opsets, [(String::new(), 21)], "for types of 16 bits");
    let codes = |id: usize| -> Vec<i64> {
        net.weights[id].as_ref().unwrap().codes().unwrap().0.iter().map(|&q| q.into()).collect()
    };
    assert_eq!(constant(&model, "conv/weight/codes"), (kinds::INT8, Data::Ints(codes(1))));
    assert_eq!(constant(&model, "conv/weight/scale"), floats(&[1.0 / 32.0]));
    assert_eq!(constant(&model, "fc/weight/codes"), (kinds::INT16, Data::Ints(codes(5))));
    // At the accumulator's fractional length, 5 + 2: rounded from 9.
    assert_eq!(constant(&model, "conv/bias/codes"), (kinds::INT32, Data::Ints(vec![-175, 1, 250])));
    assert_eq!(constant(&model, "conv/bias/scale"), floats(&[1.0 / 128.0]));
    assert_eq!(constant(&model, "data/rounded/zero"), (kinds::INT8, Data::Ints(vec![0])));
    assert_eq!(constant(&model, "relu/zero"), (kinds::UINT8, Data::Ints(vec![0])));
    // Six bits in eight: what does not fit is cut off before.
    assert_eq!(constant(&model, "relu/high"), floats(&[31.5]));
    assert_eq!(constant(&model, "fc/low"), floats(&[-64.0]));
    let operators: Vec<&str> = model.graph.nodes.iter().map(|n| n.op.as_str()).collect();
    let [q, dq] = ["QuantizeLinear", "DequantizeLinear"];
    let expected = [
        &[q, dq, dq, dq, "Conv", q, dq, "Relu", "Clip", q, dq, "MaxPool", q, dq][..],
        &["Clip", q, dq, "Flatten", dq, dq, "Gemm", "Clip", q, dq, "Softmax"],
    ];
    assert_eq!(operators, expected.concat());
    // It is not read back: whoever has the integers has the network.
    let e = onnx::net(&model, Path::new("."), &onnx::Options::default()).unwrap_err().to_string();
    assert!(e.contains("synapress quantize"), "{e}");
}

#[test]
fn networks_of_bytes_alone_need_no_newer_operators() {
    let mut net = quantized();
    let fc = net.weights[5].as_mut().unwrap();
    let format = Fixed { bits: 8, frac: 5, signed: true };
    fc.form = Form::Fixed { q: vec![1, 2, 3, -4, -5, -128], format };
    let integers = net.integers.as_mut().unwrap();
    integers.outputs[5] = format;
    assert_eq!(onnx::quantized(&net).unwrap().opsets, [(String::new(), 13)]);
}

#[test]
fn what_is_not_quantized_or_has_no_weights_is_refused() {
    assert_eq!(onnx::quantized(&net(EVERY)).unwrap_err().kind(), ErrorKind::Format);
    let bare = zoo::net("alexnet").unwrap();
    assert_eq!(onnx::single(&bare).unwrap_err().kind(), ErrorKind::Weights);
}
