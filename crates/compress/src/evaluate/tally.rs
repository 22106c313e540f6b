//! What is counted image by image, and what becomes of it: the figures of an evaluation.

use serde::{Deserialize, Serialize};
use synapress_peers::{Peers, gather_each};
use synapress_run::{Scores, log_probabilities};

use super::{Error, Evaluation, divergence, highest, rank};
use crate::data::Error as DataError;
use crate::statistics::wilson;

/// What is known of each of the images done so far, in their order. Means are made at the end, so that their bits do not
/// depend on who counted which images.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) ids: Vec<usize>,
    hits1: Vec<bool>,
    hits5: Vec<bool>,
    labels: Vec<usize>,
    highest: Vec<usize>,
    /// Bits of the cross-entropy of each image: as text they could not be told if they are no numbers.
    surprise: Vec<u64>,
    /// Bits of the divergence from the reference, and whether the highest score is the same, if there is a reference.
    divergence: Vec<u64>,
    agreed: Vec<bool>,
    /// Bits of the scores.
    scores: Vec<u32>,
    pub(super) skipped: Vec<String>,
    /// Where batches end: numbers of images, skipped ones and scores.
    ends: Vec<[usize; 3]>,
}

impl Tally {
    /// Counts one image; turns its scores into logarithms of probabilities.
    pub(super) fn add(
        &mut self,
        scores: &mut [f32],
        kind: Scores,
        label: usize,
        reference: Option<&[f32]>,
        keep: bool,
    ) {
        let rank = rank(scores, label);
        self.hits1.push(rank == Some(0));
        self.hits5.push(rank.is_some_and(|r| r < 5));
        self.labels.push(label);
        self.highest.push(highest(scores));
        log_probabilities(scores, kind);
        self.surprise.push((-f64::from(scores[label])).to_bits());
        if let Some(reference) = reference {
            self.divergence.push(divergence(reference, scores).to_bits());
            self.agreed.push(highest(reference) == highest(scores));
        }
        if keep {
            self.scores.extend(scores.iter().map(|s| s.to_bits()));
        }
    }

    /// Remembers where a batch ends.
    pub(super) fn end_batch(&mut self) {
        self.ends.push([self.ids.len(), self.skipped.len(), self.scores.len()]);
    }

    /// Appends the images of a batch of another tally.
    fn take(&mut self, from: &Self, batch: usize) {
        let start = if batch == 0 { [0; 3] } else { from.ends[batch - 1] };
        let [images, skipped, scores] = [0, 1, 2].map(|i| start[i]..from.ends[batch][i]);
        self.ids.extend_from_slice(&from.ids[images.clone()]);
        self.hits1.extend_from_slice(&from.hits1[images.clone()]);
        self.hits5.extend_from_slice(&from.hits5[images.clone()]);
        self.labels.extend_from_slice(&from.labels[images.clone()]);
        self.highest.extend_from_slice(&from.highest[images.clone()]);
        self.surprise.extend_from_slice(&from.surprise[images.clone()]);
        self.divergence.extend_from_slice(from.divergence.get(images.clone()).unwrap_or_default());
        self.agreed.extend_from_slice(from.agreed.get(images).unwrap_or_default());
        self.skipped.extend_from_slice(&from.skipped[skipped]);
        self.scores.extend_from_slice(&from.scores[scores]);
    }

    pub(super) fn finish(self, source: &str, seconds: f64) -> Evaluation {
        let images = self.ids.len();
        let count = |hits: &[bool]| hits.iter().filter(|&&h| h).count();
        let mean = |bits: &[u64]| bits.iter().map(|&b| f64::from_bits(b)).sum::<f64>() / images as f64;
        let (top1, top5) = (count(&self.hits1), count(&self.hits5));
        let percent = |hits: usize| 100.0 * hits as f64 / images as f64;
        let compared = !self.divergence.is_empty();
        Evaluation {
            images,
            top1: percent(top1),
            top5: percent(top5),
            top1_interval: wilson(top1, images).map(|v| 100.0 * v),
            top5_interval: wilson(top5, images).map(|v| 100.0 * v),
            cross_entropy: mean(&self.surprise),
            divergence: compared.then(|| mean(&self.divergence)),
            agreement: compared.then(|| percent(count(&self.agreed))),
            images_per_second: images as f64 / seconds,
            skipped: self.skipped,
            source: source.to_owned(),
            ids: self.ids,
            hits1: self.hits1,
            hits5: self.hits5,
            labels: self.labels,
            highest: self.highest,
            scores: self.scores.into_iter().map(f32::from_bits).collect(),
        }
    }
}

/// The tallies of all peers, to whom batches were dealt out in turn, as one who had done all would have it.
///
/// # Errors
/// When a peer says what cannot be understood: it is another version of the program.
pub(super) fn joined(own: &Tally, peers: &dyn Peers) -> Result<Tally, Error> {
    let fault = |e: serde_json::Error| DataError::Options(format!("another process said what is no tally: {e}"));
    let said = gather_each(peers, &serde_json::to_vec(own).map_err(fault)?);
    let all: Vec<Tally> =
        said.iter().map(|bytes| serde_json::from_slice(bytes)).collect::<Result<_, _>>().map_err(fault)?;
    let mut whole = Tally::default();
    let batches = all.iter().map(|tally| tally.ends.len()).sum();
    for batch in 0..batches {
        whole.take(&all[batch % all.len()], batch / all.len());
    }
    Ok(whole)
}
