//! What an executor is made of, for who runs the other half of training on it.

use synapress_kernels::real::Real;
use synapress_model::Graph;
use synapress_model::pass::{Memo, Scratch};

use crate::plan::Plan;
use crate::rounding::Rounded;

/// Parameters of one node, as numbers.
#[derive(Clone, Debug, Default)]
pub struct Parameters<T> {
    /// Weights in the order of their dimensions; empty when the node has none.
    pub weights: Vec<T>,
    /// Bias; empty when there is none.
    pub bias: Vec<T>,
}

/// What a backward pass reads and writes.
#[derive(Debug)]
pub struct Parts<'a, T: Real> {
    /// The network's layers.
    pub graph: &'a Graph,
    /// Where outputs lie.
    pub plan: &'a Plan,
    /// Images of the last pass.
    pub count: usize,
    /// Images of the last pass at all peers together.
    pub whole: usize,
    /// For each node whether a rectifier joined it.
    pub rectified: &'a [bool],
    /// Contents of the buffers of the plan.
    pub buffers: &'a [Vec<T>],
    /// Parameters of each node.
    pub parameters: &'a mut [Parameters<T>],
    /// What each layer kept.
    pub memos: &'a mut [Memo<T>],
    /// Working space of layers.
    pub scratch: &'a mut Scratch<T>,
    /// How outputs were rounded.
    pub rounded: Rounded<'a, T>,
}
