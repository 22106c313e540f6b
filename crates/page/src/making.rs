//! How the network was made.

use maud::{Markup, html};
use synapress_compress::report::{Making, Report};

use crate::figure::{At, bytes, count, duration, figure, words};
use crate::{section as section_of, unknown};

const HEADING: &str = "How it was made";

pub fn section(at: &At, report: &Report) -> Markup {
    let nothing = Making::default();
    let making = report.making.as_ref().unwrap_or(&nothing);
    if report.making.is_none() && report.recipe.is_empty() {
        return unknown("making", HEADING, "Nobody wrote down how this was made.");
    }
    let m = at.to("making");
    let images = |key: &str, of: usize, source: &str, source_at: &At| {
        html! { (figure(&at.to(key), of, count(of as u64))) " images of " (words(source_at, source)) }
    };
    let seconds = making.seconds.or(report.rows.last().map(|r| r.seconds));
    let seconds_at = if making.seconds.is_some() {
        m.to("seconds")
    } else {
        at.to("rows").to(report.rows.len().saturating_sub(1)).to("seconds")
    };
    let body = html! {
        dl.made {
            @if !report.recipe.is_empty() { dt { "recipe" } dd { (words(&at.to("recipe"), &report.recipe)) } }
            @if let Some(source) = &making.calibration {
                dt { "calibration, retraining" } dd { (images("calibration_images", report.calibration_images, source, &m.to("calibration"))) }
            }
            @if let Some(source) = &making.evaluation {
                dt { "evaluation" } dd { (images("images", report.images, source, &m.to("evaluation"))) }
            }
            @if let Some(seed) = making.seed { dt { "seed" } dd { (figure(&m.to("seed"), seed, seed)) } }
            @if let Some(version) = &making.version { dt { "program" } dd { "Synapress " (words(&m.to("version"), version)) } }
            @if let Some(weights) = &making.fingerprint { dt { "fingerprint of the weights" } dd { (words(&m.to("fingerprint"), weights)) } }
            @if let Some(seconds) = seconds {
                dt { "time" }
                dd {
                    (figure(&seconds_at, seconds, duration(seconds)))
                    @if making.seconds.is_none() { ", for the stages of the last row" }
                    @if let Some(threads) = making.threads { ", threads: " (figure(&m.to("threads"), threads, threads)) }
                }
            }
            @if let Some(memory) = making.peak_memory_bytes {
                dt { "peak memory" } dd { (figure(&m.to("peak_memory_bytes"), memory, bytes(memory as f64))) }
            }
            @if !making.history.is_empty() {
                dt { "history" }
                dd { ol { @for (i, line) in making.history.iter().enumerate() { li { (words(&m.to("history").to(i), line)) } } } }
            }
        }
        @if let Some(settings) = &making.settings {
            details { summary { "All settings" } pre { (words(&m.to("settings"), settings)) } }
        } @else {
            p.unknown { "The settings are not known from the file alone." }
        }
    };
    section_of("making", HEADING, &body)
}
