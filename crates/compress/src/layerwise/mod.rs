//! What methods that work on one layer after another share: the network run node by node over calibration images,
//! sampled inputs and wanted outputs of a layer, and the least-squares problem that these pose.
//!
//! Nothing here decides what becomes of a layer; pruning, grouping and quantization do.

mod inverse;
pub(crate) mod normal;
pub(crate) mod samples;
pub(crate) mod walk;
