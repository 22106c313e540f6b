//! What the layers of a network put out on images, at any stage of compression, and how well their formats suit that.

use serde::{Deserialize, Serialize};
use synapress_model::{Error, ErrorKind, Mode, Net, NodeId};
use synapress_run::{Executor, Keep};

use super::Loss;
use super::formats::rectifier;
use super::histogram::Histogram;

/// What a layer puts out, before it is rounded; where a ReLU is the only reader, what the ReLU lets pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The least number.
    pub least: f32,
    /// The largest number.
    pub most: f32,
    /// Root of the mean square.
    pub rms: f64,
    /// Share of the numbers that the format saturates, in percent; absent in floating point.
    pub saturated: Option<f64>,
    /// Ratio of signal to quantization noise in dB; absent where nothing is lost.
    pub sqnr: Option<f64>,
}

/// Images of one pass.
const BATCH: usize = 8;

/// The nodes that are worth telling of: all that the class scores need, but for those that read one other node and put
/// out what they read, or its greater part, in the very format.
pub fn told(net: &Net) -> Vec<NodeId> {
    let graph = &net.graph;
    let needed = graph.needed_for(&[graph.output()]);
    let same = |id: NodeId| match graph.node(id).inputs[..] {
        [input] => {
            let layer = &graph.node(id).layer;
            let formats = net.integers.as_ref().is_some_and(|i| i.outputs[id] == i.outputs[input]);
            let passes = layer.keeps_format() || layer.loss_weight().is_some() || rectifier(graph, input) == Some(id);
            passes || (formats && net.linear(id).is_none())
        }
        _ => false,
    };
    (0..graph.nodes().len()).filter(|&id| needed[id] && !same(id)).collect()
}

/// Runs a network on preprocessed images `(n, C, H, W)` in floating point, with its weights as they are and outputs that
/// are not rounded, and measures the output of every node that is [told of](told).
///
/// # Errors
/// [`ErrorKind::Shape`] when `images` is no whole number of images, at least one, and what the executor refuses.
pub fn measure(net: &Net, images: &[f32]) -> Result<Vec<(NodeId, Measured)>, Error> {
    let mut executor = Executor::<f32>::new(net, BATCH, Keep::All)?;
    let len = executor.input_shape().len();
    if images.is_empty() || !images.len().is_multiple_of(len) {
        let message = format!("{} numbers are no whole number of images of {len}", images.len());
        return Err(Error::new(ErrorKind::Shape, message));
    }
    let told = told(net);
    let mut histograms = vec![Histogram::new(); told.len()];
    for images in images.chunks(BATCH * len) {
        executor.forward(images, Mode::Infer);
        for (&id, histogram) in told.iter().zip(&mut histograms) {
            histogram.add(executor.activation(rectifier(&net.graph, id).unwrap_or(id)));
        }
    }
    let measured = |(&id, h): (&NodeId, &Histogram)| {
        let format = net.integers.as_ref().map(|i| i.outputs[id]);
        let loss = format.map(|f| Loss::new(f, h.saturated(f), h.power(), h.error(f)));
        let [least, most] = h.ends();
        let measured = Measured {
            least,
            most,
            rms: h.rms(),
            saturated: loss.as_ref().map(|l| 100.0 * l.saturated),
            sqnr: loss.and_then(|l| l.sqnr),
        };
        (id, measured)
    };
    Ok(told.iter().zip(&histograms).map(measured).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::{numbers, small_net};
    use crate::quantize::{Calibration, Options};

    #[test]
    fn what_is_measured_is_what_calibration_saw() {
        let net = small_net(4);
        let images = numbers(12 * 4 * 81, 3);
        let options = Options { correct_bias: false, conv_bits: 16, fc_bits: 16, ..Options::default() };
        let quantized = Calibration::new(&net, &images).unwrap().quantize(&options).unwrap();
        let found = measure(&quantized.net, &images).unwrap();
        let names: Vec<&str> = found.iter().map(|(id, _)| net.graph.node(*id).name.as_str()).collect();
        assert_eq!(names, ["data", "conv1", "conv2", "fc"]);
        for (id, measured) in &found {
            let expected = &quantized.layers[*id].output;
            let close = |a: f64, b: f64| (a - b).abs() <= 0.02 * b.abs() + 1e-3;
            assert!(close(measured.sqnr.unwrap(), expected.sqnr.unwrap()), "{measured:?} {expected:?}");
            assert!(close(measured.saturated.unwrap(), 100.0 * expected.saturated), "{measured:?} {expected:?}");
            assert!(f64::from(measured.most.max(-measured.least)) >= measured.rms && measured.rms > 0.0);
        }
        let of_float = measure(&net, &images).unwrap();
        assert!(of_float.iter().all(|(_, m)| m.sqnr.is_none() && m.saturated.is_none()));
        assert!(measure(&net, &images[1..]).is_err());
    }
}
