//! How far each layer's outputs are from the float network's when both networks run on the same images.

use synapress_model::{Error, Net, NodeId};

use super::study::fitting;
use super::walk::Walk;

/// Bytes that the activations of both networks may take.
const MEMORY: usize = 1 << 30;

/// For each convolution and fully connected layer that the class scores need the squared error of its outputs, relative
/// to their deviation from their mean in the float network: 1 is useless. `images` are preprocessed, `(n, C, H, W)`.
/// Integer weights are taken for their values; layer outputs are not rounded.
///
/// # Errors
/// [`synapress_model::ErrorKind::Graph`] when the networks differ in more than weights, `Shape` when `images` is no whole
/// number of images.
pub(crate) fn errors(float: &Net, net: &Net, images: &[f32]) -> Result<Vec<(NodeId, f64)>, Error> {
    float.graph.verify_same(&net.graph)?;
    let images = fitting(float, images, MEMORY / 2)?;
    let input = float.graph.input()?;
    let needed = float.graph.needed_for(&[float.graph.output()]);
    let [mut ours, mut theirs] = [net, float].map(|n| Walk::new(&n.graph, input, images));
    let mut errors = Vec::new();
    for id in 0..float.graph.nodes().len() {
        ours.run(id, net.weights[id].as_ref());
        theirs.run(id, float.weights[id].as_ref());
        if needed[id] && float.linear(id).is_some() {
            errors.push((id, relative(ours.output(id), theirs.output(id))));
        }
    }
    Ok(errors)
}

fn relative(found: &[f32], wanted: &[f32]) -> f64 {
    let mean = wanted.iter().map(|&y| f64::from(y)).sum::<f64>() / wanted.len().max(1) as f64;
    let spread: f64 = wanted.iter().map(|&y| (f64::from(y) - mean).powi(2)).sum();
    let error: f64 = found.iter().zip(wanted).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum();
    error / spread.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::{numbers, small_net};
    use crate::prune::{apply, ratios_for};

    #[test]
    fn a_network_is_no_further_than_its_weights() {
        let float = small_net(2);
        let images = numbers(10 * 4 * 81, 3);
        assert!(errors(&float, &float, &images).unwrap().iter().all(|(_, e)| *e == 0.0));
        let mut found = Vec::new();
        for sparsity in [0.1, 0.5] {
            let pruned = apply(&float, &ratios_for(&float, &sparsity.into()).unwrap()).unwrap();
            found.push(errors(&float, &pruned, &images).unwrap());
        }
        assert_eq!(found[0].iter().map(|e| e.0).collect::<Vec<_>>(), float.synaptic());
        assert!(found[0].iter().zip(&found[1]).all(|(a, b)| 0.0 < a.1 && a.1 < b.1 && b.1 < 3.0), "{found:?}");
    }
}
