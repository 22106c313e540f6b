//! Weights files: what fits is taken, what is damaged is named, and nothing panics.

use std::fs;
use std::path::{Path, PathBuf};

use synapress_import::caffe::{self, Options};
use synapress_import::{caffemodel, fill, prototxt};
use synapress_model::Net;
use synapress_model::census::census;

const NET: &str = "
name: 'small'
layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [1, 3, 8, 8] } } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' convolution_param { num_output: 4 kernel_size: 3 group: 1 } }
layer { name: 'bn' type: 'BatchNorm' bottom: 'conv' top: 'conv' }
layer { name: 'scale' type: 'Scale' bottom: 'conv' top: 'conv' scale_param { bias_term: true } }
layer { name: 'prelu' type: 'PReLU' bottom: 'conv' top: 'conv' }
layer { name: 'fc' type: 'InnerProduct' bottom: 'conv' top: 'fc' inner_product_param { num_output: 5 } }
layer { name: 'prob' type: 'Softmax' bottom: 'fc' top: 'prob' }
";

struct Files {
    _directory: tempfile::TempDir,
    prototxt: PathBuf,
    weights: PathBuf,
    net: Net,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (prototxt, weights) = (directory.path().join("net.prototxt"), directory.path().join("net.caffemodel"));
        fs::write(&prototxt, NET).unwrap();
        let mut net = caffe::load(&prototxt, None, &Options::default()).unwrap();
        fill(&mut net, 7).unwrap();
        caffemodel::write(&weights, &net).unwrap();
        Self { _directory: directory, prototxt, weights, net }
    }

    fn load(&self) -> Result<Net, String> {
        caffe::load(&self.prototxt, Some(&self.weights), &Options::default()).map_err(|e| e.to_string())
    }
}

#[test]
fn written_weights_come_back() {
    let files = Files::new();
    assert_eq!(files.load().unwrap().weights, files.net.weights);
    assert_eq!(fs::read_dir(files.weights.parent().unwrap()).unwrap().count(), 2, "nothing is left beside");
    let again = Files::new();
    assert_eq!(again.net.weights, files.net.weights, "the same seed gives the same weights");
}

#[test]
fn truncated_weights_are_refused() {
    let files = Files::new();
    let whole = fs::read(&files.weights).unwrap();
    // The last layer has no weights, so a file that ends before it says all that is needed.
    const LAST: usize = 28;
    let last = whole.len() - LAST;
    for len in 0..whole.len() {
        let mut net = files.net.clone();
        match caffemodel::parse(&whole[..len], len as u64).and_then(|weights| caffe::attach(&mut net, weights)) {
            Err(e) => assert!(e.to_string().contains("byte ") || e.to_string().contains("layer "), "{e}"),
            Ok(()) => assert!(len == last && net.weights == files.net.weights, "{len} of {}", whole.len()),
        }
    }
    for len in (0..last).step_by(64) {
        fs::write(&files.weights, &whole[..len]).unwrap();
        let e = files.load().unwrap_err();
        assert!(e.contains("net.caffemodel: ") && (e.contains("byte ") || e.contains("layer ")), "{e}");
    }
}

#[test]
fn flipped_bytes_never_panic_and_never_give_numbers_that_are_not_finite() {
    let files = Files::new();
    let whole = fs::read(&files.weights).unwrap();
    let mut refused = 0;
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let parsed = caffemodel::parse(&bytes[..], bytes.len() as u64);
            let mut net = files.net.clone();
            match parsed.and_then(|weights| caffe::attach(&mut net, weights)) {
                Ok(()) => net.verify().unwrap(),
                Err(e) => {
                    refused += 1;
                    let e = e.to_string();
                    assert!(e.contains("byte ") || e.contains("layer "), "{e}");
                }
            }
        }
    }
    assert!(refused > whole.len() / 8, "{refused}");
}

