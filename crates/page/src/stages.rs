//! The table of stages: a row for each combination, and its loss with interval on a common scale.

use maud::{Markup, html};
use synapress_compress::report::{Effort, Loss, Report, Row};

use crate::figure::{At, bytes, count, duration, figure, fixed, optional, percent, times};
use crate::scale::Scale;
use crate::svg::{c, tick_text};
use crate::{of_one_command, section as section_of, unknown, wide};

const HEADING: &str = "Stage by stage";

pub fn section(at: &At, report: &Report) -> Markup {
    if of_one_command(report) {
        return html! {};
    }
    if report.rows.is_empty() {
        return unknown("stages", HEADING, "No accuracy was reported for this file.");
    }
    let scale = scale(report.rows.iter().filter_map(|r| r.loss_of_top1));
    let grouped = report.rows.iter().any(|r| r.index_bits_mean.is_some());
    let places = at.to("rows");
    let table = html! {
        table.sticky {
            caption { span {
                "Measured on " (figure(&at.to("images"), report.images, count(report.images as u64)))
                " images; rows with SQ are those of the integer network. SP: synapse pruning, SG: synapse grouping, SQ: "
                "synapse quantization. The loss is that against the float network on the same images, image by image."
            } }
            thead { tr {
                th scope="col" { "stages" }
                th scope="col" { "top-1 %" }
                th scope="col" { "top-5 %" }
                (loss_headings(&scale))
                th scope="col" { "agrees %" }
                th scope="col" { "KL" }
                th scope="col" { "size" }
                th scope="col" { "ratio" }
                th scope="col" { "zeros %" }
                @if grouped { th scope="col" { "index bits" } }
                th.left scope="col" { "made with" }
                th scope="col" { "time" }
            } }
            tbody {
                @for (i, row) in report.rows.iter().enumerate() {
                    (line(&places.to(i), row, &scale, grouped, i > 0 && i + 1 == report.rows.len()))
                }
            }
        }
    };
    section_of("stages", HEADING, &wide(HEADING, &table))
}

fn line(at: &At, row: &Row, scale: &Scale, grouped: bool, last: bool) -> Markup {
    let f = |key: &str, value: f64, text: String| figure(&at.to(key), value, text);
    html! {
        tr.last[last] {
            th scope="row" { (row.stage.name()) }
            td { (f("top1", row.top1, percent(row.top1))) }
            td { (f("top5", row.top5, percent(row.top5))) }
            (loss_cells(&at.to("loss_of_top1"), row.loss_of_top1, scale, last))
            td { (optional(&at.to("agreement"), row.agreement, percent)) }
            td { (optional(&at.to("divergence"), row.divergence, |v| fixed(v, 3))) }
            td { (figure(&at.to("size_bytes"), row.size_bytes, bytes(row.size_bytes as f64))) }
            td { (f("ratio", row.ratio, times(row.ratio))) }
            td { (f("sparsity", row.sparsity, percent(row.sparsity))) }
            @if grouped { td { (optional(&at.to("index_bits_mean"), row.index_bits_mean, percent)) } }
            td.left { (effort(row.effort)) }
            td { @if row.seconds >= 0.05 { (f("seconds", row.seconds, duration(row.seconds))) } }
        }
    }
}

fn effort(effort: Effort) -> &'static str {
    match effort {
        Effort::None => "",
        Effort::Calibration => "calibration",
        Effort::Retrained => "retraining",
    }
}

/// Pixels of a drawn loss.
const WIDTH: f64 = 130.0;

/// A scale that all of some losses with their intervals are on.
pub fn scale(losses: impl Iterator<Item = Loss>) -> Scale {
    let [low, high] = losses.fold([0.0f64, 0.0f64], |[low, high], l| {
        [low.min(l.interval[0]).min(l.points), high.max(l.interval[1]).max(l.points)]
    });
    Scale::linear([low, high], [4.0, WIDTH - 4.0])
}

/// The headings of [`loss_cells`], with ticks.
pub fn loss_headings(scale: &Scale) -> Markup {
    html! {
        th.left.drawn scope="col" {
            "points of top-1 lost"
            svg width=(WIDTH) height="14" role="presentation" aria-hidden="true" data-x-scale="loss:linear" {
                @for tick in scale.ticks(4) {
                    text.tick.mid data-axis="x" x=(c(scale.at(tick))) y="11" { (tick_text(tick)) }
                }
            }
        }
        th scope="col" { "(95% interval)" }
    }
}

/// Two cells: a loss as a point with its interval, and in figures; empty ones for none.
pub fn loss_cells(at: &At, loss: Option<Loss>, scale: &Scale, main: bool) -> Markup {
    let Some(loss) = loss else { return html! { td {} td {} } };
    let [low, high] = loss.interval;
    let main = if main { " main" } else { "" };
    html! {
        td.left.drawn {
            svg width=(WIDTH) height="12" role="presentation" aria-hidden="true" data-x-scale="loss:linear" {
                line.zero x1=(c(scale.at(0.0))) x2=(c(scale.at(0.0))) y1="-3" y2="15" {}
                line class={ "interval" (main) } x1=(c(scale.at(low))) x2=(c(scale.at(high))) y1="6" y2="6"
                    data-x1-from=(at.to("interval/0")) data-x2-from=(at.to("interval/1")) {}
                circle class={ "dot" (main) } cx=(c(scale.at(loss.points))) cy="6" r="3" data-cx-from=(at.to("points")) {}
            }
        }
        td {
            (figure(&at.to("points"), loss.points, percent(loss.points))) " ("
            (figure(&at.to("interval/0"), low, percent(low))) " to "
            (figure(&at.to("interval/1"), high, percent(high))) ")"
        }
    }
}
