//! k-means on one axis: where the centroids start, and Lloyd's refinement over sorted numbers.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::optimal;
use super::sorted::Sorted;

/// Where the centroids of a layer start before Lloyd's refinement (Han et al. 2016, section 3.2), or that there is no
/// need of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Evenly spaced between the smallest and the largest surviving weight: keeps the large, rare weights apart.
    #[default]
    Linear,
    /// At evenly spaced quantiles: as many weights for each.
    Density,
    /// One after another, each drawn with a chance proportional to the squared distance to the nearest one so far
    /// (k-means++, Arthur and Vassilvitskii 2007), by the seed.
    #[serde(rename = "kmeans++")]
    PlusPlus,
    /// Nowhere to start from: the centroids of the least squared error are computed. Of bare weights this gives up the
    /// large, rare ones, on which outputs hang; it is for weights that count by what their errors cost ([`super::fit`]).
    Optimal,
}

/// At most `k` centroids of the numbers, ascending and distinct, none of them zero. When there are no more than `k`
/// distinct numbers these are the centroids.
pub(super) fn centroids(data: &Sorted, k: usize, init: Init, iterations: usize, seed: u64) -> Vec<f32> {
    if let Some(distinct) = data.distinct(k) {
        return distinct;
    }
    let start = match init {
        Init::Linear => cut(data, &linear(data, k)),
        Init::Density => cut(data, &density(data, k)),
        Init::PlusPlus => cut(data, &plus_plus(data, k, seed)),
        Init::Optimal => optimal::cuts(data, k),
    };
    let (mut centres, mut cuts) = (Vec::new(), filled(data, start, k));
    for _ in 0..iterations {
        means(data, &cuts, &mut centres);
        let next = filled(data, cut(data, &centres), k);
        if next == cuts {
            break;
        }
        cuts = next;
    }
    means(data, &cuts, &mut centres);
    cuts.windows(2)
        .zip(&centres)
        .map(|(run, &c)| match c as f32 {
            // Zero is the pruned weights' own.
            0.0 => *data.values()[run[0]..run[1]]
                .iter()
                .min_by(|a, b| a.abs().total_cmp(&b.abs()))
                .expect("no cluster is empty"),
            c => c,
        })
        .collect()
}

fn linear(data: &Sorted, k: usize) -> Vec<f64> {
    let (low, high) = (f64::from(data.values()[0]), f64::from(data.values()[data.len() - 1]));
    (0..k).map(|i| if k == 1 { (low + high) / 2.0 } else { low + (high - low) * i as f64 / (k - 1) as f64 }).collect()
}

fn density(data: &Sorted, k: usize) -> Vec<f64> {
    // The middle of each of k runs of equal length.
    (0..k)
        .map(|i| f64::from(data.values()[((2 * i + 1) as u128 * data.len() as u128 / (2 * k) as u128) as usize]))
        .collect()
}

/// The squared distances of a whole run to the nearest centre come from the cumulative sums, so that a draw costs
/// O(k + log n) and not O(n).
fn plus_plus(data: &Sorted, k: usize, seed: u64) -> Vec<f64> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut centres = vec![f64::from(data.values()[rng.random_range(0..data.len())])];
    while centres.len() < k {
        let cuts = cut(data, &centres);
        let errors: Vec<f64> = (0..centres.len()).map(|i| data.error(cuts[i], cuts[i + 1], centres[i])).collect();
        let mut left = rng.random::<f64>() * errors.iter().sum::<f64>();
        let mut chosen = errors.len() - 1;
        for (i, &e) in errors.iter().enumerate() {
            if left < e {
                chosen = i;
                break;
            }
            left -= e;
        }
        let (from, to, centre) = (cuts[chosen], cuts[chosen + 1], centres[chosen]);
        // The first place of the run at which the cumulative error passes what is left.
        let (mut low, mut high) = (from, to.max(from + 1) - 1);
        while low < high {
            let middle = (low + high) / 2;
            if data.error(from, middle + 1, centre) > left { high = middle } else { low = middle + 1 }
        }
        let value = f64::from(data.values()[low.min(data.len() - 1)]);
        let at = centres.partition_point(|&c| c < value);
        centres.insert(at, value);
    }
    centres
}

/// Where the clusters of ascending centres begin and end among the numbers.
fn cut(data: &Sorted, centres: &[f64]) -> Vec<usize> {
    let mut cuts = vec![0];
    cuts.extend(centres.windows(2).map(|c| data.before((c[0] + c[1]) / 2.0)));
    cuts.push(data.len());
    cuts
}

/// The same cuts with no cluster empty: an empty one takes half of the cluster of the largest squared error. There
/// are more than `k` distinct numbers, so that there is always one to be split.
fn filled(data: &Sorted, mut cuts: Vec<usize>, k: usize) -> Vec<usize> {
    cuts.dedup();
    if cuts.len() > k {
        return cuts;
    }
    let splittable = |a: usize, b: usize| {
        if data.values()[a] == data.values()[b - 1] {
            return -1.0;
        }
        data.error(a, b, data.mean(a, b))
    };
    let mut errors: Vec<f64> = cuts.windows(2).map(|c| splittable(c[0], c[1])).collect();
    while cuts.len() <= k {
        let worst = (0..errors.len()).fold(0, |best, i| if errors[i] > errors[best] { i } else { best });
        let (a, b) = (cuts[worst], cuts[worst + 1]);
        // Equal numbers stay together: cut before the first of those above the mean, or after the first ones.
        let mut at = data.before(data.mean(a, b));
        if at <= a {
            at = a + data.values()[a..b].partition_point(|&v| v <= data.values()[a]);
        }
        cuts.insert(worst + 1, at);
        errors[worst] = splittable(a, at);
        errors.insert(worst + 1, splittable(at, b));
    }
    cuts
}

fn means(data: &Sorted, cuts: &[usize], centres: &mut Vec<f64>) {
    centres.clear();
    centres.extend(cuts.windows(2).map(|c| data.mean(c[0], c[1])));
}
