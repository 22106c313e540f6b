//! `compress`: all stages by a recipe or by a budget, and the table of the paper.

use anyhow::Result;
use clap::{ArgGroup, Args};
use synapress_compress::pipeline::{Budget, Goal, Job, Outcome};
use synapress_compress::rate;
use synapress_compress::recipe::Recipe;
use synapress_compress::train::Options;

use super::{Run, usage};
use crate::job::{Bench, Keeping, Material};
use crate::model::{Source, Target};
use crate::output::Output;
use crate::rebuilding::Rebuilding;
use crate::report::Watch;
use crate::training::Training;

/// Prune, group and quantize by a recipe or within a budget, and print the table of the paper
///
/// All figures go as JSON beside the output (OUT.json), and as a page to look at (OUT.html). Every finished stage is kept in OUT.syn.work until the end: the
/// same command given again goes on from there.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("how").required(true).args(["recipe", "max_drop", "max_bytes", "ratio"]))]
pub struct Compress {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
    /// A recipe: a TOML file, or the name of one that comes with the program
    #[arg(long, value_name = "FILE|NAME")]
    recipe: Option<String>,
    /// Points of top-1 that all stages together may lose on the validation images
    #[arg(long, value_name = "POINTS")]
    max_drop: Option<f64>,
    /// Bytes that the output may have
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    max_bytes: Option<u64>,
    /// How many times smaller than its parameters in single precision the output is to be
    #[arg(long, value_name = "R")]
    ratio: Option<f64>,
    /// Bit width of layer outputs, unless a recipe says
    #[arg(long, value_name = "BITS", default_value_t = 8, value_parser = clap::value_parser!(u8).range(2..=16))]
    output_bits: u8,
    /// Images that layers are fitted to, unless a recipe says
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(2..))]
    fit_images: u32,
    #[command(flatten)]
    material: Material,
    /// Blocks go with --max-drop, --max-bytes and --ratio; a recipe has its own
    #[command(flatten)]
    rebuilding: Rebuilding,
    /// Settings of retraining go with --max-drop, --max-bytes and --ratio, where there is none by default; a recipe has
    /// its own
    #[command(flatten)]
    training: Training,
    #[command(flatten)]
    keeping: Keeping,
    #[command(flatten)]
    output: Output,
}

/// What decides how far compression goes.
enum How {
    Recipe(Box<Recipe>),
    Budget(Box<Budget>),
}

impl Run for Compress {
    const NAME: &'static str = "compress";

    fn run(mut self) -> Result<()> {
        self.target.check()?;
        let recipe = self.recipe.as_deref().map(Recipe::load).transpose()?;
        if let Some(recipe) = &recipe {
            if self.material.selection.limit.is_none() {
                self.material.selection.limit = recipe.calibration.images;
            }
            if !recipe.calibration.augment {
                (self.training.no_flip, self.training.no_random_crop) = (true, true);
            }
        }
        let bench = self.material.bench(self.source.open_complete()?)?;
        let images = bench.calibration("compression")?.len();
        let validation = bench.validation.as_ref().ok_or_else(|| usage("the table needs images; give --val"))?;
        let bytes = match self.ratio {
            Some(ratio) if ratio.is_finite() && ratio >= 1.0 => {
                Some((bench.net.parameters() as f64 * 4.0 / ratio) as u64)
            }
            Some(_) => return Err(usage("--ratio is a number from 1")),
            None => self.max_bytes,
        };
        let how = match (recipe, bytes.map(Goal::Bytes).or(self.max_drop.map(Goal::Points))) {
            (Some(recipe), _) => How::Recipe(Box::new(recipe)),
            (None, Some(Goal::Points(points))) if !(points.is_finite() && points >= 0.0) => {
                return Err(usage("--max-drop is a number of points from 0"));
            }
            (None, Some(goal)) => {
                let base = Options { steps: 0, temperature: 1.0, ..Options::default() };
                How::Budget(Box::new(Budget {
                    goal,
                    images: self.fit_images as usize,
                    rate: rate::Options::default(),
                    output_bits: self.output_bits,
                    blocks: self.rebuilding.options(self.training.seed)?,
                    retrain: self.training.retrain(images, base, false)?,
                }))
            }
            (None, None) => return Err(usage("give a recipe or a budget")),
        };
        let settings = match &how {
            How::Recipe(recipe) => format!("compress {recipe:?}"),
            How::Budget(budget) => format!("compress {budget:?}"),
        };
        let act = |job: &mut Job<'_>| match &how {
            How::Recipe(recipe) => job.compress(&bench.net, validation, recipe),
            How::Budget(budget) => job.compress_within(&bench.net, validation, budget),
        };
        self.carry_out(&bench, &settings, act, &how)
    }
}

impl Compress {
    fn carry_out(
        &self,
        bench: &Bench,
        settings: &str,
        act: impl FnOnce(&mut Job<'_>) -> Result<Outcome, synapress_compress::pipeline::Error>,
        how: &How,
    ) -> Result<()> {
        let watch = Watch::start(&self.target);
        let mut report = None;
        let done = bench.work_without_evaluation(&self.target, settings, &self.training, self.keeping, |job| {
            let outcome = act(job)?;
            let text = outcome.report.to_table();
            let json = serde_json::to_value(&outcome.report).unwrap_or_default();
            report = Some(outcome.report);
            Ok((outcome.net, json, text))
        })?;
        if let Some(report) = &mut report {
            watch.write(&self.target, report)?;
        }
        self.output.answer(&done.json, || done.text)?;
        let lost = report.and_then(|r| r.rows.last().and_then(|row| row.loss_of_top1)).map_or(0.0, |l| l.points);
        match how {
            How::Budget(budget) if matches!(budget.goal, Goal::Points(points) if lost > points) => anyhow::bail!(
                "even the gentlest settings lose {lost:.2} points; give more images or a larger --max-drop"
            ),
            _ => Ok(()),
        }
    }
}
