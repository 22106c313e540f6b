//! `demo`: everything at once, without any file.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use synapress_compress::pipeline::{DEMO_STEPS, demo};

use super::Run;
use crate::job::{Bench, Keeping};
use crate::model::Target;
use crate::output::Output;
use crate::report::Watch;
use crate::training::Training;

/// Render images, train a small network, compress it and print the table; needs no files
#[derive(Args, Debug)]
pub struct Demo {
    /// Seed of images, weights and training
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Steps of training; each retraining takes its share of them
    #[arg(long, value_name = "N", default_value_t = DEMO_STEPS)]
    steps: usize,
    /// The file to write
    #[arg(short = 'o', long = "output", value_name = "OUT.syn", default_value = "demo.syn")]
    path: PathBuf,
    #[command(flatten)]
    output: Output,
}

impl Run for Demo {
    const NAME: &'static str = "demo";

    fn run(self) -> Result<()> {
        let target = Target { path: self.path };
        target.check()?;
        let started = Instant::now();
        let demo = demo(self.seed, self.steps)?;
        let bench = Bench::new(demo.net, demo.training, demo.validation);
        let training = Training {
            no_random_crop: true,
            no_flip: true,
            shift: demo.augment.shift,
            checkpoint_every: 200,
            ..Training::default()
        };
        let settings = format!("demo {} {:?} {:?}", self.seed, demo.retrain, demo.recipe);
        let (watch, mut report) = (Watch::start(&target), None);
        let done = bench.work_without_evaluation(&target, &settings, &training, Keeping::default(), |job| {
            let work = job.work;
            let net =
                work.stage("train", || job.retrain("train", &bench.net, &bench.net, false, None, &demo.retrain))?;
            let validation = bench.validation.as_ref().unwrap_or(job.calibration);
            let outcome = job.compress(&net, validation, &demo.recipe)?;
            let text = outcome.report.to_table();
            let json = serde_json::to_value(&outcome.report).unwrap_or_else(|_| json!({}));
            report = Some(outcome.report);
            Ok((outcome.net, json, text))
        })?;
        if let Some(report) = &mut report {
            watch.write(&target, report)?;
        }
        let mut json = done.json;
        json["seconds"] = started.elapsed().as_secs_f64().into();
        self.output.answer(&json, || {
            format!(
                "{}\n{:.0} s in all; look at {} and at `synapress inspect`",
                done.text,
                started.elapsed().as_secs_f64(),
                target.path.with_extension("html").display(),
            )
        })
    }
}
