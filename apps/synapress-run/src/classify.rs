//! `classify`: labels and probabilities of images, and of the frames of a camera or a video.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use synapress_console::classify::Look;
use synapress_console::{Recognizer, Run};

/// Name the classes of images, of a video's frames, or of what a camera sees: the most probable five
#[derive(Args, Debug)]
pub struct Classify {
    /// The network: FILE.syn
    model: PathBuf,
    #[command(flatten)]
    look: Look,
}

impl Run for Classify {
    const NAME: &'static str = "classify";

    fn run(self) -> Result<()> {
        let net = crate::open(&self.model)?;
        let recognizer = Recognizer::new(net, false).with_context(|| self.model.display().to_string())?;
        self.look.run(recognizer)
    }
}
