//! Compression within a budget of bytes or of accuracy: one price of a bit for all layers, searched until the real file
//! is as small as asked for, or until the integers lose as much as they may.

use std::time::Instant;

use serde::Serialize;
use synapress_code as code;
use synapress_model::Net;
use synapress_model::fold::without_batch_norm;

use super::compress::{Made, effort};
use super::figures::Table;
use super::price::{self, Pass};
use super::{Error, Job, Outcome};
use crate::data::Dataset;
use crate::evaluate::{Evaluation, compare};
use crate::rate::{self, At, Bench, Scales};
use crate::recipe::{Quantize, Retrain, paper_of};
use crate::report::{Effort, Stage, Trial};
use crate::{blocks, prune, train};

/// What a compression is to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// The most bytes of the `.syn` file, with the least loss that is found.
    Bytes(u64),
    /// The most points of top-1 that the integers may lose on the validation images, with the smallest file that is
    /// found.
    Points(f64),
}

/// A budget, and how it is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Budget {
    /// What is kept to.
    pub goal: Goal,
    /// Calibration images that layers are fitted to and sensitivity is measured on.
    pub images: usize,
    /// How layers are coded.
    pub rate: rate::Options,
    /// Bit width of layer outputs.
    pub output_bits: u8,
    /// How blocks are rebuilt at the end, through the integers; absent: they are not.
    pub blocks: Option<blocks::Options>,
    /// How centroids and biases are trained after that, through the integers.
    pub retrain: Retrain,
}

impl Budget {
    fn quantize(&self) -> Quantize {
        Quantize {
            conv_bits: Some(self.rate.bits),
            fc_bits: Some(self.rate.bits),
            output_bits: Some(self.output_bits),
            ..Quantize::default()
        }
    }

    /// Whether anything is trained at the end.
    fn trains(&self) -> bool {
        effort(Effort::Calibration, std::slice::from_ref(&self.retrain), self.blocks.as_ref()) == Effort::Retrained
    }

    /// Bytes that the search may spend: retraining makes biases and centroids that are a little longer.
    fn room(&self, bytes: u64) -> u64 {
        if self.trains() { bytes - bytes / 300 } else { bytes }
    }
}

/// Relative error that sensitivity is first measured at.
const FIRST: f64 = 0.02;

/// How near to the goal the two searches of a price come: as a share of the bytes, or as a factor of the price.
const COARSE: [f64; 2] = [0.1, 2.5];
const FINE: [f64; 2] = [0.01, 1.15];

/// The most validation images that passes are evaluated on where no goal asks for it: that takes far less than a pass.
const MOST_IMAGES: usize = 1000;

/// Passes over the network before a search ends with the best that was found.
const PASSES: usize = 10;

