//! How much sparsity each layer can bear, measured, and the spread of a wanted sparsity over layers by it.
//!
//! For every layer the error of its outputs at rising sparsities comes from its normal equations, re-solved at each;
//! one forward pass with that layer alone pruned tells how far such an error moves the class scores. Their product is
//! what a sparsity of the layer costs, and the cheapest spread for a network sparsity is where the last weights pruned
//! cost the same in all layers (Lagrange; Shoham and Gersho 1988).

use serde::{Deserialize, Serialize};
use synapress_model::{Error, ErrorKind, Form, Net, Weights};

use super::allocate::checked;
use super::resolve::choose::{Score, gradually};
use super::{Pattern, Target, weights_of};
use crate::layerwise::normal::{Kept, Normal};
use crate::layerwise::probe::{self, Probe};
use crate::layerwise::problem::pass;
use crate::layerwise::samples::Positions;
use crate::layerwise::study::{Study, dense_layers, fitting};

/// How sensitivity is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Sparsities that errors are measured at, ascending, above 0 and below 1.
    pub levels: Vec<f64>,
    /// The level, by its place, at which the class scores are looked at.
    pub probe: usize,
    /// Images that the class scores are looked at: the last of those given, at most half of them. Nothing is fitted to
    /// these.
    pub images: usize,
    /// The most positions of one image that a layer is looked at.
    pub positions: usize,
    /// What is added to the diagonal of the normal equations, relative to its mean.
    pub damping: f64,
    /// The most steps of conjugate gradients.
    pub iterations: usize,
    /// What decides which weights of a layer fall.
    pub score: Score,
    /// Which weights fall together.
    pub pattern: Pattern,
    /// Layers with more inputs to one output than this are not measured.
    pub most_taps: usize,
    /// Bytes that activations may take; fewer images are used when they would take more.
    pub memory: usize,
    /// Seed of the sampled positions.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            levels: vec![0.2, 0.35, 0.5, 0.6, 0.7, 0.78, 0.85, 0.9, 0.94, 0.97],
            probe: 5,
            images: 64,
            positions: 16,
            damping: 0.01,
            iterations: 20,
            score: Score::Magnitude,
            pattern: Pattern::Single,
            most_taps: 8192,
            memory: 3 << 30,
            seed: 1,
        }
    }
}

/// What sparsity costs one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Number of its weights.
    pub weights: u64,
    /// Squared error of its outputs at each level, relative to that of constant outputs.
    pub errors: Vec<f64>,
    /// Mean Kullback-Leibler divergence of the class scores from the float network's, in nats, when this layer alone
    /// has the probed sparsity.
    pub divergence: f64,
}

/// Curves of all layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// The sparsities that curves were measured at.
    pub levels: Vec<f64>,
    /// The level of the divergences, by its place.
    pub probe: usize,
    /// The layers that were measured, in order. Others are left out of the spread.
    pub layers: Vec<Curve>,
}

