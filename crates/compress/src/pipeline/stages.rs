//! The stages of a job: pruning in rounds with re-solve and retraining, grouping with trained centroids.

use synapress_model::Net;

use super::{Error, Job};
use crate::prune::{self, Ratios, Target, resolve};
use crate::{group, train};

/// Which weights fall.
#[derive(Clone, Debug, PartialEq)]
pub enum Threshold {
    /// As many as give this sparsity, by one ratio times the standard deviation of each layer.
    Sparsity(Target),
    /// Those below the layers' ratios times their standard deviations.
    Ratios(Ratios),
}

/// How a network is pruned.
#[derive(Clone, Debug, PartialEq)]
pub struct Prune {
    /// Which weights fall.
    pub threshold: Threshold,
    /// Rounds over which the sparsity rises to its target, each with its re-solve and retraining.
    pub rounds: usize,
    /// Calibration images that survivors are re-solved with after each round; 0 leaves them as they are.
    pub images: usize,
    /// How they are re-solved.
    pub resolve: resolve::Options,
    /// How the network is retrained after each round but the last.
    pub retrain: train::Options,
    /// How it is retrained after the last round.
    pub last: train::Options,
}

/// How a network is grouped.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Index widths and starts of centroids.
    pub options: group::Options,
    /// How centroids are trained.
    pub retrain: train::Options,
}

impl Job<'_> {
    /// Prunes a network in rounds. `float` is the unpruned network: what survivors are re-solved towards, and the
    /// teacher of retraining unless that is from labels.
    ///
    /// # Errors
    /// Those of the steps, and [`Error::Stopped`].
    pub fn prune(&mut self, net: &Net, float: &Net, from_labels: bool, settings: &Prune) -> Result<Net, Error> {
        let target = match &settings.threshold {
            Threshold::Sparsity(target) => target.clone(),
            Threshold::Ratios(ratios) => reached(net, ratios)?,
        };
        let teacher = (!from_labels).then_some(float);
        let rounds = settings.rounds.max(1);
        let shape = net.graph.shape(net.graph.input()?);
        let mut at = net.clone();
        let work = self.work;
        for round in 1..=rounds {
            let share = prune::ramp::level(1.0, round, rounds);
            let name = format!("prune-{round}");
            let solved = work.stage(&format!("{name}-solved"), || {
                let ratios = match &settings.threshold {
                    Threshold::Ratios(ratios) if rounds == 1 => ratios.clone(),
                    _ => prune::ratios_for(&at, &scaled(&target, share))?,
                };
                let pruned = prune::apply(&at, &ratios)?;
                if settings.images == 0 {
                    return Ok(pruned);
                }
                let images = self.images(settings.images, shape)?;
                let (all, mut done, mut go_on) = (net.synaptic().len(), 0, true);
                let doing = format!("re-solving {name}");
                let resolved = resolve::resolve(float, &pruned, &images, &settings.resolve, &mut |layer| {
                    done += 1;
                    go_on &= self.tell(&doing, done, all, format!("layers, {}", layer.name)).is_ok();
                })?;
                if go_on { Ok(resolved.net) } else { Err(Error::Stopped) }
            })?;
            let options = if round == rounds { &settings.last } else { &settings.retrain };
            at = work.stage(&name, || self.retrain(&name, &solved, teacher, true, options))?;
        }
        at.about.history.push(format!("prune to {:.2}% zeros in {rounds} rounds", 100.0 * prune::sparsity(&at)));
        Ok(at)
    }

    /// Groups a network's weights and trains the centroids.
    ///
    /// # Errors
    /// Those of the steps, and [`Error::Stopped`].
    pub fn group(&mut self, net: &Net, teacher: Option<&Net>, settings: &Group) -> Result<Net, Error> {
        let work = self.work;
        self.tell("grouping", 0, 1, "")?;
        let grouped = work.stage("group-start", || Ok(group::group(net, &settings.options)?))?;
        self.tell("grouping", 1, 1, "")?;
        let mut at = work.stage("group", || self.retrain("group", &grouped, teacher, true, &settings.retrain))?;
        if let Some(widths) = group::widths(&at) {
            at.about.history.push(format!("group to {:.2} bits an index (mean over layers)", widths.mean));
        }
        Ok(at)
    }
}

/// The sparsities that ratios reach on a network.
fn reached(net: &Net, ratios: &Ratios) -> Result<Target, Error> {
    let pruned = prune::apply(net, ratios)?;
    let layers = pruned
        .synaptic()
        .into_iter()
        .filter_map(|id| {
            let weights = pruned.weights[id].as_ref()?;
            let name = pruned.graph.node(id).name.clone();
            Some((name, weights.zeros() as f64 / weights.len().max(1) as f64))
        })
        .collect();
    Ok(Target { sparsity: prune::sparsity(&pruned), layers, ..Target::default() })
}

fn scaled(target: &Target, share: f64) -> Target {
    Target {
        sparsity: target.sparsity * share,
        layers: target.layers.iter().map(|(name, s)| (name.clone(), s * share)).collect(),
        exclude: target.exclude.clone(),
    }
}
