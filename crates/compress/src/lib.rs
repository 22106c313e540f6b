//! The workshop: data, evaluation, training, pruning, grouping, quantization, recipes.

pub mod group;
pub mod prune;
