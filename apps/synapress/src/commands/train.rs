//! `train`: a network from its fillers, or from the weights it has, on labelled images.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use synapress_compress::pipeline::Tests;
use synapress_compress::prune;
use synapress_compress::train::{Options, Policy};
use synapress_import::fill;
use synapress_peers::Peers;

use super::{Run, usage};
use crate::job::{Keeping, Material, Teaching};
use crate::model::{Source, Target};
use crate::output::Output;
use crate::peers::together;
use crate::report::Watch;
use crate::training::Training;

/// Train a network, from its fillers where it has no weights
///
/// Loss over the steps, and accuracy on --val, are in OUT.json and drawn in OUT.html. A network of which more than a
/// hundredth of the weights are zero is pruned: its zeros stay zero. A checkpoint is kept beside the output; a run that was
/// interrupted goes on from there when the same command is given again. Started by mpirun as 1, 2 or 4 processes (of a
/// build with MPI) these share each batch, and the result is the same to the bit.
#[derive(Args, Debug)]
pub struct Train {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    material: Material,
    #[command(flatten)]
    teaching: Teaching,
    #[command(flatten)]
    training: Training,
    /// Normalize by the statistics that BatchNorm layers have stored, and leave these as they are, instead of taking those
    /// of each batch: for few images
    #[arg(long, help_heading = "Training")]
    stored_statistics: bool,
    /// Steps between evaluations on --val, which change nothing of the training; as the solver says, or else after each
    /// pass over --data
    #[arg(long, value_name = "N", help_heading = "Training", requires = "val",
        value_parser = clap::value_parser!(u32).range(1..))]
    test_interval: Option<u32>,
    #[command(flatten)]
    keeping: Keeping,
    #[command(flatten)]
    output: Output,
}

impl Run for Train {
    const NAME: &'static str = "train";

    fn run(self) -> Result<()> {
        together(|peers| self.shared(peers))
    }
}

impl Train {
    fn shared(self, peers: Arc<dyn Peers>) -> Result<()> {
        self.target.check()?;
        let mut net = self.source.open_for_training()?;
        let hold_zeros = prune::sparsity(&net) > 0.01;
        if net.integers.is_some() {
            return Err(usage("a quantized network cannot be trained; train before `quantize`"));
        }
        fill(&mut net, self.training.seed.unwrap_or(Options::default().seed))?;
        let bench = self.material.bench(net)?.shared(Arc::clone(&peers));
        let images = bench.calibration("training")?.len();
        let base = Options {
            steps: images.saturating_mul(10).div_ceil(16),
            learning_rate: 0.01,
            policy: Policy::Cosine { warmup: 0 },
            decay: 0.0005,
            batch_statistics: !self.stored_statistics,
            ..Options::default()
        };
        // Without a word of a teacher true labels are meant.
        let labels = !self.teaching.is_given();
        let retrain = self.training.retrain(images, base, labels)?;
        let teacher = if labels { bench.net.clone() } else { self.teaching.teacher(&bench.net)? };
        let (steps, batch) = (retrain.steps.unwrap_or(0), retrain.batch.unwrap_or(0));
        let settings = format!("train {retrain:?} {hold_zeros} {:?}", self.teaching);
        let every = match self.test_interval {
            Some(every) => every as usize,
            None => self.training.test_interval()?.unwrap_or_else(|| images.div_ceil(batch.max(1))),
        };
        let tests = bench.validation.as_ref().map(|images| Tests { images, every });
        let (watch, mut made) = (Watch::start(&self.target), None);
        let mut done = bench.work(&self.target, &settings, &self.training, self.keeping, |job| {
            let (mut net, training) = job.train("train", &bench.net, &teacher, hold_zeros, &retrain, tests)?;
            net.about.history.push(format!("train for {steps} steps of {batch} images"));
            let json = json!({ "steps": steps, "images": images });
            made = Some((net.clone(), training));
            Ok((net, json, format!("trained for {steps} steps of {batch} images")))
        })?;
        if peers.rank() > 0 {
            return Ok(());
        }
        if let Some((net, training)) = made {
            done.json["training"] = serde_json::to_value(&training)?;
            let mut report = bench.report(&self.target, &net, &settings, Options::from(&retrain).seed)?;
            report.training = Some(training);
            watch.write(&self.target, &mut report)?;
        }
        self.output.answer(&done.json, || done.text)
    }
}
