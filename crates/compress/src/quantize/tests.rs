//! Quantization of small networks: what integers keep of the floating-point ones.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use synapress_model::layers::{
    BatchNorm, Concat, Convolution, Dropout, InnerProduct, Input, Lrn, Method, PRelu, Pooling, Relu, Scale, Softmax,
};
use synapress_model::{Bias, ErrorKind, Graph, Mode, Net, Shape, Weights};
use synapress_run::{Executor, Keep, Session};

use super::search::{Search, Try, search};
use super::*;
use crate::prune::tests::{numbers, small_net};

/// One module of two branches and most other kinds, with random weights.
fn module_net(seed: u64) -> Net {
    let mut g = Graph::new();
    let data = g.add("data", Input { shape: Shape::new(3, 12, 12).unwrap() }, &[]).unwrap();
    let convolution = |g: &mut Graph, name: &str, from, outputs, kernel| {
        let at = g.add(name, Convolution::square(outputs, kernel, 1, kernel / 2), &[from]).unwrap();
        g.add(&format!("{name}/relu"), Relu::default(), &[at]).unwrap()
    };
    let at = convolution(&mut g, "conv", data, 12, 3);
    let at = g.add("pool", Pooling::max(3, 2, 0), &[at]).unwrap();
    let at = g.add("norm", Lrn { alpha: 0.1, ..Lrn::default() }, &[at]).unwrap();
    let a = convolution(&mut g, "a", at, 8, 1);
    let b = convolution(&mut g, "b", at, 8, 3);
    let at = g.add("concat", Concat, &[a, b]).unwrap();
    let at = g.add("scale", Scale { bias: true }, &[at]).unwrap();
    let at = g.add("prelu", PRelu { shared: false }, &[at]).unwrap();
    let at = g.add("mean", Pooling::global(Method::Average), &[at]).unwrap();
    let at = g.add("drop", Dropout { ratio: 0.4 }, &[at]).unwrap();
    let at = g.add("fc", InnerProduct { outputs: 6, bias: true }, &[at]).unwrap();
    g.add("prob", Softmax::default(), &[at]).unwrap();
    let weights = |id: usize| {
        let shape = g.weight_shape(id)?;
        let scale = 2.0 / ((shape.len() / shape.dims[0]) as f32).sqrt();
        let w = numbers(shape.len(), seed * 100 + id as u64).iter().map(|w| w * scale).collect();
        Some(Weights::dense(shape.dims, w, numbers(shape.bias_len(), seed * 100 + 50 + id as u64)))
    };
    let weights = (0..g.nodes().len()).map(weights).collect();
    Net { weights, graph: g, ..Net::default() }
}

fn images(net: &Net, count: usize, seed: u64) -> Vec<f32> {
    let len = net.graph.shape(net.graph.input().unwrap()).len();
    numbers(count * len, seed).iter().map(|x| x * 50.0).collect()
}

/// Scores of the network in floating point and of the quantized one in integers.
fn scores(net: &Net, quantized: &Net, images: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let len = net.graph.shape(net.graph.input().unwrap()).len();
    let mut executor = Executor::<f32>::new(net, images.len() / len, Keep::Output).unwrap();
    let float = executor.forward(images, Mode::Infer).to_vec();
    let mut session = Session::new(quantized).unwrap();
    let integers = images.chunks_exact(len).flat_map(|image| session.run(image).unwrap().to_vec()).collect();
    (float, integers)
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64
}

fn widths(bits: u8) -> Options {
    Options { conv_bits: bits, fc_bits: bits, output_bits: bits, ..Options::default() }
}

#[test]
fn more_bits_come_closer_to_floating_point() {
    for net in [small_net(1), module_net(2)] {
        let (calibration, fresh) = (images(&net, 20, 3), images(&net, 20, 4));
        let mut before = f64::INFINITY;
        for bits in [3, 5, 8, 12, 16] {
            let quantized = quantize(&net, &calibration, &widths(bits)).unwrap();
            let (float, integers) = scores(&net, &quantized, &fresh);
            let now = distance(&float, &integers);
            assert!(now < before, "{bits} bits: {now} after {before}");
            before = now;
        }
        let size = distance(&scores(&net, &quantize(&net, &calibration, &widths(16)).unwrap(), &fresh).0, &[0.0; 200]);
        assert!(before < 1e-5 * size, "{before} of {size}");
    }
}

