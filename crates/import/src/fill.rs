//! Initial weights: what a training run starts from, by each layer's fillers.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use synapress_model::{Error, ErrorKind, Filler, Net, WeightShape, Weights};

use crate::caffe::MOST_WEIGHTS;

/// Gives weights to every layer that takes any and has none yet. A layer's numbers depend on the seed and the layer's
/// name alone.
///
/// # Errors
/// [`ErrorKind::Shape`] for a layer of an absurd number of weights, [`ErrorKind::Weights`] for fillers that do not
/// give finite numbers.
pub fn fill(net: &mut Net, seed: u64) -> Result<(), Error> {
    let count = net.graph.nodes().len();
    net.weights.resize(count, None);
    for id in 0..count {
        let Some(shape) = net.graph.weight_shape(id) else { continue };
        if net.weights.get(id).is_none_or(Option::is_some) {
            continue;
        }
        let node = net.graph.node(id);
        if shape.len() > MOST_WEIGHTS {
            let message = format!("the layer would have over {MOST_WEIGHTS} weights");
            return Err(Error::new(ErrorKind::Shape, message).at_layer(&node.name));
        }
        let mut rng = generator(seed, &node.name);
        let values = if node.layer.kind().name == "BatchNorm" {
            // Mean 0 and variance 1: no normalization until statistics are known.
            let channels = shape.dims[1];
            (0..shape.len()).map(|i| if i < channels { 0.0 } else { 1.0 }).collect()
        } else {
            draw(node.learning.weight_filler, shape.len(), inputs(&shape), &mut rng)
        };
        let bias = draw(node.learning.bias_filler, shape.bias_len(), 1.0, &mut rng);
        let weights = Weights::dense(shape.dims, values, bias);
        weights.check(&shape).map_err(|e| e.at_layer(&node.name))?;
        if let Some(slot) = net.weights.get_mut(id) {
            *slot = Some(weights);
        }
    }
    Ok(())
}

/// A generator of a layer's own.
pub fn generator(seed: u64, layer: &str) -> Pcg64Mcg {
    // FNV-1a (Fowler, Noll, Vo).
    let hash = layer.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    Pcg64Mcg::seed_from_u64(seed ^ hash.rotate_left(17))
}

fn draw(filler: Filler, count: usize, inputs: f64, rng: &mut Pcg64Mcg) -> Vec<f32> {
    let mut fill = |next: &mut dyn FnMut(&mut Pcg64Mcg) -> f64| (0..count).map(|_| narrow(next(rng))).collect();
    match filler {
        Filler::Constant(value) => vec![value; count],
        Filler::Uniform(low, high) => fill(&mut |r| uniform(r, low.into(), high.into())),
        Filler::Gaussian(mean, deviation) => fill(&mut |r| f64::from(mean) + f64::from(deviation) * normal(r)),
        Filler::Xavier => {
            let bound = (3.0 / inputs).sqrt();
            fill(&mut |r| uniform(r, -bound, bound))
        }
        Filler::Msra => fill(&mut |r| (2.0 / inputs).sqrt() * normal(r)),
    }
}

fn uniform(rng: &mut Pcg64Mcg, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Box and Muller's method.
fn normal(rng: &mut Pcg64Mcg) -> f64 {
    let (a, b): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

#[expect(clippy::as_conversions, reason = "a size as a number, and rounding to the nearest single, are meant")]
fn inputs(shape: &WeightShape) -> f64 {
    (shape.len() / shape.dims[0].max(1)).max(1) as f64
}

#[expect(clippy::as_conversions, reason = "rounding to the nearest single is what is meant")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillers_have_their_moments() {
        let cases = [
            (Filler::Constant(0.5), 0.5, 0.0),
            (Filler::Uniform(-1.0, 3.0), 1.0, 16.0 / 12.0),
            (Filler::Gaussian(2.0, 0.5), 2.0, 0.25),
            (Filler::Xavier, 0.0, 1.0 / 50.0),
            (Filler::Msra, 0.0, 2.0 / 50.0),
        ];
        for (filler, mean, variance) in cases {
            let values = draw(filler, 40_000, 50.0, &mut generator(1, "x"));
            let n = values.len() as f64;
            let m = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let v = values.iter().map(|&v| (f64::from(v) - m).powi(2)).sum::<f64>() / n;
            assert!((m - mean).abs() < 0.03 && (v - variance).abs() <= 0.03 * variance, "{filler:?}: {m} {v}");
        }
    }
}
