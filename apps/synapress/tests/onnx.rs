//! ONNX models in and out of the program, and weights for other tools.

mod common;

use common::{Folder, words};

#[test]
fn a_model_is_taken_by_every_command_and_imported_once_and_for_all() {
    let folder = Folder::trained();
    let exported = folder.json(&words("export float.syn --to onnx -o net.onnx"));
    assert_eq!(exported["bytes"], folder.read("net.onnx").len());
    let [a, b] = ["float.syn", "net.onnx"].map(|f| folder.json(&["inspect", f]));
    assert_eq!(a["parameters"], b["parameters"]);
    let prepared = "--data val.txt --mean 128 --scale 0.0156";
    let [a, b] = ["float.syn", "net.onnx"].map(|f| folder.json(&words(&format!("eval {f} {prepared}"))));
    assert_eq!((&a["top1"], &a["top5"]), (&b["top1"], &b["top5"]));
    // Without an output the name is the model's, and a file that is there stays.
    let imported = folder.json(&words("import net.onnx --mean 128 --scale 0.0156"));
    assert_eq!((&imported["output"], &imported["classes"]), (&"net.syn".into(), &10.into()));
    assert_eq!(folder.json(&words("eval net.syn --data val.txt"))["top1"], a["top1"]);
    folder.fails(2, &words("import net.onnx"), &["net.syn is there already"]);
    // The program's own copy of a copy is the same file.
    folder.ok(&words("export net.onnx --to onnx -o again.onnx"));
    assert_eq!(folder.read("net.onnx"), folder.read("again.onnx"));
}

#[test]
fn deviations_go_into_the_first_layer() {
    let folder = Folder::trained();
    folder.ok(&words("export float.syn --to onnx -o net.onnx"));
    folder.ok(&words("import net.onnx --mean 128 --scale 0.0156 -o a.syn"));
    folder.ok(&words("import net.onnx --mean 128 --std 64.1026,64.1026,64.1026 -o b.syn"));
    let [a, b] = ["a.syn", "b.syn"].map(|f| folder.json(&["classify", f, "val1000.ppm"])["images"][0]["top"].clone());
    for (a, b) in a.as_array().unwrap().iter().zip(b.as_array().unwrap()) {
        let [p, q] = [a, b].map(|t| t["probability"].as_f64().unwrap());
        assert!(a["class"] == b["class"] && (p - q).abs() < 1e-4, "{a} {b}");
    }
    folder.fails(1, &words("import net.onnx --std 1,2 -o c.syn"), &["one positive number for each of 3 channels"]);
}

#[test]
fn weights_are_written_for_other_tools() {
    let folder = Folder::trained();
    folder.ok(&words("prune float.syn --sparsity 0.5 --resolve-images 0 -o pruned.syn"));
    folder.ok(&words("export pruned.syn --to safetensors -o pruned.safetensors"));
    let bytes = folder.read("pruned.safetensors");
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let head: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
    assert_eq!(head["conv1.weight"]["shape"], serde_json::json!([8, 3, 3, 3]));
    assert_eq!(head["fc.weight"]["shape"], serde_json::json!([10, 192]));
    let part = |name: &str| {
        let at = |i: usize| head[name]["data_offsets"][i].as_u64().unwrap() as usize;
        &bytes[8 + len + at(0)..8 + len + at(1)]
    };
    let weights = part("conv2.weight").chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()) != 0.0);
    assert!(weights.eq(part("conv2.weight_mask").iter().map(|&m| m == 1)));
    assert!(part("conv2.weight_mask").contains(&0));
    // A caffemodel and the prototxt are the network.
    folder.ok(&words("export pruned.syn --to caffemodel -o pruned.caffemodel"));
    let prepared = "--data val.txt --mean 128 --scale 0.0156";
    let found = folder.json(&words(&format!("eval tiny.prototxt pruned.caffemodel {prepared}")));
    assert_eq!(found["top1"], folder.json(&words("eval pruned.syn --data val.txt"))["top1"]);
}

#[test]
fn integers_are_written_for_other_runtimes() {
    let folder = Folder::trained();
    folder.fails(1, &words("export float.syn --to onnx-qdq -o net.onnx"), &["not quantized"]);
    assert!(!folder.path("net.onnx").exists());
    folder.ok(&words("quantize float.syn --data train.txt -o sq.syn"));
    folder.ok(&words("export sq.syn --to onnx-qdq -o net.onnx"));
    let bytes = folder.read("net.onnx");
    let has = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(has("QuantizeLinear") && has("DequantizeLinear"));
    folder.fails(1, &words("inspect net.onnx"), &["net.onnx", "synapress quantize"]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let folder = Folder::trained();
    folder.ok(&words("export float.syn --to onnx -o net.onnx"));
    for (code, command, says) in [
        (2, "inspect net.onnx more.caffemodel", "holds its weights"),
        (2, "import float.syn --softmax -o a.syn", "--head and --softmax are for ONNX models"),
        (1, "import net.onnx --head nothing -o a.syn", "there is no output \"nothing\"; there are prob"),
        (2, "export float.syn --to onnx --images val1000.ppm -o a.onnx", "golden vectors"),
        (1, "export float.syn --to onnx -o missing/a.onnx", "there is no folder missing"),
        (1, "inspect missing.onnx", "missing.onnx"),
    ] {
        folder.fails(code, &words(command), &[says]);
    }
    folder.write("text.onnx", "layer { name: 'x' }");
    folder.fails(1, &words("inspect text.onnx"), &["text.onnx", "not an ONNX model"]);
}
