//! What each command does with a tiny network: files that come out, tables, and JSON that is pure.

mod common;

use common::{Folder, PREPARED, words};

#[test]
fn inspect_prints_the_totals_of_table_1() {
    let folder = Folder::new();
    for (name, parameters, connections, convolutions, fully_connected, modules) in [
        ("alexnet", 60_965_224u64, 724_406_816u64, 5, 3, 0),
        ("vgg16", 138_357_544, 15_470_264_320, 13, 3, 0),
        ("vgg19", 143_667_240, 19_632_062_464, 16, 3, 0),
        ("googlenet", 6_998_552, 1_582_671_872, 57, 1, 9),
    ] {
        let json = folder.json(&["inspect", &format!("zoo:{name}")]);
        assert_eq!(json["parameters"], parameters, "{name}");
        assert_eq!(json["convolutions"], convolutions, "{name}");
        assert_eq!(json["fully_connected"], fully_connected, "{name}");
        assert_eq!(json["inception_modules"], modules, "{name}");
        assert_eq!(json["connections"], connections, "{name}");
        assert!(json["layers"].as_u64().unwrap() > 10, "{name}");
    }
    let text = folder.ok(&["inspect", "tiny.prototxt"]);
    assert!(text.contains("conv2") && text.contains("12x8x8") && text.contains("parameters"), "{text}");
}

#[test]
fn a_network_goes_through_every_command() {
    let folder = Folder::trained();
    let eval = folder.json(&words("eval float.syn --data val.txt"));
    assert_eq!(eval["images"], 30);
    for key in ["top1", "top5", "images_per_second"] {
        assert!(eval[key].is_number(), "{key}: {eval}");
    }
    assert!(eval["top5"].as_f64() >= eval["top1"].as_f64());

    let pruned = folder.json(&words(
        "prune float.syn --data train.txt --val val.txt --sparsity 0.5 --rounds 2 --correct-images 20 --blocks 3 --steps 5 --batch 10 -o sp.syn",
    ));
    assert!((pruned["sparsity"].as_f64().unwrap() - 0.5).abs() < 0.01, "{pruned}");
    assert!(pruned["difference"]["top1"]["points"].is_number(), "{pruned}");
    let grouped =
        folder.json(&words("group sp.syn --data train.txt --bits 4 --init optimal --fit-images 20 --layer fc=3 --steps 5 --batch 10 -o sg.syn"));
    assert!(grouped["index_bits"].as_f64().unwrap() <= 4.0, "{grouped}");
    let inspected = folder.json(&words("inspect sg.syn"));
    let fc = inspected["rows"].as_array().unwrap().iter().find(|r| r["name"] == "fc").unwrap().clone();
    assert_eq!((&fc["stage"], &fc["index_bits"]), (&"grouped".into(), &3.into()), "{fc}");
    assert!((inspected["sparsity"].as_f64().unwrap() - 0.5).abs() < 0.01, "{inspected}");
    assert!(inspected["bytes_of"]["weights"].as_u64() < inspected["bytes"].as_u64());

    // Preprocessing and names travelled along; pixels are prepared as in training without a word of it.
    let classified = folder.json(&words("classify sg.syn val1000.ppm val1001.ppm"));
    let images = classified["images"].as_array().unwrap();
    assert_eq!((images.len(), images[0]["top"].as_array().unwrap().len()), (2, 5));
    let sum: f64 = images[0]["top"].as_array().unwrap().iter().map(|t| t["probability"].as_f64().unwrap()).sum();
    assert!(sum > 0.3 && sum <= 1.0001, "{classified}");
    assert!(images[0]["top"][0]["label"].as_str().unwrap().chars().all(|c| !c.is_ascii_digit()), "{classified}");

    let against = folder.json(&words("eval sg.syn --against float.syn --data val.txt"));
    assert_eq!(against["difference"]["images"], 30);
    assert!(against["difference"]["top1"]["interval"].is_array());
    let text = folder.ok(&words("eval sg.syn --against float.syn --data val.txt"));
    assert!(text.contains("paired on 30 images"), "{text}");
}

