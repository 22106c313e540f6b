//! Speed of coding a fully connected layer the size of VGG-16's first (4096 x 25088): `speed [ROWS] [ZEROS]`.

use std::time::Instant;

use rand::Rng;
use synapress_code::{Effort, Limits, Options, decode, encode, summary};
use synapress_model::layers::{InnerProduct, Input};
use synapress_model::{Bias, Centroids, Fixed, Form, Net, Shape, Weights};

const TAPS: usize = 25088;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rows: usize = arguments.next().map_or(Ok(4096), |a| a.parse())?;
    let zeros: f64 = arguments.next().map_or(Ok(0.9161), |a| a.parse())?;
    let mut net = Net::default();
    let data = net.graph.add("data", Input { shape: Shape::new(TAPS, 1, 1)? }, &[])?;
    net.graph.add("fc6", InnerProduct { outputs: rows, bias: false }, &[data])?;
    let mut random = rand_pcg::Pcg64Mcg::new(1);
    let mut draw = || {
        let [a, b]: [f32; 2] = [random.random_range(-1.0..1.0), random.random()];
        if random.random_bool(zeros) { 0.0 } else { a * b }
    };
    let weights: Vec<f32> = (0..rows * TAPS).map(|_| draw()).collect();
    let format = Fixed::new(8, 7)?;
    let centroids = Centroids::Fixed { q: (0..64).map(|i| if i == 0 { 0 } else { 4 * i - 128 }).collect(), format };
    let index = weights.iter().map(|&w| if w == 0.0 { 0 } else { (w * 31.0 + 32.0) as u16 }).collect();
    let q = weights.iter().map(|&w| format.quantize(w)).collect();
    let forms = [
        ("64 centroids", Form::Coded { centroids, index }),
        ("8 bits", Form::Fixed { q, format }),
        ("float", Form::Dense(weights)),
    ];
    for (name, form) in forms {
        for effort in [Effort::Fast, Effort::Quick] {
            net.weights = vec![None, Some(Weights { dims: [rows, TAPS, 1, 1], form: form.clone(), bias: Bias::None })];
            let start = Instant::now();
            let bytes = encode(&net, &Options { effort })?;
            let encoding = start.elapsed().as_secs_f64();
            let start = Instant::now();
            let back = decode(&bytes, &Limits::default())?;
            let decoding = start.elapsed().as_secs_f64();
            assert!(back.weights == net.weights);
            let millions = (rows * TAPS) as f64 / 1e6;
            let (layer, scheme) = (bytes.len(), summary(&bytes)?.layers[0].scheme.clone());
            println!(
                "{name:12} {effort:?}: {layer:9} bytes ({scheme}), encoded at {:.1}, decoded at {:.1} million weights/s",
                millions / encoding,
                millions / decoding
            );
        }
    }
    Ok(())
}
