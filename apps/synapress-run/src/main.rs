//! The runtime as a program of its own, for phones and boards: it takes synapse code and nothing else, and can neither
//! import nor train.

mod bench;
mod classify;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use synapress_code::Limits;
use synapress_console::{Entry, Program};
use synapress_model::Net;

const PROGRAM: Program = Program {
    name: "synapress-run",
    about: "Runs networks that Synapress compressed",
    commands: &[Entry::of::<classify::Classify>(), Entry::of::<bench::Bench>()],
};

fn main() -> ExitCode {
    PROGRAM.main()
}

/// Opens a network with all its weights.
fn open(path: &Path) -> Result<Net> {
    let net = synapress_code::read(path, &Limits::default())?;
    net.verify().with_context(|| path.display().to_string())?;
    Ok(net)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_parser_is_sound_and_names_every_command() {
        super::PROGRAM.assert_sound();
    }
}
