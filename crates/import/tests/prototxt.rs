//! What prototxts may say, in both encodings, and how what they may not say is refused.

use synapress_import::caffe::{self, Options, Phase};
use synapress_model::{ErrorKind, Filler, Net, Rate, Shape};

const INPUT: &str = "input: 'data' input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 16\n";

fn parse(text: &str) -> Result<Net, String> {
    caffe::parse(text, "net.prototxt", &Options::default()).map_err(|e| e.to_string())
}

fn read(text: &str) -> Net {
    parse(text).unwrap_or_else(|e| panic!("{text}\n{e}"))
}

/// Kind and inputs of each node, such as `ReLU(1)`.
fn nodes(net: &Net) -> Vec<String> {
    let show = |n: &synapress_model::Node| {
        let inputs: Vec<String> = n.inputs.iter().map(usize::to_string).collect();
        format!("{}({})", n.layer.kind().name, inputs.join(" "))
    };
    net.graph.nodes().iter().map(show).collect()
}

fn input_shape(net: &Net) -> Shape {
    net.graph.shape(net.graph.input().unwrap())
}

#[test]
fn heads_and_data_layers_give_the_input() {
    let cases = [
        ("input: 'data' input_dim: 10 input_dim: 3 input_dim: 8 input_dim: 9", [3, 8, 9]),
        ("input: 'data' input_shape { dim: 1 dim: 3 dim: 8 dim: 9 }", [3, 8, 9]),
        ("input: 'data' input_shape { dim: 1 dim: 5 }", [5, 1, 1]),
        ("input: 'data' input: 'label' input_dim: [1, 3, 8, 9, 1, 1, 1, 1]", [3, 8, 9]),
        ("layer { name: 'data' type: 'Input' top: 'data' input_param { shape: { dim: [1, 3, 8, 9] } } }", [3, 8, 9]),
        (
            "layer { name: 'x' type: 'Input' top: 'data' top: 'label' input_param { shape { dim: [2, 3, 8, 9] } shape { dim: 2 } } }",
            [3, 8, 9],
        ),
        (
            "layer { name: 'x' type: 'Data' top: 'data' top: 'label' transform_param { crop_size: 27 } data_param { source: 'x' } }",
            [3, 27, 27],
        ),
        (
            "layer { name: 'x' type: 'Data' top: 'data' transform_param { crop_size: 27 force_gray: true } }",
            [1, 27, 27],
        ),
        ("layers { name: 'x' type: DATA top: 'data' top: 'label' data_param { crop_size: 27 } }", [3, 27, 27]),
        (
            "layer { name: 'x' type: 'ImageData' top: 'data' top: 'label' image_data_param { new_height: 8 new_width: 9 is_color: false } }",
            [1, 8, 9],
        ),
        (
            "layer { name: 'x' type: 'MemoryData' top: 'data' top: 'y' memory_data_param { batch_size: 1 channels: 2 height: 8 width: 9 } }",
            [2, 8, 9],
        ),
        (
            "layer { name: 'x' type: 'DummyData' top: 'data' top: 'y' dummy_data_param { shape { dim: [1, 3, 8, 9] } shape { dim: 1 } } }",
            [3, 8, 9],
        ),
        (
            "layers { name: 'x' type: DUMMY_DATA top: 'data' top: 'y' dummy_data_param { num: 1 channels: 3 height: 8 width: 9 num: 1 channels: 1 height: 1 width: 1 } }",
            [3, 8, 9],
        ),
    ];
    for (text, [c, h, w]) in cases {
        let net = read(text);
        assert_eq!(input_shape(&net), Shape::new(c, h, w).unwrap(), "{text}");
        assert_eq!(net.graph.nodes().len(), 1, "{text}");
    }
}

#[test]
fn an_unknown_input_is_asked_for_and_can_be_given() {
    let text = "\nlayer { name: 'd' type: 'HDF5Data' top: 'data' top: 'label' hdf5_data_param { source: 'x' } }";
    let error = parse(text).unwrap_err();
    assert!(error.contains("net.prototxt: line 2: layer \"d\"") && error.contains("--input C,H,W"), "{error}");
    let options = Options { input_shape: Some(Shape::new(1, 28, 28).unwrap()), ..Options::default() };
    assert_eq!(input_shape(&caffe::parse(text, "x", &options).unwrap()), Shape::new(1, 28, 28).unwrap());
    assert_eq!(input_shape(&caffe::parse(INPUT, "x", &options).unwrap()), Shape::new(1, 28, 28).unwrap());
}

