//! Iterative pruning: what each round did to the network and to its layers.

use maud::{Markup, html};
use synapress_compress::report::{Report, Round, Rounds};

use crate::figure::{At, count, digits, figure, fixed, optional, percent, words};
use crate::{section as section_of, wide};

const HEADING: &str = "Round by round";

pub fn section(at: &At, report: &Report) -> Markup {
    let Some(pruning) = report.pruning.as_ref().filter(|p| !p.rounds.is_empty()) else { return html! {} };
    let at = &at.to("pruning");
    let body = html! {
        p.note {
            "In a round the weights below each layer\u{2019}s threshold fall, which is a ratio times the standard deviation of "
            "the layer\u{2019}s weights at the time; then the rest is retrained, and zeros stay zero."
            @if let Some(baseline) = pruning.baseline {
                " Accuracy is top-1 on " (figure(&at.to("images"), pruning.images, count(pruning.images as u64))) " images of "
                (words(&at.to("source"), &pruning.source)) "; before the first round it was "
                (figure(&at.to("baseline"), baseline, percent(baseline))) "%."
            }
            @if let Some(budget) = pruning.budget {
                " Rounds may lose " (figure(&at.to("budget"), budget, percent(budget))) " points together."
            }
        }
        (wide(HEADING, &rounds(at, pruning)))
        details open[pruning.rounds.len() < 4] {
            summary { "Ratio of the threshold, and zeros, of each layer" }
            (wide("Layers", &layers(&at.to("rounds"), &pruning.rounds)))
        }
    };
    section_of("rounds", HEADING, &body)
}

fn rounds(at: &At, pruning: &Rounds) -> Markup {
    let judged = pruning.rounds.iter().any(|r| r.top1.is_some());
    html! {
        table {
            thead { tr {
                th scope="col" { "round" }
                th scope="col" { "zeros %" }
                @if judged {
                    th scope="col" { "top-1 % before retraining" }
                    th scope="col" { "after retraining" }
                    th scope="col" { "" }
                }
            } }
            tbody {
                @for (i, round) in pruning.rounds.iter().enumerate() {
                    @let at = at.to("rounds").to(i);
                    tr.soft[round.undone] {
                        th scope="row" { (words(&at.to("name"), &round.name)) }
                        td { (figure(&at.to("sparsity"), round.sparsity, percent(round.sparsity))) }
                        @if judged {
                            td { (optional(&at.to("top1_before"), round.top1_before, percent)) }
                            td { (optional(&at.to("top1"), round.top1, percent)) }
                            td.left { @if round.undone { "undone: more than may be lost" } }
                        }
                    }
                }
            }
        }
    }
}

/// A row for each layer, and two columns for each round.
fn layers(at: &At, rounds: &[Round]) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    for layer in rounds.iter().flat_map(|r| &r.layers) {
        if !names.contains(&layer.name.as_str()) {
            names.push(&layer.name);
        }
    }
    let place = |round: &Round, name: &str| round.layers.iter().position(|l| l.name == name);
    html! {
        table.dense.sticky {
            thead {
                tr {
                    th scope="col" { "layer" }
                    @for (i, round) in rounds.iter().enumerate() {
                        th.over scope="colgroup" colspan="3" { "round " (words(&at.to(i).to("name"), &round.name)) }
                    }
                }
                tr {
                    th scope="col" { "" }
                    @for _ in rounds {
                        th.fresh scope="col" { "ratio" }
                        th scope="col" { "threshold" }
                        th scope="col" { "zeros %" }
                    }
                }
            }
            tbody {
                @for name in names {
                    tr {
                        @let first = rounds.iter().enumerate().find_map(|(i, r)| Some((i, place(r, name)?)));
                        th.name scope="row" title=(name) {
                            @if let Some((i, j)) = first { (words(&at.to(i).to("layers").to(j).to("name"), name)) }
                        }
                        @for (i, round) in rounds.iter().enumerate() {
                            @if let Some(j) = place(round, name) {
                                @let (at, layer) = (at.to(i).to("layers").to(j), &round.layers[j]);
                                td.fresh { (figure(&at.to("ratio"), layer.ratio, fixed(layer.ratio, 3))) }
                                td { (figure(&at.to("threshold"), layer.threshold, digits(layer.threshold))) }
                                td { (figure(&at.to("sparsity"), layer.sparsity, percent(layer.sparsity))) }
                            } @else { td.fresh {} td {} td {} }
                        }
                    }
                }
            }
        }
    }
}
