//! Figures of Kim et al., *Hierarchical Compression of Deep Convolutional Neural Networks on Large Scale Visual
//! Recognition for Mobile Applications*, to stand beside a table. They come from the recipes.

use serde::{Deserialize, Serialize};

use super::Stage;

/// A row of the paper, as far as it gives figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Which stages.
    pub stage: Stage,
    /// Top-1 accuracy in percent.
    #[serde(default)]
    pub top1: Option<f64>,
    /// Top-5 accuracy in percent.
    #[serde(default)]
    pub top5: Option<f64>,
    /// Points of top-1 lost against the paper's own float network.
    pub loss_of_top1: Option<f64>,
    /// Points of top-5 lost.
    #[serde(default)]
    pub loss_of_top5: Option<f64>,
    /// How many times smaller.
    pub ratio: Option<f64>,
    /// Share of the weights that are zero, in percent.
    pub sparsity: Option<f64>,
    /// Index width in bits, mean over layers.
    pub index_bits: Option<f64>,
}
