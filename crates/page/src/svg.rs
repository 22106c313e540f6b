//! What drawings have in common: coordinates, ticks, axes.
//!
//! A drawing can be held against the JSON: a mark whose `cx` shows a value names the value's place as `data-cx-from`, a
//! tick its axis, and the drawing its scales as `data-x-scale="NAME:linear"` or `:log`. Drawings with scales of the same name
//! have the same scale.

use maud::{Markup, html};

use crate::figure::{bytes, fixed};
use crate::scale::Scale;

/// A coordinate, to a hundredth of a pixel.
pub fn c(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A tick's value with as many decimals as it needs.
pub fn tick_text(tick: f64) -> String {
    let whole = |d: &usize| {
        let scaled = tick * 10f64.powi(*d as i32);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.abs().max(1e-3)
    };
    match (0..7).find(whole) {
        Some(decimals) => fixed(tick, decimals),
        None => format!("{tick:.0e}").replace('-', "\u{2212}"),
    }
}

/// A tick of bytes: `20 kB`.
pub fn tick_bytes(tick: f64) -> String {
    let text = bytes(tick);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// Ticks in the heading of a column whose cells are drawn in percent of its width; `name` is that of the scale.
pub fn column_axis(name: &str, scale: &Scale, wanted: usize, text: impl Fn(f64) -> String) -> Markup {
    html! {
        svg width="100%" height="14" role="presentation" aria-hidden="true" data-x-scale=(name) {
            @for tick in scale.ticks(wanted) {
                text.tick.mid data-axis="x" x={ (c(scale.at(tick))) "%" } y="11" { (text(tick)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_and_ticks_are_short() {
        assert_eq!([c(1.0), c(-0.001), c(12.346)], ["1", "0", "12.35"]);
        assert_eq!(
            [tick_text(0.5), tick_text(20.0), tick_text(-1.0), tick_text(0.001)],
            ["0.5", "20", "\u{2212}1", "0.001"]
        );
        assert_eq!([tick_bytes(20_000.0), tick_bytes(2e6), tick_bytes(500.0)], ["20 kB", "2 MB", "500 B"]);
    }
}
