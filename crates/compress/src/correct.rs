//! Statistics correction, the cheap alternative to a re-solve: mean and variance of every output channel of a compressed
//! layer become those of the float network's (Banner et al. 2019, section 4.3, there for weights; Frantar and Alistarh
//! 2022, appendix A.7, for outputs).
//!
//! Layer after layer, what a layer reads being corrected already. The factor goes into the channel's weights, which only
//! weights in floating point can take up; coded weights stay and the means alone are corrected. Nothing is solved: one
//! pass of both networks over the images.

use synapress_model::{Bias, Error, ErrorKind, Form, Net, Weights};

use crate::layerwise::study::fitting;
use crate::layerwise::walk::Walk;

/// Bytes that the activations of both networks may take; fewer images are used when they would take more.
const MEMORY: usize = 1 << 30;

/// The largest factor of a channel, and its inverse the least: beyond that a channel has lost what it was for.
const MOST: f64 = 4.0;

/// A network whose convolution and fully connected layers have the output statistics of `float`, the network that it was
/// made from, on preprocessed images `(n, C, H, W)`; some dozens suffice. Zeros stay zero. `progress` is told of each
/// layer by name when it is done.
///
/// # Errors
/// [`ErrorKind::Graph`] when the networks differ in more than weights, `Format` when a layer is quantized, `Shape` when
/// `images` is no whole number of images, and whatever [`Net::verify`] finds.
pub fn correct(float: &Net, net: &Net, images: &[f32], progress: &mut dyn FnMut(&str)) -> Result<Net, Error> {
    float.verify()?;
    net.verify()?;
    float.graph.verify_same(&net.graph)?;
    let images = fitting(net, images, MEMORY / 2)?;
    let input = net.graph.input()?;
    let needed = net.graph.needed_for(&[net.graph.output()]);
    let [mut ours, mut theirs] = [net, float].map(|n| Walk::new(&n.graph, input, images));
    let mut corrected = net.clone();
    for id in 0..net.graph.nodes().len() {
        ours.run(id, net.weights[id].as_ref());
        theirs.run(id, float.weights[id].as_ref());
        let Some(weights) = corrected.weights[id].as_mut().filter(|_| needed[id] && net.linear(id).is_some()) else {
            continue;
        };
        let name = &net.graph.node(id).name;
        if weights.codes().is_some() {
            let message = "the layer is quantized already; correct its statistics before that";
            return Err(Error::new(ErrorKind::Format, message).at_layer(name));
        }
        let shape = net.graph.shape(id);
        let [found, wanted] = [ours.output(id), theirs.output(id)].map(|y| statistics(y, shape.channels, shape.area()));
        let changes = changes(weights, &found, &wanted);
        put(weights, &changes);
        let plane = |(at, plane): (usize, &mut [f32])| {
            let change = changes[at % shape.channels];
            plane.iter_mut().for_each(|y| *y = change.of(*y));
        };
        ours.output(id).chunks_mut(shape.area()).enumerate().for_each(plane);
        progress(name);
    }
    Ok(corrected)
}

/// Mean and variance of one channel.
type Moments = [f64; 2];

/// What becomes of the outputs of a channel: a factor, then a shift.
#[derive(Clone, Copy, Debug)]
struct Change {
    factor: f64,
    shift: f64,
}

impl Change {
    fn of(self, y: f32) -> f32 {
        (f64::from(y) * self.factor + self.shift) as f32
    }
}

/// Mean and variance of each channel of outputs `(n, C, H, W)`.
fn statistics(outputs: &[f32], channels: usize, area: usize) -> Vec<Moments> {
    let mut sums = vec![[0.0; 2]; channels];
    let count = (outputs.len() / channels).max(1) as f64;
    let planes = || outputs.chunks(area).enumerate().map(|(at, plane)| (at % channels, plane));
    for (channel, plane) in planes() {
        sums[channel][0] += plane.iter().map(|&y| f64::from(y)).sum::<f64>() / count;
    }
    for (channel, plane) in planes() {
        let mean = sums[channel][0];
        sums[channel][1] += plane.iter().map(|&y| (f64::from(y) - mean).powi(2)).sum::<f64>() / count;
    }
    sums
}

/// What a layer with these weights can do to bring the moments of its channels from those found to those wanted.
fn changes(weights: &Weights, found: &[Moments], wanted: &[Moments]) -> Vec<Change> {
    let dense = matches!(weights.form, Form::Dense(_));
    let of = |(&[mean, variance], &[to, wanted]): (&Moments, &Moments)| {
        let known = dense && variance > 0.0 && wanted > 0.0;
        let factor = if known { (wanted / variance).sqrt().clamp(1.0 / MOST, MOST) } else { 1.0 };
        Change { factor, shift: if weights.bias.is_empty() { 0.0 } else { to - factor * mean } }
    };
    found.iter().zip(wanted).map(of).collect()
}

