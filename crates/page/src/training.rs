//! How a training went: loss and accuracy over its steps.

use std::fmt::Write;

use maud::{Markup, html};
use synapress_compress::report::{Report, Test, Training};

use crate::figure::{At, count, figure, fixed, percent};
use crate::scale::Scale;
use crate::svg::{c, tick_text};
use crate::{section as section_of, wide};

const HEADING: &str = "How it learned";

/// Size of a panel, and the margins of what is drawn: left, top, right, bottom.
const SIZE: [f64; 2] = [420.0, 260.0];
const MARGIN: [f64; 4] = [40.0, 22.0, 12.0, 38.0];

pub fn section(at: &At, report: &Report) -> Markup {
    let Some(training) = &report.training else { return html! {} };
    let at = &at.to("training");
    let body = html! {
        p.note {
            (figure(&at.to("steps"), training.steps, count(training.steps as u64))) " steps of "
            (figure(&at.to("batch"), training.batch, count(training.batch as u64))) " images. "
            "The line is the loss on the images that were learned from"
            @if training.losses.len() < training.steps { ", a point being the mean over a run of steps" }
            @if training.tests.is_empty() {
                "; accuracy was not measured on the way, as no other images were given."
            } @else {
                ". Dots are measured on "
                (figure(&at.to("test_images"), training.test_images, count(training.test_images as u64)))
                " other images, which nothing was learned from; lines through those of accuracy are 95% intervals."
            }
        }
        div.panels { (losses(at, training)) (accuracies(at, training)) }
        @if !training.tests.is_empty() {
            details { summary { "Every evaluation" } (wide("Every evaluation", &tests(&at.to("tests"), &training.tests))) }
        }
    };
    section_of("training", HEADING, &body)
}

fn steps(training: &Training) -> Scale {
    Scale::linear([0.0, training.steps.max(1) as f64], [MARGIN[0], SIZE[0] - MARGIN[2]])
}

/// The scale of a panel's height.
fn height(values: impl Iterator<Item = f64>) -> Scale {
    let start = [f64::INFINITY, f64::NEG_INFINITY];
    let [low, high] = values.filter(|v| v.is_finite()).fold(start, |[low, high], v| [low.min(v), high.max(v)]);
    Scale::linear([low, high], [SIZE[1] - MARGIN[3], MARGIN[1]])
}

fn losses(at: &At, training: &Training) -> Markup {
    let all = || training.losses.iter().copied();
    if all().next().is_none() {
        return html! {};
    }
    let (x, y) = (steps(training), height(all().chain(training.tests.iter().map(|t| t.loss)).chain([0.0])));
    let mut path = String::new();
    for (i, (step, loss)) in training.loss_steps.iter().zip(&training.losses).enumerate() {
        let _ = write!(path, "{}{} {}", if i == 0 { "M" } else { "L" }, c(x.at(*step as f64)), c(y.at(*loss)));
    }
    let marks = html! {
        path.path d=(path) {}
        @for (i, (step, loss)) in training.loss_steps.iter().zip(&training.losses).enumerate() {
            circle.bar cx=(c(x.at(*step as f64))) cy=(c(y.at(*loss))) r="1"
                data-cx-from=(at.to("loss_steps").to(i)) data-cy-from=(at.to("losses").to(i)) {}
        }
        @for (i, test) in training.tests.iter().enumerate() {
            @let at = at.to("tests").to(i);
            circle.dot.main cx=(c(x.at(test.step as f64))) cy=(c(y.at(test.loss))) r="2.6"
                data-cx-from=(at.to("step")) data-cy-from=(at.to("loss")) {}
        }
    };
    panel("loss", "Loss over the steps", "nats", [&x, &y], &marks)
}

fn accuracies(at: &At, training: &Training) -> Markup {
    if training.tests.is_empty() {
        return html! {};
    }
    let (x, y) = (steps(training), height(training.tests.iter().flat_map(|t| t.top1_interval)));
    let mut path = String::new();
    for (i, test) in training.tests.iter().enumerate() {
        let place = [c(x.at(test.step as f64)), c(y.at(test.top1))];
        let _ = write!(path, "{}{} {}", if i == 0 { "M" } else { "L" }, place[0], place[1]);
    }
    let marks = html! {
        path.path d=(path) {}
        @for (i, test) in training.tests.iter().enumerate() {
            @let at = at.to("tests").to(i);
            @let (cx, [low, high]) = (x.at(test.step as f64), test.top1_interval);
            line.interval x1=(c(cx)) x2=(c(cx)) y1=(c(y.at(low))) y2=(c(y.at(high)))
                data-y1-from=(at.to("top1_interval/0")) data-y2-from=(at.to("top1_interval/1")) {}
            circle.dot.main cx=(c(cx)) cy=(c(y.at(test.top1))) r="3"
                data-cx-from=(at.to("step")) data-cy-from=(at.to("top1")) {}
        }
    };
    panel("accuracy", "Accuracy over the steps", "top-1 %", [&x, &y], &marks)
}

fn panel(id: &str, name: &str, unit: &str, [x, y]: [&Scale; 2], marks: &Markup) -> Markup {
    let [left, _, right, bottom] = MARGIN;
    html! {
        figure {
            svg viewBox={ "0 0 " (SIZE[0]) " " (SIZE[1]) } role="img" aria-labelledby={ (id) "-t" }
                data-x-scale="steps:linear" data-y-scale={ (id) "-by-step:linear" } {
                title id={ (id) "-t" } { (name) }
                @for tick in y.ticks(5) {
                    line.hair x1=(c(left)) x2=(c(SIZE[0] - right)) y1=(c(y.at(tick))) y2=(c(y.at(tick))) {}
                    text.tick.end data-axis="y" data-place=(c(y.at(tick))) x=(c(left - 5.0)) y=(c(y.at(tick) + 4.0)) { (tick_text(tick)) }
                }
                text x="0" y="9" { (unit) }
                @for tick in x.ticks(5) {
                    text.tick.mid data-axis="x" x=(c(x.at(tick))) y=(c(SIZE[1] - bottom + 18.0)) { (tick_text(tick)) }
                }
                text.end x=(c(SIZE[0] - right)) y=(c(SIZE[1] - 4.0)) { "steps" }
                (marks)
            }
        }
    }
}

fn tests(at: &At, tests: &[Test]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "step" }
                th scope="col" { "loss" }
                th scope="col" { "top-1 %" }
                th scope="col" { "(95% interval)" }
                th scope="col" { "top-5 %" }
            } }
            tbody {
                @for (i, test) in tests.iter().enumerate() {
                    @let (at, [low, high]) = (at.to(i), test.top1_interval);
                    tr {
                        th scope="row" { (figure(&at.to("step"), test.step, count(test.step as u64))) }
                        td { (figure(&at.to("loss"), test.loss, fixed(test.loss, 4))) }
                        td { (figure(&at.to("top1"), test.top1, percent(test.top1))) }
                        td {
                            (figure(&at.to("top1_interval/0"), low, percent(low))) " to "
                            (figure(&at.to("top1_interval/1"), high, percent(high)))
                        }
                        td { (figure(&at.to("top5"), test.top5, percent(test.top5))) }
                    }
                }
            }
        }
    }
}
