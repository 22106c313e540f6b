//! Random small networks in every form, and comparison bit for bit.

#![allow(dead_code)]

use proptest::prelude::*;
use synapress_code::{Options, encode};
use synapress_model::layers::{Convolution, InnerProduct, Input, Relu};
use synapress_model::{
    About, Bias, Centroids, Channels, Filler, Fixed, Form, Integers, Learning, Net, NodeId, Preprocess, Rate, Shape,
    Weights,
};

/// What a network is drawn from.
#[derive(Clone, Debug)]
pub struct Plan {
    seed: u64,
    size: [usize; 3],
    outputs: [usize; 2],
    kernel: usize,
    groups: usize,
    forms: [Kind; 2],
    zeros: f64,
    integers: bool,
    about: About,
    learning: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Dense,
    Grouped,
    Quantized,
    Both,
}

pub fn plan() -> impl Strategy<Value = Plan> {
    let kind = || prop_oneof![Just(Kind::Dense), Just(Kind::Grouped), Just(Kind::Quantized), Just(Kind::Both)];
    let about =
        (any::<Option<(u32, u32)>>(), prop::collection::vec("[a-zé ]{0,8}", 0..4)).prop_map(|(sides, labels)| {
            let preprocess = sides.map(|(resize, crop)| Preprocess {
                resize: Some(resize),
                crop: (crop % 2 == 0).then_some(crop),
                mean: [104.0, 117.5, -0.0],
                scale: 0.017,
                channels: if resize % 2 == 0 { Channels::Bgr } else { Channels::Rgb },
            });
            About { preprocess, history: labels.iter().map(|l| format!("prune {l}")).collect(), labels }
        });
    let sizes = (1usize..4, 1usize..6, 1usize..6).prop_map(|(c, h, w)| [2 * c, h, w]);
    let numbers = (any::<u64>(), sizes, (1usize..4, 1usize..9), 1usize..4, 1usize..3);
    let choices = (kind(), kind(), 0.0..1.0, any::<bool>(), about, any::<bool>());
    (numbers, choices).prop_map(
        |((seed, size, (a, b), kernel, groups), (first, second, zeros, integers, about, learning))| Plan {
            seed,
            size,
            outputs: [2 * a, b],
            kernel,
            groups,
            forms: [first, second],
            zeros,
            integers,
            about,
            learning,
        },
    )
}

struct Draw(rand_pcg::Pcg64Mcg);

impl Draw {
    fn number(&mut self) -> f32 {
        use rand::Rng;
        // Heavy tails, as trained weights have.
        let [a, b]: [f32; 2] = [self.0.random_range(-1.0..1.0), self.0.random_range(0.05..1.0)];
        a * a.abs() / b
    }

    fn below(&mut self, n: usize) -> usize {
        use rand::Rng;
        self.0.random_range(0..n)
    }

    fn chance(&mut self, p: f64) -> bool {
        use rand::Rng;
        self.0.random_bool(p)
    }

    fn weights(&mut self, dims: [usize; 4], bias: usize, kind: Kind, zeros: f64) -> Weights {
        let n: usize = dims.iter().product();
        let format = Fixed::new(2 + self.below(15) as u8, self.below(20) as i8 - 4).unwrap();
        let (low, high) = format.range();
        let code = |d: &mut Self| (low + d.below((high - low + 1) as usize) as i64) as i16;
        let most = if self.chance(0.1) { 3000 } else { 20 };
        let count = 1 + self.below(most);
        let pruned = |d: &mut Self| d.chance(zeros);
        let form = match kind {
            Kind::Dense => {
                let value = |d: &mut Self| match (pruned(d), d.below(50)) {
                    (true, _) => 0.0,
                    (_, 0) => -0.0,
                    (_, 1) => f32::from_bits(1),
                    _ => d.number(),
                };
                Form::Dense((0..n).map(|_| value(self)).collect())
            }
            Kind::Quantized => {
                Form::Fixed { q: (0..n).map(|_| if pruned(self) { 0 } else { code(self) }).collect(), format }
            }
            Kind::Grouped | Kind::Both => {
                let index = (0..n).map(|_| if pruned(self) { 0 } else { self.below(count) as u16 }).collect();
                let centroids = if kind == Kind::Both {
                    Centroids::Fixed { q: (0..count).map(|i| if i == 0 { 0 } else { code(self) }).collect(), format }
                } else {
                    Centroids::Float((0..count).map(|i| if i == 0 { 0.0 } else { self.number() }).collect())
                };
                Form::Coded { centroids, index }
            }
        };
        let bias = match kind {
            _ if bias == 0 => Bias::None,
            Kind::Dense | Kind::Grouped => Bias::Float((0..bias).map(|_| self.number()).collect()),
            _ => Bias::Fixed { q: (0..bias).map(|_| self.below(2000) as i32 - 1000).collect(), frac: 5 },
        };
        Weights { dims, form, bias }
    }
}

