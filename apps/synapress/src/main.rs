//! The command line: hands the arguments to the command they name and turns its result into an exit code: 0 done,
//! 1 failed, 2 wrong usage. What commands do is the library's affair.

mod commands;
mod images;
mod interrupt;
mod job;
mod memory;
mod model;
mod output;
mod report;
mod runner;
mod spent;
mod training;

use std::process::ExitCode;

fn main() -> ExitCode {
    let matches = commands::parser().get_matches();
    match commands::run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::say(&format!("error: {error:#}"));
            ExitCode::from(if error.is::<commands::Usage>() { 2 } else { 1 })
        }
    }
}
