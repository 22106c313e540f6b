//! `prune`: synapse pruning (SP), by a ratio, a sparsity or a search, in rounds with re-solve and retraining.

use std::collections::BTreeSet;

use anyhow::Result;
use clap::{ArgGroup, Args, ValueEnum};
use serde_json::{Value, json};
use synapress_compress::data::Dataset;
use synapress_compress::prune::{self, search};
use synapress_compress::recipe;
use synapress_compress::report::Rounds;
use synapress_compress::train::{self, Options};
use synapress_model::Net;

use super::{Run, usage};
use crate::job::{Keeping, Material, Teaching, parse_layer};
use crate::model::{Source, Target};
use crate::output::{Output, table, thousands};
use crate::rebuilding::Rebuilding;
use crate::report::Watch;
use crate::training::Training;

/// How layers share the zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Spread {
    /// One ratio times the standard deviation of each layer's weights
    Deviation,
    /// One magnitude for all layers
    Magnitude,
    /// The same share of every layer, the smallest magnitudes of each
    Layer,
}

impl From<Spread> for prune::Spread {
    fn from(spread: Spread) -> Self {
        match spread {
            Spread::Deviation => Self::Deviation,
            Spread::Magnitude => Self::Magnitude,
            Spread::Layer => Self::Layer,
        }
    }
}

/// Which weights fall together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pattern {
    /// Each weight by itself
    Single,
    /// Four neighbouring input channels at one place of the window, which vector hardware skips as one
    #[value(name = "1x4")]
    Channels4,
}

impl From<Pattern> for prune::Pattern {
    fn from(pattern: Pattern) -> Self {
        match pattern {
            Pattern::Single => Self::Single,
            Pattern::Channels4 => Self::Channels4,
        }
    }
}

/// Set weights below each layer's threshold to zero (SP), and retrain
///
/// The threshold of a layer is a ratio times the standard deviation of its weights. With --data the survivors are
/// re-solved layer by layer after each round, and retrained from the scores of the unpruned network.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("how").required(true).args(["ratio", "sparsity", "search"]))]
pub struct Prune {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
    /// One pruning ratio for every layer
    #[arg(long, value_name = "R")]
    ratio: Option<f64>,
    /// Share of zeros of the whole network, such as 0.6713
    #[arg(long, value_name = "S")]
    sparsity: Option<f64>,
    /// Search each layer's ratio: raise it while the loss of accuracy on --data stays within --tolerance
    #[arg(long, requires = "data")]
    search: bool,
    /// Points of top-1 that a search may lose on the calibration images, in each round
    #[arg(long, value_name = "POINTS", default_value_t = 1.0)]
    tolerance: f64,
    /// A layer's own ratio or sparsity, as the network's is given
    #[arg(long, value_name = "NAME=X", value_parser = parse_layer::<f64>)]
    layer: Vec<(String, f64)>,
    /// How layers share the zeros of --sparsity
    #[arg(long, value_enum, default_value_t = Spread::Deviation, conflicts_with_all = ["ratio", "search"])]
    spread: Spread,
    /// Which weights fall together
    #[arg(long, value_enum, default_value_t = Pattern::Single)]
    pattern: Pattern,
    /// A layer to leave as it is
    #[arg(long, value_name = "NAME")]
    exclude: Vec<String>,
    /// What a search adds to a layer's ratio with each try
    #[arg(long, value_name = "R", default_value_t = 0.25)]
    ratio_step: f64,
    /// The largest ratio that a search tries
    #[arg(long, value_name = "R", default_value_t = 3.0)]
    most_ratio: f64,
    /// Rounds over which the sparsity rises to its target (1 by default), or the most rounds of a search (3)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Points of top-1 that all rounds may lose together on --val, else on images of --data: the round that loses more is
    /// undone, and no other follows
    #[arg(long, value_name = "POINTS", conflicts_with = "search")]
    max_drop: Option<f64>,
    /// Let zeros come back: the re-solve of each round chooses them anew, as many, in N rounds of its own. Without it a
    /// weight that is zero stays so
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "search", requires = "data")]
    regrow: usize,
    /// Calibration images that survivors are re-solved with; 0: no re-solve
    #[arg(long, value_name = "N", default_value_t = 256)]
    resolve_images: usize,
    /// Images of --data on which mean and variance of layer outputs are brought back to the float network's, the cheap
    /// alternative to the re-solve; 0: none
    #[arg(long, value_name = "N", default_value_t = 0)]
    correct_images: usize,
    #[command(flatten)]
    material: Material,
    #[command(flatten)]
    teaching: Teaching,
    #[command(flatten)]
    rebuilding: Rebuilding,
    #[command(flatten)]
    training: Training,
    #[command(flatten)]
    keeping: Keeping,
    #[command(flatten)]
    output: Output,
}

impl Run for Prune {
    const NAME: &'static str = "prune";

