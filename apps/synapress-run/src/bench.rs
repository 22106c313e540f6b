//! `bench`: how long a network takes, as a whole and layer by layer.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use synapress_console::Run;
use synapress_console::bench::{Measure, Subject};

/// Measure how fast a network runs: latency, throughput, time of each layer, memory
#[derive(Args, Debug)]
pub struct Bench {
    /// The network: FILE.syn
    model: PathBuf,
    #[command(flatten)]
    measure: Measure,
}

impl Run for Bench {
    const NAME: &'static str = "bench";

    fn run(self) -> Result<()> {
        self.measure.run(&Subject { path: &self.model, is_syn: true, open: &|| crate::open(&self.model) })
    }
}
