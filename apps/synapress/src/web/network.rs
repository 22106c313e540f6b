//! One network of the page: its file, class names, and what its card tells.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use synapress_browser::Classifier;
use synapress_code::{Limits, Stored, Summary, decode, summary};
use synapress_compress::data::PreprocessTable;
use synapress_compress::report::Report;
use synapress_model::{Net, Shape, Source as _};

use crate::images::{Preparation, preprocess_of};
use crate::output::say;
use crate::report;

/// A quantized network.
#[derive(Debug)]
pub struct Network {
    pub name: String,
    /// The file's name without its ending.
    pub stem: String,
    pub labels: Vec<String>,
    pub bytes: Vec<u8>,
    preprocess: PreprocessTable,
    summary: Summary,
    input: Shape,
    /// The network without its weights.
    net: Net,
    /// What was measured of it, where the report beside the file tells.
    accuracy: Option<Value>,
}

impl Network {
    /// Reads a `.syn` and tries whether the page can run it. Accuracy is that of the report which `compress` left beside
    /// it, if it is of this very file and images are prepared as they were when it was measured.
    pub fn read(path: &Path, preparation: &Preparation) -> Result<Self> {
        let place = || path.display().to_string();
        let bytes = std::fs::read(path).with_context(place)?;
        let summary = summary(&bytes).map_err(|e| e.in_file(path))?;
        let mut net = Stored::new(bytes.clone(), &Limits::default()).map_err(|e| e.in_file(path))?.net().clone();
        if net.integers.is_none() {
            bail!("{}: not quantized; the page runs integers, see `synapress quantize`", place());
        }
        let measured_with = net.about.preprocess.clone();
        preparation.apply(&mut net).with_context(place)?;
        let accuracy = match net.about.preprocess == measured_with {
            true => accuracy(path, &bytes)?,
            false => None,
        };
        let preprocess = preprocess_of(&net);
        let mut classifier = Classifier::open(bytes.clone()).map_err(anyhow::Error::msg).with_context(place)?;
        classifier.prepare(preprocess.clone()).map_err(anyhow::Error::msg).with_context(place)?;
        let (labels, classes) = (net.about.labels.clone(), classes(&net));
        if !labels.is_empty() && labels.len() != classes {
            bail!("{}: there are {} class names for {classes} classes", place(), labels.len());
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = if net.name.is_empty() { stem.clone() } else { net.name.clone() };
        Ok(Self {
            name,
            stem,
            labels,
            bytes,
            preprocess: (&preprocess).into(),
            summary,
            input: classifier.shape(),
            net,
            accuracy,
        })
    }

    /// What `models.json` tells of it, but for the places of files.
    pub fn card(&self) -> Value {
        let Self { summary, net, input, .. } = self;
        let weight_bits: BTreeSet<u8> = summary.layers.iter().map(|layer| layer.bits).collect();
        let outputs = net.integers.iter().flat_map(|integers| &integers.outputs);
        let output_bits: BTreeSet<u8> = outputs.map(|format| format.bits).collect();
        let mut card = json!({
            "name": self.name,
            "bytes": summary.bytes,
            "ratio": summary.ratio(),
            "parameters": summary.parameters(),
            "sparsity": 1.0 - summary.nonzero() as f64 / summary.weights().max(1) as f64,
            "bits_per_weight": summary.bits_per_weight(),
            "weight_bits": weight_bits,
            "output_bits": output_bits,
            "input": [input.channels, input.height, input.width],
            "classes": classes(net),
            "preprocess": self.preprocess,
            "history": net.about.history,
        });
        if let Some(accuracy) = &self.accuracy {
            card["accuracy"] = accuracy.clone();
        }
        card
    }
}

/// Accuracy as the report beside a file has it, if there is one of this very file. The page does without, so that another
/// JSON that has the name is no fault.
fn accuracy(path: &Path, bytes: &[u8]) -> Result<Option<Value>> {
    if !path.with_extension("json").exists() {
        return Ok(None);
    }
    let net = decode(bytes, &Limits::default()).map_err(|e| e.in_file(path))?;
    let report = report::beside(path, &net, bytes.len()).unwrap_or_else(|fault| {
        say(&format!("note: {fault:#}; it is left out"));
        None
    });
    Ok(report.as_ref().and_then(figures))
}

/// What the card tells of the report's last row, in percent and points of its images.
fn figures(report: &Report) -> Option<Value> {
    let row = report.rows.last().filter(|_| report.images > 0)?;
    Some(json!({
        "images": report.images,
        "top1": row.top1,
        "top1_interval": row.top1_interval,
        "top5": row.top5,
        "top5_interval": row.top5_interval,
        "loss_of_top1": row.loss_of_top1,
    }))
}

fn classes(net: &Net) -> usize {
    net.graph.shape(net.graph.output()).len()
}