#[test]
fn formats_follow_their_rules() {
    let net = module_net(1);
    let images = images(&net, 10, 3);
    let calibration = Calibration::new(&net, &images).unwrap();
    let of = |quantized: &Quantized, name: &str| {
        quantized.net.integers.as_ref().unwrap().outputs[quantized.net.graph.find(name).unwrap()]
    };
    let quantized = calibration.quantize(&Options::default()).unwrap();
    for (name, other) in
        [("conv", "conv/relu"), ("pool", "conv/relu"), ("b", "b/relu"), ("drop", "mean"), ("prob", "fc")]
    {
        assert_eq!(of(&quantized, name), of(&quantized, other), "{name} {other}");
    }
    for (name, signed) in [("data", true), ("conv", false), ("norm", false), ("concat", false), ("scale", true)] {
        assert_eq!(of(&quantized, name).signed, signed, "{name}");
    }
    let signed = calibration.quantize(&Options { unsigned: false, ..Options::default() }).unwrap();
    assert!(signed.net.integers.as_ref().unwrap().outputs.iter().all(|f| f.signed));
    assert!(calibration.quantize(&widths(16)).unwrap().net.integers.unwrap().outputs.iter().all(|f| f.signed));

    let largest = calibration.quantize(&Options { range: Range::Max, ..widths(5) }).unwrap();
    for layer in &largest.layers {
        assert_eq!(layer.output.saturated, 0.0, "{}", layer.name);
        assert!(layer.weights.as_ref().is_none_or(|w| w.saturated == 0.0), "{}", layer.name);
    }
    let mut own = Options { input_bits: Some(10), ..Options::default() };
    own.weights.insert("a".to_owned(), 6);
    own.outputs.insert("norm".to_owned(), 12);
    let quantized = calibration.quantize(&own).unwrap();
    assert_eq!([of(&quantized, "data").bits, of(&quantized, "norm").bits, of(&quantized, "a").bits], [10, 12, 8]);
    let bits = |name: &str| quantized.layers.iter().find(|l| l.name == name).unwrap().weights.as_ref().unwrap().bits;
    assert_eq!(["a", "b", "scale", "prelu"].map(bits), [6, 8, 16, 16]);
}

#[test]
fn zero_stays_zero_at_every_width() {
    let mut net = small_net(3);
    let ratios = net.synaptic().iter().map(|&id| (net.graph.node(id).name.clone(), 1.0)).collect();
    net = crate::prune::apply(&net, &ratios).unwrap();
    let grouped = crate::group::group(&net, &crate::group::Options { bits: 4, ..Default::default() }).unwrap();
    let images = images(&net, 4, 3);
    for net in [net, grouped] {
        for bits in [2, 4, 16] {
            let quantized = quantize(&net, &images, &widths(bits)).unwrap();
            for id in net.synaptic() {
                let (before, after) = (net.weights[id].as_ref().unwrap(), quantized.weights[id].as_ref().unwrap());
                let pairs = before.values().into_owned().into_iter().zip(after.values().into_owned());
                assert!(pairs.clone().all(|(b, a)| b != 0.0 || a == 0.0));
                assert!(bits < 16 || pairs.clone().all(|(b, a)| (a == 0.0) == (b == 0.0)));
                assert!(matches!(after.bias, Bias::Fixed { .. }));
            }
        }
    }
}

#[test]
fn corrected_biases_bring_the_means_back() {
    let net = small_net(5);
    let images = images(&net, 24, 3);
    let calibration = Calibration::new(&net, &images).unwrap();
    let off = |correct_bias: bool| {
        let options = Options { correct_bias, output_bits: 16, range: Range::Max, ..widths(3) };
        let (float, integers) = scores(&net, &calibration.quantize(&options).unwrap().net, &images);
        let mean = |scores: &[f32], class: usize| scores[class..].iter().step_by(5).sum::<f32>() / 24.0;
        (0..5).map(|class| (mean(&float, class) - mean(&integers, class)).abs()).fold(0.0, f32::max)
    };
    let (without, with) = (off(false), off(true));
    assert!(with < 0.02 * without, "{with} after {without}");
}

#[test]
fn the_threads_do_not_matter() {
    let net = module_net(7);
    let images = images(&net, 11, 3);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| quantize(&net, &images, &widths(6)).unwrap())
    };
    let (a, b) = (run(1), run(2));
    assert_eq!((a.weights, a.integers), (b.weights, b.integers));
}

