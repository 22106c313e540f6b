//! Weights before and after, a drawing for each layer: how they were distributed, the threshold below which they fell,
//! and the values that the others went to.

use std::fmt::Write;

use maud::{Markup, html};
use synapress_compress::report::{Distribution, LayerFigures, Report};

use crate::figure::{At, count, digits, figure, percent, words};
use crate::scale::Scale;
use crate::section as section_of;
use crate::svg::c;

const HEADING: &str = "Weights before and after";

pub fn section(at: &At, report: &Report) -> Markup {
    let Some(file) = report.file.as_ref().filter(|f| !f.layers.is_empty()) else { return html! {} };
    let at = at.to("file").to("layers");
    let before = file.layers.iter().any(|l| l.distribution.float.is_some());
    let valued = file.layers.iter().any(|l| !l.distribution.values.is_empty());
    let Some((most, example)) = file.layers.iter().enumerate().max_by_key(|(_, l)| l.weights) else { return html! {} };
    let body = html! {
        p.note {
            @if before { "Grey is the density of the weights in the float network, zero in the middle. " }
            @if valued {
                "Each blue line is a centroid, or a code where nothing is grouped, as high as the weights that went there "
                "are dense. "
            } @else { "Blue is the density of the weights that are not zero now. " }
            @if before {
                "Red lines are the threshold: as many float weights are smaller than it as are zero now, and where magnitude "
                "alone decided it is the one that they fell below."
            } @else { "The weights before compression are not known from the file alone." }
        }
        div.example { (drawing(&at.to(most), most, example, true)) }
        div.many { @for (i, layer) in file.layers.iter().enumerate() { (drawing(&at.to(i), i, layer, false)) } }
    };
    section_of("weights", HEADING, &body)
}

/// Height of a drawing over its axis; the axis takes the rest.
const HEIGHT: f64 = 64.0;
const TALL: f64 = 120.0;

fn drawing(at: &At, number: usize, layer: &LayerFigures, example: bool) -> Markup {
    let (width, height) = if example { (420.0, TALL) } else { (200.0, HEIGHT) };
    let d = &layer.distribution;
    let edge = f64::from(d.edge);
    let x = Scale::linear([-edge, edge], [0.5, width - 0.5]);
    let (before, after) = (d.float.as_ref().map(|f| densities(&f.counts, edge)), shape(d));
    let largest = after.largest().max(before.iter().flatten().copied().fold(0.0, f64::max));
    let y = Scale::linear([0.0, if largest > 0.0 { largest } else { 1.0 }], [height, if example { 14.0 } else { 3.0 }]);
    let threshold = d.float.as_ref().and_then(|f| f.threshold).filter(|t| *t <= edge);
    let id = format!("{}{number}", if example { "x" } else { "w" });
    let at_float = at.to("distribution/float");
    html! {
        figure {
            svg viewBox={ "0 0 " (c(width)) " " (c(height + 15.0)) } role="img" aria-labelledby={ (id) "-t" } {
                title id={ (id) "-t" } { "Weights of " (words(&at.to("name"), &layer.name)) }
                @if let Some(before) = &before { path.before d=(steps(before, edge, &x, &y)) data-path-from=(at_float.to("counts")) {} }
                (after.draw(at, edge, &x, &y))
                @if let Some(threshold) = threshold {
                    @for side in [-threshold, threshold] {
                        line.threshold x1=(c(x.at(side))) x2=(c(x.at(side))) y1=(if example { "10" } else { "0" }) y2=(c(height)) {}
                    }
                    @if example {
                        text.mid x=(c(x.at(0.0))) y="8" { "\u{2190} threshold \u{2192}" }
                    }
                }
                line.axis x1="0" x2=(c(width)) y1=(c(height)) y2=(c(height)) {}
                text.tick x="0" y=(c(height + 12.0)) { (digits(-edge)) }
                text.tick.mid x=(c(x.at(0.0))) y=(c(height + 12.0)) { "0" }
                text.tick.end x=(c(width)) y=(c(height + 12.0)) data-from=(at.to("distribution/edge")) { (digits(edge)) }
                @if example {
                    @if before.is_some() { text.ink.mid x=(c(x.at(0.0))) y=(c(height - 14.0)) { "before" } }
                    text.told x=(c(x.at(threshold.unwrap_or(0.0) + 0.3 * edge))) y=(c(height * 0.5)) { "after" }
                }
            }
            (told(at, layer))
        }
    }
}

