//! What accuracy costs: points of top-1 lost against sparsity and against size, with intervals.

mod panel;

use maud::{Markup, html};
use synapress_compress::report::{Loss, Report, Stage};

use crate::figure::{At, figure, percent};
use crate::{of_one_command, section as section_of, unknown};
use panel::panel;

const HEADING: &str = "What size and sparsity cost";

/// A report whose points are drawn; with a name, its last row alone by that name.
pub struct Source<'r> {
    pub at: &'r At,
    pub name: Option<(&'r At, &'r str)>,
    pub report: &'r Report,
}

/// Whose a point is.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Row,
    Last,
    Trial,
    Paper,
}

struct Point<'r> {
    of: Of,
    label: String,
    /// The place of a label that is no stage's name.
    label_at: Option<&'r At>,
    x: (At, f64),
    loss: f64,
    loss_at: At,
    interval: Option<([f64; 2], At)>,
    /// Pixels that it is moved aside, for others that would hide it.
    aside: f64,
}

/// What lies along.
#[derive(Clone, Copy, PartialEq)]
enum Axis {
    Sparsity,
    Size,
}

pub fn section(sources: &[Source<'_>]) -> Markup {
    let panels: Vec<Markup> =
        [Axis::Sparsity, Axis::Size].into_iter().filter_map(|axis| panel(points(sources, axis), axis)).collect();
    if panels.is_empty() && sources.iter().all(|s| of_one_command(s.report)) {
        return html! {};
    }
    if panels.is_empty() {
        return unknown("curves", HEADING, "No losses of accuracy are known, so that there is nothing to draw.");
    }
    let float = sources.iter().find_map(|s| Some((s.at.to("rows/0/top1"), s.report.rows.first()?.top1)));
    let trials = sources.iter().any(|s| s.name.is_none() && s.report.trials.iter().any(|t| t.loss_of_top1.is_some()));
    let paper = sources.iter().any(|s| s.name.is_none() && s.report.paper.iter().any(|p| p.loss_of_top1.is_some()));
    let body = html! {
        p.note {
            "Points of top-1 lost against the float network"
            @if let (Some((at, top1)), 1) = (float, sources.len()) { ", which has " (figure(&at, top1, percent(top1))) "%" }
            ": up is better. Lines reach over the 95% interval of the difference; what would hide something else stands a little aside."
            @if trials { " Open circles are what the search for the budget tried." }
            @if paper { " Open squares are the paper\u{2019}s." }
        }
        div.panels { @for panel in panels { (panel) } }
    };
    section_of("curves", HEADING, &body)
}

fn points<'r>(sources: &[Source<'r>], axis: Axis) -> Vec<Point<'r>> {
    let mut points = Vec::new();
    for source in sources {
        let (at, report) = (source.at, source.report);
        let pick = |at: &At, sparsity: f64, bytes: u64| match axis {
            Axis::Sparsity => (at.to("sparsity"), sparsity),
            Axis::Size => (at.to("size_bytes"), bytes as f64),
        };
        let mut add = |of, label: &str, label_at, at: &At, x, loss: Loss| {
            let loss_at = at.to("loss_of_top1");
            points.push(Point {
                of,
                label: label.to_owned(),
                label_at,
                x,
                loss: loss.points,
                interval: Some((loss.interval, loss_at.to("interval"))),
                loss_at: loss_at.to("points"),
                aside: 0.0,
            });
        };
        if source.name.is_none() {
            for (i, trial) in report.trials.iter().enumerate() {
                let at = at.to("trials").to(i);
                if let Some(loss) = trial.loss_of_top1 {
                    add(Of::Trial, "", None, &at, pick(&at, trial.sparsity, trial.size_bytes), loss);
                }
            }
        }
        for (i, row) in report.rows.iter().enumerate() {
            let at = at.to("rows").to(i);
            let last = i + 1 == report.rows.len();
            let (Some(loss), true) = (row.loss_of_top1, source.name.is_none() || last) else { continue };
            let of = if last { Of::Last } else { Of::Row };
            let (label, label_at) = source.name.map_or((row.stage.name(), None), |(at, name)| (name, Some(at)));
            add(of, label, label_at, &at, pick(&at, row.sparsity, row.size_bytes), loss);
        }
        if axis == Axis::Sparsity && source.name.is_none() {
            for (i, paper) in report.paper.iter().enumerate().filter(|(_, p)| p.stage != Stage::Baseline) {
                let at = at.to("paper").to(i);
                if let (Some(loss), Some(sparsity)) = (paper.loss_of_top1, paper.sparsity) {
                    let (x, loss_at) = ((at.to("sparsity"), sparsity), at.to("loss_of_top1"));
                    let label = paper.stage.name().to_owned();
                    points.push(Point {
                        of: Of::Paper,
                        label,
                        label_at: None,
                        x,
                        loss,
                        loss_at,
                        interval: None,
                        aside: 0.0,
                    });
                }
            }
        }
    }
    points.retain(|p| p.x.1.is_finite() && p.loss.is_finite());
    points
}
