//! Block-wise reconstruction as a job: every rebuilt block is kept, to go on from.

use synapress_model::Net;

use super::{Error, Job};
use crate::blocks::{Options, Reconstruction};

impl Job<'_> {
    /// Rebuilds a network block after block from the float network that it was made from, with `through` through the
    /// integers of that network. `name` is the stage that the blocks are kept under; no steps leave the network as it is.
    ///
    /// # Errors
    /// As [`Reconstruction`], and [`Error::Stopped`].
    pub fn rebuild(
        &mut self,
        name: &str,
        net: &Net,
        float: &Net,
        through: Option<&Net>,
        options: &Options,
    ) -> Result<Net, Error> {
        if options.steps == 0 {
            return Ok(net.clone());
        }
        let work = self.work;
        let (images, _) = self.images(options.images, net.graph.shape(net.graph.input()?))?;
        let mut run = Reconstruction::new(float, net, through, &images, options)?;
        let all = run.blocks();
        let doing = format!("rebuilding {name}");
        for place in 0..all {
            let mut told = None;
            let done = work.stage(&format!("{name}-block-{}", place + 1), || {
                told = Some(run.rebuild(place)?);
                Ok(run.net().clone())
            })?;
            match told {
                Some(block) => {
                    let [before, after] = [block.before, block.after].map(|e| 100.0 * e);
                    let remark = format!("blocks, {}: error {before:.3}% -> {after:.3}%", block.name);
                    self.tell(&doing, place + 1, all, remark)?;
                }
                None => run.resume(done),
            }
        }
        let mut made = run.net().clone();
        made.about.history.push(format!("rebuild {all} blocks, {} steps each", options.steps));
        Ok(made)
    }
}
