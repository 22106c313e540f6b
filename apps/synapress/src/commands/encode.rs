//! `encode`: any network as synapse code.

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::json;
use synapress_code::{Effort, Options};

use super::Run;
use crate::images::Preparation;
use crate::model::{Source, Target};
use crate::output::{Output, bytes};

/// Turn any network into synapse code
#[derive(Args, Debug)]
pub struct Encode {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
    /// Fold BatchNorm and Scale into the convolutions before them
    #[arg(long)]
    fold: bool,
    /// How hard to try: max makes the file about one hundredth smaller and takes twice as long, to decode too
    #[arg(long, value_enum, default_value_t = Level::Fast)]
    level: Level,
    #[command(flatten)]
    preparation: Preparation,
    #[command(flatten)]
    output: Output,
}

/// How hard the encoder tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Decodes a hundred million weights a second and more, where a start counts; about half as large again
    Quick,
    /// Decodes tens of millions of weights a second
    Fast,
    /// The smallest file
    Max,
}

impl Run for Encode {
    const NAME: &'static str = "encode";

    fn run(self) -> Result<()> {
        self.target.check()?;
        let mut net = self.source.open_complete()?;
        self.preparation.apply(&mut net)?;
        let layers = net.graph.nodes().len();
        if self.fold {
            net = synapress_model::fold::fold_batch_norm(&net)?;
        }
        let folded = layers - net.graph.nodes().len();
        let made = format!("encode {}{}", self.source, if self.fold { " --fold" } else { "" });
        let effort = match self.level {
            Level::Quick => Effort::Quick,
            Level::Fast => Effort::Fast,
            Level::Max => Effort::Max,
        };
        let size = self.target.write_with(&mut net, Some(made), &Options { effort })?;
        let float = net.parameters() * 4;
        let json = json!({
            "output": self.target.path.display().to_string(),
            "bytes": size,
            "float_bytes": float,
            "ratio": float as f64 / size as f64,
            "folded_layers": folded,
        });
        self.output.answer(&json, || {
            let folded = if self.fold { format!("; {folded} layers folded") } else { String::new() };
            format!(
                "{}: {} ({:.2}x smaller than float){folded}",
                self.target.path.display(),
                bytes(size),
                float as f64 / size as f64
            )
        })
    }
}
