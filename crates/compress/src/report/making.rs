//! How a report's network was made: what one would need to make it again, and what it took.

use serde::{Deserialize, Serialize};
use synapress_model::Net;

use crate::pipeline::fingerprint;

/// How a network was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Making {
    /// Version of the program.
    pub version: Option<String>,
    /// The recipe or the budget with all its settings, as TOML.
    pub settings: Option<String>,
    /// Seed of the order in which images are learned from.
    pub seed: Option<u64>,
    /// Where the images of calibration and retraining came from.
    pub calibration: Option<String>,
    /// Where the images of the evaluation came from.
    pub evaluation: Option<String>,
    /// What the network says of itself: a line for each command or stage, oldest first.
    pub history: Vec<String>,
    /// Tells the network's weights from others; hexadecimal.
    pub fingerprint: Option<String>,
    /// Seconds from start to end; absent where the job was interrupted.
    pub seconds: Option<f64>,
    /// The most memory that was held, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Threads that were used.
    pub threads: Option<usize>,
}

/// [`fingerprint`] as JSON can hold it: its numbers have 53 bits.
pub(super) fn fingerprint_text(net: &Net) -> String {
    format!("{:016x}", fingerprint(net))
}

impl Making {
    /// What a network tells.
    pub fn of(net: &Net) -> Self {
        let fingerprint = Some(fingerprint_text(net));
        Self { fingerprint, history: net.about.history.clone(), ..Self::default() }
    }
}
