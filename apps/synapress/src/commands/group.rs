//! `group`: synapse grouping (SG), with index widths given or searched, and centroids trained.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use synapress_compress::group::{self, Init, Options as Grouping};
use synapress_compress::pipeline::Group as Settings;
use synapress_compress::train::Options;
use synapress_model::{Form, Net};

use super::{Run, usage};
use crate::job::{Keeping, Material, Teaching, parse_layer};
use crate::model::{Source, Target};
use crate::output::{Output, table};
use crate::training::Training;

/// Where centroids start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Start {
    /// Evenly spaced over the range of the weights
    Linear,
    /// As many weights for each
    Density,
    /// Drawn far from one another, by the seed (k-means++)
    #[value(name = "kmeans++", alias = "plus-plus")]
    PlusPlus,
}

/// Let the weights of a layer share its own few centroids (SG), and train these
///
/// Zero is kept apart for pruned weights. With --data the centroids are trained from the scores of the network as it
/// was: the gradient of a centroid is the sum of its members' gradients.
#[derive(Args, Debug)]
pub struct Group {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
    /// Index width of every layer, 1 to 16
    #[arg(long, value_name = "BITS", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=16))]
    bits: u8,
    /// A layer's own index width
    #[arg(long, value_name = "NAME=BITS", value_parser = parse_layer::<u8>)]
    layer: Vec<(String, u8)>,
    /// Where centroids start
    #[arg(long, value_enum, default_value_t = Start::Linear)]
    init: Start,
    /// The most refinements of k-means
    #[arg(long, value_name = "N", default_value_t = 100)]
    iterations: usize,
    #[command(flatten)]
    material: Material,
    #[command(flatten)]
    teaching: Teaching,
    #[command(flatten)]
    training: Training,
    #[command(flatten)]
    keeping: Keeping,
    #[command(flatten)]
    output: Output,
}

impl Run for Group {
    const NAME: &'static str = "group";

    fn run(self) -> Result<()> {
        self.target.check()?;
        let bench = self.material.bench(self.source.open_complete()?)?;
        let images = bench.calibration.as_ref().map_or(0, |d| d.len());
        let base = Options { steps: if images > 0 { 200 } else { 0 }, learning_rate: 1e-4, ..Options::default() };
        let retrain = self.training.options(images, base)?;
        if images == 0 && retrain.steps > 0 {
            return Err(usage("training centroids needs images; give --data"));
        }
        let options = Grouping {
            bits: self.bits,
            layers: self.layer.iter().cloned().collect::<BTreeMap<_, _>>(),
            init: match self.init {
                Start::Linear => Init::Linear,
                Start::Density => Init::Density,
                Start::PlusPlus => Init::PlusPlus,
            },
            iterations: self.iterations,
            seed: retrain.seed,
        };
        let settings = Settings { options, retrain };
        let teacher = if self.teaching.from_labels { None } else { Some(self.teaching.teacher(&bench.net)?) };
        let describe = format!("group {settings:?} {:?}", self.teaching);
        let done = bench.work(&self.target, &describe, &self.training, &self.keeping, |job| {
            let net = job.group(&bench.net, teacher.as_ref(), &settings)?;
            let (json, text) = report(&net);
            Ok((net, json, text))
        })?;
        self.output.answer(&done.json, || done.text)
    }
}

fn report(net: &Net) -> (Value, String) {
    let mut out = table(&["layer", "centroids", "index bits", "zero"]);
    let mut layers = Vec::new();
    for id in net.synaptic() {
        let Some(weights) = &net.weights[id] else { continue };
        let Form::Coded { centroids, .. } = &weights.form else { continue };
        let (name, count) = (&net.graph.node(id).name, centroids.len());
        let bits = group::index_bits(count);
        let sparsity = weights.zeros() as f64 / weights.len().max(1) as f64;
        out.add_row([name.clone(), (count - 1).to_string(), bits.to_string(), format!("{:.2}%", 100.0 * sparsity)]);
        layers.push(json!({ "name": name, "centroids": count - 1, "index_bits": bits, "sparsity": sparsity }));
    }
    let widths = group::widths(net).unwrap_or_default();
    let text = format!(
        "{out}\nindex width {:.2} bits (mean over layers), {:.2} (mean over weights)",
        widths.mean, widths.weighted
    );
    (json!({ "index_bits": widths.mean, "index_bits_weighted": widths.weighted, "layers": layers }), text)
}
