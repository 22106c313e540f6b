//! `export`: a quantized network as memory images for hardware, with golden vectors.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::{Value, json};
use synapress_hardware::manifest::{Layer, Manifest};
use synapress_hardware::{FORMATS, Stimulus, export, formats};
use synapress_images::apply;
use synapress_model::Net;

use super::{Run, usage};
use crate::images::{Preparation, preprocess_of, read};
use crate::model::Source;
use crate::output::{Output, bytes, table, thousands};

/// Write a quantized network as memory images for hardware, with a manifest and golden vectors
///
/// Weights are a gap and a code of fixed widths, the same integers as in the .syn. FORMAT.md describes the images.
#[derive(Args, Debug)]
pub struct Export {
    /// The network: FILE.syn, quantized
    model: PathBuf,
    /// Format of the memory images
    #[arg(long, value_name = "FORMAT", value_parser = names())]
    to: String,
    /// The folder to write; it must be new or empty
    #[arg(short = 'o', long = "output", value_name = "FOLDER")]
    folder: PathBuf,
    /// Images to compute golden vectors of: JPEG, PNG, BMP or PNM files. Without any, a random input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    images: Vec<PathBuf>,
    /// Seed of the random input
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "images")]
    seed: u64,
    #[command(flatten)]
    preparation: Preparation,
    #[command(flatten)]
    output: Output,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(FORMATS.iter().map(|f| PossibleValue::new(f.name).help(f.about)))
}

impl Run for Export {
    const NAME: &'static str = "export";

    fn run(self) -> Result<()> {
        let format = formats::by_name(&self.to).ok_or_else(|| usage(format!("there is no format {:?}", self.to)))?;
        let source = Source::new(&self.model, None);
        let mut net = source.open_complete()?;
        self.preparation.apply(&mut net)?;
        let place = || self.model.display().to_string();
        let stimuli = self.stimuli(&net).with_context(place)?;
        let manifest = export(&net, format, &stimuli, &self.folder).with_context(place)?;
        let archive =
            if source.is_syn() { Some(std::fs::metadata(&self.model).with_context(place)?.len()) } else { None };
        let float = net.parameters() * 4;
        let json = json!({
            "output": self.folder.display().to_string(),
            "format": manifest.format,
            "bytes": manifest.bytes,
            "bytes_of": manifest.bytes_of,
            "archive_bytes": archive,
            "float_bytes": float,
            "golden": manifest.golden.len(),
            "layers": manifest.layers.iter().filter_map(row).collect::<Vec<_>>(),
        });
        self.output.answer(&json, || self.text(&manifest, archive, float))
    }
}

impl Export {
    fn stimuli(&self, net: &Net) -> Result<Vec<Stimulus>> {
        if self.images.is_empty() {
            return Ok(vec![Stimulus::random(net, self.seed)?]);
        }
        let shape = net.graph.shape(net.graph.input()?);
        let preparation = preprocess_of(net);
        let stimulus = |path: &PathBuf| {
            let name = path.display().to_string();
            let mut pixels = vec![0.0; shape.len()];
            let image = read(path).with_context(|| name.clone())?;
            apply(&image, &preparation, shape, &mut pixels)?;
            Ok(Stimulus { name, pixels })
        };
        self.images.iter().map(stimulus).collect()
    }

    fn text(&self, manifest: &Manifest, archive: Option<u64>, float: u64) -> String {
        let mut out = table(&["layer", "code", "gap bits", "code bits", "entries", "fillers", "size"]);
        for layer in &manifest.layers {
            if let Some(w) = &layer.weights {
                out.add_row([
                    layer.name.clone(),
                    w.code.to_owned(),
                    w.gap_bits.to_string(),
                    w.code_bits.to_string(),
                    thousands(w.entries as u64),
                    thousands(w.fillers as u64),
                    bytes(size(layer)),
                ]);
            }
        }
        let archive = archive.map_or_else(String::new, |n| format!("; the archive {}", bytes(n)));
        format!(
            "{out}\n{}: {} images of {} ({:.2}x smaller than float){archive}; golden vectors of {} images",
            self.folder.display(),
            manifest.format,
            bytes(manifest.bytes),
            float as f64 / manifest.bytes.max(1) as f64,
            manifest.golden.len()
        )
    }
}

/// Bytes of a layer's memories.
fn size(layer: &Layer) -> u64 {
    layer.memories.values().map(|m| (m.words as u64 * u64::from(m.stored_bits)).div_ceil(8)).sum()
}

fn row(layer: &Layer) -> Option<Value> {
    let weights = layer.weights.as_ref()?;
    Some(json!({ "name": layer.name, "weights": weights, "bytes": size(layer) }))
}
