//! Optimal k-means on one axis: clusters are runs of the sorted numbers, and the runs of the least squared error are found
//! exactly.
//!
//! With a price on every cluster the best clusters follow from one pass of dynamic programming, which the concave costs
//! make a matter of O(m log m) (Aggarwal and Tokuyama 1993); the price at which there are as many clusters as wanted is
//! searched (Gronlund et al. 2017, section 2.4). Memory is O(m) whatever the number of clusters. Where there are more
//! distinct numbers than [`BINS`], m is that of the bins of a histogram, fine in the middle and at the tails; Lloyd's
//! refinement over all numbers follows.

use super::sorted::Sorted;

/// The most bins of a histogram.
const BINS: usize = 1 << 14;

/// Where the `k` clusters of the least squared error begin and end among more than `k` distinct numbers.
pub(super) fn cuts(data: &Sorted, k: usize) -> Vec<usize> {
    let bins = Bins::new(data, (4 * k).max(BINS));
    let path = bins.clusters(k);
    path.into_iter().map(|i| bins.edges[i]).collect()
}

/// Runs of the sorted numbers that stay together, and the sums before each.
struct Bins {
    edges: Vec<usize>,
    sums: Vec<[f64; 3]>,
}

impl Bins {
    fn new(data: &Sorted, most: usize) -> Self {
        let (values, n) = (data.values(), data.len());
        let mut edges = vec![0];
        if data.distinct(most).is_some() {
            edges.extend((1..n).filter(|&i| values[i] != values[i - 1]));
        } else {
            let half = most / 2;
            let (low, high) = (f64::from(values[0]), f64::from(values[n - 1]));
            // As many numbers in each bin, and bins of equal width: the tails have few numbers that lie far apart.
            edges.extend((1..half).map(|i| (i as u128 * n as u128 / half as u128) as usize));
            edges.extend((1..half).map(|i| data.before(low + (high - low) * i as f64 / half as f64)));
            // Equal numbers stay together.
            edges.iter_mut().for_each(|e| *e = data.before(f64::from(values[(*e).min(n - 1)])));
            edges.sort_unstable();
            edges.dedup();
        }
        edges.push(n);
        let sums = edges.iter().map(|&e| data.first(e)).collect();
        Self { edges, sums }
    }

    /// The squared error of bins from `i` and before `j` around their mean.
    fn error(&self, i: usize, j: usize) -> f64 {
        let [n, s, q] = std::array::from_fn(|a| self.sums[j][a] - self.sums[i][a]);
        (q - s * s / n).max(0.0)
    }

    /// Where the best clusters begin and end, each costing `price` besides its error.
    fn priced(&self, price: f64) -> Vec<usize> {
        let m = self.edges.len() - 1;
        let mut cost = vec![0.0; m + 1];
        let mut from = vec![0; m + 1];
        // Candidates for the last cut, each with the end from which on it is the best; later cuts win for later ends.
        let mut queue: std::collections::VecDeque<(usize, usize)> = [(0, 1)].into();
        for j in 1..=m {
            while queue.len() > 1 && queue[1].1 <= j {
                queue.pop_front();
            }
            let i = queue[0].0;
            from[j] = i;
            cost[j] = cost[i] + self.error(i, j) + price;
            if j == m {
                break;
            }
            let better = |end: usize, than: usize| cost[j] + self.error(j, end) < cost[than] + self.error(than, end);
            // The front is the best until here; beyond, it competes like the others.
            queue[0].1 = queue[0].1.max(j + 1);
            let mut start = m + 1;
            while let Some(&(last, since)) = queue.back() {
                if since > j && better(since.max(j + 1), last) {
                    start = since.max(j + 1);
                    queue.pop_back();
                    continue;
                }
                let (mut low, mut high) = (since.max(j), start.min(m + 1));
                // `last` is the best at `low`, `j` at `high`.
                while high - low > 1 {
                    let middle = low + (high - low) / 2;
                    if better(middle, last) { high = middle } else { low = middle }
                }
                start = high;
                break;
            }
            if start <= m {
                queue.push_back((j, start));
            }
        }
        let mut path = vec![m];
        while let Some(&at) = path.last().filter(|&&at| at > 0) {
            path.push(from[at]);
        }
        path.reverse();
        path
    }

