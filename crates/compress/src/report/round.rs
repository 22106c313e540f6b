//! Rounds of iterative pruning: thresholds rise, the network is retrained, and again.

use serde::{Deserialize, Serialize};

/// What one round did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// What it is called: its number, with that of its level where there are several.
    pub name: String,
    /// Share of the weights that are zero after it, in percent.
    pub sparsity: f64,
    /// Top-1 accuracy in percent after thresholds and re-solve, before retraining.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1_before: Option<f64>,
    /// Top-1 accuracy in percent after retraining.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1: Option<f64>,
    /// Whether it lost more than all rounds may lose together and was undone.
    pub undone: bool,
    /// The layers that it pruned, in order.
    pub layers: Vec<RoundLayer>,
}

/// What a round did to one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundLayer {
    /// Its name.
    pub name: String,
    /// The threshold over the standard deviation of the layer's weights at the start of the round.
    pub ratio: f64,
    /// Magnitude below which weights fell.
    pub threshold: f64,
    /// Share of its weights that are zero after the round, in percent.
    pub sparsity: f64,
}

/// All rounds, and what their accuracy was measured on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rounds {
    /// The images.
    pub images: usize,
    /// What they are.
    pub source: String,
    /// Top-1 accuracy in percent before the first round.
    pub baseline: Option<f64>,
    /// Points of top-1 that all rounds may lose together; absent: no limit.
    pub budget: Option<f64>,
    /// The rounds in order.
    pub rounds: Vec<Round>,
}