#[test]
fn damaged_prototxts_never_panic() {
    for text in [NET.to_owned(), include_str!("../zoo/googlenet_train_val.prototxt").to_owned()] {
        for len in (0..text.len()).step_by(64) {
            if let Err(e) = caffe::parse(&text[..len], "cut.prototxt", &Options::default()) {
                assert!(e.to_string().starts_with("cut.prototxt: "), "{e}");
            }
        }
    }
    for at in 0..NET.len() {
        for flip in [0x01, 0x10, 0x80] {
            let mut bytes = NET.as_bytes().to_vec();
            bytes[at] ^= flip;
            let e = match std::str::from_utf8(&bytes) {
                Ok(text) => caffe::parse(text, "net.prototxt", &Options::default()).err().map(|e| e.to_string()),
                Err(_) => Some(format!("net.prototxt: {}", prototxt::parse_bytes(&bytes).unwrap_err())),
            };
            if let Some(e) = e {
                let at = e.contains("line ") || e.contains("layer ") || e.contains("layers") || e.contains("input");
                assert!(e.contains("net.prototxt: ") && at, "{e}");
            }
        }
    }
}

/// Replaces the first occurrence of bytes.
fn patched(path: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(from.len()).position(|w| w == from).expect("the bytes are there");
    bytes[at..at + from.len()].copy_from_slice(to);
    fs::write(path, bytes).unwrap();
}

#[test]
fn numbers_that_are_not_finite_are_refused_by_layer_and_place() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let files = Files::new();
        let fc = files.net.weights[5].as_ref().unwrap().values()[3];
        patched(&files.weights, &fc.to_le_bytes(), &bad.to_le_bytes());
        let e = files.load().unwrap_err();
        assert!(e.contains("net.caffemodel: layer \"fc\": number 3 of blob 0") && e.contains("byte "), "{e}");
    }
}

/// A field that holds bytes.
fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    synapress_import::wire::write_head(&mut out, number, content.len() as u64).unwrap();
    out.extend_from_slice(content);
    out
}

fn varint(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    synapress_import::wire::write_varint(&mut out, number << 3).unwrap();
    synapress_import::wire::write_varint(&mut out, value).unwrap();
    out
}

/// A blob of the current encoding: sizes and numbers.
fn blob(dims: &[u64], numbers: &[f32]) -> Vec<u8> {
    let shape: Vec<u8> = dims.iter().flat_map(|&d| varint(1, d)).collect();
    let data: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    [field(7, &shape), field(5, &data)].concat()
}

/// A blob of the old encoding, its numbers one field each.
fn old_blob(dims: [u64; 4], numbers: &[f32]) -> Vec<u8> {
    let sizes = (1..).zip(dims).flat_map(|(i, d)| varint(i, d));
    let data = numbers.iter().flat_map(|n| [vec![5 << 3 | 5], n.to_le_bytes().to_vec()].concat());
    sizes.chain(data).collect()
}

fn model(name: &str, blobs: &[Vec<u8>]) -> Vec<u8> {
    let blobs = blobs.iter().flat_map(|b| field(7, b));
    field(100, &field(1, name.as_bytes()).into_iter().chain(blobs).collect::<Vec<_>>())
}

fn old_model(name: &str, blobs: &[Vec<u8>]) -> Vec<u8> {
    let blobs = blobs.iter().flat_map(|b| field(6, b));
    field(2, &field(4, name.as_bytes()).into_iter().chain(blobs).collect::<Vec<_>>())
}

