//! `import`: a network of another framework as synapse code, ready for the images that it was trained on.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use synapress_import::onnx;
use synapress_model::fold::{divide_input, fold_batch_norm};

use super::{Run, usage};
use crate::images::Preparation;
use crate::model::{Source, Target};
use crate::output::{Output, bytes, thousands};

/// Read a network of another framework, such as PyTorch by way of ONNX, and write it as synapse code
///
/// The other commands take the same files directly; here belongs what is said once: how images are prepared, class names,
/// a softmax behind scores, batch normalization folded away.
#[derive(Args, Debug)]
pub struct Import {
    #[command(flatten)]
    source: Source,
    /// The file to write; the model's name with .syn in this folder by default
    #[arg(short = 'o', long = "output", value_name = "OUT.syn")]
    path: Option<PathBuf>,
    /// The output that is meant, where an ONNX model has several
    #[arg(long, value_name = "NAME")]
    head: Option<String>,
    /// Append a softmax to an ONNX model that ends in scores
    #[arg(long)]
    softmax: bool,
    /// Fold BatchNorm and Scale into the convolutions before them
    #[arg(long)]
    fold: bool,
    /// Pixels are divided by these after the mean was subtracted, one number for each channel in their order: the first
    /// layer's weights take that in
    #[arg(long, value_name = "R,G,B", value_delimiter = ',')]
    std: Option<Vec<f32>>,
    #[command(flatten)]
    preparation: Preparation,
    #[command(flatten)]
    output: Output,
}

impl Run for Import {
    const NAME: &'static str = "import";

    fn run(self) -> Result<()> {
        let target = self.target()?;
        target.check()?;
        let mut net = if self.source.is_onnx() {
            let options =
                onnx::Options { output: self.head.clone(), softmax: self.softmax, ..onnx::Options::default() };
            self.source.open_onnx(options)?
        } else if self.head.is_some() || self.softmax {
            return Err(usage("--head and --softmax are for ONNX models"));
        } else {
            self.source.open_complete()?
        };
        self.preparation.apply(&mut net)?;
        let layers = net.graph.nodes().len();
        if self.fold {
            net = fold_batch_norm(&net)?;
        }
        if let Some(std) = &self.std {
            divide_input(&mut net, std)?;
        }
        let folded = layers - net.graph.nodes().len();
        let (input, output) = (net.graph.shape(net.graph.input()?), net.graph.shape(net.graph.output()));
        let size = target.write(&mut net, Some(format!("import {}", self.source)))?;
        let json = json!({
            "output": target.path.display().to_string(),
            "bytes": size,
            "layers": net.graph.nodes().len(),
            "folded_layers": folded,
            "parameters": net.parameters(),
            "input": [input.channels, input.height, input.width],
            "classes": output.channels,
        });
        self.output.answer(&json, || {
            format!(
                "{}: {} layers, {} parameters, {input} to {output}; {}",
                target.path.display(),
                net.graph.nodes().len(),
                thousands(net.parameters()),
                bytes(size)
            )
        })
    }
}

impl Import {
    fn target(&self) -> Result<Target> {
        if let Some(path) = &self.path {
            return Ok(Target { path: path.clone() });
        }
        let stem = self.source.model.file_stem().ok_or_else(|| usage("name the file to write by --output"))?;
        let path = PathBuf::from(stem).with_extension("syn");
        if path.exists() {
            let message = format!("{} is there already; name the file to write by --output", path.display());
            return Err(usage(message));
        }
        Ok(Target { path })
    }
}