#[test]
fn preprocessing_of_data_layers_is_kept() {
    let of = |transform: &str| {
        let text =
            format!("layer {{ name: 'd' type: 'Data' top: 'data' transform_param {{ crop_size: 8 {transform} }} }}");
        read(&text).about.preprocess.map(|p| (p.mean, p.scale))
    };
    assert_eq!(of("mean_value: 104 mean_value: 117 mean_value: 123"), Some(([104.0, 117.0, 123.0], 1.0)));
    assert_eq!(of("mean_value: 127 scale: 0.5"), Some(([127.0; 3], 0.5)));
    assert_eq!(of("scale: 0.00390625"), Some(([0.0; 3], 0.003_906_25)));
    assert_eq!(of("mean_file: 'mean.binaryproto'"), None);
    assert_eq!(of(""), None);
}

/// A net in both encodings: in place, losses, measures, rates, fillers, phases.
const CURRENT: &str = "
name: 'small'
layer { name: 'data' type: 'Data' top: 'data' top: 'label' include { phase: TRAIN } transform_param { crop_size: 8 } }
layer { name: 'data' type: 'Data' top: 'data' top: 'label' include { phase: TEST } transform_param { crop_size: 16 } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv'
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: 'gaussian' std: 0.5 } bias_filler { type: 'constant' value: 3 } } }
layer { name: 'relu' type: 'ReLU' bottom: 'conv' top: 'conv' }
layer { name: 'fc' type: 'InnerProduct' bottom: 'conv' top: 'fc' inner_product_param { num_output: 5 } }
layer { name: 'accuracy' type: 'Accuracy' bottom: 'fc' bottom: 'label' top: 'accuracy' include { phase: TEST } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'fc' bottom: 'label' top: 'loss' loss_weight: 0.3 }
";
const OLD: &str = "
name: 'small'
layers { name: 'data' type: DATA top: 'data' top: 'label' include: { phase: TRAIN } data_param { crop_size: 8 } }
layers { name: 'data' type: DATA top: 'data' top: 'label' include: { phase: TEST } data_param { crop_size: 16 } }
layers { name: 'conv' type: CONVOLUTION bottom: 'data' top: 'conv'
  blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: 'gaussian' std: 0.5 } bias_filler { type: 'constant' value: 3 } } }
layers { name: 'relu' type: RELU bottom: 'conv' top: 'conv' }
layers { name: 'fc' type: INNER_PRODUCT bottom: 'conv' top: 'fc' inner_product_param { num_output: 5 } }
layers { name: 'accuracy' type: ACCURACY bottom: 'fc' bottom: 'label' top: 'accuracy' include: { phase: TEST } }
layers { name: 'loss' type: SOFTMAX_LOSS bottom: 'fc' bottom: 'label' top: 'loss' loss_weight: 0.3 }
";

#[test]
fn both_encodings_give_the_same_network() {
    for text in [CURRENT, OLD] {
        for (phase, side) in [(Phase::Train, 8), (Phase::Test, 16)] {
            let net = caffe::parse(text, "x", &Options { phase, ..Options::default() }).unwrap();
            assert_eq!(net.name, "small");
            assert_eq!(input_shape(&net).height, side);
            assert_eq!(nodes(&net), ["Input()", "Convolution(0)", "ReLU(1)", "InnerProduct(2)", "Softmax(3)"]);
            let learning = net.graph.node(1).learning;
            assert_eq!(learning.weights, Rate { learn: 1.0, decay: 1.0 });
            assert_eq!(learning.bias, Rate { learn: 2.0, decay: 0.0 });
            assert_eq!(learning.weight_filler, Filler::Gaussian(0.0, 0.5));
            assert_eq!(learning.bias_filler, Filler::Constant(3.0));
            assert_eq!(net.graph.node(4).layer.loss_weight(), Some(0.3));
        }
    }
}

