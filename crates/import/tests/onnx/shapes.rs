//! Other views of the same values, shapes that are computed, and axes in another order.

use crate::build::{Build, attribute, close, float, int, ints, numbers};
use synapress_import::onnx::Options;
use synapress_import::onnx::proto::{Dim, Tensor, Value};
use synapress_model::Shape;

/// A fully connected layer of two outputs on twelve inputs, from `f` to `y`.
fn classified(build: Build) -> Build {
    build.floats("w", &[2, 12], &numbers(24)).node("Gemm", &["f", "w"], "y", &[int("transB", 1)])
}

fn expected(image: &[f32]) -> Vec<f32> {
    numbers(24).chunks(12).map(|w| w.iter().zip(image).map(|(w, x)| w * x).sum()).collect()
}

#[test]
fn vectors_are_made_in_many_ways() {
    let image = numbers(12);
    let start = |opset: u64| Build::new(opset, &[3, 2, 2]);
    let known = |shape: &[i64]| start(13).ints("shape", shape).node("Reshape", &["x", "shape"], "f", &[]);
    let size = Tensor::ints("", &[], vec![0]);
    // What PyTorch wrote for `x.view(x.size(0), -1)`.
    let computed = start(9)
        .node("Shape", &["x"], "s", &[])
        .node("Constant", &[], "zero", &[attribute("value", Value::Tensor(size))])
        .node("Gather", &["s", "zero"], "n", &[int("axis", 0)])
        .node("Unsqueeze", &["n"], "n1", &[ints("axes", &[0])])
        .ints("rest", &[-1])
        .node("Concat", &["n1", "rest"], "shape", &[int("axis", 0)])
        .node("Reshape", &["x", "shape"], "f", &[]);
    let sliced = start(13)
        .node("Shape", &["x"], "s", &[])
        .ints("0", &[0])
        .ints("1", &[1])
        .node("Slice", &["s", "0", "1"], "n", &[])
        .node("Cast", &["n"], "n64", &[int("to", 7)])
        .ints("rest", &[12])
        .node("Concat", &["n64", "rest"], "shape", &[int("axis", 0)])
        .node("Reshape", &["x", "shape"], "f", &[]);
    let cases = [
        start(13).node("Flatten", &["x"], "f", &[]),
        start(13).node("Flatten", &["x"], "f", &[int("axis", -3)]),
        known(&[-1, 12]),
        known(&[0, -1]),
        start(13).ints("a", &[0, 6, 2]).node("Reshape", &["x", "a"], "r", &[]).node("Flatten", &["r"], "f", &[]),
        computed,
        sliced,
    ];
    for case in cases {
        let case = classified(case);
        close(&case.run(&image), &expected(&image));
        // A fully connected layer takes an image as it is.
        assert_eq!(case.layers(), ["InnerProduct"]);
    }
    // A fixed batch may be written out.
    let mut fixed = classified(known(&[8, 12]));
    assert!(fixed.net().unwrap_err().contains("the batch must stay in front"));
    fixed.model.graph.inputs[0].dims[0] = Dim::Size(8);
    close(&fixed.run(&image), &expected(&image));
}

#[test]
fn axes_of_one_come_and_go() {
    let image = numbers(12);
    let pooled: Vec<f32> = image.chunks(4).map(|p| p.iter().sum::<f32>() / 4.0).collect();
    let start = |opset: u64| Build::new(opset, &[3, 2, 2]).node("GlobalAveragePool", &["x"], "p", &[]);
    let cases = [
        start(9).node("Squeeze", &["p"], "q", &[ints("axes", &[2, 3])]).node(
            "Unsqueeze",
            &["q"],
            "y",
            &[ints("axes", &[2, 3])],
        ),
        start(13).ints("a", &[-1, -2]).node("Squeeze", &["p", "a"], "y", &[]),
        start(13).node("Transpose", &["p"], "y", &[ints("perm", &[0, 2, 3, 1])]).ints("a", &[1, 2]),
    ];
    for case in &cases[..2] {
        close(&case.run(&image), &pooled);
        assert_eq!(case.layers(), ["Pooling"]);
    }
    let vector = cases[2].clone().node("Squeeze", &["y", "a"], "z", &[]);
    let mut vector = vector.floats("w", &[2, 3], &numbers(6)).node("Gemm", &["z", "w"], "out", &[int("transB", 1)]);
    vector.model.graph.outputs[0].name = "out".to_owned();
    let expected: Vec<f32> = numbers(6).chunks(3).map(|w| w.iter().zip(&pooled).map(|(w, x)| w * x).sum()).collect();
    close(&vector.run(&image), &expected);
}

