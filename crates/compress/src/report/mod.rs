//! What a compression came to, in figures: the table of the paper, a row for each combination of stages with accuracy,
//! size and what the index costs; and beside it what became of the weights, the layer outputs and the classes.
//!
//! They go out as JSON and the table as text. What is not known is absent: a report of a `.syn` file alone has what the
//! file tells. What accuracy is measured on is the caller's affair, and so is how a page shows all this.

mod classes;
mod file;
mod json;
mod making;
mod outputs;
mod paper;
mod round;
mod row;
mod stage;
mod table;
mod training;
mod weights;

use std::path::Path;

use serde::{Deserialize, Serialize};
use synapress_code as code;
use synapress_model::Net;

pub use classes::{ClassRow, Classes, Confusion};
pub use file::{File, LayerBytes, LayerFigures};
pub use json::text as json_text;
pub use making::Making;
pub use outputs::OutputFigures;
pub use paper::Paper;
pub use round::{Round, RoundLayer, Rounds};
pub use row::{Effort, LayerRow, Loss, Row, Trial};
pub use stage::Stage;
pub use training::{Test, Training};
pub use weights::{Distribution, FloatWeights};

pub use crate::quantize::ranges::Measured;

/// The figures and what they are about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The network.
    pub network: String,
    /// The recipe, or the budget in words.
    pub recipe: String,
    /// Images of calibration and retraining.
    pub calibration_images: usize,
    /// Images that accuracy was measured on.
    pub images: usize,
    /// The rows, the baseline first.
    pub rows: Vec<Row>,
    /// Rows of the paper to stand beside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paper: Vec<Paper>,
    /// What a search for a budget tried, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<Trial>,
    /// How the network was trained, where that is what was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// The rounds of iterative pruning, where that is what was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruning: Option<Rounds>,
    /// The file of the last row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
    /// Calibration images that layer outputs were measured on.
    #[serde(default)]
    pub output_images: usize,
    /// Outputs of layers in the last row's network, those left out that keep their input's format.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputFigures>,
    /// What the last row's network did to single classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// How all this was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub making: Option<Making>,
}

/// Why there is no report to read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct ReadError {
    /// The file.
    pub path: std::path::PathBuf,
    /// What is wrong.
    pub message: String,
}

/// Bytes of a report as JSON that are read at most.
const MOST_BYTES: u64 = 256 << 20;

impl Report {
    /// What a `.syn` file tells by itself: the network, its bytes, weights and formats, and how it was made.
    ///
    /// # Errors
    /// As [`code::costs`], for bytes that are no such file.
    pub fn of_file(net: &Net, bytes: &[u8]) -> Result<Self, code::Error> {
        Ok(Self {
            network: net.name.clone(),
            file: Some(File::of(net, bytes, None)?),
            outputs: outputs::formats(net),
            making: Some(Making::of(net)),
            ..Self::default()
        })
    }

    /// This, with what is absent taken from another report of the same file.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            file: self.file.or(other.file),
            outputs: if self.outputs.is_empty() { other.outputs } else { self.outputs },
            making: self.making.or(other.making),
            ..self
        }
    }

    /// Whether this is a report of a file: of as many bytes and, where it says so, of the same weights.
    pub fn is_of(&self, net: &Net, bytes: usize) -> bool {
        // A report of training or of rounds has no rows.
        let known = self.rows.last().map(|r| r.size_bytes).or(self.file.as_ref().map(|f| f.bytes));
        let size = known == Some(bytes as u64);
        let weights = self.making.as_ref().and_then(|m| m.fingerprint.as_deref());
        size && weights.is_none_or(|w| w == making::fingerprint_text(net))
    }

    /// Reads a report from JSON.
    ///
    /// # Errors
    /// When the file cannot be read or is no such report.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let fault = |message: String| ReadError { path: path.to_owned(), message };
        let bytes = match std::fs::metadata(path) {
            Ok(about) if about.len() > MOST_BYTES => Err(fault(format!("over the limit of {MOST_BYTES} bytes"))),
            _ => std::fs::read(path).map_err(|e| fault(e.to_string())),
        }?;
        Self::parse(&bytes).map_err(fault)
    }

    /// A report from JSON.
    ///
    /// # Errors
    /// What is wrong, and where in the text.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|e| format!("no report of `compress`: {e}"))
    }

    /// The paper's row for a row of ours: of the same stages, and of the nearest sparsity where the paper has several.
    pub fn paper_for(&self, row: &Row) -> Option<&Paper> {
        let away = |p: &Paper| p.sparsity.map_or(0.0, |s| (s - row.sparsity).abs());
        self.paper.iter().filter(|p| p.stage == row.stage).min_by(|a, b| away(a).total_cmp(&away(b)))
    }

    /// As JSON, indented, lists of numbers on one line.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail: all keys are strings.
        json::text(self).unwrap_or_default()
    }
}
