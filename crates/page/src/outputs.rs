//! Layer outputs: the numbers that come there, on the bits of the fixed-point formats that store them.

use maud::{Markup, html};
use synapress_compress::report::{OutputFigures, Report};

use crate::figure::{At, count, digits, figure, fixed, optional, words};
use crate::scale::Scale;
use crate::svg::c;
use crate::{section as section_of, unknown, wide};

const HEADING: &str = "Layer outputs and their formats";

pub fn section(at: &At, report: &Report) -> Markup {
    if report.outputs.is_empty() {
        return unknown(
            "outputs",
            HEADING,
            "Layer outputs are in floating point, and nothing is known of their ranges.",
        );
    }
    let ends = report.outputs.iter().filter_map(octaves);
    let [low, high] = ends.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], [low, high]| [l.min(low), h.max(high)]);
    let scale = Scale::linear(if low < high { [low - 0.5, high + 0.5] } else { [-8.0, 8.0] }, [0.0, 100.0]);
    let measured = report.outputs.iter().any(|o| o.measured.is_some());
    let formats = report.outputs.iter().any(|o| o.bits.is_some());
    let table = html! {
        table.full.dense.sticky {
            caption { span {
                @if formats {
                    "A box reaches from the step of a layer\u{2019}s format to the largest number that it holds, one octave a bit: "
                    "how the formats move from layer to layer is what makes fixed point dynamic. "
                }
                @if measured {
                    "On " (figure(&at.to("output_images"), report.output_images, count(report.output_images as u64)))
                    " calibration images: the blue mark is the root of the mean square, the dot the largest magnitude, red where "
                    "the format saturates it. Where a ReLU is the only reader it is what that lets pass."
                } @else { "What the layers put out is not known from the file alone." }
            } }
            thead { tr {
                th scope="col" { "layer" }
                @if formats { th.left scope="col" { small { "bits, fractional" } "length" } }
                th.left.drawn scope="col" style="width:45%" { "magnitude" (axis(&scale)) }
                @if measured {
                    th scope="col" { "least" }
                    th scope="col" { "largest" }
                    th scope="col" { "rms" }
                    @if formats {
                        th scope="col" { small { "saturated" } "%" }
                        th scope="col" { small { "SQNR" } "dB" }
                    }
                }
            } }
            tbody {
                @for (i, output) in report.outputs.iter().enumerate() {
                    (line(&at.to("outputs").to(i), output, &scale, formats, measured))
                }
            }
        }
    };
    section_of("outputs", HEADING, &wide(HEADING, &table))
}

/// Powers of two from the step of a format to its largest number.
fn format(output: &OutputFigures) -> Option<[f64; 2]> {
    let (bits, frac, signed) = (output.bits?, output.frac?, output.signed?);
    let low = -f64::from(frac);
    Some([low, low + f64::from(bits) - f64::from(u8::from(signed))])
}

/// Powers of two that a line is drawn over.
fn octaves(output: &OutputFigures) -> Option<[f64; 2]> {
    let numbers = output.measured.as_ref().map(|m| [m.rms.log2(), largest(m.least, m.most).log2()]);
    let all = format(output).into_iter().chain(numbers).flatten().filter(|v| v.is_finite());
    let [low, high] = all.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], v| [l.min(v), h.max(v)]);
    (low <= high).then_some([low, high])
}

fn largest(least: f32, most: f32) -> f64 {
    f64::from(most.abs().max(least.abs()))
}

/// Whole, even octaves, about eight of them.
fn octaves_told(scale: &Scale) -> impl Iterator<Item = f64> {
    let ticks = scale.ticks(400);
    let even: Vec<f64> = ticks.into_iter().filter(|t| t.rem_euclid(2.0) == 0.0).collect();
    let every = even.len().div_ceil(8).max(1);
    even.into_iter().filter(move |t| (t / 2.0).rem_euclid(every as f64) == 0.0)
}

fn axis(scale: &Scale) -> Markup {
    html! {
        svg width="100%" height="14" role="presentation" aria-hidden="true" {
            @for tick in octaves_told(scale) {
                text.tick.mid x={ (c(scale.at(tick))) "%" } y="11" {
                    "2" tspan dy="-4" font-size="8" { (fixed(tick, 0)) }
                }
            }
        }
    }
}

fn line(at: &At, output: &OutputFigures, scale: &Scale, formats: bool, measured: bool) -> Markup {
    let m = output.measured.as_ref();
    let seen = at.to("measured");
    let format = format(output);
    html! {
        tr {
            th.name scope="row" title=(output.name) { (words(&at.to("name"), &output.name)) }
            @if formats {
                td.left {
                    @if let (Some(bits), Some(frac), Some(signed)) = (output.bits, output.frac, output.signed) {
                        (figure(&at.to("bits"), bits, bits)) ", " (figure(&at.to("frac"), frac, fixed(frac.into(), 0)))
                        @if signed { " signed" }
                    }
                }
            }
            td.drawn.fill {
                svg width="100%" height="14" role="presentation" aria-hidden="true" data-x-scale="magnitude:log" {
                    @if let Some([low, high]) = format {
                        rect.format x={ (c(scale.at(low))) "%" } y="2.5" height="9" width={ (c(scale.at(high) - scale.at(low))) "%" } {}
                    }
                    @if let Some(m) = m {
                        @let [rms, top] = [m.rms.log2(), largest(m.least, m.most).log2()];
                        @if rms.is_finite() {
                            line.rms x1={ (c(scale.at(rms))) "%" } x2={ (c(scale.at(rms))) "%" } y1="2" y2="12"
                                data-x1-from=(seen.to("rms")) data-x2-from=(seen.to("rms")) {}
                        }
                        @if top.is_finite() {
                            circle class=(if format.is_some_and(|f| top > f[1]) { "beyond" } else { "dot" })
                                cx={ (c(scale.at(top))) "%" } cy="7" r="3"
                                data-cx-from=(seen.to(if m.most.abs() >= m.least.abs() { "most" } else { "least" })) {}
                        }
                    }
                }
            }
            @if measured {
                @if let Some(m) = m {
                    td { (figure(&seen.to("least"), m.least, digits(m.least.into()))) }
                    td { (figure(&seen.to("most"), m.most, digits(m.most.into()))) }
                    td { (figure(&seen.to("rms"), m.rms, digits(m.rms))) }
                    @if formats {
                        td { (optional(&seen.to("saturated"), m.saturated.filter(|s| *s > 0.0), digits)) }
                        td { (optional(&seen.to("sqnr"), m.sqnr, |v| fixed(v, 1))) }
                    }
                } @else { td colspan=(if formats { 5 } else { 3 }) {} }
            }
        }
    }
}
