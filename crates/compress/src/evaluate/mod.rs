//! Accuracy of anything that classifies images: top-1, top-5, their intervals, loss, speed; and the paired difference of
//! two. Which images, and how they are prepared, is [`crate::data`]'s affair.

mod classifiers;
mod compare;
mod integer;
mod scores;

use std::time::Instant;

use serde::Serialize;
use synapress_model::{Preprocess, Shape};
use synapress_run::{Scores, log_probabilities};

use crate::data::{Bad, Dataset, Error as DataError, Job, Loader};
use crate::statistics::wilson;

pub use compare::{Difference, Paired, compare};
pub use integer::IntegerClassifier;
pub use scores::{divergence, highest, rank};

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
    /// Called with the number of images done after each batch.
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
    let jobs =
        (0..count).step_by(batch).map(move |from| Job { images: (from..count.min(from + batch)).collect(), seed: 0 });
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
        loader.recycle(loaded);
        if let Some(progress) = options.progress {
            progress(done);
        }
    }
    if tally.ids.is_empty() {
        return Err(DataError::Images { faults: skipped, images: count }.into());
    }
    let seconds = start.elapsed().as_secs_f64().max(1e-9);
    Ok(tally.finish(dataset.source(), skipped.iter().map(ToString::to_string).collect(), seconds))
}

/// Sums over the images done so far.
#[derive(Default)]
struct Tally {
    ids: Vec<usize>,
    hits1: Vec<bool>,
    hits5: Vec<bool>,
    labels: Vec<usize>,
    highest: Vec<usize>,
    cross_entropy: f64,
    divergence: Option<f64>,
    agreed: Option<usize>,
    scores: Vec<f32>,
}

impl Tally {
    /// Counts one image; turns its scores into logarithms of probabilities.
    fn add(&mut self, scores: &mut [f32], kind: Scores, label: usize, reference: Option<&[f32]>, keep: bool) {
        let rank = rank(scores, label);
        self.hits1.push(rank == Some(0));
        self.hits5.push(rank.is_some_and(|r| r < 5));
        self.labels.push(label);
        self.highest.push(highest(scores));
        log_probabilities(scores, kind);
        self.cross_entropy -= f64::from(scores[label]);
        if let Some(reference) = reference {
            *self.divergence.get_or_insert(0.0) += divergence(reference, scores);
            *self.agreed.get_or_insert(0) += usize::from(highest(reference) == highest(scores));
        }
        if keep {
            self.scores.extend_from_slice(scores);
        }
    }

    fn finish(self, source: &str, skipped: Vec<String>, seconds: f64) -> Evaluation {
        let images = self.ids.len();
        let count = |hits: &[bool]| hits.iter().filter(|&&h| h).count();
        let (top1, top5) = (count(&self.hits1), count(&self.hits5));
        let percent = |hits: usize| 100.0 * hits as f64 / images as f64;
        Evaluation {
            images,
            top1: percent(top1),
            top5: percent(top5),
            top1_interval: wilson(top1, images).map(|v| 100.0 * v),
            top5_interval: wilson(top5, images).map(|v| 100.0 * v),
            cross_entropy: self.cross_entropy / images as f64,
            divergence: self.divergence.map(|d| d / images as f64),
            agreement: self.agreed.map(percent),
            images_per_second: images as f64 / seconds,
            skipped,
            source: source.to_owned(),
            ids: self.ids,
            hits1: self.hits1,
            hits5: self.hits5,
            labels: self.labels,
            highest: self.highest,
            scores: self.scores,
        }
    }
}

#[cfg(test)]
mod tests;
