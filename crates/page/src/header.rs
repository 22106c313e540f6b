//! What was achieved, at the head of the page.

use maud::{Markup, html};
use synapress_compress::report::{Effort, File, Report, Row, Training};

use crate::figure::{At, bytes, count, figure, fixed, percent, times, words};
use crate::{name_of, of_one_command};

/// The name, a sentence, and the figures that count.
pub fn header(at: &At, report: &Report) -> Markup {
    let last = last(at, report);
    html! {
        header {
            h1 { @if report.network.is_empty() { (name_of(report)) } @else { (words(&at.to("network"), &report.network)) } }
            @if let Some(file) = &report.file { (sentence(at, report, file)) }
            dl.facts {
                @if let Some(file) = &report.file { (file_facts(&at.to("file"), file)) }
                @if let Some((at, row)) = &last { (row_facts(at, report, row)) }
                (widths(at, report))
            }
            @if let Some(training) = &report.training { (learned(&at.to("training"), training)) }
            @if last.is_none() && !of_one_command(report) {
                p.unknown {
                    "Accuracy is not known from the file alone: it is in the JSON that the command "
                    code { "compress" } " writes beside it. So are the weights and the layer outputs before compression."
                }
            }
        }
    }
}

/// The row of the file, and its place.
pub fn last<'r>(at: &At, report: &'r Report) -> Option<(At, &'r Row)> {
    let place = report.rows.len().checked_sub(1)?;
    Some((at.to("rows").to(place), report.rows.get(place)?))
}

/// What a training came to at its last evaluation.
fn learned(at: &At, training: &Training) -> Markup {
    let Some((place, test)) = training.tests.iter().enumerate().next_back() else { return html! {} };
    let at_test = at.to("tests").to(place);
    let [low, high] = test.top1_interval;
    html! {
        p {
            "After " (figure(&at_test.to("step"), test.step, count(test.step as u64))) " steps top\u{2011}1 on "
            (figure(&at.to("test_images"), training.test_images, count(training.test_images as u64))) " images is "
            (figure(&at_test.to("top1"), test.top1, percent(test.top1))) "%, with 95% confidence between "
            (figure(&at_test.to("top1_interval/0"), low, percent(low))) " and "
            (figure(&at_test.to("top1_interval/1"), high, percent(high))) "."
        }
    }
}

fn sentence(at: &At, report: &Report, file: &File) -> Markup {
    let file_at = at.to("file");
    let float = figure(&file_at.to("float_bytes"), file.float_bytes, bytes(file.float_bytes as f64));
    let now = figure(&file_at.to("bytes"), file.bytes, bytes(file.bytes as f64));
    html! {
        p.lede {
            (float) " of parameters in single precision became a file of " (now) ", "
            (figure(&file_at.to("ratio"), file.ratio, times(file.ratio))) " smaller. "
            @if let Some((row_at, row)) = last(at, report) && let Some(loss) = row.loss_of_top1 {
                @let at_loss = row_at.to("loss_of_top1");
                @let [low, high] = loss.interval;
                "Of top\u{2011}1 on " (figure(&at.to("images"), report.images, count(report.images as u64))) " images it lost "
                (figure(&at_loss.to("points"), loss.points, percent(loss.points))) " points, with 95% confidence between "
                (figure(&at_loss.to("interval/0"), low, percent(low))) " and "
                (figure(&at_loss.to("interval/1"), high, percent(high))) ", "
                (match row.effort {
                    Effort::Retrained => "after retraining.",
                    _ => "by calibration only: nothing was retrained.",
                })
            }
        }
    }
}

fn fact(term: &str, value: Markup, more: Markup) -> Markup {
    html! { div { dt { (term) } dd { (value) span.more { (more) } } } }
}

