//! `classify`: labels and probabilities of images, and of the frames of a camera or a video.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use synapress_console::Recognizer;
use synapress_console::classify::Look;

use super::Run;
use crate::images::Preparation;
use crate::model::Source;

/// Name the classes of images, of a video's frames, or of what a camera sees: the most probable five
#[derive(Args, Debug)]
pub struct Classify {
    /// The network: FILE.syn (any other MODEL must have its weights inside)
    model: PathBuf,
    /// Weights of a MODEL that is no .syn
    #[arg(long, value_name = "WEIGHTS")]
    weights: Option<PathBuf>,
    /// Execute a quantized network in floating point, as a simulation
    #[arg(long)]
    float: bool,
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    preparation: Preparation,
}

impl Run for Classify {
    const NAME: &'static str = "classify";

    fn run(self) -> Result<()> {
        let mut net = Source::new(&self.model, self.weights.as_deref()).open_complete()?;
        self.preparation.apply(&mut net)?;
        let recognizer = Recognizer::new(net, self.float).with_context(|| self.model.display().to_string())?;
        self.look.run(recognizer)
    }
}
