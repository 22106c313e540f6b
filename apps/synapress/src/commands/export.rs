//! `export`: a network as files of other tools, or a quantized one as memory images for hardware, with golden vectors.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::{Value, json};
use synapress_hardware::manifest::{Layer, Manifest};
use synapress_hardware::{Stimulus, export, formats};
use synapress_images::apply;
use synapress_import::formats as files;
use synapress_model::Net;

use super::{Run, usage};
use crate::images::{Preparation, preprocess_of, read};
use crate::model::{Source, Target};
use crate::output::{Output, bytes, table, thousands};

/// Write a network for other tools, or a quantized one as memory images for hardware
///
/// Memory images come as a folder with a manifest and golden vectors. Weights are a gap and a code of fixed widths there,
/// the same integers as in the .syn; FORMAT.md describes them.
#[derive(Args, Debug)]
pub struct Export {
    #[command(flatten)]
    source: Source,
    /// Format of the file or of the memory images
    #[arg(long, value_name = "FORMAT", value_parser = names())]
    to: String,
    /// The file to write; of memory images the folder, which must be new or empty
    #[arg(short = 'o', long = "output", value_name = "PATH")]
    path: PathBuf,
    /// Images to compute golden vectors of memory images of: JPEG, PNG, BMP or PNM files. Without any, a random input
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
    let images = formats::FORMATS.iter().map(|f| (f.name, f.about));
    let all = files::FORMATS.iter().map(|f| (f.name, f.about)).chain(images);
    PossibleValuesParser::new(all.map(|(name, about)| PossibleValue::new(name).help(about)))
}

impl Run for Export {
    const NAME: &'static str = "export";

    fn run(self) -> Result<()> {
        if let Some(format) = files::by_name(&self.to) {
            return self.file(format);
        }
        let format = formats::by_name(&self.to).ok_or_else(|| usage(format!("there is no format {:?}", self.to)))?;
        let mut net = self.source.open_complete()?;
        self.preparation.apply(&mut net)?;
        let model = &self.source.model;
        let place = || self.source.to_string();
        let stimuli = self.stimuli(&net).with_context(place)?;
        let manifest = export(&net, format, &stimuli, &self.path).with_context(place)?;
        let archive =
            if self.source.is_syn() { Some(std::fs::metadata(model).with_context(place)?.len()) } else { None };
        let float = net.parameters() * 4;
        let json = json!({
            "output": self.path.display().to_string(),
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
    /// Writes a file for another tool.
    fn file(&self, format: &files::Format) -> Result<()> {
        if !self.images.is_empty() {
            return Err(usage(format!(
                "--images are for golden vectors of memory images, which {} has none of",
                self.to
            )));
        }
        let target = Target { path: self.path.clone() };
        target.check()?;
        let net = self.source.open_complete()?;
        (format.write)(&target.path, &net)?;
        let size = std::fs::metadata(&target.path).with_context(|| target.path.display().to_string())?.len();
        let json = json!({ "output": target.path.display().to_string(), "format": format.name, "bytes": size });
        self.output.answer(&json, || format!("{}: {}, {}", target.path.display(), format.name, bytes(size)))
    }

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
            self.path.display(),
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
