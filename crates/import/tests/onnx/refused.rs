//! What no layer stands for is refused by node, operator and what to do.

use crate::build::{Build, attribute, float, int, ints, numbers, text};
use synapress_import::onnx::proto::{Attribute, Value};
use synapress_import::onnx::{OPSETS, operator_names};

fn build() -> Build {
    Build::new(13, &[3, 4, 4])
}

#[test]
fn what_is_not_understood_is_named() {
    let two = |op: &str, a: &[Attribute]| build().node("Relu", &["x"], "r", &[]).node(op, &["x", "r"], "y", a);
    let one = |op: &str, a: &[Attribute]| build().node(op, &["x"], "y", a);
    let cases = [
        (one("NonMaxSuppression", &[]), "NonMaxSuppression is not supported; export"),
        (one("QuantizeLinear", &[]), "synapress quantize"),
        (one("If", &[]), "without control flow"),
        (one("LogSoftmax", &[]), "the order of the classes is the same"),
        (one("Relu", &[int("unknown", 1)]), "the option \"unknown\" is not supported"),
        (one("Relu", &[attribute("body", Value::Tensor(Default::default()))]), "the option \"body\""),
        (one("Softmax", &[int("axis", 2)]), "axis 2 of 4"),
        (one("Softmax", &[int("axis", 9)]), "no axis 9 among 4"),
        (one("Flatten", &[int("axis", 2)]), "flattening from axis 2"),
        (one("LRN", &[int("size", 4)]), "size 4"),
        (one("LRN", &[int("size", 3), float("alpha", -1.0)]), "alpha"),
        (one("ReduceMean", &[ints("axes", &[1])]), "a mean over axes [1]"),
        (one("Transpose", &[ints("perm", &[0, 1, 3, 2])]), "moving axes"),
        (one("Transpose", &[ints("perm", &[0, 1])]), "no order of 4 axes"),
        (one("Squeeze", &[]), "axes are missing"),
        (one("Squeeze", &[ints("axes", &[1])]), "dropping axes [1]"),
        (one("Unsqueeze", &[ints("axes", &[0])]), "before the batch"),
        (one("Clip", &[float("min", 2.0), float("max", 1.0)]), "in this order"),
        (one("Dropout", &[float("ratio", 1.5)]), "dropout_ratio"),
        (one("Concat", &[int("axis", 2)]), "along axis 2"),
        (one("Cast", &[int("to", 7)]), "int64"),
        (one("Gather", &[]), "input 1 is missing"),
        (one("Conv", &[]), "input 1 is missing"),
        (one("Constant", &[]), "the value is missing"),
        (two("Conv", &[]), "input 1 is computed; only a constant"),
        (two("Div", &[]), "no constant"),
        (two("Gemm", &[]), "input 1 is computed"),
        (build().floats("c", &[], &[1.0]).node("Div", &["c", "x"], "y", &[]), "no constant"),
        (build().floats("c", &[4, 4], &numbers(16)).node("Add", &["x", "c"], "y", &[]), "one for each channel"),
        (
            build().floats("w", &[4, 4, 1, 1], &numbers(16)).node("Conv", &["x", "w"], "y", &[]),
            "1 groups of 4 channels",
        ),
        (build().floats("w", &[4, 3, 1], &numbers(12)).node("Conv", &["x", "w"], "y", &[]), "weights of 3 axes"),
        (build().floats("w", &[2, 48], &numbers(96)).node("Gemm", &["x", "w"], "y", &[int("transB", 1)]), "flatten it"),
        (build().floats("w", &[2, 48], &numbers(96)).node("Gemm", &["x", "w"], "y", &[int("transA", 1)]), "transA"),
        (build().ints("p", &[0, 1, 0, 0, 0, 0, 0, 0]).node("Pad", &["x", "p"], "y", &[]), "only height and width"),
        (build().ints("p", &[0, 0, 1, 1]).node("Pad", &["x", "p"], "y", &[]), "4 pads for 4 axes"),
        (build().node("Pad", &["x"], "y", &[text("mode", "reflect")]), "mode reflect"),
        (
            build().ints("p", &[0, 0, 1, 0, 0, 0, 0, 0]).node("Pad", &["x", "p"], "q", &[]).node(
                "Relu",
                &["q"],
                "y",
                &[],
            ),
            "only before convolution and pooling",
        ),
        (build().ints("s", &[0, 47]).node("Reshape", &["x", "s"], "y", &[]), "cannot become"),
        (build().ints("s", &[0, -1, -1]).node("Reshape", &["x", "s"], "y", &[]), "cannot become"),
        (build().ints("s", &[12, 4]).node("Reshape", &["x", "s"], "y", &[]), "the batch must stay in front"),
        (build().ints("s", &[0, i64::MAX, i64::MAX]).node("Reshape", &["x", "s"], "y", &[]), "cannot become"),
        (
            build()
                .ints("s", &[0, 3, 2, 2, 4])
                .node("Reshape", &["x", "s"], "r", &[])
                .node("Relu", &["r"], "z", &[])
                .node("MaxPool", &["z"], "y", &[]),
            "5 axes",
        ),
    ];
    for (build, part) in cases {
        let e = build.net().unwrap_err();
        let node = &build.model.graph.nodes.last().unwrap();
        assert!(e.contains(part), "{e}\nlacks {part}");
        assert!(e.contains(&format!("layer \"{}\"", node.name)) && e.contains(&format!("(type {})", node.op)), "{e}");
    }
}

