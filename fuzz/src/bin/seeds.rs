//! Writes the seeds of every target anew, all made here: `seeds` in the folder `fuzz`. The prototxts of the zoo are
//! seeds too and lie where they are.

use std::error::Error;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use synapress_code::{Effort, Options, encode, encode_with_extras};
use synapress_compress::recipe::{BUILT_IN, Recipe};
use synapress_compress::report::{
    ClassRow, Classes, Confusion, Effort as Made, LayerRow, Loss, Paper, Report, Row, Stage, Trial,
};
use synapress_fuzz::{CLASSIFIER, draw};
use synapress_images::Image;
use synapress_import::onnx::{self, proto};
use synapress_import::wire::{write_head, write_varint};
use synapress_import::{caffe, caffemodel, fill};
use synapress_model::layers::{InnerProduct, Input};
use synapress_model::{Bias, Centroids, Fixed, Form, Net, Shape, Weights};
use synapress_video::Rate;
use synapress_video::write::Recording;

/// Layers of further kinds, in the current encoding.
const LAYERS: &str = "
input: 'data' input_shape { dim: 1 dim: 4 dim: 12 dim: 12 }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' param { lr_mult: 1 decay_mult: 1 }
  convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 stride_w: 2 pad_h: 1 dilation: 1 group: 2
    weight_filler { type: 'gaussian' std: 0.01 } bias_filler { type: 'constant' value: 1 } } }
