//! `quantize`: synapse quantization (SQ), with bit widths given or searched. The result is integers.

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use synapress_compress::recipe;
use synapress_compress::train::Options;
use synapress_model::Net;
use synapress_model::fold::without_batch_norm;

use super::Run;
use crate::job::{Keeping, Material, Teaching};
use crate::model::{Source, Target};
use crate::output::{Output, table};
use crate::rebuilding::Rebuilding;
use crate::training::Training;

/// How the range of a format is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Range {
    /// The largest magnitude does not saturate (Ristretto's rule)
    #[value(alias = "max")]
    Largest,
    /// The squared error is least; large, rare magnitudes may saturate
    SquaredError,
}

/// Turn weights and layer outputs into integers of dynamic fixed point (SQ)
///
/// Ranges are those that the network has on the images of --data. Accuracy is that of the integers. With --steps the
/// network is retrained through the integers: weights or centroids, and biases, learn while all that is computed is
/// rounded.
#[derive(Args, Debug)]
pub struct Quantize {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
    /// Bit width of convolution weights; 8 by default
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(2..=16))]
    conv_bits: Option<u8>,
    /// Bit width of fully connected weights; 8 by default
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(2..=16))]
    fc_bits: Option<u8>,
    /// Bit width of layer outputs; 8 by default
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(2..=16))]
    output_bits: Option<u8>,
    /// Bit width of the network's input; that of layer outputs by default
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(2..=16))]
    input_bits: Option<u8>,
    /// Search the widths that are not given
    #[arg(long)]
    search: bool,
    /// Points of top-1 that the searched widths may lose together on the calibration images
    #[arg(long, value_name = "POINTS", default_value_t = 1.0, requires = "search")]
    tolerance: f64,
    /// How the range of a format is found
    #[arg(long, value_enum, default_value_t = Range::SquaredError)]
    range: Range,
    /// Calibration images of range analysis
    #[arg(long, value_name = "N", default_value_t = 64)]
    range_images: usize,
    /// Round weights such that layer outputs stay, on so many images of --data; every weight takes the nearest code
    /// otherwise
    #[arg(long, value_name = "N", conflicts_with = "search")]
    fit_images: Option<NonZeroUsize>,
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

impl Run for Quantize {
    const NAME: &'static str = "quantize";

    fn run(self) -> Result<()> {
        self.target.check()?;
        let net = self.source.open_complete()?;
        let bench = self.material.bench(without_batch_norm(&net)?.into_owned())?;
        bench.calibration("quantization")?;
        let images = bench.calibration.as_ref().map_or(0, |d| d.len());
        let base = Options { steps: 0, temperature: 1.0, ..Options::default() };
        let retrain = self.training.retrain(images, base, self.teaching.from_labels)?;
        let settings = recipe::Quantize { blocks: self.rebuilding.options(retrain.seed)?, ..self.settings() };
        let float = self.teaching.teacher(&bench.net)?;
        let describe = format!("quantize {settings:?} {retrain:?} {:?}", self.teaching);
        let done = bench.work(&self.target, &describe, &self.training, self.keeping, |job| {
            let net = job.quantize("quantize", &bench.net, &float, &settings, &retrain)?;
            let (json, text) = report(&net);
            Ok((net, json, text))
        })?;
        self.output.answer(&done.json, || done.text)
    }
}

impl Quantize {
    fn settings(&self) -> recipe::Quantize {
        let width = |given: Option<u8>| if self.search { given } else { Some(given.unwrap_or(8)) };
        let search = recipe::Widths { tolerance: self.tolerance, ..recipe::Widths::default() };
        recipe::Quantize {
            conv_bits: width(self.conv_bits),
            fc_bits: width(self.fc_bits),
            output_bits: width(self.output_bits),
            input_bits: self.input_bits,
            search: self.search.then_some(search),
            range: match self.range {
                Range::Largest => recipe::Range::Largest,
                Range::SquaredError => recipe::Range::SquaredError,
            },
            images: Some(self.range_images.max(1)),
            fit: self.fit_images.map(|n| recipe::Fit { images: n.get(), ..recipe::Fit::default() }),
            ..recipe::Quantize::default()
        }
    }
}

fn report(net: &Net) -> (Value, String) {
    let mut out = table(&["layer", "weights", "outputs"]);
    let mut layers = Vec::new();
    let formats = net.integers.as_ref().map(|i| &i.outputs[..]).unwrap_or_default();
    for (id, (node, output)) in net.graph.nodes().iter().zip(formats).enumerate() {
        let weights = net.weights[id].as_ref().and_then(|w| w.codes()).map(|(_, format)| format);
        let text = weights.map(|f| f.to_string()).unwrap_or_default();
        out.add_row([node.name.clone(), text, output.to_string()]);
        let format = |f: &synapress_model::Fixed| json!({ "bits": f.bits, "frac": f.frac, "signed": f.signed });
        layers.push(json!({ "name": node.name, "weights": weights.as_ref().map(format), "output": format(output) }));
    }
    let text = format!("{out}\nformats: s or u (signed or not), bits, fractional length");
    (json!({ "layers": layers }), text)
}
