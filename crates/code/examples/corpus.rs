//! Writes the small networks of `golden/corpus`, at every stage and effort: `corpus FOLDER`. The same bytes on every
//! machine.

use std::collections::BTreeSet;
use std::path::Path;

use synapress_code::{Effort, Extra, Options, SCHEMES, encode_with_extras, summary};
use synapress_model::layers::{Convolution, InnerProduct, Input, Relu};
use synapress_model::{
    Bias, Centroids, Channels, Filler, Fixed, Form, Integers, Learning, Net, Node, Preprocess, Rate, Shape, Weights,
};

/// Numbers that look like weights: kernels are smooth, outputs of different loudness, tails heavy.
struct Draw {
    state: u32,
    last: f32,
}

impl Draw {
    fn next(&mut self) -> f32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.state >> 8) as f32 / 8_388_608.0 - 1.0
    }

    /// Weights of these sizes between -1 and 1, this share of which is zero.
    fn weights(&mut self, dims: [usize; 4], zeros: f32) -> Vec<f32> {
        let taps: usize = dims[1..].iter().product();
        let mut out = Vec::new();
        for row in 0..dims[0] {
            let loudness = 1.0 / (1 + row % 5) as f32;
            for _ in 0..taps {
                let (a, b) = (self.next(), self.next());
                self.last = 0.5 * self.last + 0.5 * a * b.abs();
                let kept = if zeros == 0.0 { 1.0 } else { (1.0 - zeros) * (0.4 + loudness) };
                out.push(if self.next().abs() < kept { (self.last * loudness).clamp(-1.0, 1.0) } else { 0.0 });
            }
        }
        out
    }
}

/// What a layer's weights become.
#[derive(Clone, Copy)]
enum Stage {
    Dense,
    Pruned,
    Grouped,
    Quantized,
    Both,
}

/// A format of so many bits for numbers between -1 and 1.
fn format(bits: u8) -> Fixed {
    Fixed { bits, frac: bits as i8 - 1, signed: true }
}

fn form(stage: Stage, values: Vec<f32>, bits: u8) -> Form {
    let format = format(bits);
    // Neither sorted nor even, as centroids of k-means are not.
    let centroids: Vec<f32> =
        (0..24).map(|i| if i == 0 { 0.0 } else { ((i * 7 % 24) as f32 / 12.0 - 1.0) / 3.0 }).collect();
    let nearest = |w: f32| {
        let distance = |&i: &usize| ((centroids[i] - w).abs() * 1e6) as u32;
        if w == 0.0 { 0 } else { (1..24).min_by_key(distance).unwrap_or(0) as u16 }
    };
    match stage {
        Stage::Dense | Stage::Pruned => Form::Dense(values),
        Stage::Grouped => {
            let index = values.into_iter().map(nearest).collect();
            Form::Coded { centroids: Centroids::Float(centroids), index }
        }
        Stage::Both => {
            let index = values.into_iter().map(nearest).collect();
            let q = centroids.iter().map(|&c| format.quantize(c)).collect();
            Form::Coded { centroids: Centroids::Fixed { q, format }, index }
        }
        Stage::Quantized => Form::Fixed { q: values.into_iter().map(|w| format.quantize(w)).collect(), format },
    }
}