layer { name: 'lrn' type: 'LRN' bottom: 'conv' top: 'lrn' lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
layer { name: 'pool' type: 'Pooling' bottom: 'lrn' top: 'pool' pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: 'mean' type: 'Pooling' bottom: 'lrn' top: 'mean' pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: 'sum' type: 'Eltwise' bottom: 'pool' bottom: 'mean' top: 'sum' eltwise_param { coeff: 1 coeff: 2 } }
layer { name: 'all' type: 'Concat' bottom: 'sum' bottom: 'mean' top: 'all' }
layer { name: 'drop' type: 'Dropout' bottom: 'all' top: 'all' dropout_param { dropout_ratio: 0.4 } }
layer { name: 'shape' type: 'Reshape' bottom: 'all' top: 'shape' reshape_param { shape { dim: 0 dim: 8 dim: 1 dim: -1 } } }
layer { name: 'flat' type: 'Flatten' bottom: 'shape' top: 'flat' }
layer { name: 'fc' type: 'InnerProduct' bottom: 'flat' top: 'fc' inner_product_param { num_output: 5 } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'fc' bottom: 'fc' top: 'loss' loss_weight: 1 include { phase: TRAIN } }
layer { name: 'prob' type: 'Softmax' bottom: 'fc' top: 'prob' include { phase: TEST } }
";

/// The old encoding and the old form of inputs.
const OLD: &str = "
name: \"old\" input: \"data\" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: \"conv\" type: CONVOLUTION bottom: \"data\" top: \"conv\" blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: 2 kernel_size: 3 } } # a comment
layers { name: \"relu\" type: RELU bottom: \"conv\" top: \"conv\" }
layers { name: \"prob\" type: SOFTMAX bottom: \"conv\" top: \"prob\" }
";

fn main() -> Result<(), Box<dyn Error>> {
    networks()?;
    tiles()?;
    caffe_files()?;
    onnx_models()?;
    images()?;
    videos()?;
    put("dataset", "list", b"\0a/cat one.jpg 3\r\n\nb.png\t0\n")?;
    put("dataset", "tar", &[&b"\x01"[..], &archive()?].concat())?;
    records()?;
    for (name, text) in BUILT_IN {
        put("recipe", name, text.as_bytes())?;
    }
    let pixels = "[preprocess]\nresize = 256\ncrop = 224\nmean = [104, 117, 123.5]\nscale = 1.0\nchannels = \"bgr\"\n";
    put("recipe", "preprocess", pixels.as_bytes())?;
    reports()
}

/// Two records of CIFAR-10, one of CIFAR-100, and three IDX images of 2x2 pixels with their labels, plain and packed.
fn records() -> Result<(), Box<dyn Error>> {
    let record = |labels: &[u8]| [labels, &[100; 3072]].concat();
    put("records", "cifar10", &[&[0, 0][..], &record(&[3]), &record(&[9])].concat())?;
    put("records", "cifar100", &[&[0, 0][..], &record(&[19, 99])].concat())?;
    let images = [&[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2][..], &[50; 12]].concat();
    let labels = [0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9];
    for (name, kind) in [("idx", 1), ("idx-gz", 7)] {
        put("records", name, &[&[kind, labels.len() as u8][..], &images, &labels].concat())?;
    }
    Ok(())
}

/// A report with something of everything.
fn reports() -> Result<(), Box<dyn Error>> {
    let mut net = caffe::parse(CLASSIFIER, "seed", &caffe::Options::default())?;
    fill(&mut net, 7)?;
    let mut report = Report::of_file(&net, &encode(&net, &Options::default())?)?;
    let loss = Some(Loss { points: 1.5, interval: [-0.5, 3.5] });
    for stage in [Stage::Baseline, Stage::Pruned, Stage::PrunedGrouped] {
        let layer = |name: &str| LayerRow {
            name: name.to_owned(),
            weights: 12,
            sparsity: 50.0,
            index_bits: Some(3),
            weight_bits: 32,
            bits: [2.0, 1.0, 0.5],
            error: Some(0.01),
        };
        report.rows.push(Row {
            stage,
            top1: 75.0,
            top5: 92.2,
            top1_interval: Some([70.0, 80.0]),
            top5_interval: None,
            loss_of_top1: loss.filter(|_| stage != Stage::Baseline),
            loss_of_top5: None,
            agreement: Some(91.2),
            divergence: Some(0.05),
            size_bytes: 2_345_678,
            ratio: 11.93,
            sparsity: 75.0,
            index_bits_mean: Some(3.0),
            index_bits_weighted: Some(3.5),
            effort: Made::Calibration,
            seconds: 312.0,
            layers: report.file.iter().flat_map(|f| &f.layers).map(|l| layer(&l.name)).collect(),
        });
    }
    let trial = |price| Trial { price, size_bytes: 2000, sparsity: 50.0, top1: Some(70.0), loss_of_top1: loss };
    report.trials = vec![trial(1e-9), trial(2e-9)];
    report.paper = paper(Stage::Pruned).into_iter().collect();
    report.classes = Some(Classes {
        lost: 2,
        gained: 1,
        classes: vec![ClassRow { class: 3, name: Some("<b>cat".to_owned()), images: 5, before: 4, after: 2 }],
        confusions: vec![Confusion { class: 3, name: None, taken_for: 1, taken_for_name: None, images: 2 }],
    });
    put("report", "all", report.to_json().as_bytes())
}

fn paper(stage: Stage) -> Option<Paper> {
    let known = BUILT_IN.iter().filter_map(|(name, _)| Recipe::load(name).ok());
    known.flat_map(|r| r.paper).find(|p| p.stage == stage)
}

/// Two frames in every kind of file that is written.
fn videos() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    for name in ["y4m", "avi", "mjpeg"] {
        let path = folder.path().join(format!("video.{name}"));
        let mut recording = Recording::create(&path, Rate::USUAL)?;
        for level in [40, 200] {
            recording.write(&Image::new(9, 7, (0..9 * 7 * 3).map(|i| level + i as u8 % 50).collect())?)?;
        }
        recording.finish()?;
        put("video", name, &fs::read(path)?)?;
    }
    let planes: Vec<u8> = (0..24).map(|i| 60 + 5 * i).collect();
    put("video", "y4m-420", &[&b"YUV4MPEG2 W4 H4 F30:1 C420jpeg\nFRAME\n"[..], &planes].concat())
}

fn put(target: &str, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), bytes)?)
}

/// Networks of several layers: the bytes they are drawn from, and their code.
fn networks() -> Result<(), Box<dyn Error>> {
    let (mut state, mut found) = (1u64, 0);
    while found < 24 {
        let bytes: Vec<u8> = (0..320)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        let Some(net) = draw::net(&bytes) else { continue };
        // A third of them quantized, which random formats seldom are.
        if net.graph.nodes().len() < 4 || (found % 3 == 0 && net.integers.is_none()) {
            continue;
        }
        let extras = if found % 4 == 0 { vec![("state".to_owned(), vec![7; 20])] } else { Vec::new() };
        put("roundtrip_syn", &format!("{found:02}"), &bytes)?;
        put("decode_syn", &format!("{found:02}"), &encode_with_extras(&net, &extras, &Options::default())?)?;
        found += 1;
    }
    Ok(())
}

