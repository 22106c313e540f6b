//! Block-wise reconstruction: a compressed network is retrained one block after another, each to put out what the float
//! network's block does (Li et al. 2021, "BRECQ", there for rounding alone).
//!
//! A block lies between two places where all that is computed passes through one tensor, such as an inception module. What
//! learns are surviving weights, centroids and biases; with integers they learn straight through the rounding. The block
//! reads what the *compressed* network before it gives, already rebuilt, and its targets are the *float* network's outputs
//! for the same images, so that it also makes up for errors before it. Both are computed once and a step costs that block
//! alone. Some of the images are held out, and of the states that a block goes through the one with the least error on
//! these is kept, which may be the one it starts with.
//!
//! Layers of a block learn together and at all positions, where layer-wise fits see each alone; no labels are needed.

mod cut;
mod outputs;
#[cfg(test)]
mod tests;

use std::ops::Range;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use synapress_model::{Error, ErrorKind, Mode, Net};

use crate::data::mix;
use crate::train::{Backend, Policy, Rates, Target, Trainer};
use cut::{Block, blocks, part};
use outputs::{PASS, paced, run, spread};

/// How blocks are rebuilt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The most calibration images.
    pub images: usize,
    /// Of these the share that is held out.
    pub held_out: f64,
    /// Steps of each block.
    pub steps: usize,
    /// Images of one step.
    pub batch: usize,
    /// Learning rate at the start, falling as half a cosine: what a step changes about a weight, relative to the root of
    /// the mean square of its layer's.
    pub learning_rate: f64,
    /// Blocks whose error, relative to that of constant outputs, is below this are left as they are.
    pub least: f64,
    /// The least number of convolution and fully connected layers of a block.
    pub layers: usize,
    /// Bytes that the activations before and behind a block may take; blocks are rebuilt from fewer images when those of
    /// all would take more.
    pub memory: usize,
    /// Seed of the order of images.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            images: 1000,
            held_out: 0.125,
            steps: 200,
            batch: 16,
            learning_rate: 0.003,
            least: 0.001,
            layers: 2,
            memory: 512 << 20,
            seed: 1,
        }
    }
}

/// What became of one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebuilt {
    /// The node that it ends with.
    pub name: String,
    /// Images that it was rebuilt from.
    pub images: usize,
    /// Squared error of its outputs on the images held out, relative to that of constant ones, before.
    pub before: f64,
    /// The same afterwards.
    pub after: f64,
}

/// States of a block that are looked at besides its first.
const LOOKS: usize = 4;

/// The rebuilding of a network, block after block.
#[derive(Debug)]
pub struct Reconstruction<'a> {
    float: &'a Net,
    through: Option<&'a Net>,
    images: &'a [f32],
    /// The images that are used, in random order: the first ones where there is no room for all, the last of these held
    /// out. Lists of images are often sorted by class.
    order: Vec<usize>,
    options: Options,
    net: Net,
    blocks: Vec<Block>,
    /// The node whose outputs are held of both networks, and these outputs.
    at: usize,
    ours: Vec<f32>,
    theirs: Vec<f32>,
}

impl<'a> Reconstruction<'a> {
    /// Prepares the rebuilding of `net`, made from `float`, from preprocessed images `(n, C, H, W)`. With `through`, the
    /// same network quantized, blocks are rebuilt through its integers.
    ///
    /// # Errors
    /// [`ErrorKind::Graph`] when the networks differ in more than weights, `Format` when `net` is quantized or `through`
    /// is not, `Shape` when `images` is no whole number of images, `Attribute` for options out of range, and whatever
    /// [`Net::verify`] finds.
    pub fn new(
        float: &'a Net,
        net: &Net,
        through: Option<&'a Net>,
        images: &'a [f32],
        options: &Options,
    ) -> Result<Self, Error> {
        for net in [float, net].into_iter().chain(through) {
            net.verify()?;
            float.graph.verify_same(&net.graph)?;
        }
        let options = options.clone();
        options.check()?;
        let input = net.graph.input()?;
        let len = net.graph.shape(input).len();
        if images.is_empty() || !images.len().is_multiple_of(len) {
            let message = format!("{} numbers are no whole number of images of {len}", images.len());
            return Err(Error::new(ErrorKind::Shape, message));
        }
        if net.weights.iter().flatten().any(|w| w.codes().is_some()) {
            let message = "the network is quantized; rebuild the one that it was made from";
            return Err(Error::new(ErrorKind::Format, message));
        }
        if through.is_some_and(|net| net.integers.is_none()) {
            let message = "integers to rebuild through are those of a quantized network";
            return Err(Error::new(ErrorKind::Format, message));
        }
        let blocks = blocks(net, options.layers)?;
        let (ours, theirs) = (Vec::new(), Vec::new());
        let mut order: Vec<usize> = (0..images.len() / len).collect();
        order.shuffle(&mut Pcg64Mcg::seed_from_u64(options.seed));
        order.truncate(options.images);
        Ok(Self { float, through, images, order, options, net: net.clone(), blocks, at: input, ours, theirs })
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The network as rebuilt so far.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Takes a network whose blocks up to some place were rebuilt before.
    pub fn resume(&mut self, net: Net) {
        self.net = net;
        (self.ours, self.theirs) = (Vec::new(), Vec::new());
        self.at = self.net.graph.input().unwrap_or(0);
    }

    /// Rebuilds the block at a place; those before it are as they shall be.
    ///
    /// # Errors
    /// Those of the networks.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn rebuild(&mut self, place: usize) -> Result<Rebuilt, Error> {
        let block = self.blocks[place];
        let count = self.reach(block)?;
        let targets = run(self.float, None, block, &self.theirs, count)?;
        let (part, nodes) = part(&self.net, block)?;
        let (rebuilt, found) = self.train(place, &part, &targets, count)?;
        if let Some(found) = found {
            for (&id, weights) in nodes.iter().zip(found.weights).skip(1) {
                self.net.weights[id] = weights;
            }
        }
        self.ours = run(&self.net, self.through, block, &self.ours, count)?;
        (self.theirs, self.at) = (targets, block.to);
        Ok(rebuilt)
    }