    fn run(self) -> Result<()> {
        self.target.check()?;
        let bench = self.material.bench(self.source.open_complete()?)?;
        let images = bench.calibration.as_ref().map_or(0, |d| d.len());
        let mut settings = self.settings(images)?;
        let base = Options { steps: if images > 0 { 200 } else { 0 }, ..Options::default() };
        let retrain = self.training.retrain(images, base, self.teaching.from_labels)?;
        settings.blocks = self.rebuilding.options(retrain.seed)?;
        if images == 0 && retrain.steps != Some(0) {
            return Err(usage("retraining needs images; give --data"));
        }
        // Faults of the arguments show before any work is done.
        for target in settings.targets() {
            prune::ratios_for(&bench.net, &target)?;
        }
        let float = self.teaching.teacher(&bench.net)?;
        let retrain = [retrain.clone(), retrain];
        let describe = format!("prune {settings:?} {retrain:?} {:?}", self.teaching);
        // Accuracy of a single round is told by the evaluation before and after.
        let told = settings.rounds > 1 || settings.max_drop.is_some();
        let judged = bench.validation.clone().or(bench.calibration.as_ref().map(spread)).filter(|_| told);
        let (watch, mut made) = (Watch::start(&self.target), None);
        let mut done = bench.work(&self.target, &describe, &self.training, self.keeping, |job| {
            let mut pruned = job.prune(&bench.net, &float, &settings, &retrain, judged.as_ref())?;
            let net = pruned.levels.pop().unwrap_or_else(|| bench.net.clone());
            let (json, text) = report(&net);
            made = Some((net.clone(), pruned.rounds));
            Ok((net, json, text))
        })?;
        if let Some((net, rounds)) = made {
            done.text += &rounds_text(&rounds);
            done.json["pruning"] = serde_json::to_value(&rounds)?;
            let mut report = bench.report(&self.target, &net, &describe, train::Options::from(&retrain[1]).seed)?;
            report.pruning = Some(rounds);
            watch.write(&self.target, &mut report)?;
        }
        self.output.answer(&done.json, || done.text)
    }
}

/// Images of --data that rounds are judged on where there are no others.
const JUDGED: usize = 256;

/// Some images, spread over a set.
fn spread(set: &Dataset) -> Dataset {
    let n = set.len().min(JUDGED);
    set.select(&(0..n).map(|i| i * set.len() / n).collect::<Vec<_>>())
}

/// The table of rounds, where there are several or one was undone.
fn rounds_text(rounds: &Rounds) -> String {
    if rounds.rounds.len() < 2 && !rounds.rounds.iter().any(|r| r.undone) {
        return String::new();
    }
    let mut out = table(&["round", "zero", "top-1 % before retraining", "after", "ratios", ""]);
    let percent = |v: Option<f64>| v.map_or_else(String::new, |v| format!("{v:.2}"));
    for round in &rounds.rounds {
        let ratios = || round.layers.iter().map(|l| l.ratio);
        let (low, high) = (ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max));
        out.add_row([
            round.name.clone(),
            format!("{:.2}%", round.sparsity),
            percent(round.top1_before),
            percent(round.top1),
            if low <= high { format!("{low:.2} to {high:.2}") } else { String::new() },
            if round.undone { "undone" } else { "" }.to_owned(),
        ]);
    }
    let baseline = rounds.baseline.map_or_else(String::new, |b| format!("; before the first round {b:.2}%"));
    format!("\n{out}\ntop-1 on {} images of {}{baseline}", rounds.images, rounds.source)
}

impl Prune {
    fn settings(&self, images: usize) -> Result<recipe::Prune> {
        if self.search && !self.layer.is_empty() {
            return Err(usage("--layer goes with --ratio or --sparsity; a search finds every layer's ratio"));
        }
        let exclude: BTreeSet<String> = self.exclude.iter().cloned().collect();
        let search = search::Options {
            tolerance: self.tolerance,
            start: self.ratio_step,
            step: self.ratio_step,
            most: self.most_ratio,
            rounds: self.rounds.unwrap_or(3).into(),
            exclude: exclude.clone(),
            pattern: self.pattern.into(),
        };
        let resolve = recipe::Resolve {
            images: self.resolve_images.min(images),
            choose: self.regrow,
            ..recipe::Resolve::default()
        };
        if self.regrow > 0 && resolve.images == 0 {
            return Err(usage("--regrow is done by the re-solve; leave --resolve-images above 0"));
        }
        if self.max_drop.is_some_and(|p| !(p.is_finite() && p >= 0.0)) {
            return Err(usage("--max-drop is a number of points from 0"));
        }
        if self.max_drop.is_some() && self.material.val.is_none() && images == 0 {
            return Err(usage("--max-drop needs images to measure accuracy on; give --val or --data"));
        }
        Ok(recipe::Prune {
            sparsity: self.sparsity.map(recipe::Levels::One),
            ratio: self.ratio,
            search: self.search.then_some(search),
            layers: self.layer.iter().cloned().collect(),
            exclude,
            spread: self.spread.into(),
            pattern: self.pattern.into(),
            rounds: self.rounds.unwrap_or(1).into(),
            max_drop: self.max_drop,
            resolve: (resolve.images > 0 && !self.search).then_some(resolve),
            correct: match self.correct_images.min(images) {
                0 => None,
                images => Some(recipe::Correct { images }),
            },
            ..recipe::Prune::default()
        })
    }
}

fn report(net: &Net) -> (Value, String) {
    let mut out = table(&["layer", "weights", "zero", "sparsity"]);
    let mut layers = Vec::new();
    for id in net.synaptic() {
        let Some(weights) = &net.weights[id] else { continue };
        let (name, all, zeros) = (&net.graph.node(id).name, weights.len(), weights.zeros());
        let sparsity = zeros as f64 / all.max(1) as f64;
        out.add_row([
            name.clone(),
            thousands(all as u64),
            thousands(zeros as u64),
            format!("{:.2}%", 100.0 * sparsity),
        ]);
        layers.push(json!({ "name": name, "weights": all, "zeros": zeros, "sparsity": sparsity }));
    }
    let sparsity = prune::sparsity(net);
    let text = format!("{out}\n{:.2}% of the weights are zero", 100.0 * sparsity);
    (json!({ "sparsity": sparsity, "layers": layers }), text)
}
