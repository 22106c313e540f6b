//! Random small quantized networks of every layer kind with an integer form.

#![allow(dead_code, reason = "each test uses some of it")]

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use synapress_kernels::columns::Window;
use synapress_model::layers::{
    Clip, Concat, Convolution, Dropout, Eltwise, Flatten, InnerProduct, Input, Lrn, Method, Operation, PRelu, Pooling,
    Power, Relu, Reshape, Scale, Sigmoid, Softmax, Split, TanH,
};
use synapress_model::{Bias, Centroids, Error, Fixed, Form, Graph, Integers, Layer, Net, Node, NodeId, Shape, Weights};

/// A generator of this seed.
pub fn generator(seed: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed)
}

/// A random layer that may suit inputs of these nodes, and the inputs.
fn layer(g: &Graph, rng: &mut Pcg64Mcg) -> (Box<dyn Layer>, Vec<NodeId>) {
    let count = g.nodes().len();
    // Late nodes are likelier, so that networks become deep.
    let at = if rng.random_bool(0.7) { count - 1 } else { rng.random_range(0..count) };
    let shape = g.shape(at);
    let alike = |rng: &mut Pcg64Mcg, fits: &dyn Fn(Shape) -> bool| {
        let fitting: Vec<NodeId> = (0..count).filter(|&id| fits(g.shape(id))).collect();
        let most = if rng.random_bool(0.05) { 10 } else { 3 };
        let n = rng.random_range(2..=most);
        (0..n).map(|i| if i == 0 { at } else { *fitting.choose(rng).unwrap() }).collect::<Vec<_>>()
    };
    let two = |rng: &mut Pcg64Mcg, most: usize| [rng.random_range(1..=most), rng.random_range(1..=most)];
    let one = vec![at];
    match rng.random_range(0..19) {
        0..=3 => {
            let groups = *[1, 1, 1, 2, shape.channels].choose(rng).unwrap();
            let most = if rng.random_bool(0.2) { 20 } else { 4 };
            let outputs = groups * rng.random_range(1..=most);
            let kernel = if rng.random_bool(0.4) { [1, 1] } else { two(rng, 5) };
            let pad = if rng.random_bool(0.5) { [0, 0] } else { [rng.random_range(0..4), rng.random_range(0..4)] };
            let window = Window {
                kernel,
                stride: if rng.random_bool(0.6) { [1, 1] } else { two(rng, 3) },
                pad,
                pad_end: if rng.random_bool(0.7) { pad } else { [rng.random_range(0..4), rng.random_range(0..4)] },
                dilation: if rng.random_bool(0.7) { [1, 1] } else { two(rng, 3) },
            };
            (Box::new(Convolution { outputs, groups, window, bias: rng.random() }), one)
        }
        4 => (Box::new(InnerProduct { outputs: rng.random_range(1..40), bias: rng.random() }), one),
        5 => (Box::new(Relu { negative_slope: *[0.0, 0.0, 0.1, -0.7, 1.5].choose(rng).unwrap() }), one),
        6 | 7 => {
            let method = if rng.random() { Method::Max } else { Method::Average };
            if rng.random_bool(0.2) {
                return (Box::new(Pooling { round_up: rng.random(), ..Pooling::global(method) }), one);
            }
            let (kernel, stride) = (two(rng, 4), two(rng, 3));
            let pad = kernel.map(|k| rng.random_range(0..k));
            let pad_end = if rng.random_bool(0.7) { pad } else { kernel.map(|k| rng.random_range(0..k)) };
            let (round_up, count_padding) = (rng.random(), rng.random());
            let pooling = Pooling { method, kernel, stride, pad, pad_end, global: false, round_up, count_padding };
            (Box::new(pooling), one)
        }
        8 => {
            let within_channel = rng.random();
            let k = if within_channel { 1.0 } else { *[1.0, 2.0].choose(rng).unwrap() };
            let (alpha, beta) = (*[1e-4f32, 0.5, 3.0].choose(rng).unwrap(), *[0.75f32, 0.5, 1.0].choose(rng).unwrap());
            let local_size = *[1, 3, 5].choose(rng).unwrap();
            (Box::new(Lrn { local_size, alpha, beta, k, within_channel }), one)
        }
        9 => (Box::new(Concat), alike(rng, &|s| s.size() == shape.size())),
        10 => {
            let inputs = alike(rng, &|s| s == shape);
            let coefficients = (0..inputs.len()).map(|_| rng.random_range(-2.0..2.0)).collect();
            let operation = match rng.random_range(0..4) {
                0 => Operation::Sum(coefficients),
                1 => Operation::Sum(Vec::new()),
                2 => Operation::Product,
                _ => Operation::Maximum,
            };
            (Box::new(Eltwise { operation }), inputs)
        }
        11 => (Box::new(Dropout { ratio: 0.5 }), one),
        12 => match rng.random_range(0..3) {
            0 => (Box::new(Split), one),
            1 => (Box::new(Flatten), one),
            _ => (Box::new(Reshape::new(&[0, -1, 1]).unwrap()), one),
        },
        13 => (Box::new(Sigmoid), one),
        14 => (Box::new(TanH), one),
        15 => (Box::new(Scale { bias: rng.random() }), one),
        17 => {
            let min = rng.random_range(-2.0..4.0);
            (Box::new(Clip { min, max: min + rng.random_range(0.0..8.0) }), one)
        }
        16 => (Box::new(PRelu { shared: rng.random() }), one),
        _ => {
            let (scale, shift) = (rng.random_range(-2.0..2.0), rng.random_range(-1.0..1.0));
            (Box::new(Power { power: *[1.0, 2.0].choose(rng).unwrap(), scale, shift }), one)
        }
    }
}

