//! Figures as they are printed: each carries its exact value and its place in the report's JSON, so that whoever reads the
//! page by program, or checks it, finds where it came from.

use std::fmt::Display;

use maud::{Markup, html};

/// A place in the JSON, as RFC 6901 points to it.
#[derive(Clone, Debug, Default)]
pub struct At(String);

impl At {
    /// A key or a place in a list below this one. Keys are names of fields, which need no escape.
    pub fn to(&self, key: impl Display) -> Self {
        Self(format!("{}/{key}", self.0))
    }

    /// The place that holds this one.
    pub fn above(&self) -> Self {
        Self(self.0.rsplit_once('/').map_or_else(String::new, |(above, _)| above.to_owned()))
    }
}

impl Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A figure: its place, its exact value and how it is printed.
pub fn figure(at: &At, value: impl Display, text: impl Display) -> Markup {
    html! { data value=(value) data-from=(at) { (text.to_string()) } }
}

/// A figure that may be absent: then nothing is printed.
pub fn optional<T: Display + Copy>(at: &At, value: Option<T>, text: impl Fn(T) -> String) -> Markup {
    html! { @if let Some(value) = value { (figure(at, value, text(value))) } }
}

/// A text from the JSON, at its place there.
pub fn words(at: &At, text: &str) -> Markup {
    html! { span data-text=(at) { (text) } }
}

/// A number with so many decimals; the sign is a minus.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().any(|c| ('1'..='9').contains(&c)) => format!("\u{2212}{digits}"),
        Some(digits) => digits.to_owned(),
        None => text,
    }
}

/// Percent, or points of it.
pub fn percent(value: f64) -> String {
    fixed(value, 2)
}

/// A number with three significant digits.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || !size.is_finite() {
        return fixed(value, 0);
    }
    let place = size.log10().floor() as i32;
    match place {
        -4..=2 => fixed(value, (2 - place) as usize),
        3..=5 => fixed(value, 0),
        _ => format!("{value:.2e}").replace('-', "\u{2212}"),
    }
}

/// How many times.
pub fn times(value: f64) -> String {
    format!("{}\u{d7}", fixed(value, 2))
}

/// A count with its thousands set apart.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in a unit that reads well.
pub fn bytes(n: f64) -> String {
    match n {
        n if n < 10.0 && n != n.floor() => format!("{n:.1} B"),
        n if n < 1e4 => format!("{n:.0} B"),
        n if n < 1e6 => format!("{:.1} kB", n / 1e3),
        n if n < 1e9 => format!("{:.2} MB", n / 1e6),
        _ => format!("{:.2} GB", n / 1e9),
    }
}

/// A time in a unit that reads well.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.1} s"),
        s if s < 6000.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (0.012345, "0.0123"),
            (-1.5, "\u{2212}1.50"),
            (1234.6, "1235"),
            (123.4, "123"),
            (2e-9, "2.00e\u{2212}9"),
        ] {
            assert_eq!(digits(value), text);
        }
        assert_eq!([fixed(-0.001, 2), fixed(-0.006, 2)], ["0.00", "\u{2212}0.01"]);
        assert_eq!([count(999), count(6_998_552)], ["999", "6,998,552"]);
        assert_eq!([bytes(0.25), bytes(17.0), bytes(27_994_208.0)], ["0.2 B", "17 B", "27.99 MB"]);
        assert_eq!([duration(37.0), duration(438.0), duration(7200.0)], ["37.0 s", "7.3 min", "2.0 h"]);
    }

    #[test]
    fn a_figure_has_its_place_and_its_exact_value() {
        let at = At::default().to("rows").to(3).to("top1");
        let html = figure(&at, 77.2, percent(77.2)).into_string();
        assert_eq!(html, "<data value=\"77.2\" data-from=\"/rows/3/top1\">77.20</data>");
        assert_eq!(words(&at, "<b>&\"").into_string(), "<span data-text=\"/rows/3/top1\">&lt;b&gt;&amp;&quot;</span>");
    }
}
