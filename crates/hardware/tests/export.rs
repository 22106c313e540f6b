//! Every format holds the very weights, and golden vectors are those of the definition: read back from the files.

use std::fs;
use std::path::Path;

use serde_json::Value;
use synapress_hardware::{FORMATS, Format, Packed, Stimulus, Storage, export, formats};
use synapress_model::layers::{Convolution, InnerProduct, Input, Pooling, Relu, Softmax};
use synapress_model::{Bias, Centroids, Fixed, Form, Integers, Net, Shape, Weights};
use synapress_run::definition;

/// A convolution of two groups, ungrouped weights; a fully connected layer, grouped weights.
fn net() -> Net {
    let mut net = Net { name: "small".to_owned(), ..Net::default() };
    let g = &mut net.graph;
    let data = g.add("data", Input { shape: Shape::new(2, 5, 6).unwrap() }, &[]).unwrap();
    let conv = Convolution { groups: 2, ..Convolution::square(4, 3, 2, 1) };
    let conv = g.add("block/conv 1", conv, &[data]).unwrap();
    let relu = g.add("relu", Relu { negative_slope: 0.0 }, &[conv]).unwrap();
    let pool = g.add("pool", Pooling::max(2, 1, 0), &[relu]).unwrap();
    let fc = g.add("fc", InnerProduct { outputs: 3, bias: true }, &[pool]).unwrap();
    g.add("prob", Softmax::default(), &[fc]).unwrap();
    let conv = Weights {
        dims: [4, 1, 3, 3],
        form: Form::Fixed {
            q: (0..36i16).map(|i| if i % 4 == 0 { 7 * i - 100 } else { 0 }).collect(),
            format: Fixed::new(8, 6).unwrap(),
        },
        bias: Bias::Fixed { q: vec![1000, -5, 0, -70_000], frac: 12 },
    };
    let fc = Weights {
        dims: [3, 16, 1, 1],
        form: Form::Coded {
            index: (0..48u16).map(|i| if i < 16 && i % 5 == 0 { 1 + i / 5 } else { 0 }).collect(),
            centroids: Centroids::Fixed { q: vec![0, -7, 3, 31, -32], format: Fixed::new(6, 4).unwrap() },
        },
        bias: Bias::Fixed { q: vec![1, -2, 300], frac: 9 },
    };
    net.weights = vec![None, Some(conv), None, None, Some(fc), None];
    let outputs = [7, 4, 4, 4, 2, 0].map(|frac| Fixed::new(8, frac).unwrap()).to_vec();
    net.integers = Some(Integers { outputs, tables: vec![vec![]; 6] });
    net.verify().unwrap();
    net
}

/// The numbers of a memory that the manifest places.
fn read(folder: &Path, format: &Format, place: &Value) -> Vec<i64> {
    let number = |name: &str| place[name].as_u64().unwrap() as usize;
    let (bits, words, address) = (number("word_bits"), number("words"), number("address"));
    let signed = place["signed"].as_bool().unwrap();
    let extend = |word: u64, bits: usize| match signed {
        true => ((word << (64 - bits)) as i64) >> (64 - bits),
        false => word as i64,
    };
    let bytes = fs::read(folder.join(place["file"].as_str().unwrap())).unwrap();
    let hex = |text: &str| extend(u64::from_str_radix(text, 16).unwrap(), bits);
    let all: Vec<i64> = match format.name {
        "memh" => String::from_utf8(bytes).unwrap().lines().map(hex).collect(),
        "coe" => {
            let text = String::from_utf8(bytes).unwrap();
            let vector = text.split("vector=").nth(1).unwrap().trim().trim_end_matches(';').to_owned();
            vector.split(',').map(|word| hex(word.trim())).collect()
        }
        "bin" => {
            let width = number("stored_bits") / 8;
            let word = |w: &[u8]| w.iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b));
            bytes[address..][..words * width].chunks(width).map(|w| extend(word(w), 8 * width)).collect()
        }
        "c-header" => {
            let text = String::from_utf8(bytes).unwrap();
            let array = text.split("static const ").skip(1).find(|a| a.contains(&format!("[{words}]"))).unwrap();
            let numbers = array.split(['{', '}']).nth(1).unwrap();
            numbers.split(',').map(|n| n.trim().parse().unwrap()).collect()
        }
        other => panic!("no reader for {other}"),
    };
    assert_eq!(all.len(), words);
    all
}

