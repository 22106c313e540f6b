//! Synapse pruning (SP): weights whose magnitude is below a layer's threshold become exactly zero, for ever.
//!
//! The threshold of a layer is a *pruning ratio* times the standard deviation of its weights (Han et al. 2015,
//! section 3). Here are the threshold, the mask and their application. Which ratio a layer takes is decided in
//! [`allocate`] (a wanted sparsity), [`sensitivity`] (the same, spread by what each layer can bear), [`search`] (a
//! tolerated loss of accuracy) or [`ramp`] (a schedule), and [`resolve`] repairs the surviving weights without
//! training. Biases are never pruned.

pub mod allocate;
mod pattern;
pub mod ramp;
pub mod resolve;
pub mod search;
mod select;
pub mod sensitivity;

use std::collections::BTreeMap;

use rayon::prelude::*;
use synapress_model::{Error, ErrorKind, Form, Net, NodeId, Weights};

pub use allocate::{Spread, Target, ratio_for_net_sparsity, ratio_for_sparsity, ratios_for};
pub use pattern::Pattern;
pub(crate) use pattern::Units;

/// The pruning ratio of each layer by its name. A layer that is not named is left as it is.
pub type Ratios = BTreeMap<String, f64>;

/// Sums are taken over runs of this many weights, then over the runs: the result does not depend on the threads.
const RUN: usize = 1 << 16;

/// The standard deviation of all weights of a layer around their mean (of the population, not of a sample), zeros
/// included; 0 for no weights.
pub fn deviation(weights: &[f32]) -> f64 {
    if weights.is_empty() {
        return 0.0;
    }
    let total = |of: &(dyn Fn(f64) -> f64 + Sync)| {
        let runs: Vec<f64> = weights.par_chunks(RUN).map(|run| run.iter().map(|&w| of(f64::from(w))).sum()).collect();
        runs.iter().sum::<f64>() / weights.len() as f64
    };
    let mean = total(&|w| w);
    total(&|w| (w - mean) * (w - mean)).sqrt()
}

/// The threshold of a layer: `ratio` times the standard deviation of its weights.
pub fn threshold(weights: &[f32], ratio: f64) -> f64 {
    ratio * deviation(weights)
}

/// Whether a weight falls to a threshold: it is smaller in magnitude.
fn falls(weight: f32, threshold: f64) -> bool {
    f64::from(weight.abs()) < threshold
}

/// For each weight whether it survives a threshold. A weight that is zero already does not.
pub fn mask(weights: &[f32], threshold: f64) -> Vec<bool> {
    weights.par_iter().map(|&w| w != 0.0 && !falls(w, threshold)).collect()
}

/// Sets every weight below the threshold of its layer to zero, at whatever stage the layer stands: a grouped weight
/// then names centroid 0.
///
/// # Errors
/// [`ErrorKind::Attribute`] for a ratio that is negative or not finite, or that names no convolution or fully
/// connected layer; [`ErrorKind::Weights`] when a layer has no weights.
pub fn apply(net: &Net, ratios: &Ratios) -> Result<Net, Error> {
    apply_pattern(net, ratios, Pattern::Single)
}

/// [`apply`] to weights that fall together: those of a pattern whose root mean square is below the threshold.
///
/// # Errors
/// As [`apply`].
pub fn apply_pattern(net: &Net, ratios: &Ratios, pattern: Pattern) -> Result<Net, Error> {
    let mut pruned = net.clone();
    apply_to(&mut pruned, ratios, pattern)?;
    Ok(pruned)
}

/// [`apply_pattern`] without a copy of the network.
///
/// # Errors
/// As [`apply`]; the network is then unchanged.
pub fn apply_to(net: &mut Net, ratios: &Ratios, pattern: Pattern) -> Result<(), Error> {
    let layers: Vec<(NodeId, f64)> = ratios
        .iter()
        .map(|(name, &ratio)| {
            if !ratio.is_finite() || ratio < 0.0 {
                let message = format!("the pruning ratio {ratio} is not a number from 0");
                return Err(Error::new(ErrorKind::Attribute, message).at_layer(name));
            }
            let id = layer_named(net, name)?;
            weights_of(net, id)?;
            Ok((id, ratio))
        })
        .collect::<Result<_, _>>()?;
    for (id, ratio) in layers {
        if let Some(weights) = &mut net.weights[id] {
            prune(weights, ratio, pattern);
        }
    }
    Ok(())
}