#[test]
fn what_cannot_be_quantized_is_refused() {
    let net = small_net(1);
    let pixels = images(&net, 2, 1);
    let quantized = quantize(&net, &pixels, &Options::default()).unwrap();
    assert_eq!(quantize(&quantized, &pixels, &Options::default()).unwrap_err().kind(), ErrorKind::Format);
    assert_eq!(quantize(&net, &pixels[1..], &Options::default()).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(quantize(&net, &[], &Options::default()).unwrap_err().kind(), ErrorKind::Shape);
    for bits in [0, 1, 17, 255] {
        assert_eq!(quantize(&net, &pixels, &widths(bits)).unwrap_err().kind(), ErrorKind::Attribute);
    }
    for name in ["relu1", "nothing"] {
        let options = Options { weights: [(name.to_owned(), 8)].into(), ..Options::default() };
        assert_eq!(quantize(&net, &pixels, &options).unwrap_err().kind(), ErrorKind::Attribute);
    }
    let options = Options { outputs: [("nothing".to_owned(), 8)].into(), ..Options::default() };
    assert_eq!(quantize(&net, &pixels, &options).unwrap_err().kind(), ErrorKind::Attribute);
    let mut large = pixels.clone();
    large[7] = f32::MAX;
    let error = quantize(&net, &large, &Options::default()).unwrap_err();
    assert!(error.kind() == ErrorKind::Format && error.layer().is_some(), "{error}");

    let mut normalized = net.clone();
    normalized.graph.add("bn", BatchNorm::default(), &[0]).unwrap();
    normalized.weights.push(Some(Weights::dense([2, 4, 1, 1], vec![1.0; 8], vec![])));
    let error = quantize(&normalized, &pixels, &Options::default()).unwrap_err();
    assert_eq!((error.kind(), error.layer()), (ErrorKind::Unsupported, Some("bn")));
    assert!(error.to_string().contains("fold"), "{error}");
}

/// Widths of a quantized network's convolutions, fully connected layers and outputs.
fn found(net: &Net) -> Option<[u8; 3]> {
    let outputs = net.integers.as_ref()?.outputs.last()?.bits;
    let weights = |name: &str| Some(net.weights[net.graph.find(name)?].as_ref()?.codes()?.1.bits);
    Some([weights("conv1")?, weights("fc")?, outputs])
}

#[test]
fn the_joint_result_is_backed_off() {
    let net = small_net(1);
    let images = images(&net, 2, 1);
    let calibration = Calibration::new(&net, &images).unwrap();
    // Each bit below 9 costs so much.
    let costs = [0.4, 0.3, 0.9];
    let mut judge = |net: &Net| -> Result<f64, Error> {
        let loss = |bits: [u8; 3]| (0..3).map(|i| costs[i] * f64::from(9u8.saturating_sub(bits[i]))).sum();
        Ok(90.0 - found(net).map_or(0.0, loss))
    };
    let mut tries: Vec<Try> = Vec::new();
    let mut progress = |t: &Try| -> Result<(), Error> {
        tries.push(t.clone());
        Ok(())
    };
    let result = search(&calibration, &Options::default(), &Search::default(), &mut judge, &mut progress).unwrap();
    assert_eq!(found(&result.quantized.net), Some([9, 6, 9]), "{tries:?}");
}

#[test]
fn a_search_with_a_real_judge_stays_within_the_tolerance() {
    let net = module_net(3);
    let (images, fresh) = (images(&net, 8, 1), images(&net, 40, 2));
    let calibration = Calibration::new(&net, &images).unwrap();
    let len = net.graph.shape(0).len();
    let float = scores(&net, &quantize(&net, &images, &widths(16)).unwrap(), &fresh).0;
    let top = |scores: &[f32]| (0..6).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
    let mut judge = |net: &Net| -> Result<f64, Error> {
        if net.integers.is_none() {
            return Ok(100.0);
        }
        let mut session = Session::new(net)?;
        let mut hits = 0.0;
        for (image, float) in fresh.chunks_exact(len).zip(float.chunks_exact(6)) {
            hits += f64::from(u8::from(top(session.run(image)?) == top(float)));
        }
        Ok(hits / 0.4)
    };
    let options = Search { tolerance: 5.0, ..Search::default() };
    let result = search(&calibration, &Options::default(), &options, &mut judge, &mut |_| Ok::<(), Error>(())).unwrap();
    assert!(result.loss <= 5.0);
    assert!(
        result.options.conv_bits + result.options.fc_bits + result.options.output_bits < 36,
        "{:?}",
        result.options
    );
    assert_eq!(100.0 - judge(&result.quantized.net).unwrap(), result.loss);
    let wrong = Search { min: 9, max: 4, ..Search::default() };
    assert!(search(&calibration, &Options::default(), &wrong, &mut judge, &mut |_| Ok::<(), Error>(())).is_err());
}

#[test]
fn reports_tell_noise_and_saturation() {
    let net = small_net(1);
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let images: Vec<f32> = (0..10 * 324).map(|_| rng.random_range(-1.0f32..1.0).powi(9) * 100.0).collect();
    let calibration = Calibration::new(&net, &images).unwrap();
    let at = |bits| calibration.quantize(&widths(bits)).unwrap().layers;
    for (few, many) in at(4).iter().zip(at(12)) {
        assert_eq!(few.name, many.name);
        assert!(few.output.sqnr.unwrap() + 12.0 < many.output.sqnr.unwrap(), "{few:?} {many:?}");
        assert_eq!((few.weights.is_some(), few.output.bits), (few.kind != "Input" && few.kind != "ReLU", 4));
    }
}
