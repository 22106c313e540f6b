//! `bench`: how long a network takes, as a whole and layer by layer.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use synapress_console::bench::{Measure, Subject};

use super::Run;
use crate::model::Source;

/// Measure how fast a network runs: latency, throughput, time of each layer, memory
#[derive(Args, Debug)]
pub struct Bench {
    /// The network: FILE.syn, a prototxt or the name of a well-known one
    model: PathBuf,
    /// Weights of a MODEL that is no .syn
    #[arg(long, value_name = "WEIGHTS")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    measure: Measure,
}

impl Run for Bench {
    const NAME: &'static str = "bench";

    fn run(self) -> Result<()> {
        let source = Source::new(&self.model, self.weights.as_deref());
        let is_syn = source.is_syn() && self.weights.is_none();
        self.measure.run(&Subject { path: &self.model, is_syn, open: &|| source.open_complete() })
    }
}
