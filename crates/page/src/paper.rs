//! The tables of the paper with our rows beside. Its float networks are others, so that losses are what to compare.

use maud::{Markup, html};
use synapress_compress::report::{Loss, Paper, Report, Row, Stage};

use crate::figure::{At, figure, optional, percent, times};
use crate::{section as section_of, wide};

const HEADING: &str = "Beside the paper";

/// What the paper and this run are compared in.
const QUANTITIES: [&str; 6] =
    ["zeros %", "points of top-1 lost", "points of top-5 lost", "index bits", "top-1 %", "top-5 %"];

/// Nothing where the report has no rows of the paper.
pub fn section(at: &At, report: &Report) -> Markup {
    if report.paper.is_empty() {
        return html! {};
    }
    let table = html! {
        table.sticky {
            caption { span {
                "Figures of Kim et al., " cite {
                    "Hierarchical Compression of Deep Convolutional Neural Networks on Large Scale Visual Recognition for "
                    "Mobile Applications"
                }
                ", which retrains on all of ImageNet. Its float network and its images are not those of this run: compare "
                "the points lost, not the accuracies."
            } }
            thead {
                tr {
                    th rowspan="2" scope="col" { "stages" }
                    @for quantity in QUANTITIES {
                        th.over colspan="2" scope="colgroup" { (quantity) }
                    }
                    th rowspan="2" scope="col" { "ratio" }
                }
                tr { @for _ in QUANTITIES { th.fresh scope="col" { "paper" } th scope="col" { "here" } } }
            }
            tbody {
                @for (i, paper) in report.paper.iter().enumerate() {
                    @let ours = ours(report, paper);
                    (line(paper.stage, Some((at.to("paper").to(i), paper)), ours.map(|i| (at.to("rows").to(i), &report.rows[i]))))
                }
                @for (i, row) in report.rows.iter().enumerate() {
                    @if !report.paper.iter().any(|p| ours(report, p) == Some(i)) {
                        (line(row.stage, None, Some((at.to("rows").to(i), row))))
                    }
                }
            }
        }
    };
    section_of("paper", HEADING, &wide(HEADING, &table))
}

/// Our row that a row of the paper stands beside: the one whose own nearest row this is.
fn ours(report: &Report, paper: &Paper) -> Option<usize> {
    let mut rows = report.rows.iter();
    rows.position(|row| report.paper_for(row).is_some_and(|p| std::ptr::eq(p, paper)))
}

/// A row of the paper, ours, or both beside one another.
fn line(stage: Stage, paper: Option<(At, &Paper)>, ours: Option<(At, &Row)>) -> Markup {
    let lost = |key: &str, loss: fn(&Row) -> Option<Loss>| {
        html! {
            @if let Some((at, row)) = &ours && let Some(loss) = loss(row) {
                @let at = at.to(key);
                @let [low, high] = loss.interval;
                (figure(&at.to("points"), loss.points, percent(loss.points))) " ("
                (figure(&at.to("interval/0"), low, percent(low))) " to "
                (figure(&at.to("interval/1"), high, percent(high))) ")"
            }
        }
    };
    let plain = |key: &str, value: fn(&Row) -> Option<f64>| {
        html! { @if let Some((at, row)) = &ours { (optional(&at.to(key), value(row), percent)) } }
    };
    let theirs = |key: &str, value: fn(&Paper) -> Option<f64>| {
        html! { td.fresh { @if let Some((at, paper)) = &paper { (optional(&at.to(key), value(paper), percent)) } } }
    };
    html! {
        tr {
            th scope="row" { (stage.name()) }
            (theirs("sparsity", |p| p.sparsity))
            td { (plain("sparsity", |r| Some(r.sparsity))) }
            (theirs("loss_of_top1", |p| p.loss_of_top1))
            td { (lost("loss_of_top1", |r| r.loss_of_top1)) }
            (theirs("loss_of_top5", |p| p.loss_of_top5))
            td { (lost("loss_of_top5", |r| r.loss_of_top5)) }
            (theirs("index_bits", |p| p.index_bits))
            td { (plain("index_bits_mean", |r| r.index_bits_mean)) }
            (theirs("top1", |p| p.top1))
            td { (plain("top1", |r| Some(r.top1))) }
            (theirs("top5", |p| p.top5))
            td { (plain("top5", |r| Some(r.top5))) }
            td.fresh { @if let Some((at, row)) = &ours { (figure(&at.to("ratio"), row.ratio, times(row.ratio))) } }
        }
    }
}
