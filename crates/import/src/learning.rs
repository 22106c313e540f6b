//! How layers of a kind are trained unless a file says otherwise.

use synapress_model::{Filler, Learning, Rate};

/// Rates and fillers of a kind. Statistics are not learned.
pub(crate) fn start(kind: &str) -> Learning {
    let learning = Learning::default();
    let still = Rate { learn: 0.0, decay: 0.0 };
    match kind {
        "BatchNorm" => Learning { weights: still, bias: still, ..learning },
        "Scale" => Learning { weight_filler: Filler::Constant(1.0), ..learning },
        "PReLU" => Learning { weight_filler: Filler::Constant(0.25), ..learning },
        _ => learning,
    }
}
