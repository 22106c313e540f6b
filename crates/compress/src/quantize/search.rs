//! How narrow the integers can be: the smallest bit widths that keep accuracy within a tolerance, checked together.

use serde::{Deserialize, Serialize};
use synapress_model::{Error, ErrorKind};

use super::{Calibration, Options, Quantized};

/// How bit widths are searched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    /// The smallest width.
    pub min: u8,
    /// The largest one.
    pub max: u8,
    /// How far the judge's figure may fall below that of the network before quantization: points of accuracy if the
    /// judge gives percent.
    pub tolerance: f64,
    /// Whether the width of convolution weights is searched; else it is the one in [`Options`].
    pub conv: bool,
    /// Whether the width of fully connected weights is searched.
    pub fc: bool,
    /// Whether the width of layer outputs is searched.
    pub output: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self { min: 2, max: 16, tolerance: 1.0, conv: true, fc: true, output: true }
    }
}

/// One try.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Try {
    /// Which width is looked at alone, the others being as wide as can be; absent where all are taken together.
    pub alone: Option<&'static str>,
    /// Bit width of convolution weights.
    pub conv_bits: u8,
    /// Bit width of fully connected weights.
    pub fc_bits: u8,
    /// Bit width of layer outputs.
    pub output_bits: u8,
    /// By how much the judge's figure is below the baseline.
    pub loss: f64,
    /// Whether that is within the tolerance.
    pub accepted: bool,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The network, quantized with all widths found.
    pub quantized: Quantized,
    /// The options with the widths found.
    pub options: Options,
    /// By how much the judge's figure of this network is below the baseline: within the tolerance, unless not even
    /// the largest widths are.
    pub loss: f64,
}

/// The widths in the order of their search.
const NAMES: [&str; 3] = ["conv", "fc", "output"];

fn with(options: &Options, widths: [u8; 3]) -> Options {
    let [conv_bits, fc_bits, output_bits] = widths;
    Options { conv_bits, fc_bits, output_bits, ..options.clone() }
}

/// Searches the widths of convolution weights, fully connected weights and layer outputs that `judge` (higher is
/// better; it is given the integer network) lets pass.
///
/// First each width alone, the others at their largest, by bisection. Then all together: errors add up, so the joint
/// result is judged too, and as long as it is beyond the tolerance, the width whose raise by a bit helps most is
/// raised. The baseline is the judge's figure of the network before quantization.
///
/// # Errors
/// Those of `judge`, to which errors of `progress` belong too; [`ErrorKind::Attribute`] unless
/// `2 <= min <= max <= 16`; and as [`Calibration::quantize`].
pub fn search<E: From<Error>>(
    calibration: &Calibration<'_>,
    options: &Options,
    search: &Search,
    judge: &mut dyn FnMut(&synapress_model::Net) -> Result<f64, E>,
    progress: &mut dyn FnMut(&Try) -> Result<(), E>,
) -> Result<Found, E> {
    if !(2 <= search.min && search.min <= search.max && search.max <= 16 && search.tolerance >= 0.0) {
        let message = format!(
            "bit widths cannot be searched from {} to {} bits with tolerance {}; 2 to 16 and a tolerance from 0 can",
            search.min, search.max, search.tolerance
        );
        return Err(Error::new(ErrorKind::Attribute, message).into());
    }
    let has = |fully: bool| {
        let net = calibration.net;
        net.synaptic().into_iter().any(|id| net.linear(id).is_some_and(|g| g.fully_connected == fully))
    };
    let free = [search.conv && has(false), search.fc && has(true), search.output];
    let baseline = judge(calibration.net)?;
    let mut attempt = |widths: [u8; 3], alone: Option<&'static str>| -> Result<(Quantized, f64, bool), E> {
        let quantized = calibration.quantize(&with(options, widths))?;
        let loss = baseline - judge(&quantized.net)?;
        let accepted = loss <= search.tolerance;
        let [conv_bits, fc_bits, output_bits] = widths;
        progress(&Try { alone, conv_bits, fc_bits, output_bits, loss, accepted })?;
        Ok((quantized, loss, accepted))
    };
    let mut largest = [options.conv_bits, options.fc_bits, options.output_bits];
    (0..3).filter(|&i| free[i]).for_each(|i| largest[i] = search.max);
    let mut widths = largest;
    for i in (0..3).filter(|&i| free[i]) {
        // The largest width counts as accepted.
        let (mut low, mut high) = (search.min, search.max);
        while low < high {
            let bits = low + (high - low) / 2;
            let mut alone = largest;
            alone[i] = bits;
            if attempt(alone, Some(NAMES[i]))?.2 { high = bits } else { low = bits + 1 }
        }
        widths[i] = high;
    }
    let mut at = attempt(widths, None)?;
    while !at.2 {
        let mut best: Option<(usize, (Quantized, f64, bool))> = None;
        for i in (0..3).filter(|&i| free[i] && widths[i] < search.max) {
            let mut raised = widths;
            raised[i] += 1;
            let next = attempt(raised, None)?;
            if best.as_ref().is_none_or(|(_, b)| next.1 < b.1) {
                best = Some((i, next));
            }
        }
        let Some((i, next)) = best else { break };
        widths[i] += 1;
        at = next;
    }
    Ok(Found { quantized: at.0, options: with(options, widths), loss: at.1 })
}
