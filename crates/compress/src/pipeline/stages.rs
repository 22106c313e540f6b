//! The stages of a job: pruning in rounds with re-solve and retraining, grouping with trained centroids.

use synapress_model::Net;

use super::{Error, Job, Judge};
use crate::correct::correct;
use crate::group;
use crate::prune::{self, Pattern, Ratios, Target, resolve};
use crate::recipe::{Correct, Fit, Group, Prune, Retrain, Sensitivity};

/// Which weights fall in a round.
enum Fall {
    /// As many as give this sparsity, by one ratio times the standard deviation of each layer.
    Sparsity(Target),
    /// Those below the layers' ratios times their standard deviations.
    Ratios(Ratios),
}

impl Job<'_> {
    /// Prunes a network, level by level of the sparsities asked for, each in rounds of its own; returns a network for
    /// each level. `float` is the unpruned network: what survivors are re-solved towards, and the teacher. `retrain`
    /// is for rounds but the last, and for the last.
    ///
    /// # Errors
    /// Those of the steps, and [`Error::Stopped`].
    pub fn prune(
        &mut self,
        net: &Net,
        float: &Net,
        settings: &Prune,
        retrain: &[Retrain; 2],
    ) -> Result<Vec<Net>, Error> {
        if let Some(search) = &settings.search {
            let (exclude, pattern) = (settings.exclude.clone(), settings.pattern);
            let options = prune::search::Options { exclude, pattern, ..search.clone() };
            return Ok(vec![self.prune_by_search(net, float, &options, &retrain[1])?]);
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
        let rounds = settings.rounds.max(1);
        let (mut at, mut before, mut levels) = (net.clone(), Target::default(), Vec::new());
        for (level, target) in targets.iter().enumerate() {
            for round in 1..=rounds {
                let share = prune::ramp::level(1.0, round, rounds);
                let fall = match &ratios {
                    Some(ratios) if rounds == 1 => Fall::Ratios(ratios.clone()),
                    _ => Fall::Sparsity(between(&before, target, share)),
                };
                let name =
                    if targets.len() > 1 { format!("prune-{}-{round}", level + 1) } else { format!("prune-{round}") };
                at = self.round(&name, &at, float, &fall, settings, retrain, round == rounds)?;
            }
            before = target.clone();
            let mut net = at.clone();
            net.about.history.push(format!("prune to {:.2}% zeros", 100.0 * prune::sparsity(&net)));
            levels.push(net);
        }
        Ok(levels)
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

    fn round(
        &mut self,
        name: &str,
        at: &Net,
        float: &Net,
        fall: &Fall,
        settings: &Prune,
        retrain: &[Retrain; 2],
        last: bool,
    ) -> Result<Net, Error> {
        let work = self.work;
        let solved = work.stage(&format!("{name}-solved"), || {
            let ratios = match fall {
                Fall::Ratios(ratios) => ratios.clone(),
                Fall::Sparsity(target) => prune::ratios_for(at, target)?,
            };
            let pruned = prune::apply_pattern(at, &ratios, settings.pattern)?;
            let solved = match &settings.resolve {
                None => pruned,
                Some(resolve) => {
                    let options = resolve::Options { pattern: settings.pattern, ..resolve.into() };
                    self.resolve(name, float, &pruned, resolve.images, &options)?
                }
            };
            self.correct(&solved, float, settings.correct.as_ref())
        })?;
        work.stage(name, || {
            let rebuilt = match &settings.blocks {
                Some(blocks) if last => self.rebuild(name, &solved, float, None, blocks)?,
                _ => solved,
            };
            self.retrain(name, &rebuilt, float, true, None, &retrain[usize::from(last)])
        })
    }

    /// Re-solves the survivors of a pruned network.
    ///
    /// # Errors
    /// As [`resolve::resolve`].
    pub fn resolve(
        &mut self,
        name: &str,
        float: &Net,
        pruned: &Net,
        images: usize,
        options: &resolve::Options,
    ) -> Result<Net, Error> {
        let (images, _) = self.images(images, pruned.graph.shape(pruned.graph.input()?))?;
        let doing = format!("re-solving {name}");
        let mut told = self.layers_told(&doing, pruned.synaptic().len());
        let resolved = resolve::resolve(float, pruned, &images, options, &mut |layer| told(&layer.name))?;
        Ok(resolved.net)
    }

    /// Groups a network's weights, with index widths given or searched, and trains the centroids. `float` is the
    /// teacher, `name` what the stage is kept as. `widths` are those that convolution and fully connected weights are to
    /// be quantized with, if centroids are to be fitted with these in mind.
    ///
    /// # Errors
    /// Those of the steps, and [`Error::Stopped`].
    pub fn group(
        &mut self,
        name: &str,
        net: &Net,
        float: &Net,
        settings: &Group,
        widths: Option<[u8; 2]>,
        retrain: &Retrain,
    ) -> Result<Net, Error> {
        let work = self.work;
        let grouped = work.stage(&format!("{name}-start"), || {
            let options = group::Options::from(settings);
            if let Some(fit) = &settings.fit {
                return self.fit_groups(net, float, &options, fit, widths);
            }
            let Some(search) = &settings.search else {
                self.tell("grouping", 0, 1, "")?;
                return self.correct(&group::group(net, &options)?, float, settings.correct.as_ref());
            };
            let mut judge = Judge::new(self, net)?;
            let found = group::search::search(net, &options, search, &mut |net| judge.top1(net), &mut |t| {
                let [place, all] = t.layer;
                let remark = format!("layers, {} at {} bits: {:+.2} points", t.name, t.bits, -t.loss);
                self.tell("searching index widths", place, all, remark)
            })?;
            self.correct(&found.net, float, settings.correct.as_ref())
        })?;
        let mut at = work.stage(name, || {
            let rebuilt = match &settings.blocks {
                // With codes as centroids, blocks are rebuilt through the integers.
                Some(blocks) if widths.is_none() => self.rebuild(name, &grouped, float, None, blocks)?,
                _ => grouped,
            };
            self.retrain(name, &rebuilt, float, true, None, retrain)
        })?;
        if let Some(widths) = group::widths(&at) {
            at.about.history.push(format!("group to {:.2} bits an index (mean over layers)", widths.mean));
        }
        Ok(at)
    }
}

impl Job<'_> {
    /// Brings the statistics of layer outputs back to the float network's, if that is asked for.
    fn correct(&mut self, net: &Net, float: &Net, settings: Option<&Correct>) -> Result<Net, Error> {
        let Some(settings) = settings else { return Ok(net.clone()) };
        let (images, _) = self.images(settings.images, net.graph.shape(net.graph.input()?))?;
        let mut told = self.layers_told("correcting statistics", net.synaptic().len());
        Ok(correct(float, net, &images, &mut told)?)
    }

    fn fit_groups(
        &mut self,
        net: &Net,
        float: &Net,
        options: &group::Options,
        fit: &Fit,
        widths: Option<[u8; 2]>,
    ) -> Result<Net, Error> {
        let (images, _) = self.images(fit.images, net.graph.shape(net.graph.input()?))?;
        let how = group::fit::Fit { look: fit.into(), widths, price: fit.price };
        let mut told = self.layers_told("fitting groups", net.synaptic().len());
        Ok(group::fit::fit(float, net, &images, options, &how, &mut |layer| {
            let remark = layer.error.map_or(String::new(), |e| format!(": {:.3}% error", 100.0 * e));
            told(&format!("{}{remark}", layer.name));
        })?)
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
            Some((name, weights.zeros() as f64 / weights.len().max(1) as f64))
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