#[test]
fn every_format_holds_the_very_weights_and_outputs() {
    let net = net();
    let stimuli = [1, 2].map(|seed| Stimulus::random(&net, seed).unwrap());
    for format in FORMATS.iter().filter(|f| f.name != "c-header") {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("out");
        export(&net, format, &stimuli, &folder).unwrap();
        let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        for id in [1, 4] {
            let layer = &manifest["layers"][id];
            let (w, memories) = (&layer["weights"], &layer["memories"]);
            let words = |name: &str| read(&folder, format, &memories[name]);
            let weights = net.weights[id].as_ref().unwrap();
            let packed = Packed {
                taps: weights.len() / weights.dims[0],
                gap_bits: w["gap_bits"].as_u64().unwrap() as u32,
                code_bits: w["code_bits"].as_u64().unwrap() as u32,
                words: words("weights").iter().map(|&w| w as u32).collect(),
                rows: words("rows").iter().map(|&w| w as u32).collect(),
                fillers: 0,
                codebook: (w["code"] == "index").then(|| words("codebook").iter().map(|&q| q as i16).collect()),
                format: weights.codes().unwrap().1,
            };
            assert_eq!(packed.unpack().unwrap(), weights.form, "{} {id}", format.name);
            let Bias::Fixed { q, frac } = &weights.bias else { panic!("integers") };
            assert_eq!(words("bias"), q.iter().map(|&q| q.into()).collect::<Vec<i64>>());
            assert_eq!(layer["bias"]["frac"], *frac);
        }
        assert_eq!(manifest["layers"][1]["window"]["stride"], serde_json::json!([2, 2]));
        assert_eq!(manifest["layers"][1]["accumulator"]["shift"], 7 + 6 - 4);
        assert_eq!(manifest["layers"][5]["output_format"], Value::Null);
        for (number, stimulus) in stimuli.iter().enumerate() {
            let golden = &manifest["golden"][number];
            let expected = definition(&net, &stimulus.pixels).unwrap();
            for (id, codes) in expected.iter().enumerate().filter(|(_, codes)| !codes.is_empty()) {
                let found = read(&folder, format, &golden["outputs"][id.to_string()]);
                assert_eq!(found, codes.iter().map(|&q| q.into()).collect::<Vec<i64>>(), "{} {id}", format.name);
            }
            assert_eq!(golden["scores"], 4);
            let sum: f64 = golden["classes"].as_array().unwrap().iter().map(|c| c.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn c_headers_hold_the_golden_vectors() {
    let (net, format) = (net(), formats::by_name("c-header").unwrap());
    assert_eq!(format.storage, Storage::Bytes);
    let stimulus = Stimulus::random(&net, 3).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("out");
    export(&net, format, std::slice::from_ref(&stimulus), &folder).unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    for (id, codes) in definition(&net, &stimulus.pixels).unwrap().iter().enumerate().take(5) {
        let found = read(&folder, format, &manifest["golden"][0]["outputs"][id.to_string()]);
        assert_eq!(found, codes.iter().map(|&q| q.into()).collect::<Vec<i64>>());
    }
}

#[test]
fn a_folder_in_use_stays_as_it_is_and_faults_leave_nothing() {
    let (net, format) = (net(), FORMATS[0]);
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("out");
    fs::create_dir(&folder).unwrap();
    let stimulus = Stimulus::random(&net, 3).unwrap();
    let short = Stimulus { pixels: vec![0.0; 3], ..stimulus.clone() };
    let error = export(&net, format, &[stimulus.clone(), short], &folder).unwrap_err().to_string();
    assert!(error.contains("3 values"), "{error}");
    let names = || fs::read_dir(above.path()).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(), ["out"]);
    fs::write(folder.join("mine"), "notes").unwrap();
    let error = export(&net, format, &[], &folder).unwrap_err().to_string();
    assert!(error.contains("holds something already"), "{error}");
    assert_eq!(fs::read(folder.join("mine")).unwrap(), b"notes");
    let file = folder.join("mine");
    assert!(export(&net, format, &[], &file).unwrap_err().to_string().contains("holds something"));
    let beyond = above.path().join("none/out");
    assert!(export(&net, format, &[], &beyond).unwrap_err().to_string().contains("cannot write"));
    fs::remove_file(file).unwrap();
    export(&net, format, &[stimulus], &folder).unwrap();
    assert!(folder.join("manifest.json").exists() && names() == ["out"]);
    let float = Net { integers: None, ..net };
    let error = export(&float, format, &[], &above.path().join("x")).unwrap_err().to_string();
    assert!(error.contains("synapress quantize"), "{error}");
}
