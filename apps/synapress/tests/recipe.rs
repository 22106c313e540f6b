//! The recipe of the paper for VGG-16, carried out on a small network of that make: step counts are shortened, all else
//! is as it comes with the program.

mod common;

use common::{Folder, PREPARED, words};
use synapress_compress::recipe::Recipe;

/// A VGG of three stages: pairs of 3x3 convolutions, pooling, three fully connected layers.
fn vgg() -> String {
    let mut text = "name: \"small-vgg\" input: \"data\" input_shape { dim: 1 dim: 3 dim: 16 dim: 16 }\n".to_owned();
    let mut last = "data".to_owned();
    let mut add = |name: String, kind: &str, parameter: String, in_place: bool| {
        let top = if in_place { last.clone() } else { name.clone() };
        text +=
            &format!("layer {{ name: \"{name}\" type: \"{kind}\" bottom: \"{last}\" top: \"{top}\" {parameter} }}\n");
        last = top;
    };
    let filler = "weight_filler { type: \"msra\" }";
    for (stage, outputs) in [(1, 8), (2, 12), (3, 16)] {
        for number in 1..=2 {
            let of = format!("convolution_param {{ num_output: {outputs} kernel_size: 3 pad: 1 {filler} }}");
            add(format!("conv{stage}_{number}"), "Convolution", of, false);
            add(format!("relu{stage}_{number}"), "ReLU", String::new(), true);
        }
        add(format!("pool{stage}"), "Pooling", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }".into(), false);
    }
    for (number, outputs) in [(6, 64), (7, 48), (8, 10)] {
        add(
            format!("fc{number}"),
            "InnerProduct",
            format!("inner_product_param {{ num_output: {outputs} {filler} }}"),
            false,
        );
        if number < 8 {
            add(format!("relu{number}"), "ReLU", String::new(), true);
            add(format!("drop{number}"), "Dropout", "dropout_param { dropout_ratio: 0.5 }".into(), true);
        }
    }
    add("prob".into(), "Softmax", String::new(), false);
    text
}

#[test]
fn the_recipe_for_vgg16_gives_all_rows_of_its_table() {
    let mut recipe = Recipe::load("paper-vgg16").unwrap();
    let prune = recipe.prune.as_mut().unwrap();
    assert!(prune.retrain.steps > Some(0) && prune.last.steps > Some(0));
    (prune.retrain.steps, prune.last.steps) = (Some(2), Some(3));
    let group = recipe.group.as_mut().unwrap();
    assert!(group.retrain.steps > Some(0));
    group.retrain.steps = Some(2);

    let folder = Folder::new();
    folder.write("short.toml", toml::to_string(&recipe).unwrap());
    folder.write("vgg.prototxt", vgg());
    let train = words("train vgg.prototxt --data train.txt -o vgg.syn --steps 30 --batch 10 --labels names.txt");
    folder.ok(&[&train[..], PREPARED].concat());
    let json = folder.json(&words("compress vgg.syn --recipe short.toml --data train.txt --val val.txt -o c.syn"));

    let rows = json["rows"].as_array().unwrap();
    let stages: Vec<&str> = rows.iter().map(|r| r["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["baseline", "SP", "SP", "SP+SG", "SP+SQ", "SP+SG+SQ"]);
    let sparsity = |row: usize| rows[row]["sparsity"].as_f64().unwrap();
    assert!((sparsity(1) - 75.40).abs() < 0.05 && (sparsity(2) - 91.61).abs() < 0.05, "{json}");
    // What is pruned stays zero; rounding to integers may add to it.
    assert!((3..6).all(|row| sparsity(row) >= sparsity(2)), "{json}");
    for row in [3, 5] {
        let bits = rows[row]["index_bits_mean"].as_f64().unwrap();
        assert!((4.0..=8.0).contains(&bits), "{json}");
    }
    let sizes: Vec<u64> = rows.iter().map(|r| r["size_bytes"].as_u64().unwrap()).collect();
    assert!(sizes[2] < sizes[1] && sizes[1] < sizes[0] && sizes[5] < sizes[2], "{sizes:?}");
    assert_eq!(json["paper"].as_array().unwrap().len(), recipe.paper.len());

    let inspected = folder.json(&words("inspect c.syn"));
    let layers = inspected["rows"].as_array().unwrap();
    for (name, bits) in [("conv3_1", 10), ("fc7", 6)] {
        let row = layers.iter().find(|r| r["name"] == name).unwrap();
        assert_eq!((&row["weight_bits"], &row["output_bits"]), (&bits.into(), &8.into()), "{row}");
    }
    let eval = folder.json(&words("eval c.syn --data val.txt"));
    assert_eq!((&eval["execution"], &eval["top1"]), (&"integer".into(), &rows[5]["top1"]));
}
