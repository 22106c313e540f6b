//! The command line: the program and its commands. What commands do is the library's affair.

mod commands;
mod images;
mod job;
mod model;
mod peers;
mod rebuilding;
mod report;
mod spent;
mod training;
mod web;

use std::process::ExitCode;

// Where commands look for them, beside this program's own modules.
use synapress_console::{interrupt, memory, output};

fn main() -> ExitCode {
    commands::PROGRAM.main()
}
