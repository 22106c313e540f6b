//! Compression by a budget: a recipe is made that the loss of accuracy is to stay within, carried out, checked as a
//! whole, and made gentler as long as the loss is beyond.

use synapress_model::Net;

use super::{Error, Job, Judge, Outcome};
use crate::data::Dataset;
use crate::prune::{self, resolve};
use crate::recipe::{Calibration, Group, Levels, Prune, Quantize, Recipe, Resolve, Retrain, Widths};
use crate::{group, report};

/// What a compression by a budget may lose, and how it retrains.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Points of top-1 on the validation images.
    pub points: f64,
    /// How networks are retrained after pruning.
    pub retrain: Retrain,
}

/// Sparsities that are tried, ascending.
const SPARSITIES: [f64; 12] = [0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.67, 0.75, 0.8, 0.85, 0.9, 0.95];

/// How often a recipe is made gentler before nothing is left to give up.
const ATTEMPTS: usize = 4;

impl Job<'_> {
    /// Compresses a network such that top-1 on `validation` falls by no more than the budget. Returns the first
    /// outcome that does, or else the last and gentlest one: its report says what it loses.
    ///
    /// The sparsity is the highest one whose pruned and re-solved network, not yet retrained, stays within the budget
    /// on calibration images that it was not re-solved with. Index and bit widths are searched with a third of the
    /// budget each. The joint result decides; each further attempt takes the next lower sparsity and half the
    /// tolerances.
    ///
    /// # Errors
    /// As [`Job::compress`].
    pub fn compress_within(&mut self, net: &Net, validation: &Dataset, budget: &Budget) -> Result<Outcome, Error> {
        net.verify()?;
        let highest: usize = self.work.value("budget", || self.highest(net, budget.points))?;
        let mut attempt = 0;
        loop {
            let gentlest = attempt + 1 == ATTEMPTS;
            let level = if gentlest { 0 } else { highest.saturating_sub(attempt) };
            let recipe = recipe(budget, SPARSITIES[level], attempt, gentlest);
            let work = self.work.part(&format!("attempt-{}", attempt + 1))?;
            let mut job = Job { work: &work, watch: &mut *self.watch, ..*self };
            let outcome = job.compress(net, validation, &recipe)?;
            let lost = outcome.report.rows.last().and_then(|row| row.loss_of_top1).map_or(0.0, |l| l.points);
            if lost <= budget.points || gentlest {
                return Ok(outcome);
            }
            self.tell("budget", attempt + 1, ATTEMPTS, format!("attempts, {lost:.2} points are too much"))?;
            attempt += 1;
        }
    }

    /// The place of the highest sparsity that stays within the budget before retraining.
    fn highest(&mut self, net: &Net, points: f64) -> Result<usize, Error> {
        // One image in four judges, the others are re-solved with.
        let (judges, others): (Vec<usize>, Vec<usize>) = (0..self.calibration.len()).partition(|i| i % 4 == 0);
        let (judges, others) = (self.calibration.select(&judges), self.calibration.select(&others));
        if others.is_empty() {
            return Err(Error::Settings("a budget needs more than one calibration image".to_owned()));
        }
        let mut judge = Judge::new(&Job { calibration: &judges, watch: &mut *self.watch, ..*self }, net)?;
        let before = judge.top1(net)?;
        let (mut low, mut high) = (0, SPARSITIES.len() - 1);
        while low < high {
            let at = (low + high).div_ceil(2);
            let name = format!("{:.0}% zeros", 100.0 * SPARSITIES[at]);
            let pruned = prune::apply(net, &prune::ratios_for(net, &SPARSITIES[at].into())?)?;
            let mut job = Job { calibration: &others, watch: &mut *self.watch, ..*self };
            let solved = job.resolve(&name, net, &pruned, 256, &resolve::Options::default())?;
            let lost = before - judge.top1(&solved)?;
            self.tell("searching the sparsity", at, SPARSITIES.len(), format!("levels, {name}: {:+.2} points", -lost))?;
            if lost <= points.max(0.0) { low = at } else { high = at - 1 }
        }
        Ok(low)
    }
}

/// The recipe of an attempt.
fn recipe(budget: &Budget, sparsity: f64, attempt: usize, gentlest: bool) -> Recipe {
    let tolerance = budget.points.max(0.0) / 3.0 / f64::from(1u32 << attempt);
    let group = match gentlest {
        true => Group { bits: Some(12), ..Group::default() },
        false => Group { search: Some(group::search::Search { tolerance, ..Default::default() }), ..Group::default() },
    };
    let wide = gentlest.then_some(16);
    Recipe {
        name: format!("at most {} points of top-1", budget.points),
        rows: vec![
            report::Stage::Pruned,
            report::Stage::PrunedGrouped,
            report::Stage::PrunedQuantized,
            report::Stage::All,
        ],
        calibration: Calibration { images: None, augment: true },
        prune: Some(Prune {
            sparsity: Some(Levels::One(sparsity)),
            rounds: if sparsity > 0.0 { 3 } else { 1 },
            resolve: (sparsity > 0.0).then(Resolve::default),
            ..Prune::default()
        }),
        group: Some(Group {
            retrain: Retrain {
                learning_rate: budget.retrain.learning_rate.map(|rate| rate * 0.1),
                ..Retrain::default()
            },
            ..group
        }),
        quantize: Some(Quantize {
            conv_bits: wide,
            fc_bits: wide,
            output_bits: wide,
            search: (!gentlest).then_some(Widths { min: 4, max: 16, tolerance }),
            ..Quantize::default()
        }),
        retrain: if sparsity > 0.0 {
            budget.retrain.clone()
        } else {
            Retrain { steps: Some(0), ..budget.retrain.clone() }
        },
        ..Recipe::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_is_a_sound_recipe_and_gentler_than_the_one_before() {
        let budget = Budget { points: 1.5, retrain: Retrain { learning_rate: Some(0.01), ..Retrain::default() } };
        let mut before = f64::INFINITY;
        for attempt in 0..ATTEMPTS {
            let recipe = recipe(&budget, SPARSITIES[5], attempt, attempt + 1 == ATTEMPTS);
            let text = toml::to_string(&recipe).unwrap();
            assert_eq!(Recipe::parse(&text, "attempt").unwrap(), recipe);
            let tolerance = recipe.group.unwrap().search.map_or(0.0, |s| s.tolerance);
            assert!(tolerance < before);
            before = tolerance;
        }
    }
}
