//! Training and retraining: of new networks from true labels, of compressed ones from their float teacher.

mod backend;
mod backward;
mod checkpoint;
pub mod conformance;
mod images;
mod loss;
#[cfg(test)]
mod shared;
mod slot;
mod solver;
#[cfg(test)]
mod tests;
mod trainer;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use synapress_model::{Mode, Net, share};
use synapress_peers::{Peers, all, gather};
use synapress_run::{Executor, Keep};

pub use backend::{Backend, Cpu, State};
pub use backward::Gradients;
pub use checkpoint::Fault;
pub use images::Images;
pub use loss::{Target, loss, softmax};
pub use solver::{Policy, update};
pub use trainer::{Rates, Trainer, logits};

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Number of steps.
    pub steps: usize,
    /// Images of one step.
    pub batch: usize,
    /// Base learning rate.
    pub learning_rate: f64,
    /// How the rate changes.
    pub policy: Policy,
    /// Momentum.
    pub momentum: f32,
    /// Whether momentum is Nesterov's: the gradient's part is weighed as one step ahead.
    pub nesterov: bool,
    /// Weight decay.
    pub decay: f32,
    /// Largest norm of all gradients together; larger ones are scaled down. 0 for no limit.
    pub clip: f32,
    /// Temperature of distillation, when there is a teacher.
    pub temperature: f32,
    /// Share of true labels that is given to all classes evenly, when there is none.
    pub smoothing: f32,
    /// Whether layers normalize by the statistics of each batch and keep running averages of them, rather than use those
    /// that are stored: for training from nothing.
    pub batch_statistics: bool,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            steps: 1000,
            batch: 16,
            learning_rate: 0.001,
            policy: Policy::Cosine { warmup: 0 },
            momentum: 0.9,
            nesterov: false,
            decay: 0.0,
            clip: 0.0,
            temperature: 2.0,
            smoothing: 0.0,
            batch_statistics: false,
            seed: 1,
        }
    }
}

/// Where training images come from.
pub trait Batches {
    /// Fills in the images `(n, C, H, W)` and true labels of a step. The same step gives the same images, so that an
    /// interrupted job goes on as if it had not been.
    ///
    /// # Errors
    /// When an image cannot be read.
    fn batch(&mut self, step: usize, images: &mut Vec<f32>, labels: &mut Vec<usize>) -> Result<(), Fault>;

    /// The same with those images of the batch alone that are wanted, and the labels of all.
    ///
    /// # Errors
    /// When an image cannot be read.
    fn share(
        &mut self,
        step: usize,
        wanted: Range<usize>,
        images: &mut Vec<f32>,
        labels: &mut Vec<usize>,
    ) -> Result<(), Fault> {
        self.batch(step, images, labels)?;
        let len = images.len() / labels.len().max(1);
        images.truncate(wanted.end * len);
        images.drain(..wanted.start * len);
        Ok(())
    }
}

/// Where a job keeps its state, to be resumed from.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The file, a `.syn` with the momentum beside the network.
    pub path: PathBuf,
    /// Steps between writes.
    pub every: usize,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Mean loss of the last steps.
    pub loss: f64,
    /// Loss of the last step alone.
    pub last: f64,
    /// Learning rate of the last step.
    pub rate: f64,
    /// Estimated time left.
    pub seconds_left: f64,
}

