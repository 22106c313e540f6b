//! Iterative pruning: round by round thresholds rise, survivors are re-solved, and the network is retrained with its
//! zeros held, until the sparsity is reached or the budget of accuracy is spent. What each round did is written down.

use synapress_model::Net;

use super::{Error, Job};
use crate::data::Dataset;
use crate::prune::search::held;
use crate::prune::{self, Pattern, Ratios, Target, resolve};
use crate::recipe::{Prune, Retrain, Sensitivity};
use crate::report::{Round, RoundLayer, Rounds};

/// Which weights fall in a round.
enum Fall {
    /// As many as give this sparsity, by one ratio times the standard deviation of each layer.
    Sparsity(Target),
    /// Those below the layers' ratios times their standard deviations.
    Ratios(Ratios),
}

/// What pruning came to.
#[derive(Clone, Debug, Default)]
pub struct Pruned {
    /// A network for each level of sparsity that was reached, or where the budget ended it.
    pub levels: Vec<Net>,
    /// What each round did.
    pub rounds: Rounds,
}

impl Job<'_> {
    /// Prunes a network, level by level of the sparsities asked for, each in rounds of its own. `float` is the unpruned
    /// network: what survivors are re-solved towards, and the teacher. `retrain` is for rounds but the last, and for the
    /// last. With images to judge by, accuracy is measured on them before and after each retraining. A round that loses
    /// more than [`Prune::max_drop`] on them is undone and is the last one.
    ///
    /// # Errors
    /// Those of the steps, [`Error::Settings`] for a budget without images to judge by, and [`Error::Stopped`].
    pub fn prune(
        &mut self,
        net: &Net,
        float: &Net,
        settings: &Prune,
        retrain: &[Retrain; 2],
        judged: Option<&Dataset>,
    ) -> Result<Pruned, Error> {
        if let Some(search) = &settings.search {
            let (exclude, pattern) = (settings.exclude.clone(), settings.pattern);
            let options = prune::search::Options { exclude, pattern, ..search.clone() };
            return self.prune_by_search(net, float, &options, &retrain[1]);
        }
        if settings.max_drop.is_some() && judged.is_none() {
            return Err(Error::Settings("a budget of accuracy needs images to measure it on".to_owned()));
        }
        let mut targets = settings.targets();
        if let Some(sensitivity) = &settings.sensitivity {
            self.spread(net, sensitivity, settings.pattern, &mut targets)?;
        }
        let mut ratios = None;
        if let Some(ratio) = settings.ratio {
            let all = ratios_of(net, ratio, settings);
            targets = vec![reached(net, &all, settings.pattern)?];
            ratios = Some(all);
        }
        let mut pruned = Pruned { rounds: self.rounds_on(net, settings, judged)?, ..Pruned::default() };
        let rounds = settings.rounds.max(1);
        let (mut at, mut before) = (net.clone(), Target::default());
        for (level, target) in targets.iter().enumerate() {
            let mut spent = false;
            for round in 1..=rounds {
                let share = prune::ramp::level(1.0, round, rounds);
                let fall = match &ratios {
                    Some(ratios) if rounds == 1 => Fall::Ratios(ratios.clone()),
                    _ => Fall::Sparsity(between(&before, target, share)),
                };
                let name = if targets.len() > 1 { format!("{}-{round}", level + 1) } else { round.to_string() };
                let (next, mut told) =
                    self.round(&name, &at, float, &fall, settings, retrain, round == rounds, judged)?;
                let lost = pruned.rounds.baseline.zip(told.top1).map(|(baseline, top1)| baseline - top1);
                told.undone = settings.max_drop.zip(lost).is_some_and(|(most, lost)| lost > most);
                spent = told.undone;
                pruned.rounds.rounds.push(told);
                if spent {
                    break;
                }
                at = next;
            }
            before = target.clone();
            let mut net = at.clone();
            net.about.history.push(format!("prune to {:.2}% zeros", 100.0 * prune::sparsity(&net)));
            pruned.levels.push(net);
            if spent {
                break;
            }
        }
        Ok(pruned)
    }

    fn rounds_on(&mut self, net: &Net, settings: &Prune, judged: Option<&Dataset>) -> Result<Rounds, Error> {
        let Some(set) = judged else { return Ok(Rounds::default()) };
        let baseline = Some(self.measure("prune-before", net, set)?.top1);
        let (images, source) = (set.len(), set.source().to_owned());
        Ok(Rounds { images, source, baseline, budget: settings.max_drop, rounds: Vec::new() })
    }

    /// Spreads the sparsities of targets over layers by what each can bear. Layers that are set apart keep what the
    /// target says of them.
    fn spread(
        &mut self,
        net: &Net,
        settings: &Sensitivity,
        pattern: Pattern,
        targets: &mut [Target],
    ) -> Result<(), Error> {
        let options = prune::sensitivity::Options { pattern, ..settings.into() };
        let measured: prune::sensitivity::Sensitivity = self.work.value("sensitivity", || {
            let (images, _) = self.images(settings.images, net.graph.shape(net.graph.input()?))?;
            let mut told = self.layers_told("measuring sensitivity", net.synaptic().len());
            Ok(prune::sensitivity::measure(net, &images, &options, &mut |curve| told(&curve.name))?)
        })?;
        for target in targets {
            let spread = measured.target(target.sparsity)?;
            for (name, sparsity) in spread.layers {
                if !target.exclude.contains(&name) {
                    target.layers.entry(name).or_insert(sparsity);
                }
            }
        }
        Ok(())
    }

    /// One round: the network after it, and what it did. Zeros stay zero unless the re-solve chooses them anew.
    fn round(
        &mut self,
        number: &str,
        at: &Net,
        float: &Net,
        fall: &Fall,
        settings: &Prune,
        retrain: &[Retrain; 2],
        last: bool,
        judged: Option<&Dataset>,
    ) -> Result<(Net, Round), Error> {
        let (work, name) = (self.work, format!("prune-{number}"));
        let ratios = match fall {
            Fall::Ratios(ratios) => ratios.clone(),
            Fall::Sparsity(target) => prune::ratios_for(at, target)?,
        };
        let solved = work.stage(&format!("{name}-solved"), || {
            let pruned = prune::apply_pattern(at, &ratios, settings.pattern)?;
            let solved = match &settings.resolve {
                None => pruned,
                Some(resolve) => {
                    let options = resolve::Options { pattern: settings.pattern, ..resolve.into() };
                    self.resolve(&name, float, &pruned, resolve.images, &options)?
                }
            };
            self.correct(&solved, float, settings.correct.as_ref())
        })?;
        let trained = work.stage(&name, || {
            let rebuilt = match &settings.blocks {
                Some(blocks) if last => self.rebuild(&name, &solved, float, None, blocks)?,
                _ => solved.clone(),
            };
            self.retrain(&name, &rebuilt, float, true, None, &retrain[usize::from(last)])
        })?;
        if settings.resolve.as_ref().is_none_or(|r| r.choose == 0) {
            held(at, &trained)?;
        }
        let mut told = told(number, at, &trained, &ratios);
        if let Some(set) = judged {
            told.top1_before = Some(self.measure(&format!("{name}-solved"), &solved, set)?.top1);
            told.top1 = Some(self.measure(&name, &trained, set)?.top1);
        }
        Ok((trained, told))
    }
}