#[test]
fn graphs_that_do_not_hold_together_are_refused() {
    let relu = || build().node("Relu", &["x"], "y", &[]);
    let mut late = build().node("Relu", &["r"], "y", &[]).node("Relu", &["x"], "r", &[]);
    let mut twice = relu().node("Sigmoid", &["x"], "y", &[]);
    let (mut foreign, mut nothing) = (relu(), build());
    foreign.model.graph.nodes[0].domain = "com.example".to_owned();
    nothing.model.graph.outputs[0].name = "x".to_owned();
    let (mut whole, mut none, mut inputs) = (relu(), relu(), relu());
    whole.model.graph.inputs[0].kind = 3;
    none.model.graph.outputs.clear();
    inputs.model.graph.inputs.clear();
    let mut fed = build().node("Add", &["x", "z"], "y", &[]);
    let mut second = fed.model.graph.inputs[0].clone();
    second.name = "z".to_owned();
    fed.model.graph.inputs.push(second);
    let mut nameless = relu();
    nameless.model.opsets.clear();
    let mut huge = relu();
    huge.model.graph.inputs[0].dims[1] = synapress_import::onnx::proto::Dim::Size(i64::MAX);
    let ints_only = build().ints("y", &[1]);
    for (build, part) in [
        (&mut late, "nothing before it makes the input \"r\""),
        (&mut twice, "made twice"),
        (&mut foreign, "com.example.Relu is not supported"),
        (&mut whole, "int8"),
        (&mut none, "no output"),
        (&mut inputs, "no input"),
        (&mut fed, "one image input"),
        (&mut nameless, "names no operator set"),
        (&mut huge, "elements"),
        (&mut ints_only.clone(), "no input"),
        (&mut build().node("Relu", &["y"], "y", &[]), "no input"),
    ] {
        let e = build.net().unwrap_err();
        assert!(e.contains(part), "{e}\nlacks {part}");
    }
    assert!(nothing.net().is_ok(), "the image itself is an output like any other");
}

#[test]
fn operator_sets_from_9_to_21_are_taken() {
    for opset in 0..30 {
        let net = Build::new(opset, &[3, 4, 4]).node("Relu", &["x"], "y", &[]).net();
        match net {
            Ok(_) => assert!(OPSETS.contains(&opset)),
            Err(e) => assert!(e.contains("from 9 to 21") && !OPSETS.contains(&opset), "{e}"),
        }
    }
    assert!(operator_names().is_sorted());
}

#[test]
fn weights_that_many_layers_share_do_not_fill_the_memory() {
    let mut build = build().floats("w", &[3, 3, 256, 256], &numbers(9 << 16));
    let pads = ints("pads", &[127, 127, 128, 128]);
    for i in 0..64 {
        let (from, to) = (if i == 0 { "x".to_owned() } else { format!("v{i}") }, format!("v{}", i + 1));
        build = build.node("Conv", &[&from, "w"], &to, std::slice::from_ref(&pads));
    }
    build.model.graph.outputs[0].name = "v64".to_owned();
    let e = build.net().unwrap_err();
    assert!(e.contains("share so many weights"), "{e}");
}
