//! Ctrl-C: the first asks what is being done to come to a good end, the second ends the program at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// Whether the user asked to stop.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over ctrl-C for the rest of the program. Once only. `said` is told when it is pressed.
    ///
    /// # Errors
    /// When the system refuses, or it was taken over already.
    pub fn watch(said: &'static str) -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&asked);
        ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::Relaxed) {
                std::process::exit(1);
            }
            crate::output::note(said);
        })
        .context("cannot watch for ctrl-C")?;
        Ok(Self(asked))
    }

    /// Whether the user asked to stop.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
