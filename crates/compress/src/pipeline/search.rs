//! Iterative synapse pruning as a job: top-1 on calibration images judges, distillation retrains, and the state of the
//! search is kept after every layer.

use synapress_model::Net;
use synapress_run::{Executor, Keep};

use super::rounds::told;
use super::{Error, Job, Pruned};
use crate::evaluate::{Classifier, IntegerClassifier, rank};
use crate::prune::Ratios;
use crate::prune::search::{Options, State, Steps, Try, search};
use crate::recipe::Retrain;
use crate::report::{Round, Rounds};

/// Top-1 on images that are kept in memory.
#[derive(Debug)]
pub struct Judge {
    executor: Executor<f32>,
    images: Vec<f32>,
    labels: Vec<usize>,
}

impl Judge {
    /// The most images that are kept.
    pub const MOST: usize = 256;

    /// Takes up to [`Judge::MOST`] calibration images of a job, spread over the set.
    ///
    /// # Errors
    /// When the network cannot be executed or an image not be read.
    pub fn new(job: &Job<'_>, net: &Net) -> Result<Self, Error> {
        let executor = Executor::new(net, job.batch, Keep::Output)?;
        let (images, labels) = job.images(Self::MOST, executor.input_shape())?;
        Ok(Self { executor, images, labels })
    }

    /// Percent of the images whose class has the highest score, by a network of the same graph: in integers if it is
    /// quantized, else in floating point.
    ///
    /// # Errors
    /// When a quantized network cannot be executed.
    pub fn top1(&mut self, net: &Net) -> Result<f64, Error> {
        let batch = self.executor.batch();
        let mut integers = match &net.integers {
            Some(_) => Some(IntegerClassifier::new(net, batch)?),
            None => None,
        };
        let classifier: &mut dyn Classifier = match &mut integers {
            Some(integers) => integers,
            None => {
                self.executor.reload(net);
                &mut self.executor
            }
        };
        let (len, classes) = (classifier.input().len(), classifier.classes());
        let (mut hits, mut scores) = (0, Vec::new());
        for (images, labels) in self.images.chunks(batch * len).zip(self.labels.chunks(batch)) {
            classifier.scores(images, &mut scores)?;
            let hit = |(scores, label): &(&[f32], &usize)| rank(scores, **label) == Some(0);
            hits += scores.chunks(classes).zip(labels).filter(hit).count();
        }
        Ok(100.0 * hits as f64 / self.labels.len() as f64)
    }
}

struct Pruning<'j, 'a, 't> {
    job: &'j mut Job<'a>,
    float: &'t Net,
    judge: Judge,
    retrain: &'t Retrain,
    /// The network at the start of the round, and the ratios that the round has raised since.
    start: Net,
    raised: Ratios,
    before: Option<f64>,
    rounds: Rounds,
}

/// Names of what is kept.
const STATE: &str = "search";
const ROUNDS: &str = "search-rounds";

impl Steps for Pruning<'_, '_, '_> {
    type Error = Error;

    fn judge(&mut self, net: &Net) -> Result<f64, Error> {
        self.judge.top1(net)
    }

    fn retrain(&mut self, net: &Net, round: usize) -> Result<Net, Error> {
        let work = self.job.work;
        self.before = Some(self.judge.top1(net)?);
        let name = format!("search-{round}");
        work.stage(&name, || self.job.retrain(&name, net, self.float, true, None, self.retrain))
    }

    fn tried(&mut self, tried: &Try) -> Result<(), Error> {
        let [place, all] = tried.layer;
        if tried.accepted {
            self.raised.insert(tried.name.clone(), tried.ratio);
        }
        let verdict = if tried.accepted { "kept" } else { "too much" };
        let remark = format!("layers, {} at {:.2}: {:+.2} points, {verdict}", tried.name, tried.ratio, -tried.loss);
        self.job.tell(&format!("searching ratios, round {}", tried.round), place, all, remark)
    }

    fn settled(&mut self, state: &State, net: Option<&Net>) -> Result<(), Error> {
        if let Some(net) = net {
            let raised = std::mem::take(&mut self.raised);
            let top1 = Some(self.judge.top1(net)?);
            let told = told(&state.rounds.to_string(), &self.start, net, &raised);
            // A round that was killed here is written down once more.
            self.rounds.rounds.truncate(state.rounds - 1);
            self.rounds.rounds.push(Round { top1_before: self.before.take().or(top1), top1, ..told });
            self.rounds.baseline = state.baseline;
            self.start.clone_from(net);
            self.job.work.replace(ROUNDS, &self.rounds)?;
            self.job.work.stage(&format!("search-{}-whole", state.rounds), || Ok(net.clone()))?;
        }
        self.job.work.replace(STATE, state)
    }
}

impl Job<'_> {
    /// Searches pruning ratios, prunes by them and retrains, round after round.
    pub(super) fn prune_by_search(
        &mut self,
        net: &Net,
        float: &Net,
        options: &Options,
        retrain: &Retrain,
    ) -> Result<Pruned, Error> {
        let state: State = self.work.kept(STATE)?.unwrap_or_default();
        let start = match state.rounds {
            0 => net.clone(),
            rounds => self.work.stage(&format!("search-{rounds}-whole"), || {
                Err(Error::Settings("the working directory lacks a network; delete it to start anew".to_owned()))
            })?,
        };
        let judge = Judge::new(self, net)?;
        let known = || Rounds {
            images: judge.labels.len(),
            source: self.calibration.source().to_owned(),
            budget: Some(options.tolerance),
            ..Rounds::default()
        };
        let rounds: Rounds = self.work.kept(ROUNDS)?.unwrap_or_else(known);
        let raised = state.raised.iter().filter_map(|name| Some((name.clone(), *state.ratios.get(name)?))).collect();
        let mut steps =
            Pruning { job: self, float, judge, retrain, start: start.clone(), raised, before: None, rounds };
        let (mut found, state) = search(&start, &mut steps, options, state)?;
        let sparsity = 100.0 * crate::prune::sparsity(&found);
        found.about.history.push(format!("prune by search to {sparsity:.2}% zeros in {} rounds", state.rounds));
        let mut rounds = steps.rounds;
        rounds.rounds.truncate(state.rounds);
        Ok(Pruned { levels: vec![found], rounds })
    }
}
