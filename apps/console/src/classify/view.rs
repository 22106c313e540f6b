//! How what is seen in frames is told: JSON or plain text, a line a frame, or live on a terminal, redrawn in its place.

use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

use anyhow::Result;
use console::{Term, measure_text_width, pad_str, truncate_str};
use serde_json::{Value, json};

use super::images::named;
use crate::output::{colours, note, print};
use crate::recognizer::Named;

/// What is seen in a frame.
pub struct Seen<'a> {
    /// Number in the source, from 0.
    pub number: u64,
    /// Where in the video it is, or when it came.
    pub seconds: f64,
    pub named: &'a [Named],
    pub scores: Option<Value>,
    /// How long looking took.
    pub took: Duration,
    /// Frames looked at in a second, all in all, and damaged ones so far.
    pub per_second: f64,
    pub damaged: u64,
}

/// Where it is told.
pub enum View {
    Json,
    Lines,
    Live(Live),
}

impl View {
    pub fn new(json: bool) -> Self {
        match json {
            true => Self::Json,
            false if stdout().is_terminal() => Self::Live(Live::new()),
            false => Self::Lines,
        }
    }

    /// Tells of a frame; false when nobody listens any more.
    pub fn seen(&mut self, seen: &Seen<'_>) -> Result<bool> {
        match self {
            Self::Json => print(&seen.json().to_string()),
            Self::Lines => print(&seen.line()),
            Self::Live(live) => live.draw(seen).map(|()| true),
        }
    }

    /// Tells of a damaged frame. On a terminal they are counted.
    pub fn damaged(&mut self, number: u64, fault: &str) -> Result<bool> {
        match self {
            Self::Json => return print(&json!({ "frame": number, "error": fault }).to_string()),
            Self::Lines => note(&format!("frame {number} left out: {fault}")),
            Self::Live(_) => {}
        }
        Ok(true)
    }

    /// Leaves the terminal as it should be.
    pub fn end(self) {
        if let Self::Live(live) = self {
            live.end();
        }
    }
}

impl Seen<'_> {
    fn json(&self) -> Value {
        let mut value = json!({
            "frame": self.number,
            "seconds": self.seconds,
            "ms": self.took.as_secs_f64() * 1e3,
            "top": named(self.named),
        });
        if let Some(scores) = &self.scores {
            value["scores"] = scores.clone();
        }
        value
    }

    fn line(&self) -> String {
        let Self { number, seconds, .. } = self;
        let seen = self.named.iter().map(|(g, label)| format!("{:.2}% {label}", 100.0 * g.probability));
        format!("frame {number}, {seconds:.2} s: {}", seen.collect::<Vec<_>>().join("; "))
    }
}

/// A few lines of a terminal, drawn over again and again.
pub struct Live {
    term: Term,
    /// Lines that are on the terminal.
    lines: usize,
    drawn: Option<Instant>,
    /// What a frame too early to be drawn would have shown.
    pending: Option<Vec<String>>,
}

/// The terminal is drawn no more often than this.
const PERIOD: Duration = Duration::from_millis(50);
/// Columns of a bar.
const BAR: usize = 24;

impl Live {
    fn new() -> Self {
        let term = Term::buffered_stdout();
        // If it cannot be hidden, it is seen.
        let _ = term.hide_cursor();
        Self { term, lines: 0, drawn: None, pending: None }
    }

    fn draw(&mut self, seen: &Seen<'_>) -> Result<()> {
        let width = usize::from(self.term.size().1).saturating_sub(1).max(20);
        let mut lines: Vec<String> = seen.named.iter().map(|(g, label)| bar(label, g.probability, width)).collect();
        let damaged = match seen.damaged {
            0 => String::new(),
            n => format!(", {n} damaged"),
        };
        lines.push(format!(
            "frame {}{damaged}, {:.1} ms a frame, {:.1} frames/s",
            seen.number,
            seen.took.as_secs_f64() * 1e3,
            seen.per_second
        ));
        self.pending = Some(lines);
        match self.drawn.is_some_and(|d| d.elapsed() < PERIOD) {
            true => Ok(()),
            false => self.show(width),
        }
    }

    fn show(&mut self, width: usize) -> Result<()> {
        let Some(lines) = self.pending.take() else { return Ok(()) };
        self.term.move_cursor_up(self.lines)?;
        for line in &lines {
            self.term.clear_line()?;
            self.term.write_line(&truncate_str(line, width, "..."))?;
        }
        self.term.flush()?;
        self.lines = lines.len();
        self.drawn = Some(Instant::now());
        Ok(())
    }

    fn end(mut self) {
        // The terminal may be gone: there is nobody left to tell.
        let width = usize::from(self.term.size().1).saturating_sub(1).max(20);
        let _ = self.show(width);
        let _ = self.term.show_cursor();
        let _ = self.term.flush();
    }
}

/// A label, a bar as long as it is probable, a percentage.
fn bar(label: &str, probability: f64, width: usize) -> String {
    let bar = BAR.min(width / 3);
    let eighths = (probability.clamp(0.0, 1.0) * (8 * bar) as f64).round() as usize;
    let part = ["", "\u{258f}", "\u{258e}", "\u{258d}", "\u{258c}", "\u{258b}", "\u{258a}", "\u{2589}"][eighths % 8];
    let drawn = "\u{2588}".repeat(eighths / 8) + part;
    let drawn = pad_str(&drawn, bar, console::Alignment::Left, None).into_owned();
    let drawn = if colours() { console::style(drawn).green().to_string() } else { drawn };
    let percent = format!("{:6.2}%", 100.0 * probability);
    let room = width.saturating_sub(bar + measure_text_width(&percent) + 2);
    let label = truncate_str(label, room, "...");
    format!("{} {drawn} {percent}", pad_str(&label, room.min(40), console::Alignment::Left, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use synapress_run::Guess;

    #[test]
    fn bars_are_as_long_as_a_class_is_probable_and_fit_the_terminal() {
        for width in [20, 40, 80, 200] {
            for (probability, filled) in [(0.0, 0), (0.5, BAR.min(width / 3) / 2), (1.0, BAR.min(width / 3))] {
                let line =
                    bar("a label that is long, longer than most terminals are wide, and then some", probability, width);
                let blocks = line.chars().filter(|&c| c == '\u{2588}').count();
                assert_eq!(blocks, filled, "{line}");
                assert!(measure_text_width(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_frame_is_a_line() {
        let named = [(Guess { class: 3, probability: 0.5 }, "tench; a fish".to_owned())];
        let seen = Seen {
            number: 7,
            seconds: 0.28,
            named: &named,
            scores: None,
            took: Duration::from_millis(5),
            per_second: 1.0,
            damaged: 0,
        };
        assert_eq!(seen.line(), "frame 7, 0.28 s: 50.00% tench; a fish");
        let json = seen.json();
        assert_eq!((json["frame"].as_u64(), json["top"][0]["class"].as_u64()), (Some(7), Some(3)));
        assert!(!json.to_string().contains('\n') && json.get("scores").is_none());
    }
}
