//! Grouping fitted to a layer's outputs: each weight takes a centroid such that the outputs stay, not the weights.
//!
//! Centroids are the optimal ones of the weights that fit best, each counting by what an error in it costs; then weights
//! are settled one after another, those still to come making up for the error of those before, and the centroids are
//! solved for once more.

use serde::{Deserialize, Serialize};
use synapress_model::{Bias, Centroids, Error, Fixed, Form, Net, NodeId, Weights};

use super::sorted::Sorted;
use super::{Options, group_layer, kmeans, seed_of};
use crate::layerwise::factor::Choice;
use crate::layerwise::problem::{Problem, settle_layers};

pub use crate::layerwise::problem::Look;

/// How grouping is fitted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fit {
    /// How layers are looked at.
    pub look: Look,
    /// Bit widths of convolution and fully connected weights, if integers are to follow: centroids are then codes of
    /// that width.
    pub widths: Option<[u8; 2]>,
    /// What a bit of an index is worth in squared error of the outputs, relative to that of constant ones; 0 to go by
    /// the error alone.
    pub price: f64,
}

/// What became of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Squared error of its outputs relative to that of constant ones, from what the grouped layers before it give;
    /// absent where it was too wide to be fitted.
    pub error: Option<f64>,
}

/// Groups the weights of every convolution and fully connected layer of a dense or pruned network such that its outputs
/// come near to those of `float`, the network that it was made from. `images` are preprocessed, `(n, C, H, W)`; some
/// hundreds suffice. Zeros stay zero, biases take up the means. `progress` is told of each layer when it is done.
///
/// # Errors
/// As [`super::group`], and [`synapress_model::ErrorKind::Shape`] when `images` is no whole number of images.
pub fn fit(
    float: &Net,
    net: &Net,
    images: &[f32],
    options: &Options,
    fit: &Fit,
    progress: &mut dyn FnMut(&Layer),
) -> Result<Net, Error> {
    options.check(net)?;
    settle_layers(float, net, images, &fit.look, &mut |id, weights, problem| {
        let name = &net.graph.node(id).name;
        let bits = options.bits_of(name)?;
        let seed = seed_of(options.seed, id);
        let Some(problem) = problem else {
            progress(&Layer { name: name.clone(), error: None });
            return group_layer(weights, bits, options, seed).map_err(|e| e.at_layer(name));
        };
        let (found, error) = layer(net, id, weights, problem, bits, options, fit);
        progress(&Layer { name: name.clone(), error: Some(error) });
        Ok(found)
    })
}

fn layer(
    net: &Net,
    id: NodeId,
    weights: &Weights,
    problem: &Problem,
    bits: u8,
    options: &Options,
    fit: &Fit,
) -> (Weights, f64) {
    let optimum = problem.optimum();
    let sorted = Sorted::weighted(&optimum, &problem.curvatures());
    let k = (1usize << bits) - 1;
    let centroids = match sorted.len() {
        0 => Vec::new(),
        _ => kmeans::centroids(&sorted, k, options.init, options.iterations, seed_of(options.seed, id)),
    };
    let price = (fit.price * problem.power) as f32;
    let settle = |table: &[f32]| {
        let lengths = (price > 0.0).then(|| lengths(table, &optimum));
        problem.settle(fit.look.passes, |c| match &lengths {
            None => nearest(table, c.best),
            Some(lengths) => cheapest(table, lengths, price, c),
        })
    };
    let width = fit.widths.map(|[conv, fc]| if net.linear(id).is_some_and(|l| l.fully_connected) { fc } else { conv });
    let (table, values) = match width {
        _ if centroids.is_empty() => (Vec::new(), vec![0.0; optimum.len()]),
        None => {
            let values = settle(&centroids);
            let table = solved(problem, &centroids, &values);
            let values = settle(&table);
            (table, values)
        }
        Some(width) => Fixed::candidates(width, centroids.iter().fold(0.0, |m, c| m.max(c.abs())))
            .map(|format| {
                let mut table: Vec<f32> = centroids.iter().map(|&c| format.value(format.quantize(c))).collect();
                table.dedup();
                let values = settle(&table);
                (problem.error(&values), table, values)
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, table, values)| (table, values))
            .expect("there is a format of every width"),
    };
    let error = problem.error(&values);
    (coded(weights, problem, &table, &values), error)
}

/// Grouped weights with these values, all of them in the ascending table or zero, and a bias that makes the means right.
fn coded(weights: &Weights, problem: &Problem, table: &[f32], values: &[f32]) -> Weights {
    let mut entries = vec![0.0];
    entries.extend(table.iter().filter(|&&c| c != 0.0));
    let place = |v: f32| entries[1..].partition_point(|&c| c < v) + 1;
    let index = |&v: &f32| if v == 0.0 { 0 } else { place(v) as u16 };
    let index = values.iter().map(index).collect();
    let mut bias = weights.bias.clone();
    if let Bias::Float(bias) = &mut bias {
        problem.correct(values, bias);
    }
    Weights { dims: weights.dims, form: Form::Coded { centroids: Centroids::Float(entries), index }, bias }
}

/// The nearest of ascending numbers, of which there is one at least.
fn nearest(table: &[f32], x: f32) -> f32 {
    let above = table.partition_point(|&c| c < x).min(table.len() - 1);
    let below = above.saturating_sub(1);
    if x - table[below] < table[above] - x { table[below] } else { table[above] }
}

