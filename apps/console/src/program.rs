//! A program: its list of commands, the arguments that all of them take, and exit codes: 0 done, 1 failed, 2 wrong
//! usage.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::output::{self, Verbosity};

/// What a command is: its arguments, and what is done with them.
pub trait Run: Args + FromArgMatches {
    /// The word on the command line.
    const NAME: &'static str;

    /// Acts on the arguments.
    ///
    /// # Errors
    /// Whatever keeps it from being done; [`usage`] for arguments that make no sense together.
    fn run(self) -> Result<()>;
}

/// A command of the list.
#[derive(Debug)]
pub struct Entry {
    name: &'static str,
    arguments: fn(Command) -> Command,
    run: fn(&ArgMatches) -> Result<()>,
}

impl Entry {
    /// The entry of a command.
    pub const fn of<T: Run>() -> Self {
        Self { name: T::NAME, arguments: T::augment_args, run: |matches| T::from_arg_matches(matches)?.run() }
    }
}

/// A program on the command line.
#[derive(Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Every command, in the order of the help.
    pub commands: &'static [Entry],
}

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

impl Program {
    /// The parser of the whole command line.
    pub fn parser(&self) -> Command {
        let threads = Arg::new("threads")
            .long("threads")
            .value_name("N")
            .global(true)
            .value_parser(value_parser!(u16).range(1..=1024))
            .help("Threads to use; all processors by default. Results do not depend on it");
        let verbose =
            Arg::new("verbose").short('v').long("verbose").global(true).action(ArgAction::SetTrue).help(
                "Tell more on standard error: what was opened and chosen, and progress also where it is no terminal",
            );
        let quiet = Arg::new("quiet")
            .short('q')
            .long("quiet")
            .global(true)
            .action(ArgAction::SetTrue)
            .conflicts_with("verbose")
            .help("Tell nothing on standard error but errors");
        let root = Command::new(self.name)
            .version(env!("CARGO_PKG_VERSION"))
            .about(self.about)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .args([threads, verbose, quiet]);
        self.commands.iter().fold(root, |root, entry| root.subcommand((entry.arguments)(Command::new(entry.name))))
    }

    /// Parses the arguments of the process, runs the command that they name, and tells what went wrong.
    pub fn main(&self) -> ExitCode {
        match self.run(&self.parser().get_matches()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                output::say(&format!("error: {error:#}"));
                ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
            }
        }
    }

    fn run(&self, matches: &ArgMatches) -> Result<()> {
        output::set_verbosity(match (matches.get_flag("quiet"), matches.get_flag("verbose")) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Usual,
        });
        if let Some(&threads) = matches.get_one::<u16>("threads") {
            rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?;
        }
        let (name, matches) = matches.subcommand().ok_or_else(|| usage("no command is given; see --help"))?;
        let entry = self.commands.iter().find(|entry| entry.name == name);
        (entry.ok_or_else(|| usage(format!("there is no command {name:?}; see --help")))?.run)(matches)
    }

    /// Checks the parser's definition, and that the help names every command and says what it does.
    ///
    /// # Panics
    /// When it does not; for tests.
    pub fn assert_sound(&self) {
        self.parser().debug_assert();
        let help = self.parser().render_help().to_string();
        for entry in self.commands {
            assert!(help.contains(entry.name), "{}", entry.name);
            let about = (entry.arguments)(Command::new(entry.name)).get_about().is_some();
            assert!(about, "{} says what it does", entry.name);
        }
    }
}
