//! Grouping against exact dynamic programming on small data, and its invariants.

use super::*;
use crate::prune::tests::{numbers, small_net};
use crate::prune::{apply, ratios_for};

fn squared_error(weights: &Weights, of: &[f32]) -> f64 {
    weights.values().iter().zip(of).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

/// The least squared error of splitting sorted numbers into `k` runs.
fn optimum(sorted: &[f32], k: usize) -> f64 {
    let n = sorted.len();
    let cost = |a: usize, b: usize| {
        let run: Vec<f64> = sorted[a..b].iter().map(|&v| f64::from(v)).collect();
        let mean = run.iter().sum::<f64>() / run.len() as f64;
        run.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
    };
    let mut best = vec![f64::INFINITY; n + 1];
    best[0] = 0.0;
    for _ in 0..k {
        let mut next = best.clone();
        for b in 1..=n {
            for a in 0..b {
                next[b] = next[b].min(best[a] + cost(a, b));
            }
        }
        best = next;
    }
    best[n]
}

fn dense(values: Vec<f32>) -> Weights {
    Weights::dense([values.len(), 1, 1, 1], values, Vec::new())
}

#[test]
fn every_start_comes_near_the_optimum_and_reaches_it_from_some_seed() {
    let mut values = numbers(120, 5);
    values[7] = 0.0;
    let sorted = Sorted::survivors(&values);
    let weights = dense(values.clone());
    for bits in [2, 3] {
        let best = optimum(sorted.values(), (1 << bits) - 1);
        let error = |init, seed| {
            let grouped = group_layer(&weights, bits, &Options { init, ..Options::default() }, seed).unwrap();
            squared_error(&grouped, &values)
        };
        for init in [Init::Linear, Init::Density, Init::PlusPlus] {
            let e = error(init, 1);
            assert!(e >= best - 1e-6 && e < 1.6 * best, "{init:?} {bits}: {e} of {best}");
        }
        let tries = (0..40).map(|seed| error(Init::PlusPlus, seed)).fold(f64::INFINITY, f64::min);
        assert!(tries < 1.02 * best + 1e-9, "{bits}: {tries} of {best}");
    }
}

#[test]
fn zero_keeps_its_own_entry_and_every_other_weight_takes_the_nearest_one() {
    for bits in [1, 2, 4, 8, 12] {
        for init in [Init::Linear, Init::Density, Init::PlusPlus] {
            let mut values = numbers(3000, u64::from(bits));
            values.iter_mut().step_by(3).for_each(|v| *v = 0.0);
            let grouped =
                group_layer(&dense(values.clone()), bits, &Options { init, ..Options::default() }, 3).unwrap();
            let Form::Coded { centroids: Centroids::Float(table), index } = &grouped.form else { panic!() };
            assert_eq!(table.len(), (1usize << bits).min(2001), "{bits} {init:?}");
            assert_eq!(table[0], 0.0);
            assert!(table[1..].windows(2).all(|c| c[0] < c[1]) && table[1..].iter().all(|&c| c != 0.0));
            for (&value, &i) in values.iter().zip(index) {
                assert_eq!(value == 0.0, i == 0);
                let distance = |c: f32| (f64::from(c) - f64::from(value)).abs();
                let least = table[1..].iter().map(|&c| distance(c)).fold(f64::INFINITY, f64::min);
                assert!(i == 0 || distance(table[usize::from(i)]) <= least);
            }
        }
    }
}

#[test]
fn few_distinct_weights_are_kept_exactly() {
    let values = vec![0.5, -1.0, 0.0, 0.5, 2.0, -1.0];
    let grouped = group_layer(&dense(values.clone()), 8, &Options::default(), 1).unwrap();
    assert_eq!(*grouped.values(), values);
    assert_eq!(group_layer(&grouped, 8, &Options::default(), 9).unwrap(), grouped);
    let nothing = group_layer(&dense(vec![0.0; 5]), 4, &Options::default(), 1).unwrap();
    assert_eq!(nothing.zeros(), 5);
}

#[test]
fn clusters_that_start_empty_are_filled() {
    // One far outlier leaves all but two of the evenly spaced centroids without members.
    let mut values = numbers(500, 4);
    values.push(1e6);
    let grouped = group_layer(&dense(values.clone()), 4, &Options::default(), 1).unwrap();
    let Form::Coded { centroids, index } = &grouped.form else { panic!() };
    assert_eq!(centroids.len(), 16);
    let mut used = [false; 16];
    index.iter().for_each(|&i| used[usize::from(i)] = true);
    assert!(!used[0] && used[1..].iter().all(|&u| u));
}

#[test]
fn a_net_is_grouped_by_layer_and_again_without_change() {
    let net = small_net(5);
    let pruned = apply(&net, &ratios_for(&net, &0.6.into()).unwrap()).unwrap();
    let options =
        Options { bits: 5, layers: [("fc".to_owned(), 3)].into(), init: Init::PlusPlus, ..Options::default() };
    let grouped = group(&pruned, &options).unwrap();
    let found = widths(&grouped).unwrap();
    assert_eq!(found.layers, [("conv1".to_owned(), 5), ("conv2".to_owned(), 5), ("fc".to_owned(), 3)]);
    let (convs, fc) = (f64::from(8 * 4 * 9 + 6 * 4 * 9), f64::from(5 * 6 * 16));
    assert!((found.mean - 13.0 / 3.0).abs() < 1e-12);
    assert!((found.weighted - (5.0 * convs + 3.0 * fc) / (convs + fc)).abs() < 1e-12);
    grouped.verify().unwrap();
    assert_eq!(group(&grouped, &options).unwrap().weights, grouped.weights);
    for id in net.synaptic() {
        let (a, b) = (weights_of(&pruned, id).unwrap(), weights_of(&grouped, id).unwrap());
        assert!(a.values().iter().zip(b.values().iter()).all(|(a, b)| (*a == 0.0) == (*b == 0.0)));
    }
}

#[test]
fn the_threads_do_not_change_a_bit() {
    let net = small_net(6);
    let options = Options { init: Init::PlusPlus, ..Options::default() };
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            group(&apply(&net, &ratios_for(&net, &0.5.into()).unwrap()).unwrap(), &options).unwrap().weights
        })
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn senseless_options_are_refused_by_name() {
    let net = small_net(1);
    for bits in [0, 17] {
        assert!(group(&net, &Options { bits, ..Options::default() }).unwrap_err().to_string().contains("1 to 16"));
    }
    let options = Options { layers: [("nothing".to_owned(), 4)].into(), ..Options::default() };
    assert!(group(&net, &options).unwrap_err().to_string().contains("nothing"));
    assert_eq!([1, 2, 3, 4, 5, 16, 17, 65536].map(index_bits), [1, 1, 2, 2, 3, 4, 5, 16]);
}