#[test]
fn a_shape_that_a_layer_needs_becomes_a_layer() {
    let image = numbers(12);
    let reshaped = Build::new(13, &[3, 2, 2]).ints("a", &[0, 6, 2, 1]).node("Reshape", &["x", "a"], "r", &[]);
    let pooled = reshaped.node("GlobalAveragePool", &["r"], "y", &[]);
    close(&pooled.run(&image), &image.chunks(2).map(|p| (p[0] + p[1]) / 2.0).collect::<Vec<_>>());
    assert_eq!(pooled.layers(), ["Reshape", "Pooling"]);
    let scaled = Build::new(13, &[3, 2, 2]).node("Flatten", &["x"], "f", &[]);
    let scaled = scaled.floats("c", &[12], &numbers(12)).node("Mul", &["f", "c"], "y", &[]);
    close(&scaled.run(&image), &image.iter().map(|x| x * x).collect::<Vec<_>>());
    assert_eq!(scaled.layers(), ["Flatten", "Scale"]);
}

#[test]
fn channels_that_come_last_are_brought_to_the_front() {
    let (image, weights) = (numbers(12), numbers(6));
    let last = [0, 2, 3, 1];
    let first = [0, 3, 1, 2];
    // As converters from TensorFlow write it: height, width, channels outside, transposed around a convolution.
    let build = Build::new(13, &[2, 2, 3])
        .floats("w", &[2, 3, 1, 1], &weights)
        .floats("b", &[2], &[0.5, -0.5])
        .node("Transpose", &["x"], "t", &[ints("perm", &first)])
        .node("Conv", &["t", "w"], "c", &[])
        .node("Transpose", &["c"], "l", &[ints("perm", &last)])
        .node("Add", &["l", "b"], "s", &[])
        .node("Relu", &["s"], "r", &[])
        .node("Transpose", &["r"], "f", &[ints("perm", &first)])
        .node("GlobalAveragePool", &["f"], "y", &[]);
    assert_eq!(build.net().unwrap().graph.shape(0), Shape::new(3, 2, 2).unwrap());
    let expected: Vec<f32> = (0..2)
        .map(|o| {
            let sums =
                (0..4).map(|i| (0..3).map(|c| image[c * 4 + i] * weights[o * 3 + c]).sum::<f32>() + 0.5 - o as f32);
            sums.map(|s| s.max(0.0)).sum::<f32>() / 4.0
        })
        .collect();
    close(&build.run(&image), &expected);
    let flat = Build::new(13, &[3, 2, 2]).node("Transpose", &["x"], "l", &[ints("perm", &last)]);
    let e = flat.node("Flatten", &["l"], "y", &[]).net().unwrap_err();
    assert!(e.contains("channels come last"), "{e}");
}