/// Measures all convolution and fully connected layers of a float network on preprocessed images `(n, C, H, W)`.
/// `progress` is told of each layer when it is done.
///
/// # Errors
/// [`ErrorKind::Attribute`] for options out of range, [`ErrorKind::Shape`] when `images` is no whole number of images,
/// [`ErrorKind::Format`] when the network is grouped or quantized, and whatever [`Net::verify`] finds.
pub fn measure(
    net: &Net,
    images: &[f32],
    options: &Options,
    progress: &mut dyn FnMut(&Curve),
) -> Result<Sensitivity, Error> {
    net.verify()?;
    check(options)?;
    let layers = dense_layers(net, "measure before that")?;
    let images = fitting(net, images, options.memory)?;
    let input = net.graph.input()?;
    let count = images.len() / net.graph.shape(input).len();
    let (fitted, probes) = probe::split(count, options.images);
    let positions = Positions { images: fitted, most: options.positions.max(1), seed: options.seed };
    let mut study = Study::new(net, images, positions, &layers)?;
    let probe = Probe::new(net, images, probes)?;
    let mut curves = Vec::with_capacity(layers.len());
    pass(net, images, &layers, &mut study, &mut |study, walk, id, linear| {
        if linear.taps() > options.most_taps {
            return Ok(None);
        }
        let weights = weights_of(net, id)?;
        let mut curve = Curve {
            name: net.graph.node(id).name.clone(),
            weights: weights.len() as u64,
            errors: vec![0.0; options.levels.len()],
            divergence: 0.0,
        };
        let [_, row @ ..] = weights.dims;
        let units = options.pattern.units(row);
        let values = weights.values();
        let mut probed = weights.clone();
        let (taps, outputs) = (linear.taps(), linear.output.channels);
        let of_group = outputs / linear.groups;
        for group in 0..linear.groups {
            let first = group * of_group;
            let (x, y) = study.read(walk, id, linear, group);
            let has_bias = !weights.bias.is_empty();
            let Some(normal) = Normal::new(x, taps, y, of_group, has_bias, options.damping, Kept::Primal) else {
                continue;
            };
            let rows = first * taps..(first + of_group) * taps;
            let anchor = &values[rows.clone()];
            let mut solved = anchor.to_vec();
            let counts: Vec<usize> =
                options.levels.iter().map(|s| (s * anchor.len() as f64).round() as usize).collect();
            let Options { score, iterations, .. } = *options;
            gradually(&normal, &mut solved, anchor, &counts, score, &units, iterations, &mut |at, w| {
                curve.errors[at] += normal.error(w) / linear.groups as f64;
                if at == options.probe {
                    put(&mut probed, rows.start, w, has_bias.then(|| (first, normal.bias(w))));
                }
            });
        }
        study.forget(id);
        curve.divergence = probe.divergence(walk, id, &probed);
        progress(&curve);
        curves.push(curve);
        Ok(None)
    })?;
    Ok(Sensitivity { levels: options.levels.clone(), probe: options.probe, layers: curves })
}

fn check(options: &Options) -> Result<(), Error> {
    let levels = &options.levels;
    let rising = levels.windows(2).all(|l| l[0] < l[1]) && levels.iter().all(|&l| l > 0.0 && l < 1.0);
    if levels.is_empty() || !rising || options.probe >= levels.len() {
        let message = "levels of sparsity must rise from above 0 to below 1, and one of them be probed";
        return Err(Error::new(ErrorKind::Attribute, message));
    }
    Ok(())
}

fn put(weights: &mut Weights, at: usize, values: &[f32], bias: Option<(usize, Vec<f32>)>) {
    if let Form::Dense(all) = &mut weights.form {
        all[at..at + values.len()].copy_from_slice(values);
    }
    if let (Some((first, new)), synapress_model::Bias::Float(all)) = (bias, &mut weights.bias) {
        all[first..first + new.len()].copy_from_slice(&new);
    }
}

impl Sensitivity {
    /// The cheapest spread of a network sparsity over the layers that were measured. Layers that were not take the
    /// ratio that is left for them, as in [`super::ratios_for`].
    ///
    /// # Errors
    /// [`ErrorKind::Attribute`] unless `sparsity` is from 0 and below 1, or when no spread within the levels that
    /// were measured gives it.
    pub fn target(&self, sparsity: f64) -> Result<Target, Error> {
        let all = self.layers.iter().map(|l| l.weights).sum::<u64>() as f64;
        let wanted = checked(sparsity)?;
        let most = self.levels.last().copied().unwrap_or(0.0);
        if wanted > most {
            let message = format!("a sparsity of {wanted} is beyond the highest that was measured, {most}");
            return Err(Error::new(ErrorKind::Attribute, message));
        }
        let reached = |choice: &[f64]| {
            choice.iter().zip(&self.layers).map(|(s, l)| s * l.weights as f64).sum::<f64>() / all.max(1.0)
        };
        // The price of a weight that survives, between one at which nothing is pruned and one at which all is.
        let (mut low, mut high) = (1e-30f64, 1e6f64);
        for _ in 0..200 {
            let middle = (low * high).sqrt();
            if reached(&self.choice(middle)) < wanted { low = middle } else { high = middle }
        }
        let (below, above) = (self.choice(low), self.choice(high));
        let (a, b) = (reached(&below), reached(&above));
        // Between the two neighbouring choices lies the sparsity that is wanted.
        let share = if b > a { ((wanted - a) / (b - a)).clamp(0.0, 1.0) } else { 1.0 };
        let layers = self
            .layers
            .iter()
            .zip(below.iter().zip(&above))
            .map(|(l, (below, above))| (l.name.clone(), below + share * (above - below)))
            .collect();
        Ok(Target { sparsity, layers, ..Target::default() })
    }