fn attach(layer: &str, bytes: &[u8]) -> Result<Vec<f32>, String> {
    let input = "input: 'data' input_dim: [1, 2, 1, 1]";
    let text = format!("{input} layer {{ name: 'x' bottom: 'data' top: 'x' {layer} }}");
    let mut net = caffe::parse(&text, "net.prototxt", &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let weights = caffemodel::parse(bytes, bytes.len() as u64).map_err(|e| e.to_string())?;
    caffe::attach(&mut net, weights).map_err(|e| e.to_string())?;
    let weights = net.weights[1].as_ref().unwrap();
    Ok([weights.values(), weights.bias.values()].concat())
}

const FC: &str = "type: 'InnerProduct' inner_product_param { num_output: 3 }";

#[test]
fn blobs_of_both_encodings_fit() {
    let (w, b): (Vec<f32>, Vec<f32>) = ((1..=6).map(|i| i as f32).collect(), vec![7.0, 8.0, 9.0]);
    let all = [w.clone(), b.clone()].concat();
    assert_eq!(attach(FC, &model("x", &[blob(&[3, 2], &w), blob(&[3], &b)])).unwrap(), all);
    assert_eq!(attach(FC, &model("x", &[blob(&[1, 1, 3, 2], &w), blob(&[1, 1, 1, 3], &b)])).unwrap(), all);
    assert_eq!(attach(FC, &old_model("x", &[old_blob([1, 1, 3, 2], &w), old_blob([1, 1, 1, 3], &b)])).unwrap(), all);
    // Layers that the prototxt lacks are passed over; of two with one name the last counts.
    let others = [model("y", &[blob(&[1], &[5.0])]), model("x", &[blob(&[1], &[5.0])])].concat();
    let more = [others, model("x", &[blob(&[3, 2], &w), blob(&[3], &b)])].concat();
    assert_eq!(attach(FC, &more).unwrap(), all);
    // Doubles.
    let doubles: Vec<u8> = w.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect();
    let double = [field(7, &field(1, &[3, 2])), field(8, &doubles)].concat();
    assert_eq!(attach(FC, &model("x", &[double, blob(&[3], &b)])).unwrap(), all);
}

#[test]
fn statistics_are_divided_by_their_factor() {
    let statistics = |factor: f32| {
        let blobs = [blob(&[2], &[2.0, 4.0]), blob(&[2], &[6.0, 8.0]), blob(&[1], &[factor])];
        attach("type: 'BatchNorm'", &model("x", &blobs)).unwrap()
    };
    assert_eq!(statistics(2.0), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(statistics(0.0), [0.0; 4]);
}

#[test]
fn weights_that_do_not_fit_are_refused_with_both_shapes() {
    let w = [1.0; 6];
    let good = blob(&[3], &[0.0; 3]);
    let cases = [
        (vec![blob(&[2, 3], &w), good.clone()], "blob 0 is 2x3 in the file, the layer takes 3x2"),
        (vec![blob(&[6], &w), good.clone()], "blob 0 is 6 in the file, the layer takes 3x2"),
        (vec![blob(&[3, 2], &w), blob(&[2], &[0.0; 2])], "blob 1 is 2 in the file, the layer takes 3"),
        (vec![blob(&[3, 2], &w)], "has 1 blobs for it, the layer takes 2"),
        (vec![], "no weights for it"),
        (vec![blob(&[3, 3], &w), good.clone()], "layer \"x\", blob 0: a blob of shape 3x3 has 6 numbers"),
        (vec![blob(&[u64::MAX, u64::MAX], &w), good.clone()], "has 6 numbers"),
        (vec![blob(&[1 << 62, 4, 6], &w), good.clone()], "has 6 numbers"),
        (vec![blob(&[1; 40], &w), good.clone()], "over 32 axes"),
        (vec![field(5, &[1, 2, 3]), good.clone()], "3 bytes of numbers"),
    ];
    for (blobs, part) in cases {
        let e = attach(FC, &model("x", &blobs)).unwrap_err();
        assert!(e.contains(part) && e.contains("layer \"x\""), "{e}\nlacks {part}");
    }
    let relu = attach("type: 'ReLU'", &model("x", &[good])).unwrap_err();
    assert!(relu.contains("takes none"), "{relu}");
    let oldest = attach(FC, &field(2, &field(1, b"x"))).unwrap_err();
    assert!(oldest.contains("V0"), "{oldest}");
}

#[test]
fn a_length_that_lies_is_refused_without_an_allocation() {
    let mut bytes = field(1, b"net");
    for number in [1, 2, 100] {
        let place = bytes.len() as u64;
        let mut lying = bytes.clone();
        synapress_import::wire::write_head(&mut lying, number, 1 << 60).unwrap();
        let e = caffemodel::parse(&lying[..], lying.len() as u64).unwrap_err().to_string();
        assert!(e.contains("claims 1152921504606846976 bytes where 0 are left"), "{e}");
        assert!(e.contains(&format!("byte {}", place + if number < 16 { 1 } else { 2 })), "{e}");
    }
    bytes.clear();
}

#[test]
fn missing_files_and_directories_are_named() {
    let files = Files::new();
    let directory = files.weights.parent().unwrap();
    let load = |p: &Path, w: &Path| caffe::load(p, Some(w), &Options::default()).unwrap_err().to_string();
    let missing = directory.join("missing");
    assert!(load(&missing, &files.weights).contains("missing: "));
    assert!(load(&files.prototxt, &missing).contains("missing: "));
    assert!(load(&files.prototxt, directory).contains("regular file"));
    assert!(load(directory, &files.weights).contains(directory.to_str().unwrap()));
    assert!(load(&files.weights, &files.weights).contains("this is not text"));
    assert!(load(&files.prototxt, &files.prototxt).contains("this is not a caffemodel"));
}

/// One layer of every kind that has a number among its attributes.
const EVERY: &str = "
input: 'data' input_shape { dim: 1 dim: 4 dim: 12 dim: 12 }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' param { lr_mult: 1 decay_mult: 1 }
  convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 1 dilation: 1 group: 2 axis: 1
    weight_filler { type: 'gaussian' mean: 0 std: 1 } bias_filler { type: 'constant' value: 1 } } }
