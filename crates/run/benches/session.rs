//! Speed of integer execution, single thread: GoogLeNet's typical layers and the whole network, for several bit
//! widths. Weights are drawn by seed. `cargo bench -p synapress-run --bench session`

use std::collections::BTreeMap;
use std::time::Instant;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use synapress_import::zoo;
use synapress_kernels::integer::Kernel;
use synapress_model::layers::{Convolution, InnerProduct, Input};
use synapress_model::{Bias, Error, Fixed, Form, Graph, Integers, Layer, Net, Shape, Weights};
use synapress_run::Session;

/// Quantizes a network to random weights: codes fall off like those of trained layers, few are near the largest.
fn quantized(graph: Graph, weight_bits: u8, output_bits: u8) -> Result<Net, Error> {
    let rng = &mut Pcg64Mcg::seed_from_u64(1);
    let (mut outputs, mut tables, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    let output = Fixed::new(output_bits, output_bits as i8 - 8)?;
    for (id, node) in graph.nodes().iter().enumerate() {
        let inputs: Vec<Fixed> = node.inputs.iter().map(|&i| outputs[i]).collect();
        tables.push(node.layer.table(&inputs, output, &graph.input_shapes(id)));
        outputs.push(output);
        weights.push(graph.weight_shape(id).map(|shape| {
            let format = Fixed { bits: weight_bits, frac: weight_bits as i8, signed: true };
            let (low, high) = format.range();
            let mut code = || {
                let size = (-rng.random_range(1e-9f64..1.0).ln() * high as f64 / 10.0) as i64;
                (if rng.random() { size } else { -size }).clamp(low, high) as i16
            };
            let q = (0..shape.len()).map(|_| code()).collect();
            let bias = if shape.bias { Bias::Fixed { q: vec![3; shape.dims[0]], frac: 8 } } else { Bias::None };
            Weights { dims: shape.dims, form: Form::Fixed { q, format }, bias }
        }));
    }
    Ok(Net { graph, weights, integers: Some(Integers { outputs, tables }), ..Net::default() })
}

/// The best time of several runs, in milliseconds.
fn time(net: &Net, kernel: Kernel) -> Result<f64, Error> {
    let shape = net.graph.shape(net.graph.input()?);
    let rng = &mut Pcg64Mcg::seed_from_u64(2);
    let image: Vec<f32> = (0..shape.len()).map(|_| rng.random_range(-100.0..100.0)).collect();
    let mut session = Session::with_kernel(net, kernel)?;
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed().as_secs_f64() < 0.3 || best.is_infinite() {
        let start = Instant::now();
        session.run(&image)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best * 1e3)
}

fn report(name: &str, graph: &Graph, widths: (u8, u8)) -> Result<(), Error> {
    let net = quantized(graph.clone(), widths.0, widths.1)?;
    let connections: u64 = net.synaptic().iter().filter_map(|&id| net.linear(id)).map(|g| g.connections()).sum();
    print!("{name:<36} {:>2} x {:<2}", widths.0, widths.1);
    for kernel in Kernel::available() {
        let ms = time(&net, kernel)?;
        print!("  {:>9.3} ms {:>6.1}", ms, connections as f64 / ms / 1e6);
    }
    println!();
    Ok(())
}

fn layer(shape: [usize; 3], layer: impl Layer + 'static) -> Result<Graph, Error> {
    let mut graph = Graph::new();
    let data = graph.add("data", Input { shape: Shape::new(shape[0], shape[1], shape[2])? }, &[])?;
    graph.add("layer", layer, &[data])?;
    Ok(graph)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let names: Vec<_> = Kernel::available().iter().map(|k| k.name()).collect();
    println!(
        "ms an image and 10^9 multiply-accumulates a second, weight bits x output bits, with {}",
        names.join(", ")
    );
    let layers = BTreeMap::from([
        ("1 conv1 7x7/2, 3 -> 64, 112x112", layer([3, 224, 224], Convolution::square(64, 7, 2, 3))?),
        ("2 conv2 3x3, 64 -> 192, 56x56", layer([64, 56, 56], Convolution::square(192, 3, 1, 1))?),
        ("3 1x1, 480 -> 192, 14x14", layer([480, 14, 14], Convolution::square(192, 1, 1, 0))?),
        ("4 1x1, 480 -> 16, 14x14", layer([480, 14, 14], Convolution::square(16, 1, 1, 0))?),
        ("5 3x3, 144 -> 288, 14x14", layer([144, 14, 14], Convolution::square(288, 3, 1, 1))?),
        ("6 5x5, 32 -> 96, 28x28", layer([32, 28, 28], Convolution::square(96, 5, 1, 2))?),
        ("7 3x3, 192 -> 384, 7x7", layer([192, 7, 7], Convolution::square(384, 3, 1, 1))?),
        ("8 fully connected, 1024 -> 1000", layer([1024, 1, 1], InnerProduct { outputs: 1000, bias: true })?),
        ("9 fully connected, 9216 -> 4096", layer([256, 6, 6], InnerProduct { outputs: 4096, bias: true })?),
    ]);
    for (name, graph) in &layers {
        for widths in [(8, 8), (16, 16)] {
            report(name, graph, widths)?;
        }
    }
    let googlenet = zoo::net("googlenet")?.graph;
    for widths in [(8, 8), (10, 8), (16, 16)] {
        report("GoogLeNet", &googlenet, widths)?;
    }
    Ok(())
}
