//! A job: the images it works with, where it keeps its state, whom it tells how far it is; and the two things that
//! every stage needs, retraining and evaluation.

use std::cell::RefCell;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use synapress_model::{Net, Preprocess, Shape};
use synapress_peers::Peers;
use synapress_run::{Executor, Keep};

use super::training::Recorder;
use super::{Error, Work};
use crate::data::{Augment, Dataset};
use crate::evaluate::{self, Classifier, Evaluation, IntegerClassifier};
use crate::recipe::Retrain;
use crate::train::{self, Fault, Images};

/// How far a job is.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// What is being done.
    pub doing: &'a str,
    /// Parts done.
    pub done: usize,
    /// Parts in all.
    pub all: usize,
    /// Anything worth saying besides.
    pub remark: String,
}

/// Is told of every event and returns whether to go on. After `false` the job ends what cannot be cut short, writes its
/// state and ends with [`Error::Stopped`]. Once `false`, always `false`.
pub type Watch<'a> = dyn FnMut(Event<'_>) -> bool + 'a;

/// What a job works with.
pub struct Job<'a> {
    /// Images to calibrate and retrain with, all of them readable.
    pub calibration: &'a Dataset,
    /// How images are prepared.
    pub preprocess: &'a Preprocess,
    /// How training images vary.
    pub augment: &'a Augment,
    /// Images of one pass when evaluating.
    pub batch: usize,
    /// Where the state is kept.
    pub work: &'a Work,
    /// Who works on the same job, this one among them: [`Job::retrain`] and evaluations are shared with them, other stages
    /// are not.
    pub peers: Arc<dyn Peers>,
    /// Who is told.
    pub watch: &'a mut Watch<'a>,
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("calibration", &self.calibration.source()).finish_non_exhaustive()
    }
}

impl Job<'_> {
    /// Tells of an event.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the job is to stop.
    pub fn tell(&mut self, doing: &str, done: usize, all: usize, remark: impl Into<String>) -> Result<(), Error> {
        match (self.watch)(Event { doing, done, all, remark: remark.into() }) {
            true => Ok(()),
            false => Err(Error::Stopped),
        }
    }

    /// What is to be called with each of `all` layers when it is done. A request to stop waits: the layers are done soon,
    /// and whoever wants to stop is asked again before the next stage.
    pub(super) fn layers_told(&mut self, doing: &str, all: usize) -> impl FnMut(&str) {
        let mut done = 0;
        move |layer| {
            done += 1;
            let _ = self.tell(doing, done, all, format!("layers, {layer}"));
        }
    }

    /// Up to `most` images of calibration, spread over the set and prepared, `(n, C, H, W)`, and their labels.
    ///
    /// # Errors
    /// When an image cannot be read.
    pub fn images(&self, most: usize, shape: Shape) -> Result<(Vec<f32>, Vec<usize>), Error> {
        let count = self.calibration.len();
        let n = most.clamp(1, count);
        let chosen: Vec<usize> = (0..n).map(|i| i * count / n).collect();
        let mut images = Vec::new();
        self.calibration.load_batch(&chosen, self.preprocess, shape, None, &mut images)?;
        Ok((images, chosen.iter().map(|&i| self.calibration.label(i)).collect()))
    }

    /// Retrains a network from the scores of its teacher or, if `retrain` says so, from true labels. `name` is the
    /// stage, by which the checkpoint is called; no steps leave the network as it is. With `through` it is trained
    /// through the integers of that network.
    ///
    /// # Errors
    /// As [`train::train`]; [`Error::Stopped`] when the job is to stop.
    pub fn retrain(
        &mut self,
        name: &str,
        net: &Net,
        teacher: &Net,
        hold_zeros: bool,
        through: Option<&Net>,
        retrain: &Retrain,
    ) -> Result<Net, Error> {
        self.retrain_recorded(name, net, teacher, hold_zeros, through, retrain, None)
    }

    /// The same, with someone who writes down how it goes.
    pub(super) fn retrain_recorded(
        &mut self,
        name: &str,
        net: &Net,
        teacher: &Net,
        hold_zeros: bool,
        through: Option<&Net>,
        retrain: &Retrain,
        recorder: Option<&mut Recorder<'_>>,
    ) -> Result<Net, Error> {
        let teacher = (!retrain.labels.unwrap_or(false)).then_some(teacher);
        let options = &train::Options::from(retrain);
        if options.steps == 0 {
            return Ok(net.clone());
        }
        let shape = net.graph.shape(net.graph.input()?);
        let mut images =
            Images::new(self.calibration, self.preprocess, shape, self.augment.clone(), options.batch, options.seed);
        let checkpoint = self.work.checkpoint(name);
        let doing = format!("training {name}");
        // One of the peers writes down how it goes.
        let mut recorder = recorder.filter(|_| self.peers.rank() == 0);
        let watch = &mut *self.watch;
        let mut failed = None;
        let mut progress = |p: train::Progress, now: &mut dyn FnMut() -> Net| {
            let accuracy = recorder.as_ref().map_or_else(String::new, |r| r.told());
            let remark = format!("steps, loss {:.4}{accuracy}, {:.0} s left", p.loss, p.seconds_left);
            let go_on = watch(Event { doing: &doing, done: p.step, all: p.steps, remark });
            let recorded = recorder.as_mut().map_or(Ok(()), |r| r.step(&p, go_on, now, watch));
            failed = recorded.err();
            go_on && failed.is_none()
        };
        let (checkpoint, peers) = (checkpoint.as_ref(), &self.peers);
        let trained =
            train::train(net, teacher, &mut images, hold_zeros, through, options, checkpoint, peers, &mut progress);
        match (failed, trained) {
            (Some(failed), _) => Err(failed),
            (None, Err(Fault::Stopped { .. })) => Err(Error::Stopped),
            (None, trained) => Ok(trained?),
        }
    }

    /// Evaluates a network: in integers if it is quantized, else in floating point. All images
    /// are readable. The result is kept under `name`.
    ///
    /// # Errors
    /// As [`evaluate::evaluate`].
    pub fn measure(&mut self, name: &str, net: &Net, dataset: &Dataset) -> Result<Evaluation, Error> {
        self.measure_against(name, net, dataset, None)
    }

    /// [`Job::measure`], and how far the scores are from those of a baseline that [`Job::baseline`] measured.
    ///
    /// # Errors
    /// As [`evaluate::evaluate`].
    pub fn measure_against(
        &mut self,
        name: &str,
        net: &Net,
        dataset: &Dataset,
        baseline: Option<&Evaluation>,
    ) -> Result<Evaluation, Error> {
        let work = self.work;
        let reference = baseline.map(|b| &b.scores[..]).filter(|s| !s.is_empty());
        let kept = work.value(&format!("{name}.evaluation"), || {
            let options = evaluate::Options { reference, ..evaluate::Options::default() };
            Ok(Kept::from(self.evaluate(name, net, dataset, &options)?))
        })?;
        Ok(kept.evaluation(dataset))
    }

    /// Evaluates the network that others are compared with, and remembers its scores unless these are too many.
    ///
    /// # Errors
    /// As [`evaluate::evaluate`].
    pub fn baseline(&mut self, net: &Net, dataset: &Dataset) -> Result<Evaluation, Error> {
        let work = self.work;
        let kept = work.value("baseline.evaluation", || {
            let keep_scores = dataset.len().saturating_mul(net.graph.shape(net.graph.output()).len()) <= MOST_SCORES;
            let options = evaluate::Options { keep_scores, ..evaluate::Options::default() };
            Ok(Kept::from(self.evaluate("baseline", net, dataset, &options)?))
        })?;
        Ok(kept.evaluation(dataset))
    }

    fn evaluate(
        &mut self,
        name: &str,
        net: &Net,
        dataset: &Dataset,
        options: &evaluate::Options<'_>,
    ) -> Result<Evaluation, Error> {
        let mut classifier = classifier(net, self.batch)?;
        let doing = format!("evaluating {name}");
        let watch = RefCell::new(&mut *self.watch);
        let progress = |done: usize| {
            // It is done soon; whoever wants to stop is asked again before the next stage.
            let remark = "images".to_owned();
            let _ = (watch.borrow_mut())(Event { doing: &doing, done, all: dataset.len(), remark });
        };
        let options = evaluate::Options { progress: Some(&progress), peers: Some(&*self.peers), ..*options };
        Ok(evaluate::evaluate(&mut *classifier, dataset, self.preprocess, &options)?)
    }
}

