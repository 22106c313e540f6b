//! The tables of a recipe: what each stage is told, and how that becomes the stage's options.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::blocks;
use crate::group::fit::Look;
use crate::group::{self, Init};
use crate::prune::resolve::{self, Masks, Score};
use crate::prune::{Pattern, Spread, Target, search, sensitivity};
use crate::train::{self, Policy};

/// Images to calibrate and retrain with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calibration {
    /// The most images that are used of the data set; absent: all.
    pub images: Option<usize>,
    /// Whether images of retraining are cropped at random positions and mirrored.
    pub augment: bool,
}

/// One sparsity or several in ascending order, each a level of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Levels {
    /// One.
    One(f64),
    /// Several.
    Several(Vec<f64>),
}

impl Levels {
    /// The levels in order.
    pub fn all(&self) -> &[f64] {
        match self {
            Self::One(level) => std::slice::from_ref(level),
            Self::Several(levels) => levels,
        }
    }
}

/// Synapse pruning. Exactly one of `sparsity`, `ratio` and `search` is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prune {
    /// Share of zeros over all convolution and fully connected layers, from 0 and below 1; one row of the table for
    /// each level. Later stages go on from the last one.
    pub sparsity: Option<Levels>,
    /// One pruning ratio for all layers.
    pub ratio: Option<f64>,
    /// Ratios searched layer by layer.
    pub search: Option<search::Options>,
    /// Sparsities (with `sparsity`) or ratios (with `ratio`) of single layers.
    pub layers: BTreeMap<String, f64>,
    /// Layers that are not pruned.
    pub exclude: BTreeSet<String>,
    /// How layers share the zeros.
    pub spread: Spread,
    /// Which weights fall together.
    pub pattern: Pattern,
    /// Spread of `sparsity` over layers by what each can bear, measured; absent: one ratio for all layers that have
    /// no sparsity of their own.
    pub sensitivity: Option<Sensitivity>,
    /// Rounds over which the sparsity rises.
    pub rounds: usize,
    /// Points of top-1 that all rounds may lose together on the validation images: the round that loses more is undone,
    /// and no other follows; absent: no limit. A search has its own.
    pub max_drop: Option<f64>,
    /// Layer-wise re-solve of survivors; absent: none.
    pub resolve: Option<Resolve>,
    /// Statistics correction after each round; absent: none.
    pub correct: Option<Correct>,
    /// Block-wise reconstruction after the last round; absent: none.
    pub blocks: Option<blocks::Options>,
    /// How networks are retrained after each round but the last.
    pub retrain: Retrain,
    /// How networks are retrained after the last round; what is absent is as in `retrain`.
    pub last: Retrain,
}

impl Default for Prune {
    fn default() -> Self {
        Self {
            sparsity: None,
            ratio: None,
            search: None,
            layers: BTreeMap::new(),
            exclude: BTreeSet::new(),
            spread: Spread::default(),
            pattern: Pattern::default(),
            sensitivity: None,
            rounds: 1,
            max_drop: None,
            resolve: None,
            correct: None,
            blocks: None,
            retrain: Retrain::default(),
            last: Retrain::default(),
        }
    }
}

impl Prune {
    /// The targets of the levels, if a sparsity is wanted. Layers with a sparsity of their own reach it at the last
    /// level and the same share of it before.
    pub fn targets(&self) -> Vec<Target> {
        let levels = self.sparsity.as_ref().map_or(&[][..], Levels::all);
        let last = levels.last().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
        levels
            .iter()
            .map(|&sparsity| Target {
                sparsity,
                layers: self.layers.iter().map(|(name, own)| (name.clone(), own * (sparsity / last))).collect(),
                exclude: self.exclude.clone(),
                spread: self.spread,
                pattern: self.pattern,
            })
            .collect()
    }
}

/// How it is measured what sparsity each layer can bear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sensitivity {
    /// Calibration images.
    pub images: usize,
    /// Of these so many tell how far the class scores move.
    pub probes: usize,
    /// The most positions of one image that a layer is looked at.
    pub positions: usize,
}

