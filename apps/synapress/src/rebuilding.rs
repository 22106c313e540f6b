//! Arguments of block-wise reconstruction.

use anyhow::Result;
use clap::Args;
use synapress_compress::blocks;

use crate::commands::usage;

/// Block-wise reconstruction.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Block-wise reconstruction")]
pub struct Rebuilding {
    /// Retrain block after block, such as inception modules, to put out what the float network's block does, with so many
    /// steps each on the images of --data; comes before --steps
    #[arg(long = "blocks", value_name = "STEPS", requires = "data")]
    block_steps: Option<usize>,
    /// Learning rate of blocks at the start, relative to the size of a layer's weights
    #[arg(long = "blocks-rate", value_name = "X", requires = "block_steps")]
    block_rate: Option<f64>,
    /// The most images that blocks are rebuilt from
    #[arg(long = "blocks-images", value_name = "N", requires = "block_steps")]
    block_images: Option<usize>,
}

impl Rebuilding {
    /// What is given, or `None` when no steps are; `seed` is that of the order of images.
    pub fn options(&self, seed: Option<u64>) -> Result<Option<blocks::Options>> {
        let base = blocks::Options::default();
        let Some(steps) = self.block_steps.filter(|&s| s > 0) else { return Ok(None) };
        let options = blocks::Options {
            steps,
            learning_rate: self.block_rate.unwrap_or(base.learning_rate),
            images: self.block_images.unwrap_or(base.images),
            seed: seed.unwrap_or(base.seed),
            ..base
        };
        match options.fault() {
            Some(message) => Err(usage(message)),
            None => Ok(Some(options)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_rebuilt_where_steps_are_given() {
        let given = Rebuilding { block_steps: Some(7), block_rate: Some(0.1), block_images: None };
        let options = given.options(Some(3)).unwrap().unwrap();
        assert_eq!((options.steps, options.learning_rate, options.seed), (7, 0.1, 3));
        assert!(Rebuilding { block_steps: Some(0), ..given }.options(None).unwrap().is_none());
        assert!(Rebuilding { block_rate: Some(-1.0), ..given }.options(None).is_err());
    }
}