#[test]
fn encode_keeps_a_network_as_it_is() {
    let folder = Folder::trained();
    folder.ok(&words("encode float.syn -o again.syn --mean 1,2,3"));
    let [a, b] = ["float.syn", "again.syn"].map(|f| folder.json(&["inspect", f]));
    assert_eq!(a["rows"], b["rows"]);
    assert!(b["history"].as_array().unwrap().last().unwrap().as_str().unwrap().starts_with("encode"));
    assert!(!folder.path("float.syn.work").exists());
}

#[test]
fn both_levels_give_the_same_network() {
    let folder = Folder::trained();
    let [fast, max] = ["fast", "max"].map(|level| {
        let name = format!("{level}.syn");
        folder.ok(&["encode", "float.syn", "--level", level, "-o", &name]);
        folder.json(&["eval", &name, "--data", "val.txt"])
    });
    assert_eq!(fast["cross_entropy"], max["cross_entropy"]);
    let spent = folder.json(&["inspect", "max.syn", "--bytes"])["bytes_per_part"].clone();
    let sum = spent["total"]["bytes"]["sum"].as_f64().unwrap();
    let others = spent["other_chunks"].as_f64().unwrap() + spent["file_framing"].as_f64().unwrap();
    assert!((sum + others - folder.read("max.syn").len() as f64).abs() < 1e-3, "{spent}");
    assert!(folder.ok(&["inspect", "max.syn", "--bytes"]).contains("all layers"));
}

#[test]
fn a_caffemodel_is_read_beside_its_prototxt() {
    let folder = Folder::new();
    let mut net = synapress_import::caffe::parse(common::TINY, "tiny", &Default::default()).unwrap();
    synapress_import::fill(&mut net, 3).unwrap();
    synapress_import::caffemodel::write(&folder.path("tiny.caffemodel"), &net).unwrap();
    let args = words("encode tiny.prototxt tiny.caffemodel -o tiny.syn");
    let json = folder.json(&[&args[..], PREPARED].concat());
    assert_eq!(json["bytes"], folder.read("tiny.syn").len());
    let [a, b] = [words("eval tiny.syn --data val.txt"), words("eval tiny.prototxt tiny.caffemodel --data val.txt")];
    let (a, b) = (folder.json(&a), folder.json(&[&b[..], PREPARED].concat()));
    assert_eq!((&a["top1"], &a["cross_entropy"]), (&b["top1"], &b["cross_entropy"]));
}

#[test]
fn ratios_and_searches_prune_too() {
    let folder = Folder::trained();
    for how in ["--pattern 1x4", "--spread magnitude", "--spread layer --pattern 1x4"] {
        let json = folder.json(&words(&format!("prune float.syn --sparsity 0.5 {how} -o p.syn")));
        assert!((json["sparsity"].as_f64().unwrap() - 0.5).abs() < 0.05, "{how}: {json}");
    }
    let json = folder.json(&words("prune float.syn --ratio 0.5 --layer fc=1.0 --exclude conv1 -o r.syn"));
    let sparsity = |name: &str| {
        let layers = json["layers"].as_array().unwrap();
        layers.iter().find(|l| l["name"] == name).unwrap()["sparsity"].as_f64().unwrap()
    };
    assert_eq!(sparsity("conv1"), 0.0);
    assert!(sparsity("fc") > sparsity("conv2") && sparsity("conv2") > 0.2, "{json}");
    let args = "prune float.syn --search --tolerance 5 --ratio-step 0.5 --rounds 2 --data train.txt --steps 3 --batch 10 -o s.syn";
    let json = folder.json(&words(args));
    assert!(json["sparsity"].as_f64().unwrap() > 0.1, "{json}");
}

