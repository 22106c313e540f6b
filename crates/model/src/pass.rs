//! What a pass in floating point hands to a layer: the images, the parameters, what is kept between passes.

use std::sync::Arc;

use synapress_kernels::real::Real;
use synapress_peers::{Alone, Peers};

use crate::shape::Shape;

/// Whether a pass may forget what a backward pass would need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Inference.
    Infer,
    /// Training; the seed is this layer's own for this step (dropout).
    Train {
        /// Seed of this layer and step.
        seed: u64,
        /// Whether layers normalize by the statistics of the batch, not by those they have stored.
        batch_statistics: bool,
    },
}

/// Matrices derived from the weights. When weights change these keep their memory: who asks the system for as much in
/// every step of training waits for it.
#[derive(Debug)]
pub struct Derived<P> {
    matrices: Vec<P>,
    stale: bool,
}

impl<P> Default for Derived<P> {
    fn default() -> Self {
        Self { matrices: Vec::new(), stale: true }
    }
}

impl<P> Derived<P> {
    /// The matrices of the weights as they are. If weights have changed, or it is the first time, `derive` makes them, in
    /// the memory of the earlier ones that it is handed.
    pub fn get(&mut self, derive: impl FnOnce(Vec<P>) -> Vec<P>) -> &[P] {
        if self.stale {
            self.matrices = derive(std::mem::take(&mut self.matrices));
            self.stale = false;
        }
        &self.matrices
    }
}

/// What a layer keeps between passes, one for each node. Owned by whoever executes the network.
#[derive(Debug)]
pub struct Memo<T: Real> {
    /// Packed weights.
    pub packed: Derived<T::Packed>,
    /// Packed transposed weights, for the gradient of the input.
    pub packed_transposed: Derived<T::Packed>,
    /// Packed weights in another form, which a layer prefers for many images.
    pub tiled: Derived<T::Packed>,
    /// The same, transposed.
    pub tiled_transposed: Derived<T::Packed>,
    /// Numbers saved by the forward pass for the backward one.
    pub saved: Vec<T>,
    /// Places saved likewise (argmax of pooling).
    pub places: Vec<u32>,
}

impl<T: Real> Default for Memo<T> {
    fn default() -> Self {
        Self {
            packed: Derived::default(),
            packed_transposed: Derived::default(),
            tiled: Derived::default(),
            tiled_transposed: Derived::default(),
            saved: Vec::new(),
            places: Vec::new(),
        }
    }
}

impl<T: Real> Memo<T> {
    /// What was derived from the weights is to be derived anew.
    pub fn weights_changed(&mut self) {
        let Self { packed, packed_transposed, tiled, tiled_transposed, .. } = self;
        for derived in [packed, packed_transposed, tiled, tiled_transposed] {
            derived.stale = true;
        }
    }
}

/// What every layer may use during a pass: buffers, one set for each [lane](LANES) that is here, never shrunk, and
/// those who compute with the other images of the batch.
#[derive(Debug)]
pub struct Scratch<T> {
    /// One set of buffers for each lane.
    pub lanes: Vec<Lane<T>>,
    /// Who shares the lanes of a batch; this one has [its own](crate::share::own).
    pub peers: Arc<dyn Peers>,
}

/// A batch is split into this many runs of images, whatever the number of threads: gradients of the runs are summed
/// in order, so that a training step has the same bits on any machine of the same instruction set.
pub const LANES: usize = 4;

/// Buffers of one lane.
#[derive(Clone, Debug, Default)]
pub struct Lane<T> {
    /// Patches as columns.
    pub columns: Vec<T>,
    /// A second matrix.
    pub matrix: Vec<T>,
    /// A third one.
    pub other: Vec<T>,
    /// Gradient of the weights by the lane's images: left there by backward passes for who adds up lanes of several
    /// peers.
    pub weight_gradient: Vec<T>,
    /// Weights, or their gradient, in another form.
    pub transformed: Vec<T>,
    /// Gradient of the bias likewise.
    pub bias_gradient: Vec<T>,
}

impl<T: Default + Clone> Default for Scratch<T> {
    fn default() -> Self {
        Self { lanes: vec![Lane::default(); LANES], peers: Arc::new(Alone) }
    }
}

/// The length-`n` front of a buffer, which grows if it must.
pub fn front<T: Copy + Default>(buffer: &mut Vec<T>, n: usize) -> &mut [T] {
    if buffer.len() < n {
        buffer.resize(n, T::default());
    }
    &mut buffer[..n]
}

