//! One drawing of points of top-1 lost against something: axes, intervals, points and their names.

use std::fmt::Write;

use maud::{Markup, html};

use super::{Axis, Of, Point};
use crate::figure::{bytes, figure, percent, words};
use crate::labels::{self, Spot};
use crate::scale::Scale;
use crate::svg::{c, tick_bytes, tick_text};

/// Size of a panel, and the margins of what is drawn: left, top, right, bottom.
const SIZE: [f64; 2] = [420.0, 280.0];
const MARGIN: [f64; 4] = [34.0, 22.0, 12.0, 38.0];

pub fn panel(mut points: Vec<Point<'_>>, axis: Axis) -> Option<Markup> {
    if points.is_empty() {
        return None;
    }
    let across = extent(points.iter().map(|p| p.x.1));
    let places = [MARGIN[0] + 14.0, SIZE[0] - MARGIN[2] - 14.0];
    let x = match axis {
        Axis::Sparsity => Scale::linear(widened(across, 2.0), places),
        Axis::Size => Scale::log([across[0] / 1.15, across[1] * 1.15], places),
    };
    let losses = extent(points.iter().flat_map(|p| {
        let [low, high] = p.interval.as_ref().map_or([p.loss; 2], |i| i.0);
        [low, high, p.loss, 0.0]
    }));
    let y = Scale::linear(losses, [MARGIN[1], SIZE[1] - MARGIN[3]]);
    move_aside(&mut points, &x);
    let points = &points[..];
    // Where names are in each other's way, that of the last row has the first choice.
    let mut named: Vec<&Point<'_>> = points.iter().filter(|p| p.of != Of::Trial).collect();
    named.sort_by_key(|p| p.of != Of::Last);
    let spots = spots(&named, &x, &y);
    let (name, unit) = match axis {
        Axis::Sparsity => ("Points of top-1 lost against sparsity", "% of the weights are zero"),
        Axis::Size => ("Points of top-1 lost against size", "size of the file, logarithmic"),
    };
    let id = if axis == Axis::Sparsity { "by-sparsity" } else { "by-size" };
    Some(html! {
        figure {
            svg viewBox={ "0 0 " (SIZE[0]) " " (SIZE[1]) } role="img" aria-labelledby={ (id) "-t" } aria-describedby={ (id) "-d" }
                data-x-scale=(if axis == Axis::Size { "size:log" } else { "sparsity:linear" })
                data-y-scale=(if axis == Axis::Size { "loss-by-size:linear" } else { "loss-by-sparsity:linear" }) {
                title id={ (id) "-t" } { (name) }
                desc id={ (id) "-d" } { (description(points, axis)) }
                @for tick in y.ticks(5) {
                    line.hair x1=(c(MARGIN[0])) x2=(c(SIZE[0] - MARGIN[2])) y1=(c(y.at(tick))) y2=(c(y.at(tick))) {}
                    text.tick.end data-axis="y" data-place=(c(y.at(tick))) x=(c(MARGIN[0] - 5.0)) y=(c(y.at(tick) + 4.0)) { (tick_text(tick)) }
                }
                text x="0" y="9" { "points lost" }
                line.zero x1=(c(MARGIN[0])) x2=(c(SIZE[0] - MARGIN[2])) y1=(c(y.at(0.0))) y2=(c(y.at(0.0))) {}
                text.ink.end x=(c(SIZE[0] - MARGIN[2])) y=(c(y.at(0.0) - 4.0)) { "float" }
                @for tick in x.ticks(5) {
                    text.tick.mid data-axis="x" x=(c(x.at(tick))) y=(c(SIZE[1] - MARGIN[3] + 18.0)) {
                        (if axis == Axis::Size { tick_bytes(tick) } else { tick_text(tick) })
                    }
                }
                text.end x=(c(SIZE[0] - MARGIN[2])) y=(c(SIZE[1] - 4.0)) { (unit) }
                (trail(points, &x, &y))
                @for (point, spot) in named.iter().zip(&spots) { (leader(point, spot, &x, &y)) }
                @for point in points { (mark(point, &x, &y)) }
                @for (point, spot) in named.iter().zip(&spots) { (label(point, spot)) }
            }
        }
    })
}

