//! The demonstration: a data set out of nothing, a small network trained on it from its fillers, and all three stages.

use synapress_import::fill;
use synapress_model::{Net, Preprocess};

use super::{Error, small_network};
use crate::data::synthetic::Synthetic;
use crate::data::{Augment, Dataset};
use crate::recipe::{Calibration, Group, Levels, Prune, Quantize, Recipe, Resolve, Retrain};
use crate::train::Policy;

/// Everything that the demonstration starts from.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The network, with weights drawn by the seed.
    pub net: Net,
    /// Images to train, calibrate and retrain with.
    pub training: Dataset,
    /// Other images, to evaluate on.
    pub validation: Dataset,
    /// How training images vary.
    pub augment: Augment,
    /// How the network is trained.
    pub retrain: Retrain,
    /// How it is compressed.
    pub recipe: Recipe,
}

/// Steps of training that are enough for the network.
pub const STEPS: usize = 1500;

/// Draws images, network and settings by a seed. The network is trained for so many steps; each retraining takes its
/// share of them.
///
/// # Errors
/// None that a seed can bring about.
pub fn demo(seed: u64, steps: usize) -> Result<Demo, Error> {
    // Hard enough to err on some, easy enough to learn within half a minute.
    let shapes = Synthetic { seed, difficulty: 0.1, ..Synthetic::default() };
    let (training, validation) = (shapes.dataset(0..4000)?, shapes.dataset(1 << 32..(1 << 32) + 1000)?);
    let mut net = small_network(Synthetic::CLASSES)?;
    fill(&mut net, seed)?;
    net.about.preprocess = Some(Preprocess { mean: [128.0; 3], scale: 1.0 / 64.0, ..Preprocess::default() });
    net.about.labels = Synthetic::class_names();
    let retrain = Retrain {
        steps: Some(steps),
        batch: Some(32),
        learning_rate: Some(0.05),
        policy: Some(Policy::Cosine { warmup: steps / 20 }),
        momentum: Some(0.9),
        decay: Some(5e-4),
        clip: Some(5.0),
        labels: Some(true),
        seed: Some(seed),
        ..Retrain::default()
    };
    let share = |of: usize, learning_rate| Retrain {
        steps: Some(steps / of),
        learning_rate: Some(learning_rate),
        labels: Some(false),
        decay: Some(0.0),
        ..retrain.clone()
    };
    let recipe = Recipe {
        name: "demo".to_owned(),
        calibration: Calibration { images: None, augment: true },
        prune: Some(Prune {
            sparsity: Some(Levels::One(0.75)),
            rounds: 2,
            resolve: Some(Resolve { images: 256, seed, ..Resolve::default() }),
            retrain: share(15, 0.005),
            last: share(8, 0.005),
            ..Prune::default()
        }),
        group: Some(Group { bits: Some(4), seed: Some(seed), retrain: share(15, 0.0002), ..Group::default() }),
        quantize: Some(Quantize {
            conv_bits: Some(8),
            fc_bits: Some(6),
            output_bits: Some(8),
            images: Some(128),
            ..Quantize::default()
        }),
        ..Recipe::default()
    };
    let augment = Augment { shift: 2, ..Augment::default() };
    Ok(Demo { net, training, validation, augment, retrain, recipe })
}
