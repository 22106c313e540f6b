//! Training as a job that is written down: the loss of every step, and accuracy on other images now and then. What is
//! written lies beside the checkpoint, so that a job that was killed ends with the same curves as one that was not. The
//! training itself knows nothing of it.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use synapress_model::{Net, Preprocess};
use synapress_run::{Executor, Keep};

use super::{Error, Event, Job, Watch, Work};
use crate::data::Dataset;
use crate::evaluate::{self, evaluate};
use crate::recipe::Retrain;
use crate::report::{Test, Training};
use crate::train::Progress;

/// Images on which a network is evaluated while it is trained.
#[derive(Clone, Copy, Debug)]
pub struct Tests<'d> {
    /// The images.
    pub images: &'d Dataset,
    /// Steps from one evaluation to the next; there is one at the end besides.
    pub every: usize,
}

/// What is kept of a training, besides its checkpoint.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Steps before the first one that is known.
    start: usize,
    /// The loss of each step since.
    losses: Vec<f64>,
    tests: Vec<Test>,
}

/// Writes down how a training goes.
pub(super) struct Recorder<'a> {
    work: &'a Work,
    file: String,
    preprocess: &'a Preprocess,
    batch: usize,
    tests: Option<Tests<'a>>,
    executor: Option<Executor<f32>>,
    kept: Option<Kept>,
}

impl Recorder<'_> {
    /// The last accuracy, to be shown beside the loss.
    pub(super) fn told(&self) -> String {
        let last = self.kept.as_ref().and_then(|k| k.tests.last());
        last.map_or_else(String::new, |t| format!(", top-1 {:.2}% at step {}", t.top1, t.step))
    }

    /// Takes down a step. It is kept whenever the training keeps its own state, and before that.
    ///
    /// # Errors
    /// Those of an evaluation, and [`Error::File`].
    pub(super) fn step(
        &mut self,
        come: &Progress,
        go_on: bool,
        now: &mut dyn FnMut() -> Net,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        if self.kept.is_none() {
            self.kept = Some(self.resumed(come.step - 1)?);
        }
        let due = |every: usize| come.step == come.steps || come.step.is_multiple_of(every.max(1));
        let test = match self.tests {
            Some(tests) if due(tests.every) => Some(self.test(&tests, come.step, &now(), watch)?),
            _ => None,
        };
        let kept = self.kept.get_or_insert_default();
        kept.losses.push(come.last);
        kept.tests.extend(test);
        if !go_on || self.work.checkpoint("").is_none_or(|c| due(c.every)) {
            self.work.replace(&self.file, kept)?;
        }
        Ok(())
    }

    /// What was kept of the steps that are done; what was written after the checkpoint is done again.
    fn resumed(&self, done: usize) -> Result<Kept, Error> {
        let mut kept: Kept = self.work.kept(&self.file)?.unwrap_or_default();
        if kept.start > done || kept.start + kept.losses.len() < done {
            return Ok(Kept { start: done, ..Kept::default() });
        }
        kept.losses.truncate(done - kept.start);
        kept.tests.retain(|t| t.step <= done);
        Ok(kept)
    }

    fn test(&mut self, tests: &Tests<'_>, step: usize, net: &Net, watch: &mut Watch<'_>) -> Result<Test, Error> {
        let executor = match &mut self.executor {
            Some(executor) => {
                executor.reload(net);
                executor
            }
            none => none.insert(Executor::new(net, self.batch, Keep::Output)?),
        };
        let watch = RefCell::new(watch);
        let told = |done: usize| {
            // It is done soon; whoever wants to stop is asked again after the next step.
            let (all, remark) = (tests.images.len(), "images".to_owned());
            let _ = (watch.borrow_mut())(Event { doing: "evaluating", done, all, remark });
        };
        let options = evaluate::Options { progress: Some(&told), ..evaluate::Options::default() };
        let found = evaluate(executor, tests.images, self.preprocess, &options)?;
        let evaluate::Evaluation { top1, top1_interval, top5, cross_entropy, .. } = found;
        Ok(Test { step, top1, top1_interval, top5, loss: cross_entropy })
    }
}

impl Job<'_> {
    /// [`Job::retrain`] with what became of loss and accuracy on the way. Whether accuracy is measured, and how often,
    /// does not change a bit of the network.
    ///
    /// # Errors
    /// As [`Job::retrain`], and those of evaluation.
    pub fn train(
        &mut self,
        name: &str,
        net: &Net,
        teacher: &Net,
        hold_zeros: bool,
        retrain: &Retrain,
        tests: Option<Tests<'_>>,
    ) -> Result<(Net, Training), Error> {
        let mut recorder = Recorder {
            work: self.work,
            file: format!("{name}.curves"),
            preprocess: self.preprocess,
            batch: self.batch,
            tests,
            executor: None,
            kept: None,
        };
        let trained = self.retrain_recorded(name, net, teacher, hold_zeros, None, retrain, Some(&mut recorder))?;
        // A job that was killed after its last step has taken none this time.
        let kept = match recorder.kept {
            Some(kept) => kept,
            None => self.work.kept(&recorder.file)?.unwrap_or_default(),
        };
        let images = tests.map_or(0, |t| t.images.len());
        let batch = crate::train::Options::from(retrain).batch;
        Ok((trained, Training::of(kept.start, &kept.losses, kept.tests, images, batch)))
    }
}
