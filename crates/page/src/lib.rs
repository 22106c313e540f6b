//! Reports of compressions as pages to look at: one HTML file without script and without anything from elsewhere, its
//! drawings in SVG.
//!
//! A page shows what is in the JSON of [`Report`] and nothing else. Every number in its text names
//! its place there; what is drawn names its values likewise. Ticks of axes are the one exception. What a report does not
//! know is left out, and the page says so.

mod bytes;
mod classes;
mod compare;
mod curves;
mod figure;
mod header;
mod labels;
mod layers;
mod making;
mod outputs;
mod paper;
mod rounds;
mod scale;
mod stages;
mod svg;
mod training;
mod weights;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use synapress_compress::report::Report;

use figure::At;

const STYLE: &str = include_str!("style.css");

/// The page of one report.
pub fn page(report: &Report) -> String {
    let at = &At::default();
    let sections = [
        training::section(at, report),
        stages::section(at, report),
        paper::section(at, report),
        curves::section(&[curves::Source { at, name: None, report }]),
        rounds::section(at, report),
        bytes::section(at, report),
        layers::section(at, report),
        weights::section(at, report),
        outputs::section(at, report),
        classes::section(at, report),
        making::section(at, report),
    ];
    let done = match (&report.training, &report.pruning) {
        (Some(_), _) => "trained",
        (None, Some(_)) if report.rows.is_empty() => "pruned",
        _ => "compressed",
    };
    let title = format!("{}, {done}", name_of(report));
    document(&title, &html! { (header::header(at, report)) @for section in sections { (section) } })
}

/// A report and the file that it is of, to be compared with others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The file's name.
    pub name: String,
    /// Its report.
    pub report: Report,
}

/// Several reports beside one another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The files in order.
    pub files: Vec<Compared>,
}

/// The page of several reports.
pub fn comparison(comparison: &Comparison) -> String {
    document("Compressed networks compared", &compare::body(comparison))
}

fn document(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content="Synapress";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    }
    .into_string()
}

/// What the network is called.
fn name_of(report: &Report) -> &str {
    if report.network.is_empty() { "A network without a name" } else { &report.network }
}

/// Whether a report is of a single command, which has no stages to tell of.
fn of_one_command(report: &Report) -> bool {
    report.rows.is_empty() && (report.training.is_some() || report.pruning.is_some())
}

/// A section with its heading.
fn section(id: &str, heading: &str, body: &Markup) -> Markup {
    html! { section id=(id) aria-labelledby={ (id) "-h" } { h2 id={ (id) "-h" } { (heading) } (body) } }
}

/// A section that says why it is empty.
fn unknown(id: &str, heading: &str, why: &str) -> Markup {
    section(id, heading, &html! { p.unknown { (why) } })
}

/// Something wide, which scrolls by itself on a narrow page.
fn wide(label: &str, body: &Markup) -> Markup {
    html! { div.wide role="region" aria-label=(label) tabindex="0" { (body) } }
}