/// Two convolutions, one of them in groups, and two fully connected layers.
fn net(stage: Stage, seed: u32) -> Result<Net, Box<dyn std::error::Error>> {
    let mut net = Net { name: format!("corpus {seed}"), ..Net::default() };
    let data = net.graph.add("data", Input { shape: Shape::new(4, 9, 9)? }, &[])?;
    let mut grouped = Convolution::square(16, 3, 1, 1);
    grouped.groups = 2;
    let mut last = net.graph.add("conv1", grouped, &[data])?;
    last = net.graph.add("relu1", Relu { negative_slope: 0.1 }, &[last])?;
    last = net.graph.add("conv2", Convolution::square(10, 1, 2, 0), &[last])?;
    let learning = Learning {
        weights: Rate { learn: 2.0, decay: 0.0 },
        weight_filler: Filler::Gaussian(0.0, 0.01),
        bias_filler: Filler::Uniform(-1.0, 1.0),
        ..Learning::default()
    };
    let layer = Box::new(InnerProduct { outputs: 8, bias: true });
    last = net.graph.push(Node { name: "fc3 \u{e9}".to_owned(), layer, inputs: vec![last], learning })?;
    net.graph.add("fc4", InnerProduct { outputs: 6, bias: false }, &[last])?;
    let mut draw = Draw { state: seed, last: 0.0 };
    let zeros = if matches!(stage, Stage::Dense) { 0.0 } else { 0.7 };
    for node in 0..net.graph.nodes().len() {
        let weights = net.graph.weight_shape(node).map(|shape| {
            let mut values = draw.weights(shape.dims, zeros);
            if node == 5 {
                // One sign alone, and numbers of many bits; in floating point also a zero with a sign.
                values.iter_mut().for_each(|v| *v = if *v == 0.0 { 0.0 } else { v.abs() });
                if matches!(stage, Stage::Dense | Stage::Pruned) {
                    values[1] = -0.0;
                }
            }
            let form = form(stage, values, if node >= 4 { 15 } else { 7 });
            let values: Vec<f32> = (0..shape.bias_len()).map(|i| if i == 2 { 0.0 } else { draw.next() }).collect();
            let bias = match stage {
                _ if values.is_empty() => Bias::None,
                Stage::Quantized | Stage::Both => {
                    Bias::Fixed { q: values.iter().map(|v| (v * 3000.0) as i32).collect(), frac: 11 }
                }
                _ => Bias::Float(values),
            };
            Weights { dims: shape.dims, form, bias }
        });
        net.weights.push(weights);
    }
    if matches!(stage, Stage::Quantized | Stage::Both) {
        let outputs = vec![format(8); net.graph.nodes().len()];
        net.integers = Some(Integers { tables: vec![Vec::new(); outputs.len()], outputs });
    }
    let mean = [104.0, 117.0, 122.7];
    let channels = if seed.is_multiple_of(2) { Channels::Rgb } else { Channels::Bgr };
    net.about.preprocess = Some(Preprocess { resize: Some(256), mean, channels, ..Preprocess::default() });
    net.about.labels = ["tench", "goldfish", "great white shark"].map(str::to_owned).to_vec();
    net.about.history = vec![format!("corpus of seed {seed}"), "prune --sparsity 0.7".to_owned()];
    Ok(net)
}

/// A layer of several tiles, nearly all zeros.
fn tiles() -> Result<Net, Box<dyn std::error::Error>> {
    let mut net = Net { name: "tiles".to_owned(), ..Net::default() };
    let data = net.graph.add("data", Input { shape: Shape::new(1024, 1, 1)? }, &[])?;
    net.graph.add("fc", InnerProduct { outputs: 1100, bias: false }, &[data])?;
    let q = (0..1100 * 1024u32).map(|i| if i.is_multiple_of(4001) { (i % 13) as i16 - 6 } else { 0 }).collect();
    let weights = Weights { dims: [1100, 1024, 1, 1], form: Form::Fixed { q, format: format(8) }, bias: Bias::None };
    net.weights = vec![None, Some(weights)];
    Ok(net)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("name a folder")?;
    let mut schemes = BTreeSet::new();
    let mut put = |name: &str, net: &Net, extras: &[Extra], effort| -> Result<(), Box<dyn std::error::Error>> {
        net.verify()?;
        let bytes = encode_with_extras(net, extras, &Options { effort })?;
        let found = summary(&bytes)?.layers;
        schemes.extend(found.iter().flat_map(|l| l.scheme.split('+').map(str::to_owned)));
        Ok(std::fs::write(Path::new(&folder).join(name).with_extension("syn"), bytes)?)
    };
    let stages = [
        ("dense", Stage::Dense),
        ("pruned", Stage::Pruned),
        ("grouped", Stage::Grouped),
        ("quantized", Stage::Quantized),
        ("grouped-quantized", Stage::Both),
    ];
    let extras = [("state".to_owned(), vec![1, 2, 250])];
    for (seed, (name, stage)) in (1..).zip(stages) {
        for effort in [Effort::Quick, Effort::Fast, Effort::Max] {
            let name = format!("{name}-{effort:?}").to_lowercase();
            put(&name, &net(stage, seed)?, if seed == 1 { &extras } else { &[] }, effort)?;
        }
    }
    put("tiles-quick", &tiles()?, &[], Effort::Quick)?;
    match SCHEMES.iter().find(|s| !schemes.contains(s.name)) {
        Some(scheme) => Err(format!("no network takes the scheme {}", scheme.name).into()),
        None => Ok(()),
    }
}