    /// For a price of a surviving weight the sparsity of each layer that is cheapest.
    fn choice(&self, price: f64) -> Vec<f64> {
        self.layers
            .iter()
            .map(|layer| {
                let scale = layer.divergence / layer.errors[self.probe].max(f64::MIN_POSITIVE);
                let cost =
                    |at: usize| scale * layer.errors[at] + price * layer.weights as f64 * (1.0 - self.levels[at]);
                let mut best = (price * layer.weights as f64, 0.0);
                for at in 0..self.levels.len() {
                    if cost(at) < best.0 {
                        best = (cost(at), self.levels[at]);
                    }
                }
                best.1
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::{numbers, small_net};
    use crate::prune::{apply, ratios_for, sparsity};

    fn sensitivity(seed: u64) -> (Net, Sensitivity) {
        let net = small_net(seed);
        let options = Options { positions: 32, ..Options::default() };
        let measured = measure(&net, &numbers(80 * 4 * 81, 5), &options, &mut |_| {}).unwrap();
        (net, measured)
    }

    #[test]
    fn errors_rise_with_sparsity_and_scores_move() {
        let (_, measured) = sensitivity(50);
        assert_eq!(measured.layers.len(), 3);
        for layer in &measured.layers {
            assert!(layer.errors.windows(2).all(|e| e[1] >= 0.95 * e[0] - 1e-5), "{layer:?}");
            assert!(layer.errors[9] > layer.errors[0] && layer.divergence > 0.0, "{layer:?}");
        }
        let text = serde_json::to_string(&measured).unwrap();
        assert_eq!(serde_json::from_str::<Sensitivity>(&text).unwrap(), measured);
    }

    #[test]
    fn the_spread_gives_the_sparsity_and_spares_what_is_dear() {
        let (net, mut measured) = sensitivity(51);
        for wanted in [0.1, 0.5, 0.6713, 0.9] {
            let target = measured.target(wanted).unwrap();
            let pruned = apply(&net, &ratios_for(&net, &target).unwrap()).unwrap();
            assert!((sparsity(&pruned) - wanted).abs() < 0.004, "{wanted}: {}", sparsity(&pruned));
        }
        assert!(measured.target(0.98).is_err() && measured.target(f64::NAN).is_err());
        let before = measured.target(0.8).unwrap().layers["conv2"];
        let dear = measured.layers.iter_mut().find(|l| l.name == "conv2").unwrap();
        dear.divergence *= 1e4;
        assert!(measured.target(0.8).unwrap().layers["conv2"] < before);
    }

    #[test]
    fn senseless_options_are_refused() {
        let net = small_net(52);
        let images = numbers(2 * 4 * 81, 5);
        for levels in [vec![], vec![0.5, 0.4], vec![0.0, 0.5], vec![0.5, 1.0]] {
            let options = Options { levels, probe: 0, ..Options::default() };
            assert!(measure(&net, &images, &options, &mut |_| {}).is_err());
        }
        assert!(measure(&net, &images[1..], &Options::default(), &mut |_| {}).is_err());
    }
}