/// The network of a plan; always one that verifies.
pub fn net(plan: &Plan) -> Net {
    let mut draw = Draw(rand_pcg::Pcg64Mcg::new(u128::from(plan.seed) | 1));
    let mut net = Net { name: format!("net {}", plan.seed), about: plan.about.clone(), ..Net::default() };
    let [c, h, w] = plan.size;
    let data = net.graph.add("data", Input { shape: Shape::new(c, h, w).unwrap() }, &[]).unwrap();
    let mut conv = Convolution::square(plan.outputs[0], plan.kernel, 1, plan.kernel);
    conv.groups = plan.groups;
    conv.bias = !plan.seed.is_multiple_of(3);
    let conv = net.graph.add("conv", conv, &[data]).unwrap();
    let relu = Relu { negative_slope: 0.0 };
    let relu = net.graph.add("relu", relu, &[conv]).unwrap();
    let fully = InnerProduct { outputs: plan.outputs[1], bias: plan.seed.is_multiple_of(2) };
    if plan.learning {
        let rate = Rate { learn: 2.0, decay: 0.0 };
        let learning = Learning {
            weights: rate,
            weight_filler: Filler::Gaussian(0.0, 0.01),
            bias_filler: Filler::Uniform(-1.0, 1.0),
            ..Learning::default()
        };
        let (name, layer) = ("fc".to_owned(), Box::new(fully));
        net.graph.push(synapress_model::Node { name, layer, inputs: vec![relu], learning }).unwrap();
    } else {
        net.graph.add("fc", fully, &[relu]).unwrap();
    }
    let mut kinds = plan.forms.into_iter();
    let count = net.graph.nodes().len();
    let weigh = |id: NodeId| {
        let shape = net.graph.weight_shape(id)?;
        let mut kind = kinds.next().unwrap();
        if plan.integers {
            kind = if kind == Kind::Dense { Kind::Quantized } else { Kind::Both };
        }
        Some(draw.weights(shape.dims, shape.bias_len(), kind, plan.zeros))
    };
    net.weights = (0..count).map(weigh).collect();
    if plan.integers {
        let outputs = (0..count).map(|id| Fixed::new(8 + id as u8, id as i8).unwrap()).collect();
        net.integers = Some(Integers { outputs, tables: vec![vec![]; count] });
    }
    net.verify().unwrap();
    net
}

/// One tiny network that never changes.
pub fn tiny() -> Net {
    let mut net = Net { name: "tiny".to_owned(), ..Net::default() };
    let data = net.graph.add("data", Input { shape: Shape::new(2, 3, 3).unwrap() }, &[]).unwrap();
    let conv = net.graph.add("conv", Convolution::square(3, 2, 1, 0), &[data]).unwrap();
    net.graph.add("fc", InnerProduct { outputs: 4, bias: true }, &[conv]).unwrap();
    let conv = (0..24).map(|i| if i % 3 == 0 { 0.25 * (i as f32 - 9.0) } else { 0.0 }).collect();
    let index = (0..48u16).map(|i| if i % 4 == 1 { i / 4 % 5 } else { 0 }).collect();
    let format = Fixed::new(6, 4).unwrap();
    let fc = Weights {
        dims: [4, 12, 1, 1],
        form: Form::Coded { centroids: Centroids::Fixed { q: vec![0, -7, 3, 31, -32], format }, index },
        bias: Bias::Fixed { q: vec![1, -2, 300, 0], frac: 9 },
    };
    net.weights = vec![None, Some(Weights::dense([3, 2, 2, 2], conv, vec![0.5, -0.0, 1e-3])), Some(fc)];
    net.about.labels = ["cat", "dog", "frog", "ship"].map(str::to_owned).to_vec();
    net.about.preprocess = Some(Preprocess { crop: Some(3), ..Preprocess::default() });
    net.about.history = vec!["import tiny.prototxt".to_owned()];
    net
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Panics unless two networks are the same, floats bit for bit.
pub fn assert_same(a: &Net, b: &Net) {
    assert_eq!(a.name, b.name);
    assert_eq!(a.about, b.about);
    assert_eq!(a.integers, b.integers);
    assert_eq!(a.graph.nodes().len(), b.graph.nodes().len());
    for (x, y) in a.graph.nodes().iter().zip(b.graph.nodes()) {
        assert_eq!((&x.name, &x.inputs, &x.learning), (&y.name, &y.inputs, &y.learning));
        assert_eq!(x.layer.kind().name, y.layer.kind().name);
        assert_eq!(x.layer.attributes(), y.layer.attributes());
    }
    assert_eq!(a.weights, b.weights);
    for (x, y) in a.weights.iter().flatten().zip(b.weights.iter().flatten()) {
        assert_eq!(bits(&x.values()), bits(&y.values()));
        assert_eq!(bits(&x.bias.values()), bits(&y.bias.values()));
        if let (Form::Coded { centroids: x, .. }, Form::Coded { centroids: y, .. }) = (&x.form, &y.form) {
            assert_eq!(bits(&x.values()), bits(&y.values()));
        }
    }
    // The bytes say it once more, for whatever this function forgot.
    let again = |net| encode(net, &Options::default()).unwrap();
    assert_eq!(again(a), again(b));
}