impl Default for Sensitivity {
    fn default() -> Self {
        Self { images: 384, probes: 64, positions: 32 }
    }
}

impl From<&Sensitivity> for sensitivity::Options {
    fn from(s: &Sensitivity) -> Self {
        Self { images: s.probes, positions: s.positions, ..Self::default() }
    }
}

/// Layer-wise re-solve of surviving weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resolve {
    /// Calibration images.
    pub images: usize,
    /// The most positions of one image that a layer is looked at.
    pub positions: usize,
    /// What is added to the diagonal of the normal equations, relative to its mean.
    pub damping: f64,
    /// Rounds in which each layer's zeros are chosen anew while it is solved; 0 leaves them where they are.
    pub choose: usize,
    /// What decides which weights fall then.
    pub score: Score,
    /// Seed of the sampled positions.
    pub seed: u64,
}

impl Default for Resolve {
    fn default() -> Self {
        let resolve::Options { positions, damping, seed, .. } = resolve::Options::default();
        Self { images: 384, positions, damping, choose: 0, score: Score::default(), seed }
    }
}

impl From<&Resolve> for resolve::Options {
    fn from(r: &Resolve) -> Self {
        let masks = if r.choose == 0 { Masks::Keep } else { Masks::Choose { rounds: r.choose, score: r.score } };
        Self { positions: r.positions, damping: r.damping, masks, seed: r.seed, ..Self::default() }
    }
}

/// Correction of mean and variance of layer outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Correct {
    /// Calibration images.
    pub images: usize,
}

impl Default for Correct {
    fn default() -> Self {
        Self { images: 128 }
    }
}

/// Synapse grouping. At most one of `bits` and `search` is given; 8 bits when none is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Group {
    /// Index width in bits, 1 to 16.
    pub bits: Option<u8>,
    /// Index widths searched layer by layer.
    pub search: Option<group::search::Search>,
    /// Index widths of single layers.
    pub layers: BTreeMap<String, u8>,
    /// Where centroids start.
    pub init: Init,
    /// Seed of centroids that start at random.
    pub seed: Option<u64>,
    /// Fit of the groups to layer outputs; absent: every weight takes the nearest centroid.
    pub fit: Option<Fit>,
    /// Correction of the means of layer outputs; absent: none. A fit needs none.
    pub correct: Option<Correct>,
    /// Block-wise reconstruction with trained centroids; absent: none.
    pub blocks: Option<blocks::Options>,
    /// How centroids are trained.
    pub retrain: Retrain,
}

impl From<&Group> for group::Options {
    fn from(g: &Group) -> Self {
        let default = Self::default();
        let bits = g.bits.or(g.search.as_ref().map(|s| s.max)).unwrap_or(default.bits);
        Self { bits, layers: g.layers.clone(), init: g.init, seed: g.seed.unwrap_or(default.seed), ..default }
    }
}

/// Synapse quantization. Widths that are absent are searched, which needs `search`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quantize {
    /// Bit width of convolution weights, 2 to 16.
    pub conv_bits: Option<u8>,
    /// Bit width of fully connected weights.
    pub fc_bits: Option<u8>,
    /// Bit width of layer outputs.
    pub output_bits: Option<u8>,
    /// Bit width of the network's input; absent: that of layer outputs.
    pub input_bits: Option<u8>,
    /// Search of the widths that are absent.
    pub search: Option<Widths>,
    /// How the range of a format is found.
    pub range: Range,
    /// Calibration images of range analysis.
    pub images: Option<usize>,
    /// Error-compensated rounding of weights that are not grouped, which needs widths that are given; absent: every
    /// weight takes the nearest code.
    pub fit: Option<Fit>,
    /// Block-wise reconstruction through the integers; absent: none.
    pub blocks: Option<blocks::Options>,
    /// How the network is retrained afterwards, through the integers.
    pub retrain: Retrain,
}

