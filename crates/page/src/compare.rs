//! Several files beside one another: what each came to, what accuracy cost, and the bytes and errors of their layers.

use std::collections::HashMap;

use maud::{Markup, html};
use synapress_compress::report::{LayerBytes, Report};

use crate::figure::{At, bytes, count, digits, figure, fixed, optional, percent, times, words};
use crate::header::last;
use crate::layers::{bar, last_errors};
use crate::scale::Scale;
use crate::stages::{loss_cells, loss_headings, scale};
use crate::svg::c;
use crate::{Compared, Comparison, curves, section, wide};

/// A file with the places of its name and of its report.
struct Entry<'r> {
    name_at: At,
    at: At,
    name: &'r str,
    report: &'r Report,
}

pub fn body(comparison: &Comparison) -> Markup {
    let mut entries = Vec::new();
    for (i, Compared { name, report }) in comparison.files.iter().enumerate() {
        let at = At::default().to("files").to(i);
        entries.push(Entry { name_at: at.to("name"), at: at.to("report"), name, report });
    }
    let sources: Vec<curves::Source<'_>> = entries
        .iter()
        .map(|e| curves::Source { at: &e.at, name: Some((&e.name_at, e.name)), report: e.report })
        .collect();
    html! {
        header { h1 { "Compressed networks compared" } }
        (table(&entries))
        (curves::section(&sources))
        (layers(&entries))
    }
}

fn table(entries: &[Entry<'_>]) -> Markup {
    let losses = scale(entries.iter().filter_map(|e| e.report.rows.last()?.loss_of_top1));
    let unknown = entries.iter().any(|e| e.report.rows.is_empty());
    let measured = |e: &Entry<'_>| {
        let making = e.report.making.as_ref().and_then(|m| m.evaluation.clone());
        (!e.report.rows.is_empty()).then_some((e.report.images, making))
    };
    let sets: Vec<_> = entries.iter().filter_map(measured).collect();
    let body = html! {
        table.sticky {
            caption { span { "The loss is that against each file\u{2019}s own float network, on the same images." } }
            thead { tr {
                th scope="col" { "file" } th.left scope="col" { "network" }
                th scope="col" { "size" } th scope="col" { "ratio" } th scope="col" { "zeros %" } th scope="col" { "index bits" }
                th scope="col" { "top-1 %" } th scope="col" { "top-5 %" }
                (loss_headings(&losses))
                th scope="col" { "agrees %" } th scope="col" { "KL" } th scope="col" { "images" }
            } }
            tbody { @for entry in entries { (line(entry, &losses)) } }
        }
    };
    let notes = html! {
        @if unknown { p.unknown { "Where accuracy is missing there is no report of that file beside it." } }
        @if sets.windows(2).any(|s| s[0] != s[1]) { p.note { "Not all were measured on the same images: compare losses, not accuracies." } }
    };
    section("files", "The files", &html! { (wide("The files", &body)) (notes) })
}

fn line(entry: &Entry<'_>, losses: &Scale) -> Markup {
    let (at, report) = (&entry.at, entry.report);
    let row = last(at, report);
    html! {
        tr {
            th.name scope="row" title=(entry.name) { (words(&entry.name_at, entry.name)) }
            td.left { (words(&at.to("network"), &report.network)) }
            @match &report.file {
                Some(file) => {
                    @let at = at.to("file");
                    td { (figure(&at.to("bytes"), file.bytes, bytes(file.bytes as f64))) }
                    td { (figure(&at.to("ratio"), file.ratio, times(file.ratio))) }
                    td { (figure(&at.to("sparsity"), file.sparsity, percent(file.sparsity))) }
                    td { (optional(&at.to("index_bits_mean"), file.index_bits_mean, |b| fixed(b, 2))) }
                }
                None => { td colspan="4" {} }
            }
            @match &row {
                Some((at, row)) => {
                    td { (figure(&at.to("top1"), row.top1, percent(row.top1))) }
                    td { (figure(&at.to("top5"), row.top5, percent(row.top5))) }
                    (loss_cells(&at.to("loss_of_top1"), row.loss_of_top1, losses, false))
                    td { (optional(&at.to("agreement"), row.agreement, percent)) }
                    td { (optional(&at.to("divergence"), row.divergence, |v| fixed(v, 3))) }
                    td { (figure(&entry.at.to("images"), report.images, count(report.images as u64))) }
                }
                None => { td colspan="7" {} }
            }
        }
    }
}

