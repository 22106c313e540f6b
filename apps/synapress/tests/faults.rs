//! Wrong usage, missing and damaged files: a message that names the file and the place, the right exit code, nothing
//! on standard output, no panic.

mod common;

use common::{Folder, PREPARED, cuts, words};

#[test]
fn wrong_usage_ends_with_2() {
    let folder = Folder::new();
    for (line, says) in [
        ("", "Usage"),
        ("fly", "fly"),
        ("inspect", "MODEL"),
        ("inspect tiny.prototxt --inputs 3", "--inputs"),
        ("inspect tiny.prototxt --input 3,x,4", "whole number"),
        ("eval tiny.prototxt", "--data"),
        ("prune tiny.prototxt -o x.syn", "--sparsity"),
        ("prune tiny.prototxt -o x.syn --sparsity 0.5 --ratio 1", "cannot be used"),
        ("group tiny.prototxt -o x.syn --bits 17", "17"),
        ("encode zoo:alexnet", "--output"),
        ("train tiny.prototxt -o x.syn", "--data"),
        ("train tiny.prototxt -o x.syn --data train.txt --policy step", "--step-size"),
        ("train tiny.prototxt -o x.syn --data train.txt --momentum 1.5", "momentum"),
        ("eval tiny.prototxt --data train.txt --threads 0", "threads"),
    ] {
        folder.fails(2, &words(line), &[says]);
    }
    assert!(!folder.path("x.syn").exists());
}

#[test]
fn what_is_missing_or_does_not_fit_is_named() {
    let folder = Folder::trained();
    folder.write("list.txt", "val1000.ppm 0\nnowhere.ppm 3\n");
    folder.write("label.txt", "val1000.ppm 0\nval1001.ppm 10\n");
    folder.write("words.txt", "val1000.ppm cat\n");
    folder.write("flat.toml", "resize = 3\n");
    folder.write("text.ppm", "no image");
    folder.write("strange.prototxt", common::TINY.replace("\"Softmax\"", "\"Strange\""));
    folder.write("wide.prototxt", common::TINY.replace("num_output: 12", "num_output: 13"));
    folder.write("absurd.prototxt", common::TINY.replace("dim: 16", "dim: 1600000000"));
    let mut net = synapress_import::caffe::parse(common::TINY, "tiny", &Default::default()).unwrap();
    synapress_import::fill(&mut net, 3).unwrap();
    synapress_import::caffemodel::write(&folder.path("tiny.caffemodel"), &net).unwrap();
    for (line, says) in [
        ("inspect none.prototxt", &["none.prototxt"][..]),
        ("inspect none.syn", &["none.syn"]),
        ("inspect zoo:nothing", &["zoo:nothing", "vgg16"]),
        ("inspect tiny.prototxt none.caffemodel", &["none.caffemodel"]),
        ("inspect strange.prototxt", &["strange.prototxt", "line 17", "prob", "Strange"]),
        ("inspect wide.prototxt tiny.caffemodel", &["tiny.caffemodel", "conv2", "12", "13"]),
        ("inspect absurd.prototxt", &["absurd.prototxt"]),
        ("encode tiny.prototxt -o x.syn", &["tiny.prototxt", "conv1", "weights"]),
        ("encode float.syn -o no/where/x.syn", &["no/where"]),
        ("eval float.syn --data none.txt", &["none.txt"]),
        ("eval float.syn --data list.txt", &["nowhere.ppm", "line 2"]),
        ("eval float.syn --data label.txt", &["label.txt", "line 2", "10"]),
        ("eval float.syn --data words.txt", &["words.txt", "line 1", "cat"]),
        ("eval float.syn --data val.txt --preprocess flat.toml", &["flat.toml", "resize"]),
        ("eval float.syn --data val.txt --scale 0", &["scale"]),
        ("eval float.syn --data val.txt --labels none.txt", &["none.txt"]),
        ("classify float.syn text.ppm", &["text.ppm"]),
        ("classify float.syn none.ppm", &["none.ppm"]),
        ("prune float.syn --sparsity 1.5 -o x.syn", &["sparsity", "1.5"]),
        ("prune float.syn --sparsity 0.5 --exclude conv9 -o x.syn", &["conv9"]),
        ("prune float.syn --ratio -1 -o x.syn", &["ratio"]),
        ("group float.syn --layer conv9=4 -o x.syn", &["conv9"]),
        ("train float.syn --data list.txt -o x.syn", &["nowhere.ppm"]),
    ] {
        folder.fails(if line.contains("--ratio -1") { 2 } else { 1 }, &words(line), says);
        assert!(!folder.path("x.syn").exists(), "{line}");
    }
    let json = folder.json(&words("eval float.syn --data list.txt --skip-bad"));
    assert_eq!(json["images"], 1);
    assert!(json["skipped"][0].as_str().unwrap().contains("nowhere.ppm"));
}

#[test]
fn truncated_files_are_refused_wherever_they_end() {
    let folder = Folder::trained();
    let mut net = synapress_import::caffe::parse(common::TINY, "tiny", &Default::default()).unwrap();
    synapress_import::fill(&mut net, 3).unwrap();
    synapress_import::caffemodel::write(&folder.path("whole.caffemodel"), &net).unwrap();
    let syn = folder.read("float.syn");
    for end in cuts(syn.len(), 40) {
        folder.write("cut.syn", &syn[..end]);
        folder.fails(1, &words("inspect cut.syn"), &["cut.syn"]);
    }
    let model = folder.read("whole.caffemodel");
    for end in cuts(model.len(), 40) {
        folder.write("cut.caffemodel", &model[..end]);
        folder.fails(1, &words("encode tiny.prototxt cut.caffemodel -o x.syn"), &["cut.caffemodel"]);
    }
    // A text may end between two layers and still be a network.
    for end in cuts(common::TINY.len(), 40) {
        folder.write("cut.prototxt", &common::TINY[..end]);
        let output = folder.run(&words("inspect cut.prototxt"));
        let (_, err) = common::texts(&output);
        assert!(!err.contains("panicked"), "{err}");
        assert!(output.status.success() || err.contains("cut.prototxt"), "{end}: {err}");
    }
    let image = folder.read("val1000.ppm");
    for end in cuts(image.len(), 12) {
        folder.write("cut.ppm", &image[..end]);
        folder.fails(1, &words("classify float.syn cut.ppm"), &["cut.ppm"]);
    }
}

#[test]
fn flipped_bytes_of_a_syn_are_noticed() {
    let folder = Folder::trained();
    let syn = folder.read("float.syn");
    for at in cuts(syn.len(), 40) {
        let mut flipped = syn.clone();
        flipped[at] ^= 0x10;
        folder.write("flipped.syn", flipped);
        folder.fails(1, &words("inspect flipped.syn"), &["flipped.syn"]);
    }
}

#[test]
fn a_network_without_a_word_on_pixels_says_so() {
    let folder = Folder::trained();
    let said = |args: &[&str]| common::texts(&folder.run(args)).1.contains("note:");
    assert!(!said(&words("eval float.syn --data val.txt")));
    let net = synapress_code::read(folder.path("float.syn"), &Default::default()).unwrap();
    let bare = synapress_model::Net { about: Default::default(), ..net };
    synapress_code::write(folder.path("bare.syn"), &bare, &[]).unwrap();
    assert!(said(&words("eval bare.syn --data val.txt")));
    assert!(!said(&[&words("eval bare.syn --data val.txt")[..], PREPARED].concat()));
}