/// How weights are settled such that layer outputs stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fit {
    /// Calibration images.
    pub images: usize,
    /// The most positions of one image that a layer is looked at.
    pub positions: usize,
    /// What is added to the diagonal of the normal equations, relative to its mean.
    pub damping: f64,
    /// Passes of single changes after the sweep.
    pub passes: usize,
    /// Of groups: what a bit of an index is worth in squared error of the outputs, relative to that of constant ones.
    pub price: f64,
    /// Seed of the sampled positions.
    pub seed: u64,
}

impl Default for Fit {
    fn default() -> Self {
        let Look { positions, damping, passes, seed, .. } = Look::default();
        Self { images: 384, positions, damping, passes, price: 0.0, seed }
    }
}

impl From<&Fit> for Look {
    fn from(f: &Fit) -> Self {
        Self { positions: f.positions, damping: f.damping, passes: f.passes, seed: f.seed, ..Self::default() }
    }
}

/// Search of bit widths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Widths {
    /// The smallest width.
    pub min: u8,
    /// The largest one.
    pub max: u8,
    /// Points of top-1 that the joint result may lose.
    pub tolerance: f64,
}

impl Default for Widths {
    fn default() -> Self {
        Self { min: 2, max: 16, tolerance: 1.0 }
    }
}

/// How the range of a fixed-point format is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// The largest magnitude does not saturate.
    #[serde(alias = "max")]
    Largest,
    /// The squared error is least; large, rare magnitudes may saturate.
    #[default]
    SquaredError,
}

/// How a network is retrained; what is absent is as in the recipe's own table, or else the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retrain {
    /// Number of steps; 0: no retraining, the default.
    pub steps: Option<usize>,
    /// Images of one step.
    pub batch: Option<usize>,
    /// Base learning rate.
    pub learning_rate: Option<f64>,
    /// How the rate changes.
    pub policy: Option<Policy>,
    /// Momentum.
    pub momentum: Option<f32>,
    /// Whether momentum is Nesterov's.
    pub nesterov: Option<bool>,
    /// Weight decay.
    pub decay: Option<f32>,
    /// Largest norm of all gradients together; 0 for no limit.
    pub clip: Option<f32>,
    /// Temperature of distillation from the float network.
    pub temperature: Option<f32>,
    /// Learn from true labels instead of the float network's scores.
    pub labels: Option<bool>,
    /// Share of true labels that is given to all classes evenly.
    pub smoothing: Option<f32>,
    /// Normalize by the statistics of each batch rather than by those that are stored.
    pub batch_statistics: Option<bool>,
    /// Seed of everything random.
    pub seed: Option<u64>,
}

impl Retrain {
    /// This, with what is absent taken from another one.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            steps: self.steps.or(other.steps),
            batch: self.batch.or(other.batch),
            learning_rate: self.learning_rate.or(other.learning_rate),
            policy: self.policy.clone().or_else(|| other.policy.clone()),
            momentum: self.momentum.or(other.momentum),
            nesterov: self.nesterov.or(other.nesterov),
            decay: self.decay.or(other.decay),
            clip: self.clip.or(other.clip),
            temperature: self.temperature.or(other.temperature),
            labels: self.labels.or(other.labels),
            smoothing: self.smoothing.or(other.smoothing),
            batch_statistics: self.batch_statistics.or(other.batch_statistics),
            seed: self.seed.or(other.seed),
        }
    }
}

impl From<&Retrain> for train::Options {
    fn from(r: &Retrain) -> Self {
        let d = Self::default();
        Self {
            steps: r.steps.unwrap_or(0),
            batch: r.batch.unwrap_or(d.batch),
            learning_rate: r.learning_rate.unwrap_or(d.learning_rate),
            policy: r.policy.clone().unwrap_or(d.policy),
            momentum: r.momentum.unwrap_or(d.momentum),
            nesterov: r.nesterov.unwrap_or(d.nesterov),
            decay: r.decay.unwrap_or(d.decay),
            clip: r.clip.unwrap_or(d.clip),
            temperature: r.temperature.unwrap_or(d.temperature),
            smoothing: r.smoothing.unwrap_or(d.smoothing),
            batch_statistics: r.batch_statistics.unwrap_or(d.batch_statistics),
            seed: r.seed.unwrap_or(d.seed),
        }
    }
}
