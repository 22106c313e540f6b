//! What a command prints: tables or one JSON object on standard output, notes and progress on standard error.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// How a command answers.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Output {
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
}

impl Output {
    /// Prints the object, or else the text.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn answer(self, json: &Value, text: impl FnOnce() -> String) -> Result<()> {
        let answer = if self.json { serde_json::to_string_pretty(json)? } else { text() };
        print(answer.trim_end())?;
        Ok(())
    }
}

/// Prints a line on standard output. False when nobody reads on, as behind `head`: no fault of ours.
///
/// # Errors
/// When it cannot be written.
pub fn print(line: &str) -> Result<bool> {
    let mut out = stdout().lock();
    match out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}

/// How much is told on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors alone.
    Quiet,
    /// Notes, and on a terminal progress.
    Usual,
    /// Also what was opened and chosen, and progress everywhere.
    Verbose,
}

static VERBOSITY: AtomicU8 = AtomicU8::new(Verbosity::Usual as u8);

/// Sets how much is told, for the whole process.
pub fn set_verbosity(verbosity: Verbosity) {
    VERBOSITY.store(verbosity as u8, Ordering::Relaxed);
}

fn at_least(verbosity: Verbosity) -> bool {
    VERBOSITY.load(Ordering::Relaxed) >= verbosity as u8
}

/// Whether colours are wanted: not with a variable `NO_COLOR` that is not empty (no-color.org).
pub fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Tells something that is good to know, unless the user wants quiet.
pub fn note(line: &str) {
    if at_least(Verbosity::Usual) {
        say(line);
    }
}

/// Tells something that a user may want to know who asks for more.
pub fn detail(line: &str) {
    if at_least(Verbosity::Verbose) {
        say(line);
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
    if !colours() {
        table.force_no_tty();
    }
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

/// Progress on standard error: a bar with the time left on a terminal, elsewhere nothing unless the user wants to know
/// more, and then a line now and then.
#[derive(Debug)]
pub struct Progress {
    shown: Shown,
    said: Instant,
    doing: String,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    Lines,
    Bar(ProgressBar),
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Nothing is shown before the first [`Progress::at`].
    pub fn new() -> Self {
        let shown = match stderr().is_terminal() {
            true if at_least(Verbosity::Usual) => Shown::Bar(bar()),
            _ if at_least(Verbosity::Verbose) => Shown::Lines,
            _ => Shown::Nothing,
        };
        Self { shown, said: Instant::now(), doing: String::new() }
    }

    /// Reports `done` of `all` parts of what is being done, with a remark.
    pub fn at(&mut self, doing: &str, done: usize, all: usize, remark: &str) {
        let new = doing != self.doing;
        if new {
            doing.clone_into(&mut self.doing);
        }
        match &self.shown {
            Shown::Bar(bar) => {
                if new {
                    // Or the time left would follow from how long something else took.
                    bar.reset();
                    bar.set_prefix(doing.to_owned());
                }
                bar.set_length(all as u64);
                bar.set_message(remark.to_owned());
                bar.set_position(done as u64);
            }
            Shown::Lines if new || done == all || self.said.elapsed() >= Self::SILENCE => {
                self.said = Instant::now();
                say(format!("{doing}: {done}/{all} {remark}").trim_end());
            }
            Shown::Lines | Shown::Nothing => {}
        }
    }

    /// Without a terminal a line is written no more often than this.
    const SILENCE: Duration = Duration::from_secs(15);
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8));
    let style = ProgressStyle::with_template("{prefix:>12} {wide_bar} {pos}/{len} {msg} {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
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
