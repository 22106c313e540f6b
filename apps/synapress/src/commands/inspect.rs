//! `inspect`: a row a layer, and the totals in the terms of the paper's Table 1; of a `.syn` also its stages and what
//! its bytes are spent on.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use synapress_code::{self as code, LayerSummary, Summary};
use synapress_compress::group;
use synapress_model::census::{Census, Row, census};
use synapress_model::{Form, Net};

use super::Run;
use crate::model::Source;
use crate::output::{Output, bytes, table, thousands};
use crate::spent::Spent;

/// Show a network's layers and totals; of a .syn also what its bytes are spent on
#[derive(Args, Debug)]
pub struct Inspect {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
    /// Of a .syn, tell what the bytes of each layer say, which takes as long again as decoding it
    #[arg(long)]
    bytes: bool,
}

impl Run for Inspect {
    const NAME: &'static str = "inspect";

    fn run(self) -> Result<()> {
        let net = self.source.open()?;
        let census = census(&net);
        let summary = match self.source.is_syn() {
            true => Some(summary(&self.source.model)?),
            false => None,
        };
        let mut json = totals_json(&net, &census);
        if let Some(summary) = &summary {
            add(&mut json, &net, summary);
        }
        let spent = match (self.bytes, &summary) {
            (true, Some(summary)) => Some(Spent::of(&self.source.model, summary)?),
            (true, None) => bail!("--bytes tells of a .syn, and {} is none; `synapress encode` makes one", self.source),
            (false, _) => None,
        };
        if let Some(spent) = &spent {
            json["bytes_per_part"] = spent.json();
        }
        self.output.answer(&json, || {
            let parts = spent.as_ref().map(|s| format!("\n\n{}", s.text())).unwrap_or_default();
            text(&net, &census, summary.as_ref()) + &parts
        })
    }
}

fn totals_json(net: &Net, c: &Census) -> Value {
    let row = |r: &Row| {
        let mut json = json!({
            "name": r.name,
            "kind": r.kind,
            "output": [r.output.channels, r.output.height, r.output.width],
            "parameters": r.parameters,
            "connections": r.connections,
            "share_of_parameters": r.parameter_share,
            "share_of_connections": r.connection_share,
        });
        if let Some(w) = At::of(net, r) {
            json["stage"] = w.stage.into();
            json["sparsity"] = w.sparsity.into();
            json["index_bits"] = w.index_bits.into();
            json["weight_bits"] = w.weight_bits.into();
        }
        json["output_bits"] = output_bits(net, r).into();
        json
    };
    json!({
        "name": net.name,
        "parameters": c.parameters,
        "connections": c.connections,
        "connections_without_groups": c.ungrouped,
        "convolutions": c.convolutions,
        "fully_connected": c.fully_connected,
        "inception_modules": c.inception_modules,
        "layers": c.layers,
        "rows": c.rows.iter().map(row).collect::<Vec<_>>(),
        "history": net.about.history,
    })
}

/// Where a layer's weights stand.
struct At {
    stage: &'static str,
    sparsity: f64,
    index_bits: Option<u8>,
    weight_bits: u8,
}

impl At {
    fn of(net: &Net, row: &Row) -> Option<Self> {
        let weights = net.weights.get(row.node)?.as_ref()?;
        let quantized = weights.codes().map(|(_, format)| format.bits);
        let stage = match (&weights.form, quantized) {
            (Form::Coded { .. }, Some(_)) => "grouped+quantized",
            (Form::Coded { .. }, None) => "grouped",
            (_, Some(_)) => "quantized",
            _ if weights.zeros() > weights.len() / 100 => "pruned",
            _ => "dense",
        };
        let index_bits = match &weights.form {
            Form::Coded { centroids, .. } => Some(group::index_bits(centroids.len())),
            _ => None,
        };
        let sparsity = weights.sparsity();
        Some(Self { stage, sparsity, index_bits, weight_bits: quantized.unwrap_or(32) })
    }
}

fn output_bits(net: &Net, row: &Row) -> Option<u8> {
    net.integers.as_ref()?.outputs.get(row.node).map(|f| f.bits)
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
        let share = 100.0 * row.connection_share;
        let count = |n: u64| if n == 0 { String::new() } else { thousands(n) };
        let mut cells = vec![
            row.name.clone(),
            row.kind.to_owned(),
            row.output.to_string(),
            count(row.parameters),
            count(row.connections),
            if row.connections == 0 { String::new() } else { format!("{share:.1}%") },
        ];
        if let Some(summary) = summary {
            cells.extend(stages(net, row, summary.layers.iter().find(|l| l.name == row.name)));
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
fn stages(net: &Net, row: &Row, layer: Option<&LayerSummary>) -> [String; 7] {
    let bits = |bits: Option<u8>| bits.map(|b| b.to_string()).unwrap_or_default();
    let at = At::of(net, row);
    [
        at.as_ref().map_or("", |a| a.stage).to_owned(),
        at.as_ref().map(|a| format!("{:.2}%", 100.0 * a.sparsity)).unwrap_or_default(),
        bits(at.as_ref().and_then(|a| a.index_bits)),
        bits(at.as_ref().map(|a| a.weight_bits)),
        bits(output_bits(net, row)),
        layer.map(|l| thousands(l.bytes)).unwrap_or_default(),
        layer.map(|l| format!("{:.2}", l.bits_per_weight())).unwrap_or_default(),
    ]
}

fn totals(census: &Census) -> String {
    format!(
        "parameters {}, connections {} ({} if no convolution were in groups)\n\
         convolution layers {}, fully connected layers {}, inception modules {}, layers {}",
        thousands(census.parameters),
        thousands(census.connections),
        thousands(census.ungrouped),
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
