//! Layer outputs in figures: the numbers that come there, and the fixed-point formats that they are stored in.

use serde::{Deserialize, Serialize};
use synapress_model::{Error, Net};

use crate::quantize::ranges::{self, Measured};

/// A layer's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputFigures {
    /// The layer's name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Bit width of the format, with the sign; absent in floating point.
    pub bits: Option<u8>,
    /// Fractional length.
    pub frac: Option<i8>,
    /// Whether there is a sign.
    pub signed: Option<bool>,
    /// What comes there on calibration images; absent where none were at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// Formats alone, as a quantized network tells them; nothing of one that is not.
pub(super) fn formats(net: &Net) -> Vec<OutputFigures> {
    if net.integers.is_none() {
        return Vec::new();
    }
    ranges::told(net).into_iter().map(|id| figures(net, id, None)).collect()
}

impl OutputFigures {
    /// Outputs of a network on preprocessed images `(n, C, H, W)`.
    ///
    /// # Errors
    /// When the network cannot be executed.
    pub fn of(net: &Net, images: &[f32]) -> Result<Vec<Self>, Error> {
        let measured = ranges::measure(net, images)?;
        Ok(measured.into_iter().map(|(id, measured)| figures(net, id, Some(measured))).collect())
    }
}

fn figures(net: &Net, id: usize, measured: Option<Measured>) -> OutputFigures {
    let node = net.graph.node(id);
    let format = net.integers.as_ref().and_then(|i| i.outputs.get(id));
    OutputFigures {
        name: node.name.clone(),
        kind: node.layer.kind().name.to_owned(),
        bits: format.map(|f| f.bits),
        frac: format.map(|f| f.frac),
        signed: format.map(|f| f.signed),
        measured,
    }
}