/// What a round did, but for its accuracy: `at` is the network before it.
pub(super) fn told(name: &str, at: &Net, after: &Net, ratios: &Ratios) -> Round {
    let layer = |id: usize| {
        let name = &at.graph.node(id).name;
        let (before, weights) = (at.weights[id].as_ref()?, after.weights[id].as_ref()?);
        let ratio = *ratios.get(name)?;
        Some(RoundLayer {
            name: name.clone(),
            ratio,
            threshold: prune::threshold(&before.values(), ratio),
            sparsity: 100.0 * weights.sparsity(),
        })
    };
    Round {
        name: name.to_owned(),
        sparsity: 100.0 * prune::sparsity(after),
        top1_before: None,
        top1: None,
        undone: false,
        layers: at.synaptic().into_iter().filter_map(layer).collect(),
    }
}

/// The ratio of every layer: its own, or the one for all.
fn ratios_of(net: &Net, ratio: f64, settings: &Prune) -> Ratios {
    let mut ratios = settings.layers.clone();
    for id in net.synaptic() {
        let name = &net.graph.node(id).name;
        if !settings.exclude.contains(name) {
            ratios.entry(name.clone()).or_insert(ratio);
        }
    }
    ratios
}

/// The sparsities that ratios reach on a network.
fn reached(net: &Net, ratios: &Ratios, pattern: Pattern) -> Result<Target, Error> {
    let pruned = prune::apply_pattern(net, ratios, pattern)?;
    let layers = pruned
        .synaptic()
        .into_iter()
        .filter_map(|id| {
            let weights = pruned.weights[id].as_ref()?;
            let name = pruned.graph.node(id).name.clone();
            Some((name, weights.sparsity()))
        })
        .collect();
    Ok(Target { sparsity: prune::sparsity(&pruned), layers, pattern, ..Target::default() })
}

/// What lies between two targets.
fn between(from: &Target, to: &Target, share: f64) -> Target {
    let mix = |a: f64, b: f64| a + (b - a) * share;
    let before = |name: &String| from.layers.get(name).copied().unwrap_or(0.0);
    Target {
        sparsity: mix(from.sparsity, to.sparsity),
        layers: to.layers.iter().map(|(name, &s)| (name.clone(), mix(before(name), s))).collect(),
        ..to.clone()
    }
}
