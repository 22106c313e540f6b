//! `inspect`: a row a layer, and the totals in the terms of the paper's Table 1; of a `.syn` also its stages and what
//! its bytes are spent on.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use synapress_code::{self as code, LayerSummary, Summary};
use synapress_compress::census::{Census, Row};
use synapress_compress::group;
use synapress_model::Net;

use super::Run;
use crate::model::Source;
use crate::output::{Output, bytes, table, thousands};

/// Show a network's layers and totals; of a .syn also what its bytes are spent on
#[derive(Args, Debug)]
pub struct Inspect {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
}

impl Run for Inspect {
    const NAME: &'static str = "inspect";

    fn run(self) -> Result<()> {
        let net = self.source.open()?;
        let census = Census::of(&net);
        let summary = match self.source.is_syn() {
            true => Some(summary(&self.source.model)?),
            false => None,
        };
        let mut json = serde_json::to_value(&census)?;
        json["name"] = net.name.clone().into();
        json["history"] = net.about.history.clone().into();
        if let Some(summary) = &summary {
            add(&mut json, &net, summary);
        }
        self.output.answer(&json, || text(&net, &census, summary.as_ref()))
    }
}

fn summary(path: &std::path::Path) -> Result<Summary> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    code::summary(&bytes).map_err(|e| e.in_file(path).into())
}

fn add(json: &mut Value, net: &Net, summary: &Summary) {
    json["bytes"] = summary.bytes.into();
    json["ratio"] = summary.ratio().into();
    json["bits_per_weight"] = summary.bits_per_weight().into();
    json["sparsity"] = sparsity(summary.weights(), summary.nonzero()).into();
    json["index_bits"] = serde_json::to_value(group::widths(net)).unwrap_or(Value::Null);
    json["bytes_of"] = json!({
        "weights": summary.weight_bytes(),
        "codebooks": summary.codebook_bytes(),
        "biases": summary.bias_bytes(),
        "graph": summary.graph_bytes,
        "about": summary.about_bytes,
        "output_formats": summary.integer_bytes,
    });
    for row in json["rows"].as_array_mut().into_iter().flatten() {
        let Some(layer) = summary.layers.iter().find(|l| row["name"] == *l.name) else { continue };
        row["bytes"] = layer.bytes.into();
        row["bits_per_weight"] = layer.bits_per_weight().into();
        row["scheme"] = layer.scheme.clone().into();
    }
}

fn sparsity(weights: u64, nonzero: u64) -> f64 {
    1.0 - nonzero as f64 / weights.max(1) as f64
}

fn text(net: &Net, census: &Census, summary: Option<&Summary>) -> String {
    let mut headings = vec!["layer", "kind", "output", "parameters", "connections", "share"];
    if summary.is_some() {
        headings.extend(["stage", "zeros", "index", "weight", "output bits", "bytes", "bits/weight"]);
    }
    let mut out = table(&headings);
    for row in &census.rows {
        let [c, h, w] = row.output;
        let share = 100.0 * row.connections as f64 / census.connections.max(1) as f64;
        let count = |n: u64| if n == 0 { String::new() } else { thousands(n) };
        let mut cells = vec![
            row.name.clone(),
            row.kind.to_owned(),
            format!("{c}x{h}x{w}"),
            count(row.parameters),
            count(row.connections),
            if row.connections == 0 { String::new() } else { format!("{share:.1}%") },
        ];
        if let Some(summary) = summary {
            cells.extend(stages(row, summary.layers.iter().find(|l| l.name == row.name)));
        }
        out.add_row(cells);
    }
    let mut text = format!("{out}\n\n{}", totals(census));
    if let Some(summary) = summary {
        text += &spent(net, summary);
    }
    for line in &net.about.history {
        text += &format!("\nmade by: {line}");
    }
    text
}

/// What a `.syn` tells of a layer besides.
fn stages(row: &Row, layer: Option<&LayerSummary>) -> [String; 7] {
    let bits = |bits: Option<u8>| bits.map(|b| b.to_string()).unwrap_or_default();
    [
        row.stage.to_owned(),
        row.sparsity.map(|s| format!("{:.2}%", 100.0 * s)).unwrap_or_default(),
        bits(row.index_bits),
        bits(row.weight_bits),
        bits(row.output_bits),
        layer.map(|l| thousands(l.bytes)).unwrap_or_default(),
        layer.map(|l| format!("{:.2}", l.bits_per_weight())).unwrap_or_default(),
    ]
}

fn totals(census: &Census) -> String {
    format!(
        "parameters {}, connections {} (each group counts its own inputs)\n\
         convolution layers {}, fully connected layers {}, inception modules {}, layers {}",
        thousands(census.parameters),
        thousands(census.connections),
        census.convolutions,
        census.fully_connected,
        census.inception_modules,
        census.layers,
    )
}

fn spent(net: &Net, s: &Summary) -> String {
    let mut text = format!(
        "\nfile {}: weights {}, codebooks {}, biases {}, graph {}, formats of layer outputs {}, the rest {}\n\
         {:.2}x smaller than float, {:.2} bits a weight, {:.2}% of the weights are zero",
        bytes(s.bytes),
        bytes(s.weight_bytes()),
        bytes(s.codebook_bytes()),
        bytes(s.bias_bytes()),
        bytes(s.graph_bytes),
        bytes(s.integer_bytes),
        bytes(s.about_bytes + s.extras.iter().map(|(_, n)| n).sum::<u64>()),
        s.ratio(),
        s.bits_per_weight(),
        100.0 * sparsity(s.weights(), s.nonzero()),
    );
    if let Some(widths) = group::widths(net) {
        text += &format!(
            "\nindex width {:.2} bits (mean over layers), {:.2} (mean over weights)",
            widths.mean, widths.weighted
        );
    }
    text
}
