//! `man`: manual pages, of the program and of each command.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_mangen::Man as Page;
use serde_json::json;

use super::{PROGRAM, Run};
use crate::output::Output;

/// Write manual pages: of the program, and of each command
///
/// Into ~/.local/share/man/man1, for example, where `man synapress-classify` finds them.
#[derive(Args, Debug)]
pub struct Man {
    /// The folder to write to; it is made if it is missing
    folder: PathBuf,
    #[command(flatten)]
    output: Output,
}

impl Run for Man {
    const NAME: &'static str = "man";

    fn run(self) -> Result<()> {
        let place = || self.folder.display().to_string();
        std::fs::create_dir_all(&self.folder).with_context(place)?;
        let mut root = PROGRAM.parser().disable_help_subcommand(true);
        // Completes names and passes on the options that all commands take.
        root.build();
        let mut pages = vec![write(&self.folder, root.clone())?];
        for command in root.get_subcommands() {
            pages.push(write(&self.folder, command.clone())?);
        }
        let json = json!({ "folder": place(), "pages": pages });
        self.output.answer(&json, || format!("{} pages in {}", pages.len(), place()))
    }
}

/// Writes a command's page beside its place and renames it.
fn write(folder: &Path, command: Command) -> Result<String> {
    let page = Page::new(command);
    let (name, mut text) = (page.get_filename(), Vec::new());
    page.render(&mut text)?;
    let (part, path) = (folder.join(format!("{name}.part")), folder.join(&name));
    std::fs::write(&part, text).with_context(|| part.display().to_string())?;
    std::fs::rename(&part, &path).with_context(|| path.display().to_string())?;
    Ok(name)
}
