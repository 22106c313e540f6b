//! Ctrl-C: the first asks a long job to write its checkpoint and stop, the second ends the program at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// Whether the user asked to stop.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over ctrl-C for the rest of the program. Once only.
    pub fn watch() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&asked);
        ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::Relaxed) {
                std::process::exit(1);
            }
            crate::output::say("stopping after this step; ctrl-C again to stop at once");
        })
        .context("cannot watch for ctrl-C")?;
        Ok(Self(asked))
    }

    /// Whether the user asked to stop.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