/// Prunes one layer in place.
pub fn prune(weights: &mut Weights, ratio: f64, pattern: Pattern) {
    let values = weights.values();
    let threshold = threshold(&values, ratio);
    if pattern != Pattern::Single {
        let [_, row @ ..] = weights.dims;
        let fall: Vec<bool> = pattern.magnitudes(&values, row).par_iter().map(|&m| falls(m, threshold)).collect();
        drop(values);
        return clear(weights, &fall);
    }
    drop(values);
    match &mut weights.form {
        Form::Dense(w) => w.par_iter_mut().filter(|w| falls(**w, threshold)).for_each(|w| *w = 0.0),
        Form::Coded { centroids, index } => {
            let falls: Vec<bool> = centroids.values().iter().map(|&c| falls(c, threshold)).collect();
            index.par_iter_mut().filter(|i| falls[usize::from(**i)]).for_each(|i| *i = 0);
        }
        Form::Fixed { q, format } => {
            q.par_iter_mut().filter(|q| falls(format.value(**q), threshold)).for_each(|q| *q = 0);
        }
    }
}

/// Clears the weights that fall.
fn clear(weights: &mut Weights, fall: &[bool]) {
    match &mut weights.form {
        Form::Dense(w) => w.iter_mut().zip(fall).filter(|(_, f)| **f).for_each(|(w, _)| *w = 0.0),
        Form::Coded { index, .. } => index.iter_mut().zip(fall).filter(|(_, f)| **f).for_each(|(i, _)| *i = 0),
        Form::Fixed { q, .. } => q.iter_mut().zip(fall).filter(|(_, f)| **f).for_each(|(q, _)| *q = 0),
    }
}

/// Zeros and number of the weights of all convolution and fully connected layers, biases not counted.
pub fn zeros(net: &Net) -> (u64, u64) {
    net.synaptic()
        .into_iter()
        .filter_map(|id| net.weights.get(id)?.as_ref())
        .fold((0, 0), |(zeros, all), w| (zeros + w.zeros() as u64, all + w.len() as u64))
}

/// The share of weights that are zero, over all convolution and fully connected layers; 0 when there are none.
pub fn sparsity(net: &Net) -> f64 {
    let (zeros, all) = zeros(net);
    if all == 0 { 0.0 } else { zeros as f64 / all as f64 }
}

/// A convolution or fully connected layer by its name.
pub(crate) fn layer_named(net: &Net, name: &str) -> Result<NodeId, Error> {
    net.graph.find(name).filter(|&id| net.linear(id).is_some()).ok_or_else(|| {
        let message = format!("{name:?} names no convolution or fully connected layer of the network");
        Error::new(ErrorKind::Attribute, message)
    })
}

