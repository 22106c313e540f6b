//! The stages of a job but pruning's [rounds](super::rounds): re-solve, and grouping with trained centroids.

use synapress_model::Net;

use super::{Error, Job, Judge};
use crate::correct::correct;
use crate::group;
use crate::prune::resolve;
use crate::recipe::{Correct, Fit, Group, Retrain};

impl Job<'_> {
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
    pub(super) fn correct(&mut self, net: &Net, float: &Net, settings: Option<&Correct>) -> Result<Net, Error> {
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
