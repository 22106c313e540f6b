//! Pruning ratios from a wanted sparsity: of one layer, of the network by one ratio common to all layers, and of the
//! network with some layers set apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use synapress_model::{Error, ErrorKind, Net, NodeId};

use super::select::{Scored, ratio_below};
use super::{Pattern, Ratios, deviation, layer_named, weights_of};

/// A wanted sparsity of a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// The share of zeros over the weights of all convolution and fully connected layers, from 0 and below 1.
    pub sparsity: f64,
    /// Layers with a sparsity of their own, by name. Their zeros count towards the network's.
    pub layers: BTreeMap<String, f64>,
    /// Layers that are left as they are, by name. Their weights count towards the network's.
    pub exclude: BTreeSet<String>,
    /// How layers share what is not settled by layer.
    pub spread: Spread,
    /// Which weights fall together.
    pub pattern: Pattern,
}

/// How layers share the zeros of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// One ratio times the standard deviation of each layer's weights (synapse pruning).
    #[default]
    Deviation,
    /// One magnitude for all layers.
    Magnitude,
    /// The same share of every layer, the smallest magnitudes of each.
    Layer,
}

impl From<f64> for Target {
    fn from(sparsity: f64) -> Self {
        Self { sparsity, ..Self::default() }
    }
}

/// The pruning ratio at which as nearly as possible this share of a layer's weights is zero. Weights that are zero
/// already count.
///
/// # Errors
/// [`ErrorKind::Attribute`] unless `sparsity` is from 0 and below 1.
pub fn ratio_for_sparsity(weights: &[f32], sparsity: f64) -> Result<f64, Error> {
    Ok(ratio_of(&Scored { weights, deviation: deviation(weights) }, checked(sparsity)?))
}

fn ratio_of(layer: &Scored<'_>, sparsity: f64) -> f64 {
    ratio_below(std::slice::from_ref(layer), (sparsity * layer.weights.len() as f64).round() as u64)
}

/// A layer on its way to a ratio.
struct Open<'a> {
    id: NodeId,
    /// What is held against the threshold, one for each weight.
    magnitudes: Cow<'a, [f32]>,
    deviation: f64,
}

impl Open<'_> {
    fn scored(&self) -> Scored<'_> {
        Scored { weights: &self.magnitudes, deviation: self.deviation }
    }
}

/// The one ratio at which as nearly as possible this share of all weights is zero when every convolution and fully
/// connected layer is pruned by it.
///
/// # Errors
/// [`ErrorKind::Attribute`] unless `sparsity` is from 0 and below 1; [`ErrorKind::Weights`] when a layer has none.
pub fn ratio_for_net_sparsity(net: &Net, sparsity: f64) -> Result<f64, Error> {
    let ids = net.synaptic();
    let values: Vec<Cow<'_, [f32]>> =
        ids.iter().map(|&id| Ok(weights_of(net, id)?.values())).collect::<Result<_, Error>>()?;
    let all: usize = values.iter().map(|w| w.len()).sum();
    let layers: Vec<Scored<'_>> = values.iter().map(|w| Scored { weights: w, deviation: deviation(w) }).collect();
    Ok(ratio_below(&layers, (checked(sparsity)? * all as f64).round() as u64))
}