    /// Brings what is held of both networks to where a block starts, for as many images as there is room for, and
    /// returns their number.
    fn reach(&mut self, block: Block) -> Result<usize, Error> {
        let graph = &self.net.graph;
        let input = graph.input()?;
        let [first, from, to] = [input, block.from, block.to].map(|id| graph.shape(id).len());
        let all = self.order.len();
        // While outputs are computed: twice one side and once the other.
        let room = self.options.memory / ((from + to + from.max(to)) * size_of::<f32>());
        let count = if room >= all { all } else { (room / PASS * PASS).clamp(PASS.min(all), all) };
        let way = Block { from: self.at, to: block.from };
        let held = (self.ours.len() / graph.shape(self.at).len()).min(count);
        let whole = Block { from: input, to: block.from };
        let more = self.order[held..count].iter().flat_map(|&image| &self.images[image * first..][..first]);
        let more: Vec<f32> = more.copied().collect();
        for (net, through, of) in [(&self.net, self.through, &mut self.ours), (self.float, None, &mut self.theirs)] {
            *of = run(net, through, way, of, held)?;
            of.extend(run(net, through, whole, &more, count - held)?);
        }
        self.at = block.from;
        Ok(count)
    }

    /// Trains a block as a network of its own; returns it if that helped.
    fn train(&self, place: usize, part: &Net, targets: &[f32], count: usize) -> Result<(Rebuilt, Option<Net>), Error> {
        let Options { steps, batch, learning_rate, seed, .. } = self.options;
        let block = self.blocks[place];
        let through = self.through.map(|net| cut::part(net, block)).transpose()?.map(|(net, _)| net);
        let [from, to] = [block.from, block.to].map(|id| self.net.graph.shape(id).len());
        let held_out = ((count as f64 * self.options.held_out) as usize).clamp(1, count.div_ceil(2));
        let fitted = (count - held_out).max(1);
        let held = count - held_out..count;
        let mut trainer = Trainer::new(&paced(part), batch.max(PASS), true, through.as_ref())?;
        trainer.adapt();
        trainer.backend().without_dropout();
        let shape = self.net.graph.shape(block.to);
        let power = spread(&targets[held.start * to..held.end * to], shape.channels, shape.area()) / held.len() as f64;
        let power = power.max(f64::MIN_POSITIVE);
        let before = self.error(&mut trainer, targets, [from, to], held.clone()) / power;
        let (mut least, mut found) = (before, None);
        let (mut inputs, mut wanted) = (Vec::new(), Vec::new());
        let mut order: Vec<usize> = (0..fitted).collect();
        let mut left = 0;
        let policy = Policy::Cosine { warmup: 0 };
        let steps = if before < self.options.least { 0 } else { steps };
        for step in 0..steps {
            inputs.clear();
            wanted.clear();
            for _ in 0..batch.min(fitted) {
                if left == 0 {
                    let seed = mix(seed ^ (place as u64) << 32, step as u64);
                    order.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
                    left = fitted;
                }
                left -= 1;
                let image = order[left];
                inputs.extend_from_slice(&self.ours[image * from..][..from]);
                wanted.extend_from_slice(&targets[image * to..][..to]);
            }
            let learn = policy.rate(learning_rate, step, steps) as f32;
            let rates = Rates { learn, momentum: 0.9, nesterov: false, decay: 0.0, clip: f32::INFINITY };
            let target = Target::Outputs { values: &wanted, power: power as f32 };
            let loss = trainer.step(&inputs, target, rates, 0);
            if !loss.is_finite() {
                break;
            }
            if (step + 1) * LOOKS / steps > step * LOOKS / steps {
                let error = self.error(&mut trainer, targets, [from, to], held.clone()) / power;
                if error < least {
                    (least, found) = (error, Some(trainer.net()));
                }
            }
        }
        let name = self.net.graph.node(block.to).name.clone();
        Ok((Rebuilt { name, images: count, before, after: least }, found))
    }

    /// Squared error of a block's outputs, the mean over some images.
    fn error(&self, trainer: &mut Trainer, targets: &[f32], [from, to]: [usize; 2], images: Range<usize>) -> f64 {
        let inputs = self.ours[images.start * from..images.end * from].chunks(PASS * from);
        let targets = targets[images.start * to..images.end * to].chunks(PASS * to);
        let of = |(inputs, targets): (&[f32], &[f32])| {
            trainer.backend().forward(inputs, Mode::Infer);
            let output = trainer.backend().graph().output();
            let found = trainer.backend().output(output);
            found.iter().zip(targets).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
        };
        inputs.zip(targets).map(of).sum::<f64>() / images.len() as f64
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        match self.fault() {
            Some(message) => Err(Error::new(ErrorKind::Attribute, message)),
            None => Ok(()),
        }
    }

    /// What makes no sense, if anything does.
    pub fn fault(&self) -> Option<&'static str> {
        let sound = self.learning_rate > 0.0 && self.learning_rate.is_finite() && self.least >= 0.0;
        let share = self.held_out > 0.0 && self.held_out < 1.0;
        let none = [self.images, self.batch, self.layers, self.memory].contains(&0);
        let message = "images, batch, layers and memory of blocks are at least 1, learning_rate is above 0, least \
                       from 0, and held_out above 0 and below 1";
        (!sound || !share || none).then_some(message)
    }
}
