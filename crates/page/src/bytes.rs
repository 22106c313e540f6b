//! What the bytes of the file are spent on, all layers together. Its colours and names are the key to the bars of
//! single layers.

use maud::{Markup, html};
use synapress_compress::report::{File, LayerBytes, Report};

use crate::figure::{At, bytes, figure};
use crate::svg::c;
use crate::{section as section_of, wide};

const HEADING: &str = "Where the bytes go";

/// A part of a layer's bytes.
pub struct Part {
    /// Its key in the JSON.
    pub key: &'static str,
    /// How it is drawn.
    pub class: &'static str,
    /// What it says.
    pub name: &'static str,
    /// Its bytes.
    pub of: fn(&LayerBytes) -> f64,
}

/// The parts of layers in the order in which bars show them.
pub const PARTS: [Part; 6] = [
    Part { key: "significance", class: "significance", name: "which weights are zero", of: |b| b.significance },
    Part { key: "sign", class: "sign", name: "signs", of: |b| b.sign },
    Part {
        key: "magnitude_or_index",
        class: "magnitude",
        name: "indices of centroids, or magnitudes",
        of: |b| b.magnitude_or_index,
    },
    Part { key: "codebook", class: "codebook", name: "codebooks", of: |b| b.codebook },
    Part { key: "bias", class: "bias", name: "biases", of: |b| b.bias },
    Part { key: "overhead", class: "overhead", name: "headers, checksums", of: |b| b.overhead },
];

pub fn section(at: &At, report: &Report) -> Markup {
    let Some(file) = &report.file else { return html! {} };
    let at = &at.to("file");
    let layers = at.to("layers_bytes");
    let of_layers =
        PARTS.iter().map(|p| (p.class, p.name, layers.to(p.key), (p.of)(&file.layers_bytes), String::new()));
    let others = others(at, file);
    let rows: Vec<_> = of_layers.chain(others).collect();
    let largest = rows.iter().map(|r| r.3).fold(1e-9, f64::max);
    let table = html! {
        table.full {
            caption { span {
                "The " (figure(&at.to("bytes"), file.bytes, bytes(file.bytes as f64)))
                " of the file by what they say. Arithmetic code has no places where one ends and the next begins: each "
                "decision is charged with what its probability is worth."
            } }
            thead { tr { th.left scope="col" { "part" } th.left.drawn scope="col" style="width:60%" { "bytes" } th scope="col" {} } }
            tbody {
                @for (class, name, at, value, exact) in &rows {
                    tr {
                        th scope="row" { (name) }
                        td.drawn.fill {
                            svg width="100%" height="12" role="presentation" aria-hidden="true" data-x-scale="parts:linear" {
                                rect class=(class) x="0" y="0" height="12" width={ (c(100.0 * (value / largest).clamp(0.0, 1.0))) "%" }
                                    data-width-from=(at) {}
                            }
                        }
                        td { @if exact.is_empty() { (figure(at, value, bytes(*value))) } @else { (figure(at, exact, bytes(*value))) } }
                    }
                }
            }
        }
    };
    section_of("bytes", HEADING, &wide(HEADING, &table))
}

type Line = (&'static str, &'static str, At, f64, String);

fn others(at: &At, file: &File) -> [Line; 4] {
    let line = |name, key: &str, n: u64| ("bar", name, at.to(key), n as f64, n.to_string());
    [
        line("the graph", "graph_bytes", file.graph_bytes),
        line("preprocessing, class names, history", "about_bytes", file.about_bytes),
        line("formats of layer outputs", "format_bytes", file.format_bytes),
        line("header, end, extra chunks", "other_bytes", file.other_bytes),
    ]
}
