//! Small networks drawn from bytes: each choice takes the next byte, and zeros follow the last one. Which bytes make
//! which network has no meaning beyond that small changes of the bytes make small changes of the network.

use synapress_model::layers::{
    BatchNorm, Clip, Concat, Convolution, Dropout, Eltwise, Flatten, InnerProduct, Input, Lrn, Method, Operation,
    PRelu, Pooling, Power, Relu, Scale, Sigmoid, Softmax, TanH,
};
use synapress_model::{
    Bias, Centroids, Channels, Filler, Fixed, Form, Integers, Layer, Learning, Net, Node, Preprocess, Rate, Shape,
    WeightShape, Weights,
};

/// Bytes that are used up one after another.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    /// A number below `n`, which is at most 256.
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n.max(1)
    }

    fn chance(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// A finite number: small and round, or any four bytes that make one.
    fn number(&mut self) -> f32 {
        let first = self.byte();
        if first % 4 < 3 {
            return f32::from(i8::from_le_bytes([first])) / 32.0;
        }
        let any = f32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]);
        if any.is_finite() { any } else { 0.0 }
    }

    fn format(&mut self) -> Fixed {
        let (bits, frac) = (2 + self.byte() % 15, i8::from_le_bytes([self.byte()]) % 24);
        Fixed::new(bits, frac).unwrap_or(Fixed { bits: 8, frac: 0, signed: true })
    }

    fn code(&mut self, format: Fixed) -> i16 {
        let (low, high) = format.range();
        i64::from(i16::from_le_bytes([self.byte(), self.byte()])).clamp(low, high) as i16
    }

    fn text(&mut self) -> String {
        (0..self.below(6)).map(|_| char::from(self.byte())).collect()
    }

    fn filler(&mut self) -> Filler {
        match self.below(5) {
            0 => Filler::Constant(self.number()),
            1 => Filler::Uniform(-1.0, 1.0),
            2 => Filler::Gaussian(self.number(), 0.5),
            3 => Filler::Msra,
            _ => Filler::Xavier,
        }
    }

    fn weights(&mut self, shape: &WeightShape) -> Weights {
        let n = shape.len();
        // A run of equal choices is drawn at once, so that few bytes fill a layer.
        let period = 1 + self.below(24);
        let cycle = |values: Vec<f32>| (0..n).map(|i| values[i % values.len()]).collect::<Vec<f32>>();
        let form = match self.below(4) {
            0 => Form::Dense(cycle((0..period).map(|_| self.number()).collect())),
            1 => {
                let format = self.format();
                let q: Vec<i16> = (0..period).map(|_| self.code(format)).collect();
                Form::Fixed { q: (0..n).map(|i| q[i % period]).collect(), format }
            }
            kind => {
                let count = 1 + self.below(40);
                let centroids = if kind == 2 {
                    Centroids::Float((0..count).map(|i| if i == 0 { 0.0 } else { self.number() }).collect())
                } else {
                    let format = self.format();
                    let q = (0..count).map(|i| if i == 0 { 0 } else { self.code(format) }).collect();
                    Centroids::Fixed { q, format }
                };
                let index: Vec<u16> = (0..period).map(|_| self.below(count) as u16).collect();
                Form::Coded { centroids, index: (0..n).map(|i| index[i % period]).collect() }
            }
        };
        let bias = match (shape.bias, self.chance()) {
            (false, _) => Bias::None,
            (true, false) => Bias::Float((0..shape.bias_len()).map(|_| self.number()).collect()),
            (true, true) => {
                let frac = i8::from_le_bytes([self.byte()]) % 24;
                Bias::Fixed { q: (0..shape.bias_len()).map(|_| i32::from(self.byte()) - 99).collect(), frac }
            }
        };
        Weights { dims: shape.dims, form, bias }
    }

    fn layer(&mut self) -> (Box<dyn Layer>, usize) {
        let kernel = 1 + self.below(3);
        match self.below(15) {
            0..=2 => {
                let mut conv = Convolution::square(1 + self.below(6), kernel, 1 + self.below(2), self.below(kernel));
                conv.groups = 1 + self.below(2);
                conv.bias = self.chance();
                (Box::new(conv), 1)
            }
            3 => (Box::new(InnerProduct { outputs: 1 + self.below(12), bias: self.chance() }), 1),
            4 => (Box::new(Relu { negative_slope: if self.chance() { 0.0 } else { self.number() } }), 1),
            5 => (Box::new(Pooling::max(kernel, 1 + self.below(3), self.below(kernel))), 1),
            6 => (Box::new(Pooling::average(kernel, 1 + self.below(3), self.below(kernel))), 1),
            7 => (Box::new(Pooling::global(Method::Average)), 1),
            8 => (Box::new(Concat), 2),
            9 => (Box::new(Eltwise { operation: Operation::Sum(vec![1.0, -0.5]) }), 2),
            10 => (Box::new(BatchNorm::default()), 1),
            11 => (Box::new(Scale { bias: self.chance() }), 1),
            12 => (Box::new(PRelu { shared: self.chance() }), 1),
            13 => match self.below(7) {
                0 => (Box::new(Lrn::default()), 1),
                1 => (Box::new(Sigmoid), 1),
                2 => (Box::new(TanH), 1),
                3 => (Box::new(Flatten), 1),
                4 => (Box::new(Power { power: 1.0, scale: self.number(), shift: self.number() }), 1),
                5 => (Box::new(Clip { min: -1.0, max: 1.0 }), 1),
                _ => (Box::new(Dropout { ratio: 0.5 }), 1),
            },
            _ => (Box::new(Softmax::default()), 1),
        }
    }
}