impl Job<'_> {
    /// Compresses a network within a budget and evaluates it in integers on `validation`. A budget of points that no
    /// price keeps to gives the gentlest outcome: its report says what that loses.
    ///
    /// # Errors
    /// [`Error::Settings`] when no price makes the file so small; those of the steps; [`Error::Stopped`].
    pub fn compress_within(&mut self, net: &Net, validation: &Dataset, budget: &Budget) -> Result<Outcome, Error> {
        net.verify()?;
        let net = &*without_batch_norm(net)?;
        let clock = Instant::now();
        let baseline = self.baseline(net, validation)?;
        let start = Made { net: net.clone(), effort: Effort::None, seconds: 0.0 };
        let mut rows = vec![self.row(Stage::Baseline, &start, &baseline, net, None)?];
        let (images, _) = self.images(budget.images, net.graph.shape(net.graph.input()?))?;
        let bench = &mut Bench::new(net, &images, &budget.rate)?;
        let judge = &(validation, &baseline);
        let scales = self.scales("scales-1", bench, At::Error(FIRST))?;
        let mut trials = Vec::new();
        let coarse = self.search_price("coarse", bench, budget, judge, &scales, None, &mut trials)?;
        // Sensitivity depends on the size of the error: once more near the target.
        let scales = self.scales("scales-2", bench, At::Price(coarse.price, &scales))?;
        let found = self.search_price("fine", bench, budget, judge, &scales, Some(coarse.price), &mut trials)?;
        let coded = self.priced("fine", bench, &scales, found.price)?;
        // The search has these integers, and for points their evaluation, already.
        let plain = integers("fine", found.price);
        let mut name = if budget.trains() { "quantized" } else { plain.as_str() };
        let with_blocks = Quantize { blocks: budget.blocks.clone(), ..budget.quantize() };
        let mut made = self.quantize(name, &coded, net, &with_blocks, &budget.retrain)?;
        let mut effort = if budget.trains() { Effort::Retrained } else { Effort::Calibration };
        let too_large = |net: &Net| -> Result<bool, Error> {
            let Goal::Bytes(bytes) = budget.goal else { return Ok(false) };
            Ok(code::encode(net, &code::Options::default())?.len() as u64 > bytes)
        };
        if effort == Effort::Retrained && too_large(&made)? {
            // Other biases and centroids can take more bytes than there was room left for.
            name = &plain;
            made = self.quantize(name, &coded, net, &budget.quantize(), &Retrain::default())?;
            effort = Effort::Calibration;
        }
        let seconds = self.work.value("seconds", || Ok(clock.elapsed().as_secs_f64()))?;
        let grouped = self.measure_against("coded", &coded, validation, Some(&baseline))?;
        let coded = Made { net: coded, effort: Effort::Calibration, seconds };
        rows.push(self.row(Stage::PrunedGrouped, &coded, &grouped, net, Some(&baseline))?);
        let evaluation = self.measure_against(name, &made, validation, Some(&baseline))?;
        let made = Made { net: made, effort, seconds };
        rows.push(self.row(Stage::All, &made, &evaluation, net, Some(&baseline))?);
        let table = Table {
            recipe: match budget.goal {
                Goal::Bytes(bytes) => format!("at most {bytes} bytes"),
                Goal::Points(points) => format!("at most {points} points of top-1"),
            },
            rows,
            paper: paper_of(net),
            trials,
            pruning: None,
            settings: toml::to_string(budget).ok(),
            seed: train::Options::from(&budget.retrain).seed,
        };
        let report = self.report(table, net, &made.net, [&baseline, &evaluation], validation)?;
        Ok(Outcome { net: made.net, report })
    }

    fn scales(&mut self, name: &str, bench: &mut Bench<'_>, at: At<'_>) -> Result<Scales, Error> {
        self.work.value(name, || {
            let mut told = self.layers_told("measuring sensitivity", bench.layers());
            Ok(bench.measure(at, &mut |layer| told(layer))?)
        })
    }

    /// The network coded at a price, not yet quantized.
    fn priced(&mut self, name: &str, bench: &mut Bench<'_>, scales: &Scales, price: f64) -> Result<Net, Error> {
        let work = self.work;
        work.stage(&format!("{name}-{price:e}"), || {
            let doing = format!("coding at a price of {price:.2e}");
            let mut told = self.layers_told(&doing, bench.layers());
            let priced = bench.compress(scales, price, &mut |layer| {
                told(&format!("{}: {:.2} bits a weight", layer.name, layer.bits));
            })?;
            Ok(priced.net)
        })
    }

    /// A price that keeps to the budget and comes near to it if that is found soon; for points that none keeps to, the
    /// lowest that was tried. `first` is a price that came near before; without one the search is a coarse one. `trials`
    /// takes what was tried.
    fn search_price(
        &mut self,
        name: &str,
        bench: &mut Bench<'_>,
        budget: &Budget,
        &(validation, baseline): &(&Dataset, &Evaluation),
        scales: &Scales,
        first: Option<f64>,
        trials: &mut Vec<Trial>,
    ) -> Result<Pass, Error> {
        let near = if first.is_some() { FINE } else { COARSE };
        // A tenth of a nat, halved with every half bit a weight.
        let guess = 0.14 / bench.net().parameters().max(1) as f64;
        let mut passes: Vec<Pass> = Vec::new();
        while passes.len() < PASSES {
            let next = match (budget.goal, passes.is_empty()) {
                (_, true) => Some(first.unwrap_or(guess)),
                (Goal::Bytes(bytes), _) => {
                    let room = budget.room(bytes);
                    let share = passes.last().map_or(0.0, |p| p.bytes as f64 / room as f64);
                    let there = (1.0 - near[0]..=1.0).contains(&share);
                    if there { None } else { price::for_bytes(&passes, room, near[0]) }
                }
                (Goal::Points(points), _) => price::for_loss(&passes, points, near[1]),
            };
            let Some(price) = next else { break };
            let (work, number) = (self.work, passes.len() + 1);
            let trial: Trial = work.value(&format!("{name}-pass-{number}"), || {
                let coded = self.priced(name, bench, scales, price)?;
                let integers = integers(name, price);
                let made = self.quantize(&integers, &coded, bench.net(), &budget.quantize(), &Retrain::default())?;
                let bytes = code::encode(&made, &code::Options::default())?.len() as u64;
                let mut remark = format!("passes, {price:.2e}: {bytes} bytes");
                let (mut top1, mut loss) = (None, None);
                if matches!(budget.goal, Goal::Points(_)) || validation.len() <= MOST_IMAGES {
                    let evaluation = self.measure_against(&integers, &made, validation, Some(baseline))?;
                    let difference = compare(baseline, &evaluation)?.top1;
                    remark += &format!(", {:.2} points lost", difference.points);
                    (top1, loss) = (Some(evaluation.top1), Some(difference.into()));
                }
                self.tell("searching the price", number, PASSES, remark)?;
                let sparsity = 100.0 * prune::sparsity(&made);
                Ok(Trial { price, size_bytes: bytes, sparsity, top1, loss_of_top1: loss })
            })?;
            let loss = trial.loss_of_top1.map(|l| l.points);
            passes.push(Pass { price: trial.price, bytes: trial.size_bytes, loss });
            trials.push(trial);
        }
        let fits = |p: &&Pass| match budget.goal {
            Goal::Bytes(bytes) => p.bytes <= budget.room(bytes),
            Goal::Points(points) => p.loss.is_some_and(|l| l <= points),
        };
        let highest = |a: &&Pass, b: &&Pass| a.price.total_cmp(&b.price);
        let best = match budget.goal {
            Goal::Bytes(_) => passes.iter().filter(fits).max_by_key(|p| p.bytes),
            Goal::Points(_) => passes.iter().filter(fits).max_by(highest).or(passes.iter().min_by(highest)),
        };
        best.copied().ok_or_else(|| {
            let message = "no price of a bit makes the file as small as asked for; ask for more bytes";
            Error::Settings(message.to_owned())
        })
    }
}

/// What the integers of a pass at a price are kept as.
fn integers(search: &str, price: f64) -> String {
    format!("{search}-{price:e}-integers")
}
