//! What the network does on the calibration images before it is quantized: the distribution and the means of every
//! layer's output.

use rayon::prelude::*;
use synapress_model::{Bias, Error, ErrorKind, Mode, Net};
use synapress_run::{Executor, Keep};

use super::histogram::Histogram;
use crate::layerwise::walk;

/// Images of one pass.
const BATCH: usize = 8;

/// Bytes that the activations of all images may take when the network is run with quantized weights, and the most
/// images of that run.
const MEMORY: usize = 1 << 30;
const MOST: usize = 64;

/// Ranges of a network on calibration images, for one quantization or many.
#[derive(Debug)]
pub struct Calibration<'a> {
    pub(super) net: &'a Net,
    /// Images that the network is run on with quantized weights: as many of the first as memory allows.
    pub(super) images: &'a [f32],
    /// For each node how its output is distributed.
    pub(super) histograms: Vec<Histogram>,
    /// For each convolution and fully connected layer the mean of each output channel over `images`.
    pub(super) means: Vec<Vec<f64>>,
}

impl<'a> Calibration<'a> {
    /// Runs the network, in floating point, on images `(n, C, H, W)`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when a BatchNorm is not folded; [`ErrorKind::Format`] when the network is quantized
    /// already, or a layer's output is not finite; [`ErrorKind::Shape`] when `images` is no whole number of images;
    /// [`ErrorKind::Weights`] when weights are missing.
    pub fn new(net: &'a Net, images: &'a [f32]) -> Result<Self, Error> {
        check(net)?;
        let len = net.graph.shape(net.graph.input()?).len();
        let count = images.len() / len;
        if count == 0 || images.len() != count * len {
            let message = format!("{} numbers are no whole number of images of {len}", images.len());
            return Err(Error::new(ErrorKind::Shape, message));
        }
        let kept = (MEMORY / (walk::peak(&net.graph) * size_of::<f32>()).max(1)).clamp(1, count.min(MOST));
        let nodes = net.graph.nodes().len();
        let mut calibration = Self {
            net,
            images: &images[..kept * len],
            histograms: vec![Histogram::new(); nodes],
            means: vec![Vec::new(); nodes],
        };
        for id in net.synaptic() {
            calibration.means[id] = vec![0.0; net.graph.shape(id).channels];
        }
        let mut executor = Executor::<f32>::new(net, BATCH.min(count), Keep::All)?;
        let mut rest = kept;
        for images in images.chunks(BATCH * len) {
            executor.forward(images, Mode::Infer);
            let means = rest.min(BATCH);
            rest -= means;
            let each = calibration.histograms.par_iter_mut().zip(&mut calibration.means).enumerate();
            each.for_each(|(id, (histogram, sums))| {
                let numbers = executor.activation(id);
                histogram.add(numbers);
                if !sums.is_empty() {
                    let shape = net.graph.shape(id);
                    add_sums(&numbers[..means * shape.len()], shape.area(), sums);
                }
            });
        }
        for (id, node) in net.graph.nodes().iter().enumerate() {
            if !calibration.histograms[id].is_finite() {
                let message = "the output on the calibration images is not finite, or far too large";
                return Err(Error::new(ErrorKind::Format, message).at_layer(&node.name));
            }
            let numbers = (kept * net.graph.shape(id).area()) as f64;
            calibration.means[id].iter_mut().for_each(|m| *m /= numbers);
        }
        Ok(calibration)
    }
}

/// Adds each channel's numbers, `(n, C, H, W)`, to its sum.
pub(super) fn add_sums(numbers: &[f32], area: usize, sums: &mut [f64]) {
    for image in numbers.chunks_exact(area * sums.len()) {
        for (channel, sum) in image.chunks_exact(area).zip(&mut *sums) {
            *sum += channel.iter().map(|&x| f64::from(x)).sum::<f64>();
        }
    }
}

/// Refuses networks that cannot be quantized.
fn check(net: &Net) -> Result<(), Error> {
    net.verify()?;
    let quantized = |id: usize| {
        net.weights[id].as_ref().is_some_and(|w| w.codes().is_some() || matches!(w.bias, Bias::Fixed { .. }))
    };
    for (id, node) in net.graph.nodes().iter().enumerate() {
        let fault = |kind, message: &str| Err(Error::new(kind, message).at_layer(&node.name));
        if node.layer.kind().name == "BatchNorm" {
            return fault(
                ErrorKind::Unsupported,
                "BatchNorm has no integer form; fold it into the layer before it first",
            );
        }
        if net.integers.is_some() || quantized(id) {
            return fault(ErrorKind::Format, "the network is quantized already; quantize the one that it came from");
        }
    }
    Ok(())
}