fn file_facts(at: &At, file: &File) -> Markup {
    let f = |key: &str, value: f64, text: String| figure(&at.to(key), value, text);
    html! {
        (fact("size", figure(&at.to("bytes"), file.bytes, bytes(file.bytes as f64)),
            html! { (figure(&at.to("parameters"), file.parameters, count(file.parameters))) " parameters" }))
        (fact("ratio", f("ratio", file.ratio, times(file.ratio)),
            html! { (f("bits_per_weight", file.bits_per_weight, fixed(file.bits_per_weight, 2))) " bits a weight" }))
        (fact("sparsity", html! { (f("sparsity", file.sparsity, percent(file.sparsity))) "%" }, html! { "of the weights are zero" }))
        @if let (Some(mean), Some(weighted)) = (file.index_bits_mean, file.index_bits_weighted) {
            (fact("index", html! { (f("index_bits_mean", mean, fixed(mean, 2))) " bits" },
                html! { "mean over layers; " (f("index_bits_weighted", weighted, fixed(weighted, 2))) " over weights" }))
        }
    }
}

fn row_facts(at: &At, report: &Report, row: &Row) -> Markup {
    let accuracy = |term: &str, key: &str, value: fn(&Row) -> f64, interval: Option<[f64; 2]>| {
        let text = |place: usize, row: &Row| {
            let at = at.above().to(place).to(key);
            html! { (figure(&at, value(row), percent(value(row)))) "%" }
        };
        let more = html! {
            @if let Some([low, high]) = interval {
                @let at = at.to(format!("{key}_interval"));
                (figure(&at.to(0), low, percent(low))) " to " (figure(&at.to(1), high, percent(high)))
            }
            @if let (Some(float), true) = (report.rows.first(), report.rows.len() > 1) { "; float " (text(0, float)) }
        };
        fact(term, text(report.rows.len() - 1, row), more)
    };
    html! {
        (accuracy("top-1", "top1", |r| r.top1, row.top1_interval))
        (accuracy("top-5", "top5", |r| r.top5, row.top5_interval))
        @if let Some(agreement) = row.agreement {
            (fact("agreement", html! { (figure(&at.to("agreement"), agreement, percent(agreement))) "%" },
                html! { "of the images: same first class as the float network" }))
        }
        @if let Some(divergence) = row.divergence {
            (fact("divergence", figure(&at.to("divergence"), divergence, fixed(divergence, 3)),
                html! { "nats from the float network\u{2019}s scores (Kullback\u{2013}Leibler)" }))
        }
    }
}

/// Bit widths of weights and layer outputs.
fn widths(at: &At, report: &Report) -> Markup {
    let Some(file) = &report.file else { return html! {} };
    let layers = at.to("file").to("layers");
    let of = |connected: bool| {
        let kind =
            move |kind: &str| (kind == "InnerProduct") == connected && ["InnerProduct", "Convolution"].contains(&kind);
        let all = file.layers.iter().enumerate().filter(move |(_, l)| kind(&l.kind));
        extent(all.map(|(i, l)| (layers.to(i).to("weight_bits"), l.weight_bits)))
    };
    let outputs = report.outputs.iter().enumerate();
    let outputs = extent(outputs.filter_map(|(i, o)| Some((at.to("outputs").to(i).to("bits"), o.bits?))));
    let parts = [("convolution", of(false)), ("fully connected", of(true)), ("layer outputs", outputs)];
    html! {
        @if let Some(widest) = parts.iter().find_map(|(_, p)| p.as_ref()) {
            div {
                dt { "bit widths" }
                dd {
                    (widest) " bits"
                    @for (name, width) in &parts {
                        @if let Some(width) = width { span.more { (name) " " (width) } }
                    }
                    @if parts[2].1.is_none() { span.more { "layer outputs in floating point" } }
                }
            }
        }
    }
}

/// The least and the largest of some widths.
fn extent(widths: impl Iterator<Item = (At, u8)>) -> Option<Markup> {
    let all: Vec<(At, u8)> = widths.collect();
    let (low, high) = (all.iter().min_by_key(|w| w.1)?, all.iter().max_by_key(|w| w.1)?);
    Some(html! {
        (figure(&low.0, low.1, low.1))
        @if low.1 != high.1 { " to " (figure(&high.0, high.1, high.1)) }
    })
}