layer { name: 'lrn' type: 'LRN' bottom: 'conv' top: 'lrn' lrn_param { local_size: 5 alpha: 1 beta: 1 k: 1 } }
layer { name: 'within' type: 'LRN' bottom: 'lrn' top: 'within' lrn_param { local_size: 3 alpha: 1 norm_region: WITHIN_CHANNEL } }
layer { name: 'pool' type: 'Pooling' bottom: 'within' top: 'pool' pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }
layer { name: 'mean' type: 'Pooling' bottom: 'within' top: 'mean' pooling_param { pool: AVE kernel_h: 3 kernel_w: 3 stride: 2 pad: 1 } }
layer { name: 'sum' type: 'Eltwise' bottom: 'pool' bottom: 'mean' top: 'sum' eltwise_param { coeff: 1 coeff: 2 } }
layer { name: 'all' type: 'Concat' bottom: 'sum' bottom: 'mean' top: 'all' concat_param { axis: 1 } }
layer { name: 'bn' type: 'BatchNorm' bottom: 'all' top: 'all' batch_norm_param { eps: 1 } }
layer { name: 'scale' type: 'Scale' bottom: 'all' top: 'all' scale_param { axis: 1 num_axes: 1 bias_term: true } }
layer { name: 'prelu' type: 'PReLU' bottom: 'all' top: 'all' prelu_param { filler { value: 1 } } }
layer { name: 'relu' type: 'ReLU' bottom: 'all' top: 'all' relu_param { negative_slope: 0 } }
layer { name: 'drop' type: 'Dropout' bottom: 'all' top: 'all' dropout_param { dropout_ratio: 0 } }
layer { name: 'reshape' type: 'Reshape' bottom: 'all' top: 'reshape' reshape_param { shape { dim: 0 dim: 8 dim: 1 dim: -1 } } }
layer { name: 'flat' type: 'Flatten' bottom: 'reshape' top: 'flat' flatten_param { axis: 1 end_axis: -1 } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'flat' top: 'fc' inner_product_param { num_output: 5 axis: 1 } }
layer { name: 'prob' type: 'SoftmaxWithLoss' bottom: 'fc' bottom: 'fc' top: 'prob' loss_weight: 1 softmax_param { axis: 1 } }
";

#[test]
fn absurd_numbers_never_panic() {
    let absurd =
        ["0", "-1", "18446744073709551615", "9223372036854775807", "4294967295", "268435456", "65536", "1e38", "1e-45"];
    caffe::parse(EVERY, "every.prototxt", &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let mut places = 0;
    for (at, _) in EVERY.match_indices(": ") {
        let rest = &EVERY[at + 2..];
        let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'-').count();
        places += usize::from(digits > 0);
        for number in absurd.iter().take(if digits > 0 { absurd.len() } else { 0 }) {
            let text = format!("{}{number}{}", &EVERY[..at + 2], &rest[digits..]);
            match caffe::parse(&text, "every.prototxt", &Options::default()) {
                Ok(net) => {
                    census(&net);
                }
                Err(e) => assert!(e.to_string().contains("line "), "{e}"),
            }
        }
    }
    assert!(places > 50, "{places}");
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
        let _ = caffemodel::parse(&bytes[..], bytes.len() as u64);
        let _ = prototxt::parse_bytes(&bytes);
        // A layer, and a blob, of these bytes.
        for inside in [field(100, &bytes), field(2, &bytes), field(100, &field(7, &bytes)), field(2, &field(6, &bytes))] {
            let _ = caffemodel::parse(&inside[..], inside.len() as u64);
        }
    }
}