/// The ratio of every layer for a target: layers with a sparsity of their own take the ratio that gives it, the
/// others share the rest, as the target's [`Spread`] says, such that the network's sparsity is met as nearly as possible.
///
/// # Errors
/// [`ErrorKind::Attribute`] for a sparsity out of range, a name that is no layer's, or a network sparsity that the
/// remaining layers cannot meet; [`ErrorKind::Weights`] when a layer has no weights.
pub fn ratios_for(net: &Net, target: &Target) -> Result<Ratios, Error> {
    let sparsity = checked(target.sparsity)?;
    for name in target.layers.keys().chain(&target.exclude) {
        layer_named(net, name)?;
    }
    let mut ratios = Ratios::new();
    let (mut all, mut settled, mut open) = (0u64, 0u64, Vec::new());
    for id in net.synaptic() {
        let name = &net.graph.node(id).name;
        let weights = weights_of(net, id)?;
        let values = weights.values();
        let [_, row @ ..] = weights.dims;
        all += values.len() as u64;
        if target.exclude.contains(name) {
            settled += weights.zeros() as u64;
        } else if let Some(&own) = target.layers.get(name) {
            let layer = Open { id, deviation: deviation(&values), magnitudes: target.pattern.magnitudes(&values, row) };
            let ratio = ratio_of(&layer.scored(), checked(own).map_err(|e| e.at_layer(name))?);
            let threshold = ratio * layer.deviation;
            settled += layer.magnitudes.iter().filter(|&&w| w == 0.0 || super::falls(w, threshold)).count() as u64;
            ratios.insert(name.clone(), ratio);
        } else {
            let magnitudes = match target.pattern {
                Pattern::Single => values.clone(),
                pattern => Cow::Owned(pattern.magnitudes(&values, row).into_owned()),
            };
            open.push(Open { id, deviation: deviation(&values), magnitudes });
        }
    }
    let wanted = (sparsity * all as f64).round() as u64;
    let able: u64 = open.iter().map(|l| l.magnitudes.len() as u64).sum();
    let rest = wanted.saturating_sub(settled);
    // Sparsities of single layers are rounded one by one.
    if rest > able + target.layers.len() as u64 {
        let most = (settled + able) as f64 / all as f64 * 100.0;
        let message = format!(
            "a sparsity of {:.2}% cannot be met: with the layers set apart at most {most:.2}% of the weights can be zero",
            sparsity * 100.0
        );
        return Err(Error::new(ErrorKind::Attribute, message));
    }
    let share = rest as f64 / able.max(1) as f64;
    let scored: Vec<Scored<'_>> = open.iter().map(Open::scored).collect();
    let alike: Vec<Scored<'_>> = scored.iter().map(|s| Scored { deviation: 1.0, ..*s }).collect();
    let [by_deviation, by_magnitude] = match target.spread {
        Spread::Deviation => [ratio_below(&scored, rest), 0.0],
        Spread::Magnitude => [0.0, ratio_below(&alike, rest)],
        Spread::Layer => [0.0; 2],
    };
    for (layer, scored) in open.iter().zip(&scored) {
        let ratio = match target.spread {
            Spread::Deviation => by_deviation,
            // Where all weights are the same, a ratio of a deviation of zero clears none.
            Spread::Magnitude if layer.deviation > 0.0 => by_magnitude / layer.deviation,
            Spread::Magnitude => 0.0,
            Spread::Layer => ratio_of(scored, share),
        };
        ratios.insert(net.graph.node(layer.id).name.clone(), ratio);
    }
    Ok(ratios)
}