/// The layers of all files, in the order in which they first come.
fn layers(entries: &[Entry<'_>]) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut own: Vec<HashMap<&str, (usize, &LayerBytes)>> = Vec::new();
    for entry in entries {
        let layers = entry.report.file.iter().flat_map(|f| &f.layers);
        own.push(layers.clone().enumerate().map(|(i, l)| (&*l.name, (i, &l.bytes))).collect());
        names.extend(layers.map(|l| &*l.name).filter(|n| seen.insert(*n)));
    }
    if names.is_empty() {
        return html! {};
    }
    let errors: Vec<HashMap<&str, (At, f64)>> = entries.iter().map(|e| last_errors(&e.at, e.report)).collect();
    let largest = own.iter().flat_map(HashMap::values).map(|(_, b)| b.sum).fold(1e-9, f64::max);
    let sizes = Scale::linear([0.0, largest], [0.0, 100.0]);
    let all = || errors.iter().flat_map(HashMap::values).map(|e| e.1).filter(|e| *e > 0.0 && e.is_finite());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let scale = Scale::log([low / 1.2, high * 1.2], [2.0, 98.0]);
    // A name belongs to a layer of the first file that has it.
    let named = |name: &str| {
        let (entry, i) = entries.iter().zip(&own).find_map(|(e, o)| Some((e, o.get(name)?.0)))?;
        Some(words(&entry.at.to("file/layers").to(i).to("name"), name))
    };
    let body = html! {
        table.full.dense.sticky {
            caption { span {
                "Coded bytes of each layer, all bars on one scale, and the error of its outputs: squared, relative to their "
                "deviation in the float network, on a common logarithmic scale."
            } }
            thead {
                tr {
                    th rowspan="2" scope="col" { "layer" }
                    @for entry in entries { th.over colspan="4" scope="colgroup" { (words(&entry.name_at, entry.name)) } }
                }
                tr { @for _ in entries { th.left.drawn colspan="2" scope="col" { "bytes" } th.left.drawn colspan="2" scope="col" { "error" } } }
            }
            tbody {
                @for name in &names {
                    tr {
                        th.name scope="row" title=(name) { @if let Some(name) = named(name) { (name) } }
                        @for ((entry, own), errors) in entries.iter().zip(&own).zip(&errors) {
                            @match own.get(name) {
                                Some((i, layer)) => {
                                    @let at = entry.at.to("file/layers").to(i).to("bytes");
                                    td.drawn.fill style={ "min-width:" (c(90.0)) "px" } { (bar(&at, layer, &sizes)) }
                                    td { (figure(&at.to("sum"), layer.sum, bytes(layer.sum))) }
                                }
                                None => { td {} td {} }
                            }
                            @match errors.get(name) {
                                Some((at, error)) => {
                                    td.drawn.fill style="min-width:70px" {
                                        svg width="100%" height="14" role="presentation" aria-hidden="true" data-x-scale="error:log" {
                                            circle.dot cx={ (c(scale.at(*error))) "%" } cy="7" r="3" data-cx-from=(at) {}
                                        }
                                    }
                                    td { (figure(at, error, digits(*error))) }
                                }
                                None => { td {} td {} }
                            }
                        }
                    }
                }
            }
        }
    };
    section("layers", "Layer by layer", &wide("Layer by layer", &body))
}
