//! The workshop: data, evaluation, training, pruning, grouping, quantization, recipes.

pub mod data;
pub mod evaluate;
pub mod group;
pub mod prune;
pub mod statistics;