/// A sparsity if it is one.
pub(super) fn checked(sparsity: f64) -> Result<f64, Error> {
    if (0.0..1.0).contains(&sparsity) {
        Ok(sparsity)
    } else {
        let message = format!("the sparsity {sparsity} is not a share from 0 and below 1 (0.9 prunes 90%)");
        Err(Error::new(ErrorKind::Attribute, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::{numbers, small_net};
    use crate::prune::{apply, prune, sparsity, zeros};
    use synapress_model::Weights;

    #[test]
    fn a_layer_gets_exactly_the_sparsity_asked_for() {
        let weights = numbers(10_000, 3);
        for wanted in [0.0, 0.0001, 0.25, 0.5, 0.6713, 0.9161, 0.9999] {
            let ratio = ratio_for_sparsity(&weights, wanted).unwrap();
            let mut layer = Weights::dense([100, 100, 1, 1], weights.clone(), Vec::new());
            prune(&mut layer, ratio, Pattern::Single);
            assert_eq!(layer.zeros(), (wanted * 10_000.0).round() as usize, "{wanted}");
        }
    }

    #[test]
    fn equal_weights_fall_together_or_not_at_all() {
        let weights = [1.0f32, 1.0, 1.0, -2.0, 2.0, 2.0, 2.0, 3.0, 0.0, 0.0];
        for (wanted, zeros) in
            [(0.0, 2), (0.1, 2), (0.2, 2), (0.3, 2), (0.4, 5), (0.5, 5), (0.6, 5), (0.8, 9), (0.9, 9)]
        {
            let mut layer = Weights::dense([10, 1, 1, 1], weights.to_vec(), Vec::new());
            prune(&mut layer, ratio_for_sparsity(&weights, wanted).unwrap(), Pattern::Single);
            assert_eq!(layer.zeros(), zeros, "{wanted}");
        }
        let same = [0.5f32; 8];
        assert!(ratio_for_sparsity(&same, 0.5).unwrap().is_finite());
    }

    #[test]
    fn one_ratio_meets_the_sparsity_of_the_net_and_meets_it_again_without_change() {
        let net = small_net(2);
        for wanted in [0.1, 0.5, 0.754, 0.9161] {
            let ratio = ratio_for_net_sparsity(&net, wanted).unwrap();
            let ratios = ratios_for(&net, &wanted.into()).unwrap();
            assert!(ratios.values().all(|&r| r == ratio));
            let pruned = apply(&net, &ratios).unwrap();
            let (zero, all) = zeros(&pruned);
            assert_eq!(zero, (wanted * all as f64).round() as u64);
            let again = apply(&pruned, &ratios_for(&pruned, &wanted.into()).unwrap()).unwrap();
            assert_eq!(again.weights, pruned.weights);
        }
    }

    #[test]
    fn spreads_meet_the_sparsity_in_their_own_ways() {
        let net = small_net(6);
        for spread in [Spread::Deviation, Spread::Magnitude, Spread::Layer] {
            let ratios = ratios_for(&net, &Target { spread, ..0.6.into() }).unwrap();
            let pruned = apply(&net, &ratios).unwrap();
            let (zero, all) = zeros(&pruned);
            assert!(zero.abs_diff((0.6 * all as f64).round() as u64) <= 2, "{spread:?}: {zero} of {all}");
            let least = |id| {
                let values = weights_of(&pruned, id).unwrap().values().into_owned();
                values.iter().filter(|&&w| w != 0.0).fold(f32::MAX, |m, w| m.min(w.abs()))
            };
            let largest = |id| {
                let [before, after] = [&net, &pruned].map(|n| weights_of(n, id).unwrap().values().into_owned());
                let fallen = before.iter().zip(&after).filter(|(_, a)| **a == 0.0);
                fallen.fold(0.0f32, |m, (b, _)| m.max(b.abs()))
            };
            let layers = net.synaptic();
            match spread {
                Spread::Deviation => assert!(ratios.values().all(|r| r == ratios.values().next().unwrap())),
                // Nothing that survives anywhere is smaller than what fell elsewhere.
                Spread::Magnitude => {
                    let least = layers.iter().map(|&id| least(id)).fold(f32::MAX, f32::min);
                    assert!(layers.iter().all(|&id| largest(id) <= least));
                }
                Spread::Layer => assert!(layers.iter().all(|&id| {
                    let w = weights_of(&pruned, id).unwrap();
                    (w.zeros() as f64 / w.len() as f64 - 0.6).abs() < 0.01
                })),
            }
        }
    }

    #[test]
    fn layers_set_apart_count_towards_the_whole() {
        let net = small_net(3);
        let target = Target {
            sparsity: 0.4,
            layers: [("conv1".to_owned(), 0.25)].into(),
            exclude: ["conv2".to_owned()].into(),
            ..Target::default()
        };
        let pruned = apply(&net, &ratios_for(&net, &target).unwrap()).unwrap();
        let of = |name: &str| {
            let w = weights_of(&pruned, pruned.graph.find(name).unwrap()).unwrap();
            w.zeros() as f64 / w.len() as f64
        };
        assert_eq!((of("conv1"), of("conv2")), (0.25, 0.0));
        let (zero, all) = zeros(&pruned);
        assert_eq!(zero, (0.4 * all as f64).round() as u64);
        let greedy = Target { sparsity: 0.99, ..target };
        assert!(ratios_for(&net, &greedy).unwrap_err().to_string().contains("at most"));
    }

    #[test]
    fn senseless_targets_are_refused() {
        let net = small_net(1);
        for wanted in [-0.1, 1.0, 91.61, f64::NAN] {
            assert!(ratios_for(&net, &wanted.into()).is_err(), "{wanted}");
            assert!(ratio_for_net_sparsity(&net, wanted).is_err());
        }
        let target = Target { sparsity: 0.5, layers: [("relu1".to_owned(), 0.5)].into(), ..Target::default() };
        assert!(ratios_for(&net, &target).unwrap_err().to_string().contains("relu1"));
        assert_eq!(sparsity(&net), 0.0);
    }
}