/// Bits of each entry, by how many weights are nearest to it.
fn lengths(table: &[f32], weights: &[f32]) -> Vec<f32> {
    let mut counts = vec![1.0f64; table.len()];
    for w in weights.iter().filter(|&&w| w != 0.0) {
        let value = nearest(table, *w);
        counts[table.partition_point(|&c| c < value)] += 1.0;
    }
    let all: f64 = counts.iter().sum();
    counts.iter().map(|n| -(n / all).log2() as f32).collect()
}

/// The entry of the least error and bits together.
fn cheapest(table: &[f32], lengths: &[f32], price: f32, c: Choice) -> f32 {
    let cost = |i: &usize| c.curvature * (table[*i] - c.best).powi(2) + price * lengths[*i];
    (0..table.len()).min_by(|a, b| cost(a).total_cmp(&cost(b))).map_or(0.0, |i| table[i])
}

/// Steps of conjugate gradients to the centroids.
const STEPS: usize = 12;

/// The centroids of the least error, ascending, if every weight keeps its own.
fn solved(problem: &Problem, table: &[f32], values: &[f32]) -> Vec<f32> {
    let place: Vec<Option<usize>> =
        values.iter().map(|&v| (v != 0.0).then(|| table.partition_point(|&c| c < v))).collect();
    // H times a change of the weights, summed over the members of each centroid.
    let product = |change: &dyn Fn(usize) -> f32| {
        let mut sums = vec![0.0f64; table.len()];
        for part in &problem.parts {
            let d: Vec<f32> = part.range.clone().map(change).collect();
            for (i, h) in part.range.clone().zip(part.normal.times_h(&d, true)) {
                if let Some(a) = place[i] {
                    sums[a] += f64::from(h);
                }
            }
        }
        sums
    };
    let optimum = problem.optimum();
    let mut residual: Vec<f64> = product(&|i| optimum[i] - values[i]);
    let mut found: Vec<f64> = table.iter().map(|&c| f64::from(c)).collect();
    let mut direction = residual.clone();
    let mut rho: f64 = residual.iter().map(|r| r * r).sum();
    let first = rho;
    for _ in 0..STEPS {
        if rho <= 1e-10 * first || rho == 0.0 {
            break;
        }
        let along = product(&|i| place[i].map_or(0.0, |a| direction[a] as f32));
        let curvature: f64 = along.iter().zip(&direction).map(|(a, d)| a * d).sum();
        if curvature <= 0.0 {
            break;
        }
        let step = rho / curvature;
        found.iter_mut().zip(&direction).for_each(|(f, d)| *f += step * d);
        residual.iter_mut().zip(&along).for_each(|(r, a)| *r -= step * a);
        let next: f64 = residual.iter().map(|r| r * r).sum();
        direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + next / rho * *d);
        rho = next;
    }
    let mut found: Vec<f32> = found.into_iter().map(|c| c as f32).filter(|c| *c != 0.0 && c.is_finite()).collect();
    found.sort_by(f32::total_cmp);
    found.dedup();
    if found.is_empty() { table.to_vec() } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Init, group};
    use crate::prune::tests::{numbers, small_net};
    use crate::prune::{apply, ratios_for, weights_of};
    use synapress_model::Mode;
    use synapress_run::{Executor, Keep};

    fn error(float: &Net, net: &Net) -> f64 {
        let images = numbers(30 * 4 * 81, 77);
        let scores = |net| Executor::<f32>::new(net, 30, Keep::Output).unwrap().forward(&images, Mode::Infer).to_vec();
        let (a, b): (Vec<f32>, Vec<f32>) = (scores(float), scores(net));
        a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }

    #[test]
    fn outputs_are_nearer_than_with_the_nearest_centroids_and_zeros_stay() {
        let float = small_net(8);
        let pruned = apply(&float, &ratios_for(&float, &0.1.into()).unwrap()).unwrap();
        let images = numbers(400 * 4 * 81, 5);
        let options = Options { bits: 3, init: Init::Optimal, ..Options::default() };
        let plain = error(&float, &group(&pruned, &options).unwrap());
        for (widths, price) in [(None, 0.0), (Some([6, 6]), 0.0), (None, 1e-6)] {
            let mut told = Vec::new();
            let how = Fit { widths, price, ..Fit::default() };
            let found = fit(&float, &pruned, &images, &options, &how, &mut |l| told.push(l.clone())).unwrap();
            let fitted = error(&float, &found);
            assert!(fitted < 0.85 * plain, "{widths:?} {price}: {fitted} {plain}");
            assert!(told.len() == 3 && told.iter().all(|l| l.error.is_some_and(|e| e < 0.5)), "{told:?}");
            for id in float.synaptic() {
                let [before, after] = [&pruned, &found].map(|n| weights_of(n, id).unwrap());
                assert!(before.values().iter().zip(after.values().iter()).all(|(b, a)| *b != 0.0 || *a == 0.0));
                let Form::Coded { centroids, .. } = &after.form else { panic!("not grouped") };
                assert!(centroids.len() <= 8);
            }
        }
    }

    #[test]
    fn a_layer_that_is_too_wide_takes_the_nearest() {
        let net = small_net(8);
        let images = numbers(20 * 4 * 81, 5);
        let how = Fit { look: Look { most_taps: 40, ..Look::default() }, ..Fit::default() };
        let mut none = 0;
        let options = Options { bits: 4, ..Options::default() };
        let found = fit(&net, &net, &images, &options, &how, &mut |l| none += usize::from(l.error.is_none())).unwrap();
        assert_eq!(none, 1);
        let last = net.graph.find("fc").unwrap();
        assert_eq!(found.weights[last], group(&net, &options).unwrap().weights[last]);
    }
}