/// Trains `net`, from true labels or, with a `teacher`, to give the teacher's scores. Weights that are zero at the start
/// stay zero if `hold_zeros`; with `through` it is trained through the integers of that quantized network. With a
/// checkpoint an interrupted job goes on where it last wrote, and ends with the same
/// bits as one that was not interrupted; the file is left in place, complete, at the end.
///
/// Peers call it together, with the same arguments; each computes with its share of every batch, the first one writes the
/// checkpoint, which all must be able to read, and each returns the same network.
///
/// `progress` is called after every step and returns whether to go on; `false` from any peer writes the checkpoint and
/// stops. It may ask for the network as it is then; looking at it changes nothing.
///
/// # Errors
/// When the network cannot be trained, an image not be read or the checkpoint is of another job. Whoever fails alone leaves
/// the others waiting: the caller must end them.
pub fn train(
    net: &Net,
    teacher: Option<&Net>,
    batches: &mut dyn Batches,
    hold_zeros: bool,
    through: Option<&Net>,
    options: &Options,
    checkpoint: Option<&Checkpoint>,
    peers: &Arc<dyn Peers>,
    progress: &mut dyn FnMut(Progress, &mut dyn FnMut() -> Net) -> bool,
) -> Result<Net, Fault> {
    let (batch, own) = (options.batch.max(1), share::own(options.batch.max(1), &**peers));
    share::check(batch, &**peers)?;
    let job = checkpoint::fingerprint(net, teacher, through, options);
    let kept = checkpoint.map(|c| checkpoint::read(&c.path, job)).transpose()?.flatten();
    let first = kept.as_ref().map_or(0, |state| state.step);
    let begins = gather(&**peers, &[job, first as u64]);
    if let Some(rank) = begins.chunks_exact(2).position(|other| other != &begins[..2]) {
        return Err(Fault::Peers { rank });
    }
    let start = kept.as_ref().map_or(net, |state| &state.net);
    let mut trainer = Trainer::new(start, own.len(), hold_zeros, through)?;
    // Alone a batch may have fewer images.
    let shared = peers.count() > 1;
    if shared {
        trainer.share(peers, batch)?;
    }
    if let Some(state) = &kept {
        trainer.set_momentum(&state.momentum)?;
    }
    if options.batch_statistics {
        trainer.normalize_by_batch(first);
    }
    if teacher.is_some() {
        // A teacher's scores are exact: what drops out would only add noise to them.
        trainer.backend().without_dropout();
    }
    let mut teacher = match teacher {
        Some(net) => {
            let mut executor = Executor::<f32>::new(net, own.len(), Keep::Output)?;
            if shared {
                executor.share(Arc::clone(peers), batch)?;
            }
            Some((executor, logits(&net.graph)))
        }
        None => None,
    };
    let (mut images, mut labels, mut soft) = (Vec::new(), Vec::new(), Vec::new());
    let (started, mut smooth) = (Instant::now(), None);
    for step in first..options.steps {
        batches.share(step, own.clone(), &mut images, &mut labels)?;
        let target = match &mut teacher {
            None => Target::Labels { labels: &labels, smoothing: options.smoothing },
            Some((executor, heads)) => {
                executor.forward(&images, Mode::Infer);
                let (head, _) = heads[heads.len() - 1];
                let classes = executor.graph().shape(head).len();
                soft.clear();
                soft.extend_from_slice(&share::rows(&**peers, batch, classes, executor.activation(head)));
                Target::Teacher { logits: &soft, temperature: options.temperature }
            }
        };
        let rate = options.policy.rate(options.learning_rate, step, options.steps);
        let rates = Rates {
            learn: rate as f32,
            momentum: options.momentum,
            nesterov: options.nesterov,
            decay: options.decay,
            clip: if options.clip > 0.0 { options.clip } else { f32::INFINITY },
        };
        let seed = options.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (step as u64).wrapping_mul(0xd1b5_4a32_d192_ed03);
        let loss = match shared {
            // What passes messages to others may do so from this thread alone.
            true => trainer.step(&images, target, rates, seed),
            // On a thread of the pool a loop begins at once; from another each would wake the pool and be woken by it.
            false => rayon::scope(|_| trainer.step(&images, target, rates, seed)),
        };
        if !loss.is_finite() {
            return Err(Fault::Diverged { step });
        }
        smooth = Some(smooth.map_or(loss, |s: f64| 0.95 * s + 0.05 * loss));
        let done = step + 1;
        let each = started.elapsed().as_secs_f64() / (done - first) as f64;
        let come = Progress {
            step: done,
            steps: options.steps,
            loss: smooth.unwrap_or(loss),
            last: loss,
            rate,
            seconds_left: each * (options.steps - done) as f64,
        };
        let go_on = all(&**peers, progress(come, &mut || trainer.net()));
        if let Some(c) = checkpoint
            && peers.rank() == 0
            && (!go_on || done == options.steps || done % c.every.max(1) == 0)
        {
            checkpoint::write(&c.path, job, done, &mut trainer)?;
        }
        if !go_on {
            return Err(Fault::Stopped { step: done });
        }
    }
    Ok(trainer.net())
}
