//! The combinations of stages that rows of the table are named by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A combination of stages: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// The float network.
    #[serde(rename = "baseline")]
    Baseline,
    /// Pruned.
    #[serde(rename = "SP")]
    Pruned,
    /// Grouped, without pruning.
    #[serde(rename = "SG")]
    Grouped,
    /// Quantized, without pruning.
    #[serde(rename = "SQ")]
    Quantized,
    /// Pruned and grouped.
    #[serde(rename = "SP+SG")]
    PrunedGrouped,
    /// Pruned and quantized.
    #[serde(rename = "SP+SQ")]
    PrunedQuantized,
    /// All three.
    #[serde(rename = "SP+SG+SQ")]
    All,
}

impl Stage {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Pruned => "SP",
            Self::Grouped => "SG",
            Self::Quantized => "SQ",
            Self::PrunedGrouped => "SP+SG",
            Self::PrunedQuantized => "SP+SQ",
            Self::All => "SP+SG+SQ",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