/// Points with intervals that stand in one another's way move aside, by so little that it is seen to be one place.
fn move_aside(points: &mut [Point<'_>], x: &Scale) {
    const STEP: f64 = 7.0;
    let mut order: Vec<usize> =
        (0..points.len()).filter(|&i| points[i].interval.is_some() && points[i].of != Of::Trial).collect();
    order.sort_by(|&a, &b| points[a].x.1.total_cmp(&points[b].x.1));
    let mut from = 0;
    while from < order.len() {
        let at = x.at(points[order[from]].x.1);
        let near = order[from..].iter().take_while(|&&i| x.at(points[i].x.1) - at < 3.0).count();
        for (k, &i) in order[from..from + near].iter().enumerate() {
            points[i].aside = STEP * (k as f64 - (near as f64 - 1.0) / 2.0);
        }
        from += near;
    }
}

fn extent(values: impl Iterator<Item = f64>) -> [f64; 2] {
    values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
}

fn widened([low, high]: [f64; 2], least: f64) -> [f64; 2] {
    let more = (least - (high - low)).max(0.0) / 2.0;
    [low - more, high + more]
}

/// A line through what the search tried, in the order of the axis.
fn trail(points: &[Point<'_>], x: &Scale, y: &Scale) -> Markup {
    let mut trials: Vec<&Point<'_>> = points.iter().filter(|p| p.of == Of::Trial).collect();
    trials.sort_by(|a, b| a.x.1.total_cmp(&b.x.1));
    let mut path = String::new();
    for (i, p) in trials.iter().enumerate() {
        let _ = write!(path, "{}{} {}", if i == 0 { "M" } else { "L" }, c(x.at(p.x.1)), c(y.at(p.loss)));
    }
    html! { @if trials.len() > 1 { path.path d=(path) {} } }
}

fn mark(point: &Point<'_>, x: &Scale, y: &Scale) -> Markup {
    let (cx, cy) = (x.at(point.x.1) + point.aside, y.at(point.loss));
    let class = match point.of {
        Of::Row => "",
        Of::Last => " main",
        Of::Trial => " trial",
        Of::Paper => " hollow",
    };
    html! {
        @if let Some(([low, high], at)) = &point.interval {
            line class={ "interval" (class) } x1=(c(cx)) x2=(c(cx)) y1=(c(y.at(*low))) y2=(c(y.at(*high)))
                data-y1-from=(at.to(0)) data-y2-from=(at.to(1)) {}
        }
        @if point.of == Of::Paper {
            rect class={ "dot" (class) } x=(c(cx - 3.0)) y=(c(cy - 3.0)) width="6" height="6" {}
        } @else {
            circle class={ "dot" (class) } cx=(c(cx)) cy=(c(cy)) r=(if point.of == Of::Trial { "2.6" } else { "4" })
                data-cx-from=(point.x.0) data-aside=(c(point.aside)) data-cy-from=(point.loss_at) {}
        }
    }
}

fn spots(named: &[&Point<'_>], x: &Scale, y: &Scale) -> Vec<Spot> {
    let places: Vec<(f64, f64, f64)> =
        named.iter().map(|p| (x.at(p.x.1) + p.aside, y.at(p.loss), labels::width(&shown(p)))).collect();
    let line = y.at(0.0);
    let right = SIZE[0] - MARGIN[2];
    let mut obstacles = vec![[right - 30.0, line - 14.0, right, line], [MARGIN[0], line - 1.0, right, line + 1.0]];
    obstacles.extend(named.iter().filter_map(|p| {
        let ([low, high], _) = p.interval.as_ref()?;
        let place = x.at(p.x.1) + p.aside;
        Some([place - 1.0, y.at(*low), place + 1.0, y.at(*high)])
    }));
    labels::place(&places, &obstacles, [MARGIN[0], MARGIN[1], SIZE[0], SIZE[1] - MARGIN[3]])
}

/// A label as it is drawn: not longer than there is room for.
fn shown(point: &Point<'_>) -> String {
    const MOST: usize = 28;
    match (point.of, point.label.chars().count()) {
        (Of::Paper, _) => format!("{}, paper", point.label),
        (_, n) if n > MOST => point.label.chars().take(MOST - 1).chain(['\u{2026}']).collect(),
        _ => point.label.clone(),
    }
}

/// A line from a point to its name, where this stands far from it.
fn leader(point: &Point<'_>, spot: &Spot, x: &Scale, y: &Scale) -> Markup {
    let (cx, cy) = (x.at(point.x.1) + point.aside, y.at(point.loss));
    let far = (spot.y - 4.0 - cy).abs() > 7.0 || (spot.x - cx).abs() > 12.0;
    html! { @if far { line.leader x1=(c(cx)) y1=(c(cy)) x2=(c(spot.x)) y2=(c(spot.y - 4.0)) {} } }
}

fn label(point: &Point<'_>, spot: &Spot) -> Markup {
    let class = match (point.of == Of::Last, spot.end) {
        (true, true) => "label ink end",
        (true, false) => "label ink",
        (false, true) => "label end",
        (false, false) => "label",
    };
    html! {
        text class=(class) x=(c(spot.x)) y=(c(spot.y)) data-text=[point.label_at] { (shown(point)) }
    }
}

fn description(points: &[Point<'_>], axis: Axis) -> Markup {
    html! {
        @for point in points.iter().filter(|p| p.of != Of::Trial) {
            @match (point.of, point.label_at) {
                (Of::Paper, _) => { (point.label) " in the paper: " }
                (_, Some(at)) => { (words(at, &point.label)) ": " }
                _ => { (point.label) ": " }
            }
            (figure(&point.loss_at, point.loss, percent(point.loss))) " points at "
            @match axis {
                Axis::Sparsity => { (figure(&point.x.0, point.x.1, percent(point.x.1))) "% zeros. " }
                Axis::Size => { (figure(&point.x.0, point.x.1, bytes(point.x.1))) ". " }
            }
        }
    }
}