/// The weights of a layer that must have some.
pub(crate) fn weights_of(net: &Net, id: NodeId) -> Result<&Weights, Error> {
    net.weights.get(id).and_then(Option::as_ref).ok_or_else(|| {
        Error::new(ErrorKind::Weights, "the layer has no weights; give the weights file")
            .at_layer(&net.graph.node(id).name)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;
    use synapress_model::layers::{Convolution, InnerProduct, Input, Relu};
    use synapress_model::{Centroids, Fixed, Graph, Shape};

    /// About normal numbers.
    pub(crate) fn numbers(n: usize, seed: u64) -> Vec<f32> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        (0..n).map(|_| (0..6).map(|_| rng.random::<f32>() - 0.5).sum()).collect()
    }

    /// Two convolutions, one in two groups, and a classifier, with random weights.
    pub(crate) fn small_net(seed: u64) -> Net {
        let mut g = Graph::new();
        let data = g.add("data", Input { shape: Shape::new(4, 9, 9).unwrap() }, &[]).unwrap();
        let a = g.add("conv1", Convolution::square(8, 3, 1, 1), &[data]).unwrap();
        let a = g.add("relu1", Relu::default(), &[a]).unwrap();
        let b = g.add("conv2", Convolution { groups: 2, ..Convolution::square(6, 3, 2, 0) }, &[a]).unwrap();
        let b = g.add("relu2", Relu::default(), &[b]).unwrap();
        g.add("fc", InnerProduct { outputs: 5, bias: true }, &[b]).unwrap();
        let mut net = Net { weights: vec![None; g.nodes().len()], graph: g, ..Net::default() };
        for id in net.synaptic() {
            let shape = net.graph.weight_shape(id).unwrap();
            let scale = 0.3 * (id + 1) as f32;
            let weights = numbers(shape.len(), seed * 100 + id as u64).iter().map(|w| w * scale).collect();
            net.weights[id] = Some(Weights::dense(shape.dims, weights, numbers(shape.bias_len(), seed + 7)));
        }
        net
    }

    #[test]
    fn the_threshold_is_the_ratio_times_the_standard_deviation() {
        assert_eq!(deviation(&[]), 0.0);
        assert_eq!(deviation(&[1.0, -1.0, 1.0, -1.0]), 1.0);
        assert!((deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]) - 2.0).abs() < 1e-12);
        assert_eq!(threshold(&[1.0, -1.0], 1.5), 1.5);
        assert_eq!(mask(&[0.5, -1.5, 0.0, 1.0], 1.0), [false, true, false, true]);
    }

    #[test]
    fn zero_stays_zero_and_the_rest_is_untouched() {
        let net = small_net(1);
        let ratios: Ratios = [("conv1".to_owned(), 0.8), ("fc".to_owned(), 0.3)].into();
        let once = apply(&net, &ratios).unwrap();
        let twice = apply(&once, &ratios).unwrap();
        assert!(sparsity(&once) > 0.1);
        for id in net.synaptic() {
            let (a, b) = (weights_of(&net, id).unwrap(), weights_of(&once, id).unwrap());
            assert_eq!(a.bias, b.bias);
            let threshold = ratios.get(&net.graph.node(id).name).map_or(0.0, |&r| threshold(&a.values(), r));
            for ((before, after), again) in
                a.values().iter().zip(b.values().iter()).zip(weights_of(&twice, id).unwrap().values().iter())
            {
                let expected = if f64::from(before.abs()) < threshold { 0.0 } else { *before };
                assert_eq!(after.to_bits(), expected.to_bits());
                assert!(*after != 0.0 || *again == 0.0);
            }
        }
    }

    #[test]
    fn every_form_is_pruned_in_its_own_terms() {
        let format = Fixed::new(4, 1).unwrap();
        let forms = [
            Form::Dense(vec![0.5, -3.0, 0.0, 2.0]),
            Form::Coded { centroids: Centroids::Float(vec![0.0, 0.5, -3.0, 2.0]), index: vec![1, 2, 0, 3] },
            Form::Coded { centroids: Centroids::Fixed { q: vec![0, 1, -6, 4], format }, index: vec![1, 2, 0, 3] },
            Form::Fixed { q: vec![1, -6, 0, 4], format },
        ];
        for form in forms {
            let mut weights = Weights { dims: [1, 4, 1, 1], form, bias: synapress_model::Bias::None };
            prune(&mut weights, 0.5, Pattern::Single);
            assert_eq!(*weights.values(), [0.0, -3.0, 0.0, 2.0]);
            assert_eq!(weights.zeros(), 2);
        }
    }

    #[test]
    fn groups_of_channels_fall_together_at_every_stage() {
        let net = small_net(4);
        for wanted in [0.3, 0.7] {
            let target = Target { pattern: Pattern::Channels4, ..wanted.into() };
            let ratios = ratios_for(&net, &target).unwrap();
            let pruned = apply_pattern(&net, &ratios, target.pattern).unwrap();
            assert!((sparsity(&pruned) - wanted).abs() < 0.02, "{}", sparsity(&pruned));
            for id in net.synaptic() {
                let weights = weights_of(&pruned, id).unwrap();
                let [_, row @ ..] = weights.dims;
                let units = Pattern::Channels4.units(row);
                for row in weights.values().chunks(units.taps()) {
                    let mut zeros = vec![[false; 2]; units.count];
                    row.iter().enumerate().for_each(|(tap, w)| zeros[units.of(tap)][usize::from(*w == 0.0)] = true);
                    assert!(zeros.iter().all(|z| !(z[0] && z[1])), "{}", net.graph.node(id).name);
                }
            }
            let grouped = crate::group::group(&net, &crate::group::Options::default()).unwrap();
            let coded = apply_pattern(&grouped, &ratios, target.pattern).unwrap();
            assert!((sparsity(&coded) - wanted).abs() < 0.03, "{}", sparsity(&coded));
        }
    }

    #[test]
    fn senseless_ratios_are_refused_by_name() {
        let net = small_net(1);
        for (name, ratio, says) in [("conv1", f64::NAN, "NaN"), ("conv1", -1.0, "-1"), ("relu1", 1.0, "relu1")] {
            let error = apply(&net, &[(name.to_owned(), ratio)].into()).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