/// Layers of two tiles each, nearly all zeros, in every form.
fn tiles() -> Result<(), Box<dyn Error>> {
    let format = Fixed { bits: 8, frac: 7, signed: true };
    let mut state = 1u32;
    let mut level = |i: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Runs of three in some columns.
        let likely = i % 1000 % 97 < 3 && i / 1000 % 13 < 3;
        if likely && state >> 30 > 0 { (state >> 8) % 13 } else { 0 }
    };
    let levels: Vec<u32> = (0..1100 * 1000).map(&mut level).collect();
    let levels = || levels.iter().copied();
    let forms = [
        ("floats", Form::Dense(levels().map(|n| n as f32 - if n > 6 { 13.0 } else { 0.0 }).collect())),
        ("codes", Form::Fixed { q: levels().map(|n| n as i16).collect(), format }),
        ("index", {
            let centroids = Centroids::Float((0..13u8).map(|n| f32::from(n) / 7.0).collect());
            Form::Coded { centroids, index: levels().map(|n| n as u16).collect() }
        }),
    ];
    for (name, form) in forms {
        // Floats are coded the same at both.
        for effort in [Effort::Fast, Effort::Max].into_iter().take(if name == "floats" { 1 } else { 2 }) {
            let mut net = Net::default();
            let data = net.graph.add("data", Input { shape: Shape::new(1000, 1, 1)? }, &[])?;
            net.graph.add("fc", InnerProduct { outputs: 1100, bias: false }, &[data])?;
            net.weights = vec![None, Some(Weights { dims: [1100, 1000, 1, 1], form: form.clone(), bias: Bias::None })];
            put("tiles_syn", &format!("{name}-{effort:?}").to_lowercase(), &encode(&net, &Options { effort })?)?;
        }
    }
    Ok(())
}

/// Networks as models, and nodes that only other tools write.
fn onnx_models() -> Result<(), Box<dyn Error>> {
    for (name, text) in [("classifier", CLASSIFIER), ("layers", LAYERS)] {
        let mut net = caffe::parse(text, name, &caffe::Options::default())?;
        fill(&mut net, 7)?;
        let mut bytes = Vec::new();
        onnx::write_to(&mut bytes, &onnx::single(&net)?)?;
        put("onnx_model", name, &bytes)?;
    }
    let node = |op: &str, inputs: &[&str], output: &str, attributes: &[(&str, proto::Value)]| proto::Node {
        op: op.to_owned(),
        inputs: inputs.iter().map(|&i| i.to_owned()).collect(),
        outputs: vec![output.to_owned()],
        attributes: attributes
            .iter()
            .map(|(name, value)| proto::Attribute { name: (*name).to_owned(), value: value.clone() })
            .collect(),
        ..proto::Node::default()
    };
    let ints = |v: &[i64]| proto::Value::Ints(v.to_vec());
    let info = |name: &str, sizes: &[i64]| proto::ValueInfo {
        name: name.to_owned(),
        kind: proto::kinds::FLOAT,
        dims: sizes.iter().map(|&s| proto::Dim::Size(s)).collect(),
    };
    let graph = proto::Graph {
        name: "views".to_owned(),
        nodes: vec![
            node("Transpose", &["x"], "t", &[("perm", ints(&[0, 3, 1, 2]))]),
            node("Pad", &["t", "pads"], "p", &[]),
            node("Conv", &["p", "w"], "c", &[("auto_pad", proto::Value::Text("SAME_UPPER".to_owned()))]),
            node("Add", &["c", "b"], "a", &[]),
            node("Clip", &["a", "low", "high"], "k", &[]),
            node("ReduceMean", &["k"], "m", &[("axes", ints(&[2, 3])), ("keepdims", proto::Value::Int(0))]),
            node("Shape", &["m"], "s", &[]),
            node("Gather", &["s", "zero"], "n", &[]),
            node("Unsqueeze", &["n", "zero1"], "n1", &[]),
            node("Concat", &["n1", "rest"], "shape", &[("axis", proto::Value::Int(0))]),
            node("Reshape", &["m", "shape"], "f", &[]),
            node("MatMul", &["f", "fc"], "g", &[]),
            node("Softmax", &["g"], "y", &[]),
        ],
        initializers: vec![
            proto::Tensor::ints("pads", &[8], vec![0, 0, 1, 0, 0, 0, 0, 1]),
            proto::Tensor::floats("w", &[2, 3, 3, 3], vec![0.5; 54]),
            proto::Tensor::floats("b", &[2, 1, 1], vec![1.0, -1.0]),
            proto::Tensor::floats("low", &[], vec![0.0]),
            proto::Tensor::floats("high", &[], vec![6.0]),
            proto::Tensor::ints("zero", &[], vec![0]),
            proto::Tensor::ints("zero1", &[1], vec![0]),
            proto::Tensor::ints("rest", &[1], vec![-1]),
            proto::Tensor::floats("fc", &[2, 3], vec![0.25; 6]),
        ],
        inputs: vec![info("x", &[1, 5, 5, 3])],
        outputs: vec![info("y", &[1, 3])],
    };
    let model = proto::Model { ir_version: 7, opsets: vec![(String::new(), 13)], graph, ..proto::Model::default() };
    onnx::net(&model, Path::new("."), &onnx::Options::default())?;
    let mut bytes = Vec::new();
    onnx::write_to(&mut bytes, &model)?;
    put("onnx_model", "views", &bytes)
}

