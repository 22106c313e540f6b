//! The list of commands. A command is one file here and one line in [`COMMANDS`]; help, dispatch and tests follow
//! the list.

mod bench;
mod classify;
mod compress;
mod demo;
mod encode;
mod eval;
mod export;
mod group;
mod import;
mod inspect;
mod prune;
mod quantize;
mod train;

use anyhow::Result;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

/// What a command is: its arguments, and what is done with them.
trait Run: Args + FromArgMatches {
    /// The word on the command line.
    const NAME: &'static str;

    /// Acts on the arguments.
    fn run(self) -> Result<()>;
}

/// A command of the list.
struct Entry {
    name: &'static str,
    arguments: fn(Command) -> Command,
    run: fn(&ArgMatches) -> Result<()>,
}

impl Entry {
    const fn of<T: Run>() -> Self {
        Self { name: T::NAME, arguments: T::augment_args, run: |matches| T::from_arg_matches(matches)?.run() }
    }
}

/// Every command, in the order of the help.
const COMMANDS: &[Entry] = &[
    Entry::of::<demo::Demo>(),
    Entry::of::<import::Import>(),
    Entry::of::<inspect::Inspect>(),
    Entry::of::<eval::Eval>(),
    Entry::of::<train::Train>(),
    Entry::of::<prune::Prune>(),
    Entry::of::<group::Group>(),
    Entry::of::<quantize::Quantize>(),
    Entry::of::<compress::Compress>(),
    Entry::of::<encode::Encode>(),
    Entry::of::<export::Export>(),
    Entry::of::<classify::Classify>(),
    Entry::of::<bench::Bench>(),
];

/// Arguments that parse, but do not make sense together.
#[derive(Debug)]
pub struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A fault of the arguments, to be returned from a command.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(message.into()))
}

/// The parser of the whole command line.
pub fn parser() -> Command {
    let threads = Arg::new("threads")
        .long("threads")
        .value_name("N")
        .global(true)
        .value_parser(value_parser!(u16).range(1..=1024))
        .help("Threads to use; all processors by default. Results do not depend on it");
    let root = Command::new("synapress")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Compresses pretrained convolutional networks hierarchically: prune, group, quantize, encode")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(threads);
    COMMANDS.iter().fold(root, |root, entry| root.subcommand((entry.arguments)(Command::new(entry.name))))
}

/// Runs the command that the arguments name.
pub fn run(matches: &ArgMatches) -> Result<()> {
    if let Some(&threads) = matches.get_one::<u16>("threads") {
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?;
    }
    let (name, matches) = matches.subcommand().ok_or_else(|| usage("no command is given; see --help"))?;
    let entry = COMMANDS.iter().find(|entry| entry.name == name);
    (entry.ok_or_else(|| usage(format!("there is no command {name:?}; see --help")))?.run)(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_is_sound_and_names_every_command() {
        parser().debug_assert();
        let help = parser().render_help().to_string();
        for entry in COMMANDS {
            assert!(help.contains(entry.name), "{}", entry.name);
            let about = (entry.arguments)(Command::new(entry.name)).get_about().is_some();
            assert!(about, "{} says what it does", entry.name);
        }
    }
}
