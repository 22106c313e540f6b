//! The workshop: data, evaluation, training, pruning, grouping, quantization, recipes.

pub mod blocks;
pub mod correct;
pub mod data;
pub mod evaluate;
pub mod group;
mod layerwise;
pub mod pipeline;
pub mod prune;
pub mod quantize;
pub mod rate;
pub mod recipe;
pub mod report;
pub mod statistics;
pub mod train;