/// One forward pass of a layer over a batch.
#[derive(Debug)]
pub struct Forward<'a, T: Real> {
    /// Number of images of the whole batch, by which it is split into lanes. Buffers hold the images that are
    /// [here](crate::share::own): all of them unless there are peers.
    pub batch: usize,
    /// Each input, `(images, C, H, W)`. In place ([`Layer::in_place`](crate::layer::Layer::in_place)) the single input
    /// is empty and lies in `output`.
    pub inputs: &'a [&'a [T]],
    /// Shape of each input.
    pub input_shapes: &'a [Shape],
    /// The output, `(images, C, H, W)`.
    pub output: &'a mut [T],
    /// Its shape.
    pub output_shape: Shape,
    /// Weights, in the order of [`WeightShape::dims`](crate::weights::WeightShape::dims); empty when the kind has none.
    pub weights: &'a [T],
    /// Bias; empty when there is none.
    pub bias: &'a [T],
    /// What the layer keeps.
    pub memo: &'a mut Memo<T>,
    /// Working space.
    pub scratch: &'a mut Scratch<T>,
    /// Inference or training.
    pub mode: Mode,
    /// Whether numbers below zero become zero before they are written: a [rectifier](crate::layer::Layer::is_rectifier)
    /// joined the layer. For layers that [forget](crate::layer::Layer::forgets_output) their output alone.
    pub rectified: bool,
    /// Factors and biases (empty: none) of the channels, from the [scale](crate::layer::Layer::is_scale) that joined
    /// the layer and is applied before it writes. For layers that [take](crate::layer::Layer::takes_scale) one alone.
    pub scaled: Option<[&'a [T]; 2]>,
}

/// What the backward pass of a layer reads and writes for the [scale](crate::layer::Layer::is_scale) that joined it.
#[derive(Debug)]
pub struct Scaled<'a, T> {
    /// Factors of the channels.
    pub factors: &'a [T],
    /// Biases; empty when there are none.
    pub bias: &'a [T],
    /// Gradient of the factors, to be added to; empty when nobody needs it.
    pub factor_gradient: &'a mut [T],
    /// Gradient of the biases, likewise.
    pub bias_gradient: &'a mut [T],
    /// Whether a rectifier joined the scale.
    pub rectified: bool,
}

/// Where the gradient of one input goes.
#[derive(Debug)]
pub struct InputGradient<'a, T> {
    /// `(images, C, H, W)`, as the input.
    pub data: &'a mut [T],
    /// Add to what is there (another reader has written already) instead of overwriting it.
    pub add: bool,
}

/// One backward pass of a layer over a batch; the forward pass in [`Mode::Train`] came before.
#[derive(Debug)]
pub struct Backward<'a, T: Real> {
    /// Number of images of the whole batch, as of the forward pass.
    pub batch: usize,
    /// Each input; empty if the layer ran in place.
    pub inputs: &'a [&'a [T]],
    /// Shape of each input.
    pub input_shapes: &'a [Shape],
    /// The output.
    pub output: &'a [T],
    /// Its shape.
    pub output_shape: Shape,
    /// Gradient of the loss by the output. In place it is empty and lies in `input_gradients[0].data`, to be changed
    /// there.
    pub output_gradient: &'a [T],
    /// For each input where its gradient goes; `None` where nobody needs it.
    pub input_gradients: &'a mut [Option<InputGradient<'a, T>>],
    /// Weights.
    pub weights: &'a [T],
    /// Gradient of the weights, to be added to; empty when nobody needs it.
    pub weight_gradient: &'a mut [T],
    /// Gradient of the bias, to be added to; empty when nobody needs it.
    pub bias_gradient: &'a mut [T],
    /// What the layer kept.
    pub memo: &'a mut Memo<T>,
    /// Working space.
    pub scratch: &'a mut Scratch<T>,
    /// The scale that joined the layer in the forward pass.
    pub scaled: Option<Scaled<'a, T>>,
}

impl<T: Real> Forward<'_, T> {
    /// Number of images that are here.
    pub fn images(&self) -> usize {
        self.output.len() / self.output_shape.len()
    }
}

impl<T: Real> Backward<'_, T> {
    /// Number of images that are here.
    pub fn images(&self) -> usize {
        self.output.len() / self.output_shape.len()
    }
}

/// Float execution of a layer, in `f32` or, to check gradients, in `f64`.
pub trait Float<T: Real> {
    /// Computes the output of a batch.
    fn forward(&self, io: Forward<'_, T>);
    /// Computes the gradients of a batch.
    fn backward(&self, io: Backward<'_, T>);
}

#[cfg(test)]
mod tests {
    use synapress_kernels::real::Mat;

    use super::*;

    #[test]
    fn what_is_derived_is_kept_until_weights_change_and_then_handed_over() {
        let mut memo = Memo::<f64>::default();
        let matrix = |value: f64| f64::pack(Mat::new(&[value], 1, 1), None);
        memo.packed.get(|earlier| {
            assert!(earlier.is_empty());
            vec![matrix(1.0)]
        });
        assert_eq!(memo.packed.get(|_| unreachable!("weights are the same")).len(), 1);
        memo.weights_changed();
        let now = memo.packed.get(|earlier| {
            assert_eq!(earlier.len(), 1, "whose memory may be used");
            vec![matrix(2.0), matrix(3.0)]
        });
        assert_eq!(now.len(), 2);
    }
}
