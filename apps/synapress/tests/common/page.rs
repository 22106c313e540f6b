//! A page held against the JSON that it was made from: every number and every name in its text, and every drawing.

use std::collections::BTreeMap;

use scraper::{ElementRef, Html, Node, Selector};
use serde_json::Value;

/// What was held against the JSON.
#[derive(Debug, Default)]
pub struct Held {
    /// Numbers in the text.
    pub figures: usize,
    /// Texts.
    pub words: usize,
    /// Places in drawings.
    pub places: usize,
    /// Outlines of histograms.
    pub outlines: usize,
}

/// Holds a page against its JSON.
pub fn hold(html: &str, json: &Value) -> Held {
    let page = Html::parse_document(html);
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    for outside in ["http:", "https:", "src=", "NaN", "inf"] {
        let text = html.split("</style>").nth(1).unwrap();
        assert!(!text.contains(&format!("\"{outside}")), "{outside}");
    }
    let mut held = Held::default();
    for element in all(&page, "[data-from]") {
        hold_figure(&element, json);
        held.figures += 1;
    }
    for element in all(&page, "[data-text]") {
        let (from, text) = (element.attr("data-text").unwrap(), text(&element));
        let known = json.pointer(from).and_then(Value::as_str).unwrap_or_else(|| panic!("{from} is no text"));
        let shortened = text.strip_suffix('\u{2026}').is_some_and(|t| known.starts_with(t));
        assert!(text == known || shortened, "{from}: {text:?} for {known:?}");
        held.words += 1;
    }
    hold_rest(&page);
    held.places = hold_drawings(&page, json);
    for path in all(&page, "[data-path-from]") {
        hold_outline(&path, json);
        held.outlines += 1;
    }
    held
}

fn all<'p>(page: &'p Html, selector: &str) -> Vec<ElementRef<'p>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

fn text(element: &ElementRef<'_>) -> String {
    element.text().collect()
}

fn number(json: &Value, from: &str) -> f64 {
    json.pointer(from).and_then(Value::as_f64).unwrap_or_else(|| panic!("{from} is no number"))
}

