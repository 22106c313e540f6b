//! What compression did to single classes: those that lost most, and what their images are taken for.

use maud::{Markup, html};
use synapress_compress::report::{ClassRow, Classes, Confusion, Report};

use crate::figure::{At, count, figure, words};
use crate::scale::Scale;
use crate::svg::{c, column_axis, tick_text};
use crate::{of_one_command, section as section_of, unknown, wide};

const HEADING: &str = "What changed for single classes";

/// Lines of a list at most.
const MOST: usize = 20;

pub fn section(at: &At, report: &Report) -> Markup {
    let Some(classes) = &report.classes else {
        if of_one_command(report) {
            return html! {};
        }
        return unknown("classes", HEADING, "Which classes lost is not known from the file alone.");
    };
    let at = at.to("classes");
    let body = html! {
        p {
            (figure(&at.to("lost"), classes.lost, count(classes.lost as u64)))
            " images were right before and are wrong now; "
            (figure(&at.to("gained"), classes.gained, count(classes.gained as u64)))
            " were wrong and are right now."
        }
        div.panels { (losers(&at, classes)) (confusions(&at, classes)) }
    };
    section_of("classes", HEADING, &body)
}

fn losers(at: &At, classes: &Classes) -> Markup {
    let mut losers: Vec<(usize, &ClassRow)> =
        classes.classes.iter().enumerate().filter(|(_, c)| c.after < c.before).collect();
    losers.sort_by_key(|(i, c)| (std::cmp::Reverse(c.before - c.after), *i));
    if losers.is_empty() {
        return html! { p.note { "No class lost more images than it gained." } };
    }
    let cut = losers.len() > MOST;
    losers.truncate(MOST);
    let most = losers.iter().map(|(_, c)| c.images).max().unwrap_or(1);
    let scale = Scale::linear([0.0, most.max(1) as f64], [2.0, 98.0]);
    let table = html! {
        table.full {
            caption { span {
                "Classes that lost most: images that were right before (grey) and are right now (red)."
                @if cut { " Others that lost are in the JSON." }
            } }
            thead { tr {
                th scope="col" { "class" }
                @if most > 1 { th.left.drawn scope="col" style="width:34%" { "images right" (column_axis("images:linear", &scale, most.min(4), tick_text)) } }
                th scope="col" { "before" } th scope="col" { "after" } th scope="col" { "of" }
            } }
            tbody { @for (i, class) in losers {
                @let at = at.to("classes").to(i);
                @let [before, after] = [class.before, class.after].map(|n| c(scale.at(n as f64)));
                tr {
                    th.name scope="row" title=[class.name.as_deref()] { (name(&at.to("name"), &at.to("class"), class.name.as_deref(), class.class)) }
                    @if most > 1 {
                    td.drawn.fill {
                        svg width="100%" height="12" role="presentation" aria-hidden="true" data-x-scale="images:linear" {
                            line.hair x1="2%" x2={ (c(scale.at(class.images as f64))) "%" } y1="6" y2="6" {}
                            line.lost x1={ (before) "%" } x2={ (after) "%" } y1="6" y2="6" {}
                            circle.bar cx={ (before) "%" } cy="6" r="4" data-cx-from=(at.to("before")) {}
                            circle.dot.main cx={ (after) "%" } cy="6" r="4" data-cx-from=(at.to("after")) {}
                        }
                    }
                    }
                    td { (figure(&at.to("before"), class.before, class.before)) }
                    td { (figure(&at.to("after"), class.after, class.after)) }
                    td { (figure(&at.to("images"), class.images, class.images)) }
                }
            } }
        }
    };
    wide("Classes that lost most", &table)
}

fn confusions(at: &At, classes: &Classes) -> Markup {
    if classes.confusions.is_empty() {
        return html! {};
    }
    let line = |i: usize, pair: &Confusion| {
        let at = at.to("confusions").to(i);
        html! {
            tr {
                th.name scope="row" title=[pair.name.as_deref()] { (name(&at.to("name"), &at.to("class"), pair.name.as_deref(), pair.class)) }
                td.left.name title=[pair.taken_for_name.as_deref()] {
                    (name(&at.to("taken_for_name"), &at.to("taken_for"), pair.taken_for_name.as_deref(), pair.taken_for))
                }
                td { (figure(&at.to("images"), pair.images, pair.images)) }
            }
        }
    };
    let table = html! {
        table.full {
            caption { span {
                "Confusions that compression brought: images that were right before, and what they are taken for now."
                @if classes.confusions.len() > MOST { " Others are in the JSON." }
            } }
            thead { tr {
                th scope="col" { "class" } th.left scope="col" { "taken for" } th scope="col" { "images" }
            } }
            tbody { @for (i, pair) in classes.confusions.iter().enumerate().take(MOST) { (line(i, pair)) } }
        }
    };
    wide("Confusions that compression brought", &table)
}

/// A class by its name, or by its number.
fn name(name_at: &At, number_at: &At, name: Option<&str>, number: usize) -> Markup {
    html! {
        @match name {
            Some(name) => (words(name_at, name)),
            None => { "class " (figure(number_at, number, number)) },
        }
    }
}