#[test]
fn channels_taken_apart_and_put_together_are_a_scale() {
    // What PyTorch writes for torchvision's GoogLeNet with `transform_input`.
    let mut build =
        Build::new(13, &[3, 2, 2]).floats("half", &[], &[0.5]).floats("one", &[1], &[1.0]).ints("axis", &[1]);
    for (c, name) in ["a", "b", "c"].into_iter().enumerate() {
        let [index, bare, whole, scaled] = ["i", "g", "u", "s"].map(|p| format!("{p}{name}"));
        let place = Tensor::ints("", &[], vec![c as i64]);
        build = build
            .node("Constant", &[], &index, &[attribute("value", Value::Tensor(place))])
            .node("Gather", &["x", &index], &bare, &[int("axis", 1)])
            .node("Unsqueeze", &[&bare, "axis"], &whole, &[])
            .node("Mul", &[&whole, "half"], &scaled, &[])
            .node("Add", &[&scaled, "one"], name, &[]);
    }
    let whole = build.clone().node("Concat", &["a", "b", "c"], "y", &[int("axis", 1)]);
    let image = numbers(12);
    close(&whole.run(&image), &image.iter().map(|x| 0.5 * x + 1.0).collect::<Vec<_>>());
    assert_eq!(whole.layers(), ["Scale"]);
    let mixed = build.clone().node("Concat", &["b", "a", "c"], "y", &[int("axis", 1)]).net().unwrap_err();
    assert!(mixed.contains("in order"), "{mixed}");
    let alone = build.node("Relu", &["a"], "y", &[]).net().unwrap_err();
    assert!(alone.contains("taking channels apart"), "{alone}");
}

#[test]
fn inputs_and_outputs_are_found_or_named() {
    // Old files list initializers among the inputs.
    let mut old = classified(Build::new(9, &[3, 2, 2]).node("Flatten", &["x"], "f", &[]));
    let mut weights = old.model.graph.inputs[0].clone();
    weights.name = "w".to_owned();
    old.model.graph.inputs.insert(0, weights);
    close(&old.run(&numbers(12)), &expected(&numbers(12)));
    let mut free = old.clone();
    free.model.graph.inputs[1].dims[2] = Dim::Free("height".to_owned());
    let e = free.net().unwrap_err();
    assert!(e.contains("batch 3 height 2") && e.contains("--input C,H,W"), "{e}");
    let options = Options { input_shape: Some(Shape::new(3, 2, 2).unwrap()), ..Options::default() };
    assert!(free.net_with(&options).is_ok());
    // Of several outputs one is meant, and what the others alone need is left out.
    let mut two = old.clone().node("Softmax", &["y"], "p", &[]).node("NonMaxSuppression", &["p"], "boxes", &[]);
    let mut more = two.model.graph.outputs[0].clone();
    more.name = "boxes".to_owned();
    two.model.graph.outputs.push(more);
    let e = two.net().unwrap_err();
    assert!(e.contains("several outputs") && e.contains("y, boxes"), "{e}");
    let output = |name: &str| Options { output: Some(name.to_owned()), ..Options::default() };
    assert_eq!(two.net_with(&output("y")).unwrap().graph.nodes().len(), 2);
    assert!(two.net_with(&output("boxes")).unwrap_err().contains("NonMaxSuppression is not supported"));
    assert!(two.net_with(&output("z")).unwrap_err().contains("there are y, boxes"));
    // Scores become probabilities if that is wanted, once.
    let softmax = Options { softmax: true, ..Options::default() };
    let last = |build: &Build| build.net_with(&softmax).unwrap().graph.nodes().last().unwrap().layer.kind().name;
    assert_eq!((last(&old), old.net_with(&softmax).unwrap().graph.nodes().len()), ("Softmax", 3));
    let mut ended = old.clone().node("Softmax", &["y"], "p", &[]);
    ended.model.graph.outputs[0].name = "p".to_owned();
    assert_eq!((last(&ended), ended.net_with(&softmax).unwrap().graph.nodes().len()), ("Softmax", 3));
}

#[test]
fn names_are_made_unique() {
    let mut build = Build::new(13, &[3, 2, 2]).node("Relu", &["x"], "a", &[]).node(
        "LeakyRelu",
        &["a"],
        "y",
        &[float("alpha", 0.5)],
    );
    build.model.graph.nodes[0].name = "same".to_owned();
    build.model.graph.nodes[1].name = "same".to_owned();
    let names = |b: &Build| b.net().unwrap().graph.nodes().iter().map(|n| n.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&build), ["x", "same", "same_2"]);
    build.model.graph.nodes[1].name.clear();
    assert_eq!(names(&build), ["x", "same", "y"]);
}
