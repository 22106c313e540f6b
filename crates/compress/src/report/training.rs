//! How a training went: loss and accuracy over its steps.

use serde::{Deserialize, Serialize};

/// Curves of a training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Training {
    /// Steps in all.
    pub steps: usize,
    /// Images of a step.
    pub batch: usize,
    /// The last steps of the runs of steps that `losses` are of.
    pub loss_steps: Vec<usize>,
    /// The mean loss of each run of steps, in nats.
    pub losses: Vec<f64>,
    /// Images that it was evaluated on.
    pub test_images: usize,
    /// The evaluations.
    pub tests: Vec<Test>,
}

/// One evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// Steps done by then.
    pub step: usize,
    /// Top-1 accuracy in percent.
    pub top1: f64,
    /// 95% interval of it (Wilson), in percent.
    pub top1_interval: [f64; 2],
    /// Top-5 accuracy in percent.
    pub top5: f64,
    /// Mean cross-entropy in nats.
    pub loss: f64,
}

/// Points of a curve of losses at most.
const MOST_POINTS: usize = 240;

impl Training {
    /// Of the loss of each step after `start`, and evaluations on so many images.
    pub fn of(start: usize, losses: &[f64], tests: Vec<Test>, test_images: usize, batch: usize) -> Self {
        let run = losses.len().div_ceil(MOST_POINTS).max(1);
        let steps = start + losses.len();
        let mean = |run: &[f64]| run.iter().sum::<f64>() / run.len() as f64;
        Self {
            steps,
            batch,
            loss_steps: (1..=losses.len().div_ceil(run)).map(|end| (start + end * run).min(steps)).collect(),
            losses: losses.chunks(run).map(mean).collect(),
            test_images,
            tests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_are_means_over_runs_of_steps() {
        let losses: Vec<f64> = (1..=601).map(f64::from).collect();
        let curve = Training::of(0, &losses, Vec::new(), 0, 16);
        assert_eq!((curve.steps, curve.losses.len(), curve.loss_steps.len()), (601, 201, 201));
        assert_eq!((curve.losses[0], curve.loss_steps[0]), (2.0, 3));
        assert_eq!((curve.losses[200], curve.loss_steps[200]), (601.0, 601));
        let short = Training::of(10, &[4.0, 2.0], Vec::new(), 0, 16);
        assert_eq!((short.loss_steps, short.losses), (vec![11, 12], vec![4.0, 2.0]));
        assert_eq!(Training::of(0, &[], Vec::new(), 0, 1).losses.len(), 0);
    }
}
