//! The workshop: data, evaluation, training, pruning, grouping, quantization, recipes.
