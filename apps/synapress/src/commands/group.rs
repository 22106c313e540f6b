//! `group`: synapse grouping (SG), with index widths given or searched, and centroids trained.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use synapress_compress::group::search::Search;
use synapress_compress::group::{self, Init};
use synapress_compress::recipe;
use synapress_compress::train::Options;
use synapress_model::{Form, Net};

use super::{Run, usage};
use crate::job::{Keeping, Material, Teaching, parse_layer};
use crate::model::{Source, Target};
use crate::output::{Output, table};
use crate::rebuilding::Rebuilding;
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
    /// Nowhere: the centroids of the least squared error are computed, which is good with --fit-images alone
    Optimal,
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
    /// Index width of every layer, 1 to 16; 8 by default
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(1..=16), conflicts_with = "search")]
    bits: Option<u8>,
    /// Search each layer's index width in this range, on the images of --data
    #[arg(long, value_name = "MIN..MAX", value_parser = parse_range, num_args = 0..=1, default_missing_value = "4..8",
          requires = "data")]
    search: Option<(u8, u8)>,
    /// Points of top-1 that a search may lose on the calibration images
    #[arg(long, value_name = "POINTS", default_value_t = 1.0)]
    tolerance: f64,
    /// A layer's own index width
    #[arg(long, value_name = "NAME=BITS", value_parser = parse_layer::<u8>)]
    layer: Vec<(String, u8)>,
    /// Where centroids start
    #[arg(long, value_enum, default_value_t = Start::Linear)]
    init: Start,
    /// Fit the groups to layer outputs on so many images of --data; every weight takes the nearest centroid otherwise
    #[arg(long, value_name = "N", requires = "data", conflicts_with = "search")]
    fit_images: Option<NonZeroUsize>,
    /// Images of --data on which the means of layer outputs are brought back to the float network's
    #[arg(long, value_name = "N", requires = "data", conflicts_with = "fit_images")]
    correct_images: Option<NonZeroUsize>,
    #[command(flatten)]
    material: Material,
    #[command(flatten)]
    teaching: Teaching,
    #[command(flatten)]
    rebuilding: Rebuilding,
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
        let retrain = self.training.retrain(images, base, self.teaching.from_labels)?;
        if images == 0 && retrain.steps != Some(0) {
            return Err(usage("training centroids needs images; give --data"));
        }
        let settings = recipe::Group { blocks: self.rebuilding.options(retrain.seed)?, ..self.settings(retrain.seed) };
        let float = self.teaching.teacher(&bench.net)?;
        let describe = format!("group {settings:?} {retrain:?} {:?}", self.teaching);
        let done = bench.work(&self.target, &describe, &self.training, self.keeping, |job| {
            let net = job.group("group", &bench.net, &float, &settings, None, &retrain)?;
            let (json, text) = report(&net);
            Ok((net, json, text))
        })?;
        self.output.answer(&done.json, || done.text)
    }
}

impl Group {
    fn settings(&self, seed: Option<u64>) -> recipe::Group {
        let search = self.search.map(|(min, max)| Search { min, max, tolerance: self.tolerance });
        recipe::Group {
            bits: if search.is_some() { None } else { Some(self.bits.unwrap_or(8)) },
            search,
            layers: self.layer.iter().cloned().collect::<BTreeMap<_, _>>(),
            init: match self.init {
                Start::Linear => Init::Linear,
                Start::Density => Init::Density,
                Start::PlusPlus => Init::PlusPlus,
                Start::Optimal => Init::Optimal,
            },
            seed,
            correct: self.correct_images.map(|n| recipe::Correct { images: n.get() }),
            fit: self.fit_images.map(|n| recipe::Fit { images: n.get(), ..recipe::Fit::default() }),
            ..recipe::Group::default()
        }
    }
}

/// Reads `MIN..MAX`.
fn parse_range(text: &str) -> Result<(u8, u8), String> {
    let parts = text.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match parts {
        Some((min, max)) if 1 <= min && min <= max && max <= 16 => Ok((min, max)),
        _ => Err("give two widths from 1 to 16, such as 4..8".to_owned()),
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
        let sparsity = weights.sparsity();
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
