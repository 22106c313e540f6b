//! A row for each layer: how sparse it is, its bits, its bytes as a bar, and the error of its outputs.

use std::collections::HashMap;

use maud::{Markup, html};
use synapress_compress::report::{LayerBytes, LayerFigures, Report};

use crate::bytes::PARTS;
use crate::figure::{At, bytes, count, digits, figure, fixed, optional, percent, words};
use crate::header::last;
use crate::scale::Scale;
use crate::svg::{c, column_axis, tick_bytes, tick_text};
use crate::{section as section_of, wide};

const HEADING: &str = "Layer by layer";

/// For each layer by name: a row's number among those of the report, the layer's place in it, and its error.
type Errors<'r> = HashMap<&'r str, Vec<(usize, usize, f64)>>;

fn errors(report: &Report) -> Errors<'_> {
    let mut errors = Errors::new();
    for (i, row) in report.rows.iter().enumerate() {
        for (j, layer) in row.layers.iter().enumerate() {
            if let Some(error) = layer.error {
                errors.entry(&layer.name).or_default().push((i, j, error));
            }
        }
    }
    errors
}

pub fn section(at: &At, report: &Report) -> Markup {
    let Some(file) = report.file.as_ref().filter(|f| !f.layers.is_empty()) else { return html! {} };
    let errors = errors(report);
    let largest = file.layers.iter().map(|l| l.bytes.sum).fold(1e-9, f64::max);
    let sizes = Scale::linear([0.0, largest], [0.0, 100.0]);
    let all = || errors.values().flatten().map(|e| e.2).filter(|e| *e > 0.0 && e.is_finite());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let scale = (high > 0.0).then(|| Scale::log([low / 1.2, high * 1.2], [2.0, 98.0]));
    let stages: Vec<&str> = report.rows.iter().filter(|r| !r.layers.is_empty()).map(|r| r.stage.name()).collect();
    let table = html! {
        table.full.dense.sticky {
            caption { span {
                "Bars are the coded bytes, in the colours of the parts above."
                @if let (Some((last, before)), true) = (stages.split_last(), scale.is_some()) {
                    " The error is that of the layer\u{2019}s outputs on calibration images: squared, relative to their deviation "
                    "in the float network, everything before the layer compressed as well. "
                    span.key {
                        span { svg width="9" height="9" aria-hidden="true" { circle.dot.main cx="4.5" cy="4.5" r="3.4" {} } (last) }
                        @if !before.is_empty() {
                            span {
                                svg width="9" height="9" aria-hidden="true" { circle.trial cx="4.5" cy="4.5" r="2.6" {} }
                                @for (i, stage) in before.iter().enumerate() { @if i > 0 { ", " } (stage) }
                            }
                        }
                    }
                }
            } }
            thead { tr {
                th scope="col" { "layer" }
                th.left.drawn scope="col" style="width:26%" { "bytes" (column_axis("bytes:linear", &sizes, 3, tick_bytes)) }
                th scope="col" {}
                th scope="col" { small { "bits a" } "weight" }
                th scope="col" { "weights" }
                th scope="col" { "zeros %" }
                th scope="col" { small { "index" } "bits" }
                th scope="col" { small { "weight" } "bits" }
                @if let Some(scale) = &scale {
                    th.left.drawn scope="col" style="width:20%" { "error" (column_axis("error:log", scale, 3, tick_text)) }
                    th scope="col" {}
                }
            } }
            tbody {
                @for (i, layer) in file.layers.iter().enumerate() {
                    @let of_layer = errors.get(&*layer.name).map_or(&[][..], Vec::as_slice);
                    (line(at, &at.to("file").to("layers").to(i), report, layer, &sizes, scale.as_ref(), of_layer))
                }
            }
        }
    };
    let note = html! {
        @if scale.is_none() { p.unknown { "Errors of layers are not known from the file alone." } }
    };
    section_of("layers", HEADING, &html! { (wide(HEADING, &table)) (note) })
}

fn line(
    root: &At,
    at: &At,
    report: &Report,
    layer: &LayerFigures,
    sizes: &Scale,
    scale: Option<&Scale>,
    errors: &[(usize, usize, f64)],
) -> Markup {
    let last = report.rows.len().wrapping_sub(1);
    let error_at = |i: usize, j: usize| root.to("rows").to(i).to("layers").to(j).to("error");
    html! {
        tr {
            th.name scope="row" title=(layer.name) { (words(&at.to("name"), &layer.name)) }
            td.drawn.fill { (bar(&at.to("bytes"), &layer.bytes, sizes)) }
            td { (figure(&at.to("bytes/sum"), layer.bytes.sum, bytes(layer.bytes.sum))) }
            td { (figure(&at.to("bits_per_weight"), layer.bits_per_weight, fixed(layer.bits_per_weight, 2))) }
            td { (figure(&at.to("weights"), layer.weights, count(layer.weights))) }
            td { (figure(&at.to("sparsity"), layer.sparsity, percent(layer.sparsity))) }
            td { (optional(&at.to("index_bits"), layer.index_bits, |b| b.to_string())) }
            td { (figure(&at.to("weight_bits"), layer.weight_bits, layer.weight_bits)) }
            @if let Some(scale) = scale {
                td.drawn.fill {
                    svg width="100%" height="14" role="presentation" aria-hidden="true" data-x-scale="error:log" {
                        @for &(i, j, error) in errors.iter().filter(|e| e.0 != last).chain(errors.iter().filter(|e| e.0 == last)) {
                            circle class=(if i == last { "dot main" } else { "trial" }) cy="7" r=(if i == last { "3.4" } else { "2.6" })
                                cx={ (c(scale.at(error))) "%" } data-cx-from=(error_at(i, j)) {}
                        }
                    }
                }
                td { @for &(i, j, error) in errors.iter().filter(|e| e.0 == last) { (figure(&error_at(i, j), error, digits(error))) } }
            }
        }
    }
}

/// The bytes of a layer, part after part.
pub fn bar(at: &At, bytes: &LayerBytes, sizes: &Scale) -> Markup {
    let mut end = 0.0;
    let parts = PARTS.iter().map(|part| {
        let start = sizes.at(end);
        end += (part.of)(bytes).max(0.0);
        (part, start, sizes.at(end) - start)
    });
    html! {
        svg width="100%" height="12" role="presentation" aria-hidden="true" data-x-scale="bytes:linear" {
            @for (part, x, width) in parts {
                rect class=(part.class) x={ (c(x)) "%" } y="1" height="10" width={ (c(width)) "%" }
                    data-width-from=(at.to(part.key)) {}
            }
        }
    }
}

/// The layers of a report that some error is known of, in its last row: name to place and error.
pub fn last_errors<'r>(at: &At, report: &'r Report) -> HashMap<&'r str, (At, f64)> {
    let Some((at, row)) = last(at, report) else { return HashMap::new() };
    let named = row.layers.iter().enumerate();
    named.filter_map(|(j, l)| Some((&*l.name, (at.to("layers").to(j).to("error"), l.error?)))).collect()
}