    fn clusters(&self, k: usize) -> Vec<usize> {
        let m = self.edges.len() - 1;
        if k >= m {
            return (0..=m).collect();
        }
        let mut most = (0..=m).collect::<Vec<_>>();
        let mut fewest = vec![0, m];
        let (mut low, mut high) = (0.0, self.error(0, m));
        for _ in 0..100 {
            if most.len() - 1 == k {
                return most;
            }
            if fewest.len() - 1 == k {
                return fewest;
            }
            let price = if low == 0.0 { high * 1e-3 } else { (low * high).sqrt() };
            if !(price > low && price < high) || price < f64::MIN_POSITIVE {
                break;
            }
            let path = self.priced(price);
            if path.len() > k + 1 {
                (low, most) = (price, path);
            } else {
                (high, fewest) = (price, path);
            }
        }
        spliced(&fewest, &most, k)
    }
}

/// Clusters in a number between those of two paths that are equally good: the beginning of the one with the most and the
/// end of the other, where a cluster of the first lies within one of the second.
fn spliced(fewest: &[usize], most: &[usize], k: usize) -> Vec<usize> {
    let (a, b) = (fewest.len() - 1, most.len() - 1);
    for i in 0..a {
        let j = i + k.saturating_sub(a);
        if j < b && fewest[i] <= most[j] && most[j + 1] <= fewest[i + 1] {
            return [&most[..=j], &fewest[i + 1..]].concat();
        }
    }
    fewest.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::numbers;

    /// The least squared error of `k` clusters, by trying every last cut.
    fn least(data: &Sorted, k: usize) -> f64 {
        let n = data.len();
        let error = |i: usize, j: usize| data.error(i, j, data.mean(i, j));
        let mut best: Vec<f64> = (0..=n).map(|j| if j == 0 { 0.0 } else { error(0, j) }).collect();
        for clusters in 2..=k {
            for j in (clusters..=n).rev() {
                best[j] = (clusters - 1..j).map(|i| best[i] + error(i, j)).fold(f64::INFINITY, f64::min);
            }
        }
        best[n]
    }

    fn total(data: &Sorted, cuts: &[usize]) -> f64 {
        cuts.windows(2).map(|c| data.error(c[0], c[1], data.mean(c[0], c[1]))).sum()
    }

    #[test]
    fn no_clusters_are_better() {
        for seed in 0..12 {
            let n = 40 + 20 * seed as usize;
            let mut values = numbers(n, seed);
            if seed % 3 == 0 {
                // Many equal numbers, so that many choices are equally good.
                values.iter_mut().for_each(|v| *v = (*v * 4.0).round() + 0.5);
            }
            let worth: Vec<f32> = numbers(n, seed + 50).iter().map(|w| 0.05 + w.abs()).collect();
            for data in [Sorted::survivors(&values), Sorted::weighted(&values, &worth)] {
                for k in [1, 2, 3, 7, 15, 31] {
                    if data.distinct(k).is_some() {
                        continue;
                    }
                    let cuts = cuts(&data, k);
                    assert_eq!(cuts.len(), k + 1, "seed {seed}, {k} clusters");
                    let (found, wanted) = (total(&data, &cuts), least(&data, k));
                    assert!(found <= wanted + 1e-6 * (1.0 + wanted), "seed {seed}, {k} clusters: {found} {wanted}");
                }
            }
        }
    }

    #[test]
    fn a_histogram_loses_next_to_nothing() {
        let values = numbers(200_000, 3);
        let data = Sorted::survivors(&values);
        let coarse = Bins::new(&data, 2000);
        for k in [15, 255] {
            let fine = total(&data, &cuts(&data, k));
            let found: Vec<usize> = coarse.clusters(k).into_iter().map(|i| coarse.edges[i]).collect();
            assert_eq!(found.len(), k + 1);
            assert!(total(&data, &found) < 1.1 * fine);
        }
    }

    #[test]
    fn paths_are_spliced_to_any_number_between() {
        assert_eq!(spliced(&[0, 4, 8], &[0, 2, 4, 6, 8], 3), [0, 2, 4, 8]);
    }
}
