//! Accuracy of anything that classifies images: top-1, top-5, their intervals, loss, speed; and the paired difference of
//! two. Which images, and how they are prepared, is [`crate::data`]'s affair.

mod classifiers;
mod compare;
mod integer;
mod scores;
mod tally;

use std::time::Instant;

use serde::Serialize;
use synapress_model::{Preprocess, Shape};
use synapress_peers::{Alone, Peers};
use synapress_run::Scores;

use crate::data::{Bad, Dataset, Error as DataError, Job, Loader};

pub use compare::{Difference, Paired, compare};
pub use integer::IntegerClassifier;
pub use scores::{divergence, highest, rank};
use tally::Tally;

/// Anything that gives class scores to images.
pub trait Classifier {
    /// Shape of the input image.
    fn input(&self) -> Shape;

    /// Number of classes.
    fn classes(&self) -> usize;

    /// The most images of one call.
    fn batch(&self) -> usize;

    /// What the scores are.
    fn kind(&self) -> Scores;

    /// Scores prepared images `(n, C, H, W)`, n from 1 to the batch; `out` becomes `(n, classes)`.
    ///
    /// # Errors
    /// When the network cannot be executed.
    fn scores(&mut self, images: &[f32], out: &mut Vec<f32>) -> Result<(), synapress_model::Error>;
}

/// A fault of the images or of the network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Images, lists, options.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network.
    #[error(transparent)]
    Model(#[from] synapress_model::Error),
}

/// How to evaluate.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// What to do with images that cannot be read.
    pub bad: Bad,
    /// Keep the scores of all images (as logarithms of probabilities).
    pub keep_scores: bool,
    /// Logarithms of probabilities `(images, classes)` that another network gave, by the number of the image in the
    /// data set, to measure the divergence from: the `scores` of its evaluation on the whole set.
    pub reference: Option<&'a [f32]>,
    /// Who shares the evaluation: peers call it together, with the same arguments, and each gets the figures of all images.
    pub peers: Option<&'a dyn Peers>,
    /// Called with the number of images done after each batch; with peers, of about all of them.
    pub progress: Option<&'a dyn Fn(usize)>,
}

/// Accuracy on a data set. As JSON it has what can be printed; what belongs to single images is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of images that were evaluated.
    pub images: usize,
    /// Percent of the images whose class has the highest score.
    pub top1: f64,
    /// Percent of the images whose class is among the five highest scores.
    pub top5: f64,
    /// 95% interval of `top1` (Wilson), in percent.
    pub top1_interval: [f64; 2],
    /// 95% interval of `top5` (Wilson), in percent.
    pub top5_interval: [f64; 2],
    /// Mean cross-entropy in nats.
    pub cross_entropy: f64,
    /// Mean Kullback-Leibler divergence of the scores from those of the reference, in nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<f64>,
    /// Percent of the images whose highest score is that of the reference, whatever their class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
    /// Images per second, decoding included.
    pub images_per_second: f64,
    /// What is wrong with the images that were left out, each with its name.
    pub skipped: Vec<String>,
    /// What was opened as data set.
    #[serde(skip)]
    pub source: String,
    /// Numbers of the images in the set that was opened, in the order of evaluation.
    #[serde(skip)]
    pub ids: Vec<usize>,
    /// For each image, whether its class has the highest score.
    #[serde(skip)]
    pub hits1: Vec<bool>,
    /// For each image, whether its class is among the five highest scores.
    #[serde(skip)]
    pub hits5: Vec<bool>,
    /// For each image its class.
    #[serde(skip)]
    pub labels: Vec<usize>,
    /// For each image the class that has the highest score.
    #[serde(skip)]
    pub highest: Vec<usize>,
    /// Logarithms of probabilities `(images, classes)`, if they were to be kept.
    #[serde(skip)]
    pub scores: Vec<f32>,
}

/// Evaluates a classifier on all images of a data set, loading ahead while it computes.
///
/// # Errors
/// When a label is beyond the classes of the network, when the options do not fit, when images cannot be read and are not
/// to be skipped (all of them are then looked for and named), or when the network cannot be executed.
pub fn evaluate(
    classifier: &mut dyn Classifier,
    dataset: &Dataset,
    preprocess: &Preprocess,
    options: &Options,
) -> Result<Evaluation, Error> {
    let (classes, batch) = (classifier.classes(), classifier.batch().max(1));
    dataset.check_labels(classes)?;
    if options.reference.is_some_and(|r| r.len() != dataset.len() * classes) {
        let message = format!("the reference has not {classes} scores for each of {} images", dataset.len());
        return Err(DataError::Options(message).into());
    }
    let start = Instant::now();
    let count = dataset.len();
    let peers = options.peers.unwrap_or(&Alone);
    // Whole batches are dealt out, for the bits of scores may depend on what else is in a batch.
    let (rank, deal) = (peers.rank(), peers.count());
    let jobs = (0..count).step_by(batch).skip(rank).step_by(deal);
    let jobs = jobs.map(move |from| Job { images: (from..count.min(from + batch)).collect(), seed: 0 });
    let mut loader = Loader::start(dataset, preprocess, classifier.input(), None, 2, jobs);
    let mut tally = Tally::default();
    let (mut scores, mut skipped, mut done) = (Vec::new(), Vec::new(), 0);
    while let Some(loaded) = loader.next() {
        let loaded = loaded?;
        if !loaded.faults.is_empty() && options.bad == Bad::Refuse {
            drop(loader);
            // Nobody wants to mend a list one image at a time.
            dataset.check(Bad::Refuse)?;
            return Err(DataError::Image(loaded.faults[0].clone()).into());
        }
        done += loaded.images.len() + loaded.faults.len();
        skipped.extend(loaded.faults.iter().cloned());
        if !loaded.images.is_empty() {
            classifier.scores(&loaded.pixels, &mut scores)?;
            let kind = classifier.kind();
            for ((row, &label), &image) in scores.chunks_exact_mut(classes).zip(&loaded.labels).zip(&loaded.images) {
                let reference = options.reference.map(|r| &r[image * classes..(image + 1) * classes]);
                tally.add(row, kind, label, reference, options.keep_scores);
                tally.ids.push(dataset.id(image));
            }
        }
        tally.skipped.extend(loaded.faults.iter().map(ToString::to_string));
        tally.end_batch();
        loader.recycle(loaded);
        if let Some(progress) = options.progress {
            progress((done * deal).min(count));
        }
    }
    let tally = if deal > 1 { tally::joined(&tally, peers)? } else { tally };
    if tally.ids.is_empty() {
        return Err(DataError::Images { faults: skipped, images: count }.into());
    }
    let seconds = start.elapsed().as_secs_f64().max(1e-9);
    Ok(tally.finish(dataset.source(), seconds))
}

#[cfg(test)]
mod tests;
