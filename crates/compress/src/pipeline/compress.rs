//! Hierarchical compression as a whole: a network, a recipe and images in; the compressed network and the table of the
//! paper out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use synapress_code as code;
use synapress_model::Net;
use synapress_model::fold::without_batch_norm;

use super::figures::Table;
use super::{Error, Job, Pruned};
use crate::data::Dataset;
use crate::evaluate::{Evaluation, compare};
use crate::layerwise::errors::errors;
use crate::recipe::{Recipe, Retrain, paper_of};
use crate::report::{Effort, LayerRow, Report, Rounds, Row, Stage};
use crate::{blocks, group, prune, train};

/// What comes out of a compression.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The network of the last row.
    pub net: Net,
    /// The table.
    pub report: Report,
}

/// A network on its way through the stages.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub net: Net,
    pub effort: Effort,
    pub seconds: f64,
}

impl Job<'_> {
    /// Compresses a network by a recipe and evaluates every row on `validation`, quantized ones in integers.
    ///
    /// # Errors
    /// Those of the stages, and [`Error::Stopped`]; what was finished by then is in the working directory.
    pub fn compress(&mut self, net: &Net, validation: &Dataset, recipe: &Recipe) -> Result<Outcome, Error> {
        net.verify()?;
        let start = Made { net: net.clone(), effort: Effort::None, seconds: 0.0 };
        let baseline = self.baseline(net, validation)?;
        let mut rows = vec![self.row(Stage::Baseline, &start, &baseline, net, None)?];
        let mut at_last = baseline.clone();
        let (levels, rounds) = self.pruned(&start, recipe, validation)?;
        // Pruned networks are retrained with BatchNorm; what comes after works on what will be integers.
        let unpruned = folded(&start, recipe)?;
        let pruned = folded(levels.last().unwrap_or(&start), recipe)?;
        let float = &unpruned.net;
        // Retrained from labels a network goes its own way: what follows keeps to its layers' outputs, not to those before.
        let own = recipe.prune_retrain().iter().any(|r| r.labels == Some(true) && r.steps.unwrap_or(0) > 0);
        // A grouped network can serve two rows.
        let (mut grouped, mut last) = (BTreeMap::new(), Cow::Borrowed(&start));
        for stage in recipe.stages() {
            let base: &Made = if stage.name().contains("SP") { &pruned } else { &unpruned };
            let towards = if own { &base.net } else { float };
            let mut made = Cow::Borrowed(base);
            if stage.name().contains("SG") {
                let widths = recipe.widths().filter(|_| stage.name().contains("SQ"));
                let name = match (stage.name().contains("SP"), widths) {
                    (true, None) => "group",
                    (true, Some(_)) => "group-integers",
                    (false, None) => "group-unpruned",
                    (false, Some(_)) => "group-unpruned-integers",
                };
                if !grouped.contains_key(name) {
                    grouped.insert(name, self.grouped(name, widths, base, towards, recipe)?);
                }
                made = Cow::Owned(grouped[name].clone());
            }
            if stage.name().contains("SQ") {
                made = Cow::Owned(self.quantized(stage, &made, towards, recipe)?);
            }
            if stage == Stage::Pruned {
                for (at, level) in levels.iter().enumerate() {
                    let name = if levels.len() > 1 { format!("SP-{}", at + 1) } else { "SP".to_owned() };
                    let evaluation = self.measure_against(&name, &level.net, validation, Some(&baseline))?;
                    rows.push(self.row(stage, level, &evaluation, net, Some(&baseline))?);
                    at_last = evaluation;
                }
            } else {
                let evaluation = self.measure_against(stage.name(), &made.net, validation, Some(&baseline))?;
                rows.push(self.row(stage, &made, &evaluation, float, Some(&baseline))?);
                at_last = evaluation;
            }
            last = made;
        }
        let table = Table {
            recipe: recipe.name.clone(),
            rows,
            paper: if recipe.paper.is_empty() { paper_of(net) } else { recipe.paper.clone() },
            trials: Vec::new(),
            pruning: rounds,
            settings: toml::to_string(recipe).ok(),
            seed: train::Options::from(&recipe.retrain).seed,
        };
        let report = self.report(table, float, &last.net, [&baseline, &at_last], validation)?;
        Ok(Outcome { net: last.into_owned().net, report })
    }

    fn pruned(
        &mut self,
        start: &Made,
        recipe: &Recipe,
        validation: &Dataset,
    ) -> Result<(Vec<Made>, Option<Rounds>), Error> {
        let Some(settings) = &recipe.prune else { return Ok((Vec::new(), None)) };
        let retrain = recipe.prune_retrain();
        let clock = Instant::now();
        let judged = settings.max_drop.map(|_| validation);
        let Pruned { levels, rounds } = self.prune(&start.net, &start.net, settings, &retrain, judged)?;
        let seconds = self.seconds("prune", clock)?;
        let all = levels.len() as f64;
        let effort = effort(Effort::Calibration, &retrain, settings.blocks.as_ref());
        let made = |(at, net)| Made { net, effort, seconds: seconds * (at as f64 + 1.0) / all };
        Ok((levels.into_iter().enumerate().map(made).collect(), Some(rounds)))
    }

    fn grouped(
        &mut self,
        name: &str,
        widths: Option<[u8; 2]>,
        base: &Made,
        float: &Net,
        recipe: &Recipe,
    ) -> Result<Made, Error> {
        let Some(settings) = &recipe.group else { return Ok(base.clone()) };
        let retrain = recipe.group_retrain();
        let clock = Instant::now();
        let net = self.group(name, &base.net, float, settings, widths, &retrain)?;
        let seconds = self.seconds(name, clock)?;
        let blocks = settings.blocks.as_ref().filter(|_| widths.is_none());
        Ok(Made { net, effort: effort(base.effort, &[retrain], blocks), seconds: base.seconds + seconds })
    }

    fn quantized(&mut self, stage: Stage, base: &Made, float: &Net, recipe: &Recipe) -> Result<Made, Error> {
        let Some(settings) = &recipe.quantize else { return Ok(base.clone()) };
        let name = format!("quantize-{stage}");
        let clock = Instant::now();
        let retrain = recipe.quantize_retrain();
        let net = self.quantize(&name, &base.net, float, settings, &retrain)?;
        let seconds = self.seconds(&name, clock)?;
        let effort = effort(base.effort, &[retrain], settings.blocks.as_ref());
        Ok(Made { net, effort, seconds: base.seconds + seconds })
    }

    /// How long a stage took when it was done: of a job that was interrupted, what came after.
    fn seconds(&self, name: &str, clock: Instant) -> Result<f64, Error> {
        self.work.value(&format!("{name}.seconds"), || Ok(clock.elapsed().as_secs_f64()))
    }

    pub(super) fn row(
        &self,
        stage: Stage,
        made: &Made,
        evaluation: &Evaluation,
        reference: &Net,
        baseline: Option<&Evaluation>,
    ) -> Result<Row, Error> {
        let float = made.net.parameters() * 4;
        let paired = baseline.map(|baseline| compare(baseline, evaluation)).transpose()?;
        let (mut size, mut layers) = (float, Vec::new());
        if stage != Stage::Baseline {
            let file = code::encode(&made.net, &code::Options::default())?;
            size = file.len() as u64;
            layers = self.layer_rows(stage, &made.net, reference, &file)?;
        }
        let widths = group::widths(&made.net);
        Ok(Row {
            stage,
            top1: evaluation.top1,
            top5: evaluation.top5,
            top1_interval: Some(evaluation.top1_interval),
            top5_interval: Some(evaluation.top5_interval),
            loss_of_top1: paired.map(|p| p.top1.into()),
            loss_of_top5: paired.map(|p| p.top5.into()),
            agreement: evaluation.agreement,
            divergence: evaluation.divergence,
            size_bytes: size,
            ratio: float as f64 / size as f64,
            sparsity: 100.0 * prune::sparsity(&made.net),
            index_bits_mean: widths.as_ref().map(|w| w.mean),
            index_bits_weighted: widths.as_ref().map(|w| w.weighted),
            effort: made.effort,
            seconds: made.seconds,
            layers,
        })
    }

    /// What became of each layer of a network that is stored in this file.
    fn layer_rows(&self, stage: Stage, net: &Net, float: &Net, file: &[u8]) -> Result<Vec<LayerRow>, Error> {
        let name = format!("{stage}-{:.4}.layers", prune::sparsity(net));
        let errors: Vec<(usize, f64)> = self.work.value(&name, || {
            let (images, _) = self.images(ERROR_IMAGES, net.graph.shape(net.graph.input()?))?;
            Ok(errors(float, net, &images)?)
        })?;
        let widths = group::widths(net).map(|w| w.layers).unwrap_or_default();
        let row = |layer: code::LayerSummary| {
            let weights = layer.weights.max(1) as f64;
            let error = net.graph.find(&layer.name).and_then(|id| errors.iter().find(|e| e.0 == id));
            LayerRow {
                weights: layer.weights,
                sparsity: 100.0 * (1.0 - layer.nonzero as f64 / weights),
                index_bits: widths.iter().find(|w| w.0 == layer.name).map(|w| w.1),
                weight_bits: layer.bits,
                bits: [layer.weight_bytes, layer.codebook_bytes, layer.bias_bytes].map(|n| 8.0 * n as f64 / weights),
                error: error.map(|e| e.1),
                name: layer.name,
            }
        };
        Ok(code::summary(file)?.layers.into_iter().map(row).collect())
    }
}

/// A network as stages after pruning take it: what will be quantized is without BatchNorm.
fn folded<'m>(made: &'m Made, recipe: &Recipe) -> Result<Cow<'m, Made>, Error> {
    if recipe.quantize.is_none() {
        return Ok(Cow::Borrowed(made));
    }
    Ok(match without_batch_norm(&made.net)? {
        Cow::Borrowed(_) => Cow::Borrowed(made),
        Cow::Owned(net) => Cow::Owned(Made { net, ..*made }),
    })
}

/// Calibration images that errors of layers are told on.
const ERROR_IMAGES: usize = 32;

/// What a stage was made with, from what came before it.
pub(super) fn effort(before: Effort, retrain: &[Retrain], blocks: Option<&blocks::Options>) -> Effort {
    let trained = retrain.iter().any(|r| r.steps.unwrap_or(0) > 0) || blocks.is_some_and(|b| b.steps > 0);
    match trained || before == Effort::Retrained {
        true => Effort::Retrained,
        false => Effort::Calibration,
    }
}
