//! What a command prints: tables or one JSON object on standard output, notes and progress on standard error.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use synapress_compress::report::json_text;

/// How a command answers.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Output {
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
}

impl Output {
    /// Prints the object, or else the text.
    pub fn answer(self, json: &Value, text: impl FnOnce() -> String) -> Result<()> {
        self.print(if self.json { json_text(json)? } else { text() })
    }

    /// Prints an answer that is made already.
    pub fn print(self, answer: String) -> Result<()> {
        let mut out = stdout().lock();
        match out.write_all(answer.trim_end().as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush())
        {
            // Nobody reads on, as behind `head`: no fault of ours.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }
}

/// Writes a line on standard error; if that is closed there is nobody left to tell.
pub fn say(line: &str) {
    let _ = writeln!(stderr().lock(), "{line}");
}

/// A table with these headings. Columns from the second on are numbers, on the right.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().map(|h| Cell::new(h).add_attribute(Attribute::Bold)));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A count with its thousands set apart.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in a unit that reads well.
pub fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..10_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        _ => format!("{:.2} MB", n as f64 / 1e6),
    }
}

/// Progress on standard error: a bar on a terminal, elsewhere a line now and then.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    said: Instant,
    doing: String,
}

impl Progress {
    /// Nothing is shown before the first [`Progress::at`].
    pub fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{prefix:>12} {wide_bar} {pos}/{len} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, started: Instant::now(), said: Instant::now(), doing: String::new() }
    }

    /// Reports `done` of `all` parts of what is being done, with a remark.
    pub fn at(&mut self, doing: &str, done: usize, all: usize, remark: &str) {
        let new = doing != self.doing;
        if new {
            doing.clone_into(&mut self.doing);
            self.started = Instant::now();
        }
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(doing.to_owned());
                bar.set_length(all as u64);
                bar.set_message(remark.to_owned());
                bar.set_position(done as u64);
            }
            None if new || done == all || self.said.elapsed() >= Self::SILENCE => {
                self.said = Instant::now();
                say(format!("{doing}: {done}/{all} {remark}").trim_end());
            }
            None => {}
        }
    }

    /// Without a terminal a line is written no more often than this.
    const SILENCE: Duration = Duration::from_secs(15);
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (138_357_544, "138,357,544")] {
            assert_eq!(thousands(n), text);
        }
        for (n, text) in [(17, "17 B"), (12_345, "12.3 kB"), (27_994_208, "27.99 MB")] {
            assert_eq!(bytes(n), text);
        }
    }
}