/// Formats of any width or, as most networks have them, of 8 bits at most, which kernels can mostly do in 32.
fn format(rng: &mut Pcg64Mcg, bytes: bool) -> Fixed {
    if bytes {
        return Fixed { bits: *[8, 8, 8, 5].choose(rng).unwrap(), frac: rng.random_range(1..=5), signed: rng.random() };
    }
    let signed = rng.random_bool(0.8);
    let bits = match rng.random_range(0..4) {
        0 => 8,
        1 if signed => 16,
        _ => rng.random_range(2..=15),
    };
    Fixed { bits, frac: rng.random_range(-1..=14), signed }
}

fn code(rng: &mut Pcg64Mcg, format: Fixed, extreme: f64) -> i16 {
    let (low, high) = format.range();
    if rng.random_bool(extreme) {
        return if rng.random() { low as i16 } else { high as i16 };
    }
    rng.random_range(low..=high) as i16
}

fn weights(g: &Graph, id: NodeId, rng: &mut Pcg64Mcg, bytes: bool) -> Option<Weights> {
    let shape = g.weight_shape(id)?;
    let bits = rng.random_range(2..=if bytes { 8 } else { 16 });
    let frac = if bytes { rng.random_range(4..=9) } else { rng.random_range(0..=14) };
    let format = Fixed { signed: true, bits, frac };
    let extreme = *[0.0, 0.1, 1.0].choose(rng).unwrap();
    let form = if rng.random() {
        Form::Fixed { q: (0..shape.len()).map(|_| code(rng, format, extreme)).collect(), format }
    } else {
        let mut q: Vec<i16> = (0..rng.random_range(1..20)).map(|_| code(rng, format, extreme)).collect();
        q[0] = 0;
        let index = (0..shape.len()).map(|_| rng.random_range(0..q.len()) as u16).collect();
        Form::Coded { centroids: Centroids::Fixed { q, format }, index }
    };
    let wide = *[1i32, 1 << 8, 1 << 20, i32::MAX].choose(rng).unwrap();
    let bias = match shape.bias_len() {
        0 => Bias::None,
        n => {
            Bias::Fixed { q: (0..n).map(|_| rng.random_range(-wide..=wide)).collect(), frac: rng.random_range(-4..=30) }
        }
    };
    Some(Weights { dims: shape.dims, form, bias })
}

/// A network of about so many layers, quantized with random weights and formats.
pub fn network(seed: u64, layers: usize) -> Result<Net, Error> {
    let rng = &mut generator(seed);
    let bytes = rng.random();
    let mut g = Graph::new();
    let shape = Shape::new(rng.random_range(1..=6), rng.random_range(1..=12), rng.random_range(1..=12))?;
    g.add("data", Input { shape }, &[])?;
    for i in 0..layers {
        let (layer, inputs) = layer(&g, rng);
        let node = Node { name: format!("{}{i}", layer.kind().name), layer, inputs, learning: Default::default() };
        // What does not fit is left out.
        let _ = g.push(node);
    }
    if rng.random() {
        g.add("prob", Softmax::default(), &[g.nodes().len() - 1])?;
    }
    let mut integers = Integers { outputs: Vec::new(), tables: Vec::new() };
    for (id, node) in g.nodes().iter().enumerate() {
        let inputs: Vec<Fixed> = node.inputs.iter().map(|&i| integers.outputs[i]).collect();
        let mut own = format(rng, bytes);
        if node.layer.keeps_format() && rng.random_bool(0.7) {
            own = inputs[0];
        }
        integers.tables.push(node.layer.table(&inputs, own, &g.input_shapes(id)));
        integers.outputs.push(own);
    }
    let weights = (0..g.nodes().len()).map(|id| weights(&g, id, rng, bytes)).collect();
    let net = Net { graph: g, weights, integers: Some(integers), ..Net::default() };
    net.verify()?;
    Ok(net)
}

/// A random image for a network, often beyond the range of its format.
pub fn image(net: &Net, seed: u64) -> Vec<f32> {
    let rng = &mut generator(seed);
    let input = net.graph.input().unwrap();
    let size = 2f32.powi(rng.random_range(-4..8));
    let low = if rng.random() { 0.0 } else { -size };
    (0..net.graph.shape(input).len()).map(|_| rng.random_range(low..size)).collect()
}