/// A number as it is printed: its value and half a unit of its last digit.
fn printed(text: &str) -> Option<(f64, f64)> {
    let text = text.replace('\u{2212}', "-").replace(',', "");
    let (number, factor) = match text.split_once(' ') {
        None => (text.trim_end_matches('\u{d7}'), 1.0),
        Some((number, unit)) => {
            let units = [("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("s", 1.0), ("min", 60.0), ("h", 3600.0)];
            (number, units.iter().find(|u| u.0 == unit)?.1)
        }
    };
    let (mantissa, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let decimals = mantissa.split_once('.').map_or(0, |(_, d)| d.len()) as i32;
    let unit = factor * 10f64.powi(exponent.parse::<i32>().ok()? - decimals);
    Some((number.parse::<f64>().ok()? * factor, unit / 2.0))
}

fn hold_figure(element: &ElementRef<'_>, json: &Value) {
    let from = element.attr("data-from").unwrap();
    let known = number(json, from);
    if let Some(exact) = element.attr("value") {
        assert_eq!(exact.parse::<f64>().unwrap(), known, "{from}");
    }
    let text = text(element);
    let (value, half) = printed(&text).unwrap_or_else(|| panic!("{from}: {text:?} is no number"));
    assert!((value - known).abs() <= half * 1.0001 + known.abs() * 1e-12, "{from}: {text} for {known}");
}

/// Words of the page itself that have digits.
const WORDS: &[&str] = &["top-1", "top\u{2011}1", "top-5", "95%"];

/// Text that is not held against the JSON has no digits.
fn hold_rest(page: &Html) {
    for node in page.tree.nodes() {
        let Node::Text(text) = node.value() else { continue };
        let free = node.ancestors().filter_map(ElementRef::wrap).any(|e| {
            let held = ["data-from", "data-text"].iter().any(|a| e.attr(a).is_some());
            let title = e.value().name() == "title"
                && e.parent().and_then(ElementRef::wrap).is_some_and(|p| p.value().name() == "head");
            held || title || e.value().name() == "style" || e.value().classes().any(|c| c == "tick")
        });
        let rest = WORDS.iter().fold(text.to_string(), |text, word| text.replace(word, ""));
        assert!(free || !rest.contains(|c: char| c.is_ascii_digit()), "{rest:?} is from nowhere");
    }
}

/// Values and places of one scale.
type Pairs = Vec<(f64, f64, String)>;

fn hold_drawings(page: &Html, json: &Value) -> usize {
    let mut scales: BTreeMap<(String, bool), Pairs> = BTreeMap::new();
    for svg in all(page, "svg") {
        for element in svg.descendants().filter_map(ElementRef::wrap) {
            let place = |name: &str| element.attr(name).map(|p| p.trim_end_matches('%').parse::<f64>().unwrap());
            let mut add = |axis: &str, width: bool, value: f64, place: f64, from: &str| {
                let name = svg.attr(&format!("data-{axis}-scale")).unwrap_or_else(|| panic!("{from} has no scale"));
                scales.entry((name.to_owned(), width)).or_default().push((value, place, from.to_owned()));
            };
            if let Some(axis) = element.attr("data-axis") {
                let value = printed(&text(&element)).unwrap().0;
                let at = place("data-place").or_else(|| place(axis)).unwrap();
                add(axis, false, value, at, "a tick");
            }
            for (axis, attributes) in [("x", ["cx", "x1", "x2"]), ("y", ["cy", "y1", "y2"])] {
                for attribute in attributes {
                    if let Some(from) = element.attr(&format!("data-{attribute}-from")) {
                        let aside = place("data-aside").filter(|_| axis == "x").unwrap_or(0.0);
                        add(axis, false, number(json, from), place(attribute).unwrap() - aside, from);
                    }
                }
            }
            if let Some(from) = element.attr("data-width-from") {
                add("x", true, number(json, from), place("width").unwrap(), from);
            }
        }
    }
    for ((name, width), pairs) in &scales {
        let log = name.ends_with(":log");
        assert!(log || name.ends_with(":linear"), "{name}");
        let mut points: Vec<(f64, f64, &str)> = pairs
            .iter()
            .filter(|p| !log || p.0 != 0.0)
            .map(|(v, p, from)| (if log { v.abs().ln() } else { *v }, *p, &**from))
            .collect();
        if *width {
            points.push((0.0, 0.0, "nothing"));
        }
        let first = points.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0));
        let last = points.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
        let (Some(first), Some(last)) = (first, last) else { continue };
        for (value, place, from) in points {
            let share = if last.0 > first.0 { (value - first.0) / (last.0 - first.0) } else { 0.0 };
            let expected = first.1 + share * (last.1 - first.1);
            assert!((place - expected).abs() <= 0.02 + 1e-4 * place.abs(), "{name}, {from}: {place} for {expected}");
        }
    }
    scales.values().map(Vec::len).sum()
}

/// Heights of an outline are in proportion to the counts.
fn hold_outline(path: &ElementRef<'_>, json: &Value) {
    let from = path.attr("data-path-from").unwrap();
    let counts: Vec<f64> =
        json.pointer(from).unwrap().as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
    let d = path.attr("d").unwrap();
    let heights: Vec<f64> =
        d.split('V').skip(1).map(|p| p.split(['H', 'Z']).next().unwrap().parse().unwrap()).collect();
    let base = *heights.last().unwrap();
    assert_eq!(heights.len(), counts.len() + 1, "{from}");
    let most = counts.iter().copied().fold(0.0, f64::max);
    let top = heights.iter().copied().fold(base, f64::min);
    for (height, count) in heights.iter().zip(&counts) {
        let expected = if most > 0.0 { base + count / most * (top - base) } else { base };
        assert!((height - expected).abs() <= 0.02, "{from}: {height} for {expected}");
    }
}
