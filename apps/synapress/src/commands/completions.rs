//! `completions`: what a shell needs to complete commands and options.

use anyhow::Result;
use clap::Args;
use clap_complete::{Shell, generate};

use super::{PROGRAM, Run};
use crate::output::print;

/// Print what a shell needs to complete commands and options
///
/// For bash: synapress completions bash > ~/.local/share/bash-completion/completions/synapress
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Run for Completions {
    const NAME: &'static str = "completions";

    fn run(self) -> Result<()> {
        let mut script = Vec::new();
        generate(self.shell, &mut PROGRAM.parser(), PROGRAM.name, &mut script);
        print(String::from_utf8_lossy(&script).trim_end())?;
        Ok(())
    }
}
