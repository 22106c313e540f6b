//! How a layer's weights are distributed, before and after: counts in bins, the threshold below which weights fell, and
//! the centroids that the others went to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use synapress_model::{Form, Weights};

use crate::prune;

/// Weights that are not zero, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Bins of equal width lie from minus this to this.
    pub edge: f32,
    /// Weights in each bin.
    pub counts: Vec<u64>,
    /// Weights beyond the bins.
    pub beyond: u64,
    /// Values that occur other than zero, in ascending order: centroids, or codes where they are few. Absent where there
    /// are more than 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f32>,
    /// Weights of each of these values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_counts: Vec<u64>,
    /// The weights before compression, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub float: Option<FloatWeights>,
}

/// A layer's weights in the float network, in the same bins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FloatWeights {
    /// Weights in each bin.
    pub counts: Vec<u64>,
    /// Weights beyond the bins.
    pub beyond: u64,
    /// Their standard deviation.
    pub deviation: f64,
    /// The magnitude below which as many of them lie as are zero now: the threshold where magnitude alone decided.
    /// Absent where no more are zero than before.
    pub threshold: Option<f64>,
}

/// Number of bins.
const BINS: usize = 48;

/// Standard deviations that the bins reach to on both sides.
const REACH: f64 = 4.0;

/// The most values that are told one by one.
const MOST_VALUES: usize = 256;

impl Distribution {
    /// Of a layer's weights, beside those that it had in the float network.
    pub fn of(weights: &Weights, float: Option<&Weights>) -> Self {
        let values = values(weights);
        let edge = edge(float.unwrap_or(weights));
        let (counts, beyond) = match &values {
            Some(values) => binned(values.iter().map(|(&key, &n)| (value(key), n)), edge),
            None => binned(weights.values().iter().map(|&w| (w, 1)), edge),
        };
        let values = values.filter(|v| v.len() <= MOST_VALUES).unwrap_or_default();
        Self {
            edge,
            counts,
            beyond,
            value_counts: values.values().copied().collect(),
            values: values.into_keys().map(value).collect(),
            float: float.map(|float| FloatWeights::of(float, weights, edge)),
        }
    }
}

impl FloatWeights {
    fn of(float: &Weights, weights: &Weights, edge: f32) -> Self {
        let values = float.values();
        let (counts, beyond) = binned(values.iter().map(|&w| (w, 1)), edge);
        let deviation = prune::deviation(&values);
        let share = weights.sparsity();
        let more = weights.zeros() > float.zeros();
        let ratio = prune::ratio_for_sparsity(&values, share).ok().filter(|_| more);
        Self { counts, beyond, deviation, threshold: ratio.map(|ratio| ratio * deviation) }
    }
}

/// Bits that have the order of the floats they are made from.
fn key(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn value(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

/// Values other than zero and how many weights have each, by [`key`]; `None` in plain floating point.
fn values(weights: &Weights) -> Option<BTreeMap<u32, u64>> {
    let mut values = BTreeMap::new();
    let mut add = |value: f32, n: u64| {
        if value != 0.0 && n > 0 {
            *values.entry(key(value)).or_default() += n;
        }
    };
    match &weights.form {
        Form::Dense(_) => return None,
        Form::Coded { centroids, index } => {
            let table = centroids.values();
            let mut counts = vec![0u64; table.len()];
            index.iter().for_each(|&i| counts[usize::from(i)] += 1);
            table.into_iter().zip(counts).for_each(|(value, n)| add(value, n));
        }
        Form::Fixed { q, format } => {
            let mut counts = vec![0u64; 1 << 16];
            q.iter().for_each(|&q| counts[usize::from(q as u16)] += 1);
            counts.into_iter().enumerate().for_each(|(q, n)| add(format.value(q as u16 as i16), n));
        }
    }
    Some(values)
}

/// How far the bins reach: all weights, or some deviations if that is less.
fn edge(weights: &Weights) -> f32 {
    let values = weights.values();
    let largest = values.iter().fold(0.0f32, |m, w| m.max(w.abs()));
    let edge = largest.min((REACH * prune::deviation(&values)) as f32);
    if edge > 0.0 { edge } else { largest.max(f32::MIN_POSITIVE) }
}

/// Counts of numbers other than zero in bins from `-edge` to `edge`, and how many lie beyond.
fn binned(numbers: impl Iterator<Item = (f32, u64)>, edge: f32) -> (Vec<u64>, u64) {
    let (mut counts, mut beyond) = (vec![0; BINS], 0);
    for (number, n) in numbers.filter(|(number, _)| *number != 0.0) {
        let place = (f64::from(number) / f64::from(edge) + 1.0) / 2.0 * BINS as f64;
        match place {
            // The last bin has its upper end.
            p if (0.0..=BINS as f64).contains(&p) => counts[(p as usize).min(BINS - 1)] += n,
            _ => beyond += n,
        }
    }
    (counts, beyond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group;
    use crate::prune::tests::numbers;
    use synapress_model::{Bias, Fixed};

    fn layer(values: Vec<f32>) -> Weights {
        Weights::dense([values.len(), 1, 1, 1], values, Vec::new())
    }

    #[test]
    fn keys_keep_the_order_and_come_back() {
        let values = [f32::NEG_INFINITY, -2.5, -1e-30, -0.0, 0.0, 1e-30, 0.3, f32::MAX];
        assert!(values.windows(2).all(|v| key(v[0]) < key(v[1])));
        assert!(values.iter().all(|&v| value(key(v)).to_bits() == v.to_bits()));
    }

    #[test]
    fn every_weight_is_counted_once_at_every_stage() {
        let float = layer(numbers(5000, 3));
        let mut pruned = float.clone();
        prune::prune(&mut pruned, 0.8, prune::Pattern::Single);
        let grouped = group::group_layer(&pruned, 4, &group::Options::default(), 1).unwrap();
        let format = Fixed::new(12, 8).unwrap();
        let codes = pruned.values().iter().map(|&w| format.quantize(w)).collect();
        let fixed = Weights { dims: pruned.dims, form: Form::Fixed { q: codes, format }, bias: Bias::None };
        for (weights, values) in [(&pruned, 0), (&grouped, 15), (&fixed, 0)] {
            let found = Distribution::of(weights, Some(&float));
            let all = found.counts.iter().sum::<u64>() + found.beyond + weights.zeros() as u64;
            assert_eq!((all, found.values.len()), (5000, values));
            assert!(found.values.windows(2).all(|v| v[0] < v[1]));
            if values > 0 {
                assert_eq!(found.value_counts.iter().sum::<u64>() + weights.zeros() as u64, 5000);
            }
            let before = found.float.unwrap();
            assert_eq!(before.counts.iter().sum::<u64>() + before.beyond, 5000);
            let below = float.values().iter().filter(|w| f64::from(w.abs()) < before.threshold.unwrap()).count();
            assert_eq!(below, weights.zeros());
        }
        assert_eq!(Distribution::of(&float, Some(&float)).float.unwrap().threshold, None);
    }

    #[test]
    fn layers_of_nothing_but_zeros_or_of_one_weight_are_counted_too() {
        for values in [vec![0.0; 4], vec![1.0], vec![2.0; 3]] {
            let weights = layer(values.clone());
            let found = Distribution::of(&weights, Some(&layer(vec![1.0; values.len()])));
            let all = found.counts.iter().sum::<u64>() + found.beyond;
            assert!(found.edge > 0.0 && all as usize == values.iter().filter(|&&v| v != 0.0).count(), "{found:?}");
        }
    }
}
