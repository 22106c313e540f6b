//! Rows of the table: what a combination of stages came to.

use serde::{Deserialize, Serialize};

use super::Stage;
use crate::evaluate::Difference;

/// How much accuracy is lost against the baseline, measured on the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Baseline minus row, in points (percent of the images).
    pub points: f64,
    /// 95% interval of the paired difference, in points.
    pub interval: [f64; 2],
}

impl From<Difference> for Loss {
    fn from(d: Difference) -> Self {
        Self { points: d.points, interval: d.interval }
    }
}

/// What a row was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// Nothing was changed.
    None,
    /// Forward passes over calibration images alone.
    Calibration,
    /// Back-propagation as well.
    Retrained,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which stages.
    pub stage: Stage,
    /// Top-1 accuracy in percent; of the integer network once quantized.
    pub top1: f64,
    /// Top-5 accuracy in percent.
    pub top5: f64,
    /// 95% interval of `top1` alone (Wilson), in percent.
    #[serde(default)]
    pub top1_interval: Option<[f64; 2]>,
    /// 95% interval of `top5` alone (Wilson), in percent.
    #[serde(default)]
    pub top5_interval: Option<[f64; 2]>,
    /// Against the baseline; `None` for the baseline itself.
    pub loss_of_top1: Option<Loss>,
    /// The same of top-5.
    #[serde(default)]
    pub loss_of_top5: Option<Loss>,
    /// Percent of the images whose highest score is that of the baseline; `None` for the baseline itself.
    #[serde(default)]
    pub agreement: Option<f64>,
    /// Mean Kullback-Leibler divergence of the scores from the baseline's, in nats.
    #[serde(default)]
    pub divergence: Option<f64>,
    /// Bytes of the `.syn` file, or of the float parameters for the baseline.
    pub size_bytes: u64,
    /// How many times smaller than the baseline.
    pub ratio: f64,
    /// Share of the weights that are zero, in percent.
    pub sparsity: f64,
    /// Index width in bits, mean over layers as the paper has it; `None` where nothing is grouped.
    pub index_bits_mean: Option<f64>,
    /// Index width in bits, mean over weights.
    pub index_bits_weighted: Option<f64>,
    /// What it was made with.
    pub effort: Effort,
    /// Seconds that the row's stages took, those that it shares with other rows included.
    pub seconds: f64,
    /// What became of each layer; empty for the baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerRow>,
}

/// What became of one layer in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRow {
    /// Its name.
    pub name: String,
    /// Number of its weights.
    pub weights: u64,
    /// Share of them that is zero, in percent.
    pub sparsity: f64,
    /// Index width in bits; absent where it is not grouped.
    pub index_bits: Option<u8>,
    /// Bit width of a weight as it is computed with: 32 in floating point.
    pub weight_bits: u8,
    /// Bits a weight of the file for indices or codes, for the codebook and for the bias.
    pub bits: [f64; 3],
    /// Squared error of its outputs on calibration images, relative to their deviation in the float network; what lies
    /// before the layer is compressed as well. Layer outputs are not rounded.
    pub error: Option<f64>,
}

/// A network that a search for a budget came by, in integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The price of a bit: nats of divergence that the last bit of each layer saves.
    pub price: f64,
    /// Bytes of the `.syn` file.
    pub size_bytes: u64,
    /// Share of the weights that are zero, in percent.
    pub sparsity: f64,
    /// Top-1 accuracy in percent, where it was measured.
    pub top1: Option<f64>,
    /// Against the baseline.
    pub loss_of_top1: Option<Loss>,
}