/// Scores of a baseline that are kept at most.
const MOST_SCORES: usize = 1 << 22;

/// What executes a network.
fn classifier(net: &Net, batch: usize) -> Result<Box<dyn Classifier>, Error> {
    Ok(match &net.integers {
        Some(_) => Box::new(IntegerClassifier::new(net, batch)?),
        None => Box::new(Executor::<f32>::new(net, batch, Keep::Output)?),
    })
}

/// An evaluation as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    images: usize,
    top1: f64,
    top5: f64,
    top1_interval: [f64; 2],
    top5_interval: [f64; 2],
    cross_entropy: f64,
    divergence: Option<f64>,
    agreement: Option<f64>,
    images_per_second: f64,
    skipped: Vec<String>,
    ids: Vec<usize>,
    hits1: Vec<bool>,
    hits5: Vec<bool>,
    labels: Vec<usize>,
    highest: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scores: Vec<f32>,
}

impl From<Evaluation> for Kept {
    fn from(e: Evaluation) -> Self {
        Self {
            images: e.images,
            top1: e.top1,
            top5: e.top5,
            top1_interval: e.top1_interval,
            top5_interval: e.top5_interval,
            cross_entropy: e.cross_entropy,
            divergence: e.divergence,
            agreement: e.agreement,
            images_per_second: e.images_per_second,
            skipped: e.skipped,
            ids: e.ids,
            hits1: e.hits1,
            hits5: e.hits5,
            labels: e.labels,
            highest: e.highest,
            scores: e.scores,
        }
    }
}

impl Kept {
    fn evaluation(self, dataset: &Dataset) -> Evaluation {
        Evaluation {
            images: self.images,
            top1: self.top1,
            top5: self.top5,
            top1_interval: self.top1_interval,
            top5_interval: self.top5_interval,
            cross_entropy: self.cross_entropy,
            divergence: self.divergence,
            agreement: self.agreement,
            images_per_second: self.images_per_second,
            skipped: self.skipped,
            source: dataset.source().to_owned(),
            ids: self.ids,
            hits1: self.hits1,
            hits5: self.hits5,
            labels: self.labels,
            highest: self.highest,
            scores: self.scores,
        }
    }
}