#[test]
fn a_quantized_network_is_executed_in_integers() {
    let folder = Folder::trained();
    let quantized =
        folder.json(&words("quantize float.syn --data train.txt --conv-bits 8 --fc-bits 6 --output-bits 8 -o q.syn"));
    let conv = quantized["layers"].as_array().unwrap().iter().find(|l| l["name"] == "conv1").unwrap().clone();
    assert_eq!(conv["weights"]["bits"], 8, "{conv}");
    let integers = folder.json(&words("eval q.syn --data val.txt --against float.syn"));
    assert_eq!((&integers["execution"], &integers["against"]["execution"]), (&"integer".into(), &"float".into()));
    let float = folder.json(&words("eval q.syn --data val.txt --float"));
    assert_eq!(float["execution"], "float");
    let inspected = folder.json(&words("inspect q.syn"));
    let row = inspected["rows"].as_array().unwrap().iter().find(|r| r["name"] == "fc").unwrap().clone();
    assert_eq!((&row["stage"], &row["weight_bits"], &row["output_bits"]), (&"quantized".into(), &6.into(), &8.into()));
    folder.ok(&words("classify q.syn val1000.ppm"));
    for (more, execution) in [
        ("", "integers"),
        ("--threads 2", "integers"),
        ("--batch 3 --threads 2", "integers"),
        ("--memory small", "integers"),
        ("--kernel plain", "integers"),
        ("--float", "floating point"),
    ] {
        let bench = folder.json(&words(&format!("bench q.syn --seconds 0.05 {more}")));
        assert_eq!(bench["execution"], execution, "{more}");
        let median = bench["latency_ms"]["median"].as_f64().unwrap();
        let per_second = bench["batch"].as_f64().unwrap() * 1e3 / median;
        assert!(median > 0.0 && (bench["images_per_second"].as_f64().unwrap() / per_second - 1.0).abs() < 1e-9);
        let layers = bench["layers"].as_array().unwrap();
        let shares: f64 = layers.iter().map(|l| l["share"].as_f64().unwrap()).sum();
        assert!(layers.len() > 3 && (shares - 1.0).abs() < 1e-6, "{bench}");
        assert!(layers.iter().any(|l| l["name"] == "conv1" && l["connections"].as_u64() > Some(0)), "{bench}");
    }
    assert!(folder.ok(&words("bench q.syn --seconds 0.05")).contains("images/s"));
    folder.fails(2, &words("bench q.syn --kernel abacus"), &["abacus", "plain"]);
    folder.fails(2, &words("bench float.syn --memory small"), &["quantized"]);
    folder.fails(2, &words("bench q.syn --seconds 0"), &["--seconds"]);
    folder.fails(2, &words("train q.syn --data train.txt -o x.syn"), &["quantized"]);
    folder.ok(&words("quantize float.syn --search --tolerance 10 --data train.txt -o s.syn"));
    // Compensated rounding, then some steps through the integers.
    let fitted = "quantize float.syn --data train.txt --fit-images 40 --conv-bits 5 --fc-bits 5 -o fitted.syn";
    let few = folder.json(&words(fitted));
    let json = folder
        .json(&words(&fitted.replace("-o fitted", "--blocks 3 --blocks-rate 0.001 --steps 4 --batch 10 -o trained")));
    assert_eq!(few["layers"], json["layers"], "the formats are the same");
    assert_ne!(folder.read("fitted.syn"), folder.read("trained.syn"));
}

