//! Loading ahead: a thread prepares the next batches while the last one is computed with.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use synapress_model::{Preprocess, Shape};

use super::augment::Augment;
use super::dataset::Dataset;
use super::error::{Error, Fault};

/// A batch to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Numbers of the images in the data set.
    pub images: Vec<usize>,
    /// Seed of augmentation, for this epoch or step.
    pub seed: u64,
}

/// A batch that was loaded. Give it back with [`Loader::recycle`] so that its memory is used again.
#[derive(Debug, Default)]
pub struct Batch {
    /// Numbers of the images that were loaded: those of the job, without those that cannot be read.
    pub images: Vec<usize>,
    /// Their classes.
    pub labels: Vec<usize>,
    /// Their pixels, `(images, C, H, W)`.
    pub pixels: Vec<f32>,
    /// What is wrong with the others.
    pub faults: Vec<Fault>,
}

/// Loads batches ahead, in the order of the jobs; an iterator of batches. Dropping it ends its thread.
#[derive(Debug)]
pub struct Loader {
    batches: Option<Receiver<Result<Batch, Error>>>,
    used: Sender<Batch>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    /// Starts to load. Up to `ahead` batches wait for their use.
    pub fn start(
        dataset: &Dataset,
        preprocess: &Preprocess,
        shape: Shape,
        augment: Option<&Augment>,
        ahead: usize,
        jobs: impl Iterator<Item = Job> + Send + 'static,
    ) -> Self {
        let (to_use, batches) = sync_channel(ahead.max(1));
        let (used, to_fill) = channel();
        let (dataset, preprocess, augment) = (dataset.clone(), preprocess.clone(), augment.cloned());
        let thread = std::thread::spawn(move || {
            load(&dataset, &preprocess, shape, augment.as_ref(), jobs, &to_use, &to_fill);
        });
        Self { batches: Some(batches), used, thread: Some(thread) }
    }

    /// Takes back a batch that is no longer needed.
    pub fn recycle(&self, batch: Batch) {
        // Nobody takes it once everything is loaded.
        let _ = self.used.send(batch);
    }
}

fn load(
    dataset: &Dataset,
    preprocess: &Preprocess,
    shape: Shape,
    augment: Option<&Augment>,
    jobs: impl Iterator<Item = Job>,
    to_use: &SyncSender<Result<Batch, Error>>,
    to_fill: &Receiver<Batch>,
) {
    for job in jobs {
        let mut batch = to_fill.try_recv().unwrap_or_default();
        let augment = augment.map(|a| (a, job.seed));
        let loaded = dataset.load_good(&job.images, preprocess, shape, augment, &mut batch.pixels).map(|faults| {
            batch.images.clear();
            batch.faults.clear();
            for (at, (&image, fault)) in job.images.iter().zip(faults).enumerate() {
                match fault {
                    Some(fault) => batch.faults.push(fault),
                    None => {
                        let to = batch.images.len() * shape.len();
                        batch.pixels.copy_within(at * shape.len()..(at + 1) * shape.len(), to);
                        batch.images.push(image);
                    }
                }
            }
            batch.pixels.truncate(batch.images.len() * shape.len());
            batch.labels.clear();
            batch.labels.extend(batch.images.iter().map(|&i| dataset.label(i)));
            batch
        });
        let failed = loaded.is_err();
        if to_use.send(loaded).is_err() || failed {
            return;
        }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.as_ref()?.recv().ok()
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // The thread ends at its next send.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