fn caffe_files() -> Result<(), Box<dyn Error>> {
    for (name, text) in [("weights", CLASSIFIER), ("layers", LAYERS), ("old", OLD)] {
        caffe::parse(text, name, &caffe::Options::default())?;
        put("prototxt", name, text.as_bytes())?;
    }
    let mut net = caffe::parse(CLASSIFIER, "seed", &caffe::Options::default())?;
    fill(&mut net, 7)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("seed.caffemodel");
    caffemodel::write(&path, &net)?;
    put("caffemodel", "current", &fs::read(&path)?)?;
    // One layer in the old encoding, its numbers packed and one by one.
    let mut blob = Vec::new();
    for (axis, size) in [(1u64, 1u64), (2, 1), (3, 3), (4, 2)] {
        write_varint(&mut blob, axis << 3)?;
        write_varint(&mut blob, size)?;
    }
    write_head(&mut blob, 5, 20)?;
    blob.extend([0; 20]);
    blob.extend([5 << 3 | 5, 0, 0, 0x80, 0x3f]);
    let mut layer = Vec::new();
    write_head(&mut layer, 4, 2)?;
    layer.extend(b"fc");
    write_head(&mut layer, 6, blob.len() as u64)?;
    layer.extend(blob);
    let mut model = Vec::new();
    write_head(&mut model, 2, layer.len() as u64)?;
    model.extend(layer);
    put("caffemodel", "old", &model)
}

fn images() -> Result<(), Box<dyn Error>> {
    for (name, format) in
        [("jpeg", ImageFormat::Jpeg), ("png", ImageFormat::Png), ("bmp", ImageFormat::Bmp), ("pnm", ImageFormat::Pnm)]
    {
        let mut bytes = Cursor::new(Vec::new());
        picture().write_to(&mut bytes, format)?;
        put("image", name, bytes.get_ref())?;
    }
    put("image", "grey", b"P5 2 1 255\n\x00\xff")?;
    put("image", "plain", b"P3 # text\n2 1 255\n0 1 2 3 4 255\n")
}

fn picture() -> RgbImage {
    RgbImage::from_fn(19, 17, |x, y| Rgb([x as u8 * 9, y as u8 * 11, (x * y) as u8]))
}

/// An archive of one image in a class folder.
fn archive() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut builder = tar::Builder::new(Vec::new());
    let image = b"P5 2 1 255\n\x00\xff";
    let mut header = tar::Header::new_ustar();
    header.set_size(image.len() as u64);
    builder.append_data(&mut header, "train/cat/1.pgm", &image[..])?;
    Ok(builder.into_inner()?)
}