#[test]
fn tops_and_bottoms_find_each_other() {
    let relu = "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'data' }";
    let cases = [
        // In place: later readers see the changed blob, earlier ones the former.
        (
            format!("{relu} layer {{ name: 'c' type: 'Concat' bottom: 'data' bottom: 'data' top: 'c' }}"),
            vec!["Input()", "ReLU(0)", "Concat(1 1)"],
        ),
        (
            "layer { name: 's' type: 'Split' bottom: 'data' top: 'a' top: 'b' } layer { name: 'c' type: 'Eltwise' bottom: 'a' bottom: 'b' top: 'c' }".to_owned(),
            vec!["Input()", "Split(0)", "Eltwise(1 1)"],
        ),
        // Measures go, and whoever swallows them.
        (
            "layer { name: 'p' type: 'Softmax' bottom: 'data' top: 'p' } layer { name: 'a' type: 'Accuracy' bottom: 'p' bottom: 'data' top: 'a' } layer { name: 's' type: 'Silence' bottom: 'a' }".to_owned(),
            vec!["Input()", "Softmax(0)"],
        ),
        // A loss puts out its probabilities too.
        (
            "layer { name: 'l' type: 'SoftmaxWithLoss' bottom: 'data' bottom: 'data' top: 'l' top: 'p' } layer { name: 's' type: 'Silence' bottom: 'p' }".to_owned(),
            vec!["Input()", "Softmax(0)"],
        ),
        ("layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'r' phase: TEST propagate_down: true }".to_owned(), vec!["Input()", "ReLU(0)"]),
    ];
    for (text, expected) in cases {
        assert_eq!(nodes(&read(&format!("{INPUT}{text}"))), expected, "{text}");
    }
    // Labels may be led through other layers.
    let text = "layer { name: 'd' type: 'Data' top: 'data' top: 'label' transform_param { crop_size: 8 } }
        layer { name: 's' type: 'Split' bottom: 'label' top: 'l1' top: 'l2' }
        layer { name: 'l' type: 'SoftmaxWithLoss' bottom: 'data' bottom: 'l2' top: 'l' }";
    assert_eq!(nodes(&read(text)), ["Input()", "Softmax(0)"]);
}