fn told(at: &At, layer: &LayerFigures) -> Markup {
    let d = &layer.distribution;
    let at_float = at.to("distribution/float");
    html! {
        figcaption {
            b title=(layer.name) { (words(&at.to("name"), &layer.name)) }
            (figure(&at.to("sparsity"), layer.sparsity, percent(layer.sparsity))) "% zero"
            @if let Some(float) = &d.float {
                "; \u{3c3} " (figure(&at_float.to("deviation"), float.deviation, digits(float.deviation)))
                @if let Some(threshold) = float.threshold {
                    ", threshold " (figure(&at_float.to("threshold"), threshold, digits(threshold)))
                }
            }
            @if d.beyond > 0 { "; " (figure(&at.to("distribution/beyond"), d.beyond, count(d.beyond))) " beyond the ends" }
        }
    }
}

/// What is drawn of the weights as they are now.
enum Shape<'d> {
    /// Lines at values, as high as weights are dense there: values and densities.
    Lines(&'d [f32], Vec<f64>),
    /// Densities of bins.
    Steps(Vec<f64>),
}

fn shape(d: &Distribution) -> Shape<'_> {
    let edge = f64::from(d.edge);
    if d.values.is_empty() || d.values.len() != d.value_counts.len() {
        return Shape::Steps(densities(&d.counts, edge));
    }
    let value = |i: usize| f64::from(d.values[i]);
    // The cell of a value reaches to the middles between it and its neighbours, zero being one.
    let cell = |i: usize| {
        let with_zero = |other: f64, of: f64| if (other < 0.0) != (of < 0.0) { 0.0 } else { other };
        let below = (i > 0).then(|| with_zero(value(i - 1), value(i))).or((value(i) > 0.0).then_some(0.0));
        let above =
            (i + 1 < d.values.len()).then(|| with_zero(value(i + 1), value(i))).or((value(i) < 0.0).then_some(0.0));
        match (below, above) {
            (Some(below), Some(above)) => (above - below) / 2.0,
            (Some(other), None) | (None, Some(other)) => (value(i) - other).abs(),
            (None, None) => value(i).abs(),
        }
    };
    let density = |(i, &n): (usize, &u64)| n as f64 / cell(i).max(f64::MIN_POSITIVE);
    Shape::Lines(&d.values, d.value_counts.iter().enumerate().map(density).collect())
}

impl Shape<'_> {
    fn largest(&self) -> f64 {
        let (Self::Lines(_, densities) | Self::Steps(densities)) = self;
        densities.iter().copied().filter(|d| d.is_finite()).fold(0.0, f64::max)
    }

    fn draw(&self, at: &At, edge: f64, x: &Scale, y: &Scale) -> Markup {
        match self {
            Self::Steps(densities) => html! {
                path.after.steps d=(steps(densities, edge, x, y)) data-path-from=(at.to("distribution/counts")) {}
            },
            Self::Lines(values, densities) => {
                let mut path = String::new();
                for (value, density) in values.iter().zip(densities).filter(|(v, _)| f64::from(v.abs()) <= edge) {
                    let _ = write!(path, "M{} {}V{}", c(x.at(f64::from(*value))), c(y.at(0.0)), c(y.at(*density)));
                }
                html! { path.after d=(path) {} }
            }
        }
    }
}

/// Counts of bins from `-edge` to `edge` as numbers a unit of value.
fn densities(counts: &[u64], edge: f64) -> Vec<f64> {
    let width = 2.0 * edge / counts.len().max(1) as f64;
    counts.iter().map(|&n| n as f64 / width.max(f64::MIN_POSITIVE)).collect()
}

/// The outline of bins.
fn steps(densities: &[f64], edge: f64, x: &Scale, y: &Scale) -> String {
    let border = |i: usize| c(x.at(edge * (2.0 * i as f64 / densities.len() as f64 - 1.0)));
    let mut path = format!("M{} {}", border(0), c(y.at(0.0)));
    for (i, density) in densities.iter().enumerate() {
        let _ = write!(path, "V{}H{}", c(y.at(*density)), border(i + 1));
    }
    let _ = write!(path, "V{}Z", c(y.at(0.0)));
    path
}