/// A network that holds together, if the bytes make one: up to eight layers of up to a few hundred weights, in any
/// form. What a layer refuses is left out.
pub fn net(bytes: &[u8]) -> Option<Net> {
    let mut bytes = Bytes(bytes);
    let b = &mut bytes;
    let mut net = Net { name: b.text(), ..Net::default() };
    let shape = Shape::new(1 + b.below(4), 1 + b.below(8), 1 + b.below(8)).ok()?;
    net.graph.add("data", Input { shape }, &[]).ok()?;
    for i in 0..b.below(9) {
        let count = net.graph.nodes().len();
        let (layer, inputs) = b.layer();
        let inputs = (0..inputs).map(|back| if back == 0 { count - 1 } else { b.below(count) }).collect();
        let rate = Rate { learn: b.number(), decay: 1.0 };
        let learning = match b.below(4) {
            0 => Learning { weights: rate, weight_filler: b.filler(), bias_filler: b.filler(), ..Learning::default() },
            _ => Learning::default(),
        };
        let _ = net.graph.push(Node { name: format!("{} {i}", b.text()), layer, inputs, learning });
    }
    let count = net.graph.nodes().len();
    net.weights = (0..count).map(|id| net.graph.weight_shape(id).map(|shape| b.weights(&shape))).collect();
    if b.chance() {
        let mean = [b.number(), b.number(), b.number()];
        let channels = if b.chance() { Channels::Rgb } else { Channels::Bgr };
        let resize = b.chance().then(|| u32::from(b.byte()));
        net.about.preprocess = Some(Preprocess { resize, crop: None, mean, scale: b.number(), channels });
    }
    net.about.labels = (0..b.below(4)).map(|_| b.text()).collect();
    net.about.history = (0..b.below(3)).map(|_| b.text()).collect();
    if b.chance() {
        let integers = Integers { outputs: (0..count).map(|_| b.format()).collect(), tables: vec![Vec::new(); count] };
        net.integers = Some(integers);
        if net.verify().is_err() {
            net.integers = None;
        }
    }
    net.verify().is_ok().then_some(net)
}
