//! What methods that work on one layer after another share: the network run node by node over calibration images,
//! samples of what a layer reads and is to put out, the least-squares problem that these pose, and how far a change of
//! one layer moves the class scores.
//!
//! Nothing here decides what becomes of a layer; pruning, grouping and quantization do.

pub(crate) mod errors;
pub(crate) mod factor;
mod inverse;
pub(crate) mod normal;
mod pooled;
pub(crate) mod probe;
pub(crate) mod problem;
pub(crate) mod samples;
pub(crate) mod study;
pub(crate) mod walk;

#[cfg(test)]
pub(crate) mod tests;