#[test]
fn fillers_are_read() {
    let of = |filler: &str| {
        let layer = "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 8 kernel_size: 2";
        read(&format!("{INPUT}{layer} {filler} }} }}")).graph.node(1).learning.weight_filler
    };
    let cases = [
        ("", Filler::Xavier),
        ("weight_filler { }", Filler::Constant(0.0)),
        ("weight_filler { type: 'constant' value: 2 }", Filler::Constant(2.0)),
        ("weight_filler { type: 'uniform' min: -1 max: 2 }", Filler::Uniform(-1.0, 2.0)),
        ("weight_filler { type: 'gaussian' mean: 1 std: 2 }", Filler::Gaussian(1.0, 2.0)),
        ("weight_filler { type: 'xavier' std: 0.1 }", Filler::Xavier),
        ("weight_filler { type: 'msra' variance_norm: FAN_IN }", Filler::Msra),
        // 8 outputs of a 2x2 window: 32; 3 inputs: 12.
        ("weight_filler { type: 'msra' variance_norm: FAN_OUT }", Filler::Gaussian(0.0, 0.25)),
        ("weight_filler { type: 'xavier' variance_norm: FAN_OUT }", Filler::Uniform(-0.306_186_23, 0.306_186_23)),
        ("weight_filler { type: 'msra' variance_norm: AVERAGE }", Filler::Gaussian(0.0, 0.301_511_35)),
    ];
    for (filler, expected) in cases {
        assert_eq!(of(filler), expected, "{filler}");
    }
    let still = read(&format!(
        "{INPUT}layer {{ name: 'b' type: 'BatchNorm' bottom: 'data' top: 'b' param {{ lr_mult: 0 }} param {{ lr_mult: 0 }} param {{ lr_mult: 0 }} }}"
    ));
    assert_eq!(still.graph.node(1).learning.weights, Rate { learn: 0.0, decay: 0.0 });
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    const LAYER: &str = "line 2: layer \"x\"";
    // Each text stands on line 2.
    let cases = [
        (
            "layer { name: 'x' type: 'Deconvolution' bottom: 'data' top: 'x' }",
            &[LAYER, "\"Deconvolution\" is not supported"][..],
        ),
        ("layers { name: 'x' type: SLICE bottom: 'data' top: 'x' }", &[LAYER, "\"SLICE\""][..]),
        ("layer { name: 'x' bottom: 'data' top: 'x' }", &[LAYER, "type not given"][..]),
        ("layer { name: 'x' type: 'ReLU' bottom: 'no' top: 'x' }", &[LAYER, "\"no\"", "ReLU"][..]),
        ("layer { name: 'x' type: 'ReLU' bottom: 'data' top: 'x' relu: 1 }", &[LAYER, "\"relu\""][..]),
        (
            "layer { name: 'x' type: 'ReLU' bottom: 'data' top: 'x' relu_param { slope: 1 } }",
            &[LAYER, "\"slope\"", "ReLU"][..],
        ),
        (
            "layer { name: 'x' type: 'ReLU' bottom: 'data' top: 'x' pooling_param { } }",
            &[LAYER, "\"pooling_param\""][..],
        ),
        ("layer { name: 'x' type: 'ReLU' bottom: 'data' bottom: 'data' top: 'x' }", &[LAYER, "inputs, not 2"][..]),
        ("layer { name: 'x' type: 'ReLU' top: 'x' }", &[LAYER, "inputs, not 0"][..]),
        ("layer { name: 'data' type: 'ReLU' bottom: 'data' top: 'x' }", &["layer \"data\"", "same name"][..]),
        (
            "layer { name: 'x' type: 'Pooling' bottom: 'data' top: 'x' top: 'mask' pooling_param { kernel_size: 2 } }",
            &[LAYER, "2 tops"][..],
        ),
        (
            "layer { name: 'x' type: 'ReLU' bottom: 'data' top: 'y' }\nlayer { name: 'z' type: 'ReLU' bottom: 'data' top: 'y' }",
            &["line 3: layer \"z\"", "already"][..],
        ),
        (
            "layer { name: 'x' type: 'ReLU' bottom: 'data' top: 'x' param { lr_mult: 1 } }",
            &[LAYER, "0 learned arrays"][..],
        ),
        (
            "layer { name: 'x' type: 'InnerProduct' bottom: 'data' top: 'x' param { name: 'w' } inner_product_param { num_output: 1 } }",
            &[LAYER, "shared"][..],
        ),
        (
            "layers { name: 'x' type: INNER_PRODUCT bottom: 'data' top: 'x' param: 'w' inner_product_param { num_output: 1 } }",
            &[LAYER, "shared"][..],
        ),
        (
            "layer { name: 'x' type: 'Convolution' bottom: 'data' top: 'x' convolution_param { num_output: 1 kernel_size: 1 weight_filler { type: 'bilinear' } } }",
            &[LAYER, "\"bilinear\""][..],
        ),
        (
            "layer { name: 'x' type: 'Convolution' bottom: 'data' top: 'x' convolution_param { num_output: 1 kernel_size: 99 } }",
            &[LAYER, "does not fit 3x16x16"][..],
        ),
        (
            "layer { name: 'x' type: 'Convolution' bottom: 'data' top: 'x' convolution_param { num_output: 4000000000 kernel_size: 1 } }",
            &[LAYER, "weights"][..],
        ),
        (
            "layer { name: 'x' type: 'InnerProduct' bottom: 'data' top: 'x' inner_product_param { num_output: 99999999 } }",
            &[LAYER, "weights"][..],
        ),
        (
            "layer { name: 'x' type: 'Convolution' bottom: 'data' top: 'x' convolution_param { num_output: 1 kernel_size: 18446744073709551615 dilation: 18446744073709551615 } }",
            &[LAYER][..],
        ),
        (
            "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: [1, 3, 4294967296, 4294967296] } } }",
            &[LAYER, "elements"][..],
        ),
        (
            "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: [1, 3, 8] } } }",
            &[LAYER, "3 dimensions"][..],
        ),
        (
            "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: [1, 3, 8, 8] } } }",
            &["more than one input"][..],
        ),
        ("layer { name: 'x' type: 'ReLU' bottom: 'data' top: 'x' include { phase: BOTH } }", &[LAYER, "BOTH"][..]),
        ("layer: 1", &["line 2", "message"][..]),
        ("layer {} layers {}", &["line 2", "cannot be mixed"][..]),
        ("colour: 1", &["line 2", "\"colour\""][..]),
        ("base_lr: 0.1", &["line 2", "solver"][..]),
        ("input: 'more'", &["2 inputs"][..]),
        ("input_dim: 7", &["5 input_dim"][..]),
        ("layer { name: 'x' ", &["line 2", "ends"][..]),
    ];
    for (text, parts) in cases {
        let error = parse(&format!("{INPUT}{}", text)).unwrap_err();
        assert!(error.starts_with("net.prototxt: "), "{error}");
        for part in parts {
            assert!(error.contains(part), "{}\n{error}\nlacks {part}", text);
        }
    }
    assert!(parse("").unwrap_err().contains("no layers"));
    let error =
        caffe::parse("layer { name: 'r' type: 'ReLU' bottom: 'x' top: 'x' }", "x", &Options::default()).unwrap_err();
    assert_eq!(error.net().map(|e| (e.kind(), e.layer(), e.line())), Some((ErrorKind::Graph, Some("r"), Some(1))));
}