#[test]
fn a_quantized_network_is_exported_for_hardware() {
    let folder = Folder::trained();
    folder.fails(1, &words("export float.syn --to memh -o hw"), &["float.syn", "run `synapress quantize` first"]);
    folder.ok(&words("quantize float.syn --data train.txt -o q.syn"));
    let images = "--images val1000.ppm val1001.ppm";
    for (format, file) in [("memh", "fc.weights.memh"), ("coe", "fc.bias.coe"), ("bin", "fc.bin"), ("c-header", "fc.h")]
    {
        let json = folder.json(&words(&format!("export q.syn --to {format} {images} -o {format}")));
        assert_eq!((&json["golden"], &json["format"]), (&2.into(), &format.into()));
        assert_eq!(json["archive_bytes"], folder.read("q.syn").len());
        assert_eq!(json["layers"].as_array().unwrap().len(), 3);
        assert!(!folder.read(&format!("{format}/layers/007_{file}")).is_empty());
        let manifest: serde_json::Value =
            serde_json::from_slice(&folder.read(&format!("{format}/manifest.json"))).unwrap();
        assert_eq!(manifest["bytes"], json["bytes"]);
        // What the golden vectors end in is what the network says of the image.
        let classified = folder.json(&words("classify q.syn val1001.ppm --top 1"));
        let top = &classified["images"][0]["top"][0];
        let probability = manifest["golden"][1]["classes"][top["class"].as_u64().unwrap() as usize].as_f64().unwrap();
        assert!((top["probability"].as_f64().unwrap() - probability).abs() < 1e-6, "{top} {probability}");
    }
    folder.ok(&words("export q.syn --to memh --seed 7 -o random"));
    folder.fails(1, &words("export q.syn --to memh -o random"), &["random", "holds something already"]);
    folder.fails(2, &words("export q.syn --to hex -o other"), &["c-header"]);
    folder.fails(1, &words("export q.syn --to bin --images none.ppm -o other"), &["none.ppm"]);
    assert!(!folder.path("other").exists());
}

#[test]
fn compress_prints_the_table_of_the_paper_and_writes_it_beside() {
    let folder = Folder::trained();
    folder.write(
        "recipe.toml",
        "name = 'mine'\n[prune]\nsparsity = 0.5\nresolve = { images = 20 }\nretrain = { steps = 5, batch = 10 }\n\
         [group]\nbits = 4\n[quantize]\nconv_bits = 8\nfc_bits = 8\noutput_bits = 8\nimages = 20\n",
    );
    let json = folder.json(&words("compress float.syn --recipe recipe.toml --data train.txt --val val.txt -o c.syn"));
    let stages: Vec<&str> = json["rows"].as_array().unwrap().iter().map(|r| r["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["baseline", "SP", "SP+SG", "SP+SQ", "SP+SG+SQ"]);
    let beside: serde_json::Value = serde_json::from_slice(&folder.read("c.json")).unwrap();
    assert_eq!(beside["rows"], json["rows"]);
    assert_eq!(json["bytes"], folder.read("c.syn").len());
    assert!(!folder.path("c.syn.work").exists());
    let eval = folder.json(&words("eval c.syn --data val.txt"));
    assert_eq!(eval["top1"], json["rows"][4]["top1"]);
    let args = "compress float.syn --max-drop 30 --data train.txt --val val.txt --blocks 3 --steps 3 --batch 10 -o b.syn --keep-work";
    let text = folder.ok(&words(args));
    assert!(text.contains("SP+SG+SQ") && folder.path("b.syn.work").exists(), "{text}");
    let bytes = std::fs::metadata(folder.path("float.syn")).unwrap().len() / 4;
    let args = format!("compress float.syn --max-bytes {bytes} --data train.txt --val val.txt -o d.syn");
    let json = folder.json(&words(&args));
    assert!(json["bytes"].as_u64().unwrap() <= bytes && json["rows"][1]["agreement"].is_number(), "{json}");
    folder.fails(2, &words("compress float.syn --ratio 0.5 --data train.txt --val val.txt -o x.syn"), &["--ratio"]);
    folder.fails(
        1,
        &words("compress float.syn --recipe none --data train.txt --val val.txt -o x.syn"),
        &["none", "paper-vgg16"],
    );
    folder.fails(2, &words("compress float.syn --recipe recipe.toml --data train.txt -o x.syn"), &["--val"]);
}

#[test]
fn the_demo_needs_no_files() {
    let folder = Folder::empty();
    let json = folder.json(&words("demo --steps 30"));
    assert_eq!(json["rows"].as_array().unwrap().len(), 5);
    assert_eq!(folder.json(&words("inspect demo.syn"))["inception_modules"], 3);
}