fn put(weights: &mut Weights, changes: &[Change]) {
    if let Form::Dense(values) = &mut weights.form {
        let taps = values.len() / changes.len();
        for (row, change) in values.chunks_mut(taps.max(1)).zip(changes) {
            for w in row.iter_mut().filter(|w| **w != 0.0) {
                let scaled = (f64::from(*w) * change.factor) as f32;
                *w = if scaled == 0.0 { f32::MIN_POSITIVE.copysign(*w) } else { scaled };
            }
        }
    }
    if let Bias::Float(bias) = &mut weights.bias {
        bias.iter_mut().zip(changes).for_each(|(b, change)| *b = change.of(*b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{self, group};
    use crate::prune::tests::{numbers, small_net};
    use crate::prune::{apply, ratios_for, weights_of};
    use crate::quantize::quantize;
    use synapress_model::Mode;
    use synapress_run::{Executor, Keep};

    const IMAGE: usize = 4 * 81;

    /// How far mean and variance of the channels of each layer are from the float network's at the worst, relative to
    /// that network's deviation and variance.
    fn worst(float: &Net, net: &Net, images: &[f32]) -> [f64; 2] {
        let [mut ours, mut theirs] = [net, float].map(|n| {
            let mut executor = Executor::<f32>::new(n, images.len() / IMAGE, Keep::All).unwrap();
            executor.forward(images, Mode::Infer);
            executor
        });
        let mut worst = [0.0f64; 2];
        for id in float.synaptic() {
            let shape = float.graph.shape(id);
            let [found, wanted] =
                [&mut ours, &mut theirs].map(|e| statistics(e.activation(id), shape.channels, shape.area()));
            for ([mean, variance], [to, wanted]) in found.iter().zip(&wanted) {
                worst[0] = worst[0].max((mean - to).abs() / wanted.sqrt());
                worst[1] = worst[1].max((variance - wanted).abs() / wanted);
            }
        }
        worst
    }

    fn scores(net: &Net) -> Vec<f32> {
        let images = numbers(30 * IMAGE, 77);
        Executor::<f32>::new(net, 30, Keep::Output).unwrap().forward(&images, Mode::Infer).to_vec()
    }

    #[test]
    fn means_and_variances_are_the_float_networks_and_scores_are_nearer() {
        let float = small_net(5);
        let pruned = apply(&float, &ratios_for(&float, &0.4.into()).unwrap()).unwrap();
        let images = numbers(60 * IMAGE, 5);
        let mut told = Vec::new();
        let found = correct(&float, &pruned, &images, &mut |name| told.push(name.to_owned())).unwrap();
        assert_eq!(told, ["conv1", "conv2", "fc"]);
        let [before, after] = [&pruned, &found].map(|net| worst(&float, net, &images));
        assert!(before.iter().all(|&b| b > 0.1) && after.iter().all(|&a| a < 1e-3), "{before:?} {after:?}");
        let error =
            |net: &Net| scores(net).iter().zip(scores(&float)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        assert!(error(&found) < 0.8 * error(&pruned), "{} {}", error(&found), error(&pruned));
        for id in float.synaptic() {
            let [before, after] = [&pruned, &found].map(|net| weights_of(net, id).unwrap().values());
            assert!(before.iter().zip(after.iter()).all(|(b, a)| (*b == 0.0) == (*a == 0.0)));
        }
    }

    #[test]
    fn of_coded_weights_the_means_alone_are_corrected() {
        let float = small_net(5);
        let images = numbers(60 * IMAGE, 5);
        let grouped = group(&float, &group::Options { bits: 2, ..group::Options::default() }).unwrap();
        let found = correct(&float, &grouped, &images, &mut |_| {}).unwrap();
        let [before, after] = [&grouped, &found].map(|net| worst(&float, net, &images));
        assert!(before[0] > 0.1 && after[0] < 1e-3 && after[1] > 0.01, "{before:?} {after:?}");
        for id in float.synaptic() {
            let [before, after] = [&grouped, &found].map(|net| weights_of(net, id).unwrap());
            assert_eq!(before.form, after.form);
        }
        let integers = quantize(&grouped, &images, &Default::default()).unwrap();
        assert!(correct(&float, &integers, &images, &mut |_| {}).unwrap_err().to_string().contains("conv1"));
    }
}
