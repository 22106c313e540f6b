//! Which index width each layer can do with: the smallest that keeps accuracy within a tolerance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use synapress_model::{Error, ErrorKind, Net, NodeId};

use super::sorted::Sorted;
use super::{Options, coded, group, seed_of, weights_of};

/// How index widths are searched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    /// The smallest width in bits.
    pub min: u8,
    /// The largest one.
    pub max: u8,
    /// How far the judge's figure may fall below that of the network before grouping: points of accuracy if the
    /// judge gives percent.
    pub tolerance: f64,
}

impl Default for Search {
    fn default() -> Self {
        Self { min: 4, max: 8, tolerance: 1.0 }
    }
}

/// One try.
#[derive(Clone, Debug, PartialEq)]
pub struct Try {
    /// The layer's place in the order of the search, from 0, and the number of layers.
    pub layer: [usize; 2],
    /// Its name.
    pub name: String,
    /// The index width that was tried.
    pub bits: u8,
    /// By how much the judge's figure is below the baseline.
    pub loss: f64,
    /// Whether that is within the tolerance.
    pub accepted: bool,
}

/// A grouped network and the width of each layer, to be given to [`group`] again as [`Options::layers`].
#[derive(Clone, Debug)]
pub struct Found {
    /// The network.
    pub net: Net,
    /// Index widths by layer.
    pub layers: BTreeMap<String, u8>,
}

/// Groups a network with as small indices as `judge` (higher is better) lets pass.
///
/// All layers start at the largest width; then each one, those with the most surviving weights first, takes the
/// smallest width, found by bisection, at which the whole network stays within the tolerance. What the largest widths
/// lose already is spent; of the rest the i-th of n layers may use up to i/n. Layers that `options` names keep the
/// width given there.
///
/// # Errors
/// Those of `judge`, to which errors of `progress` belong too; [`ErrorKind::Attribute`] unless
/// `1 <= min <= max <= 16`; and as [`group`].
pub fn search<E: From<Error>>(
    net: &Net,
    options: &Options,
    search: &Search,
    judge: &mut dyn FnMut(&Net) -> Result<f64, E>,
    progress: &mut dyn FnMut(&Try) -> Result<(), E>,
) -> Result<Found, E> {
    if !(1 <= search.min && search.min <= search.max && search.max <= 16 && search.tolerance >= 0.0) {
        let message = format!(
            "index widths cannot be searched from {} to {} bits with tolerance {}; 1 to 16 and a tolerance from 0 can",
            search.min, search.max, search.tolerance
        );
        return Err(Error::new(ErrorKind::Attribute, message).into());
    }
    let mut widths: BTreeMap<String, u8> =
        net.synaptic().into_iter().map(|id| (net.graph.node(id).name.clone(), search.max)).collect();
    widths.extend(options.layers.clone());
    let options = Options { layers: widths, ..options.clone() };
    let mut at = group(net, &options)?;
    let mut widths = options.layers.clone();
    let baseline = judge(net)?;
    let spent = baseline - judge(&at)?;
    let mut order: Vec<(usize, NodeId)> = Vec::new();
    for id in net.synaptic().into_iter().filter(|&id| widths[&net.graph.node(id).name] == search.max) {
        let weights = weights_of(net, id)?;
        order.push((weights.len() - weights.zeros(), id));
    }
    order.sort_by_key(|&(survivors, id)| (std::cmp::Reverse(survivors), id));
    for (i, &(_, id)) in order.iter().enumerate() {
        let allowed = spent + (search.tolerance - spent).max(0.0) * (i + 1) as f64 / order.len() as f64;
        let name = &net.graph.node(id).name;
        let weights = weights_of(net, id)?;
        let values = weights.values();
        let sorted = Sorted::survivors(&values);
        // `high` passes.
        let (mut low, mut high) = (search.min, search.max);
        while low < high {
            let bits = low + (high - low) / 2;
            let next = coded(weights, &values, &sorted, bits, &options, seed_of(options.seed, id));
            let before = at.weights[id].replace(next);
            let loss = baseline - judge(&at)?;
            let accepted = loss <= search.tolerance && loss <= allowed;
            progress(&Try { layer: [i, order.len()], name: name.clone(), bits, loss, accepted })?;
            if accepted {
                high = bits;
            } else {
                at.weights[id] = before;
                low = bits + 1;
            }
        }
        widths.insert(name.clone(), high);
    }
    Ok(Found { net: at, layers: widths })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::widths;
    use crate::prune::tests::small_net;

    /// Points lost: 40 times the squared error that grouping causes.
    fn judge(net: &Net, of: &Net) -> f64 {
        let error: f64 = net
            .synaptic()
            .into_iter()
            .map(|id| {
                let (a, b) = (weights_of(net, id).unwrap().values(), weights_of(of, id).unwrap().values());
                a.iter().zip(b.iter()).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
            })
            .sum();
        90.0 - 40.0 * error
    }

    #[test]
    fn widths_shrink_as_far_as_the_tolerance_goes() {
        let net = small_net(40);
        let mut previous = 17.0;
        for tolerance in [0.01, 1.0, 20.0, 1e9] {
            let limits = Search { min: 2, max: 8, tolerance };
            let mut tries = Vec::new();
            let found = search::<Error>(&net, &Options::default(), &limits, &mut |n| Ok(judge(n, &net)), &mut |t| {
                tries.push(t.clone());
                Ok(())
            })
            .unwrap();
            let mean = widths(&found.net).unwrap().mean;
            assert!(mean <= previous, "{tolerance}: {mean} after {previous}");
            previous = mean;
            assert!(90.0 - judge(&found.net, &net) <= tolerance.max(0.5));
            assert!(tries.iter().all(|t| t.accepted == (t.loss <= tolerance) || !t.accepted));
            let again = group(&net, &Options { layers: found.layers.clone(), ..Options::default() }).unwrap();
            assert_eq!(again.weights, found.net.weights);
        }
        assert_eq!(previous, 2.0);
    }

    #[test]
    fn widths_that_are_given_stay() {
        let net = small_net(41);
        let options = Options { layers: [("conv1".to_owned(), 6)].into(), ..Options::default() };
        let limits = Search { tolerance: 1e9, ..Search::default() };
        let found = search::<Error>(&net, &options, &limits, &mut |_| Ok(1.0), &mut |_| Ok(())).unwrap();
        assert_eq!(found.layers["conv1"], 6);
        assert_eq!(found.layers["conv2"], 4);
        for limits in [Search { min: 0, ..Search::default() }, Search { min: 9, ..Search::default() }] {
            assert!(search::<Error>(&net, &options, &limits, &mut |_| Ok(1.0), &mut |_| Ok(())).is_err());
        }
    }
}
