//! The list of commands. A command is one file here and one line in [`COMMANDS`]; help, dispatch and tests follow
//! the list.

mod bench;
mod classify;
mod completions;
mod compress;
mod demo;
mod encode;
mod eval;
mod export;
mod group;
mod import;
mod inspect;
mod man;
mod prune;
mod quantize;
mod report;
mod serve;
mod train;

pub use synapress_console::usage;
use synapress_console::{Entry, Program, Run};

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
    Entry::of::<serve::Serve>(),
    Entry::of::<completions::Completions>(),
    Entry::of::<man::Man>(),
    Entry::of::<report::ReportOf>(),
];

/// The program.
pub const PROGRAM: Program = Program {
    name: "synapress",
    about: "Compresses pretrained convolutional networks hierarchically: prune, group, quantize, encode",
    commands: COMMANDS,
};

#[cfg(test)]
mod tests {
    #[test]
    fn the_parser_is_sound_and_names_every_command() {
        super::PROGRAM.assert_sound();
    }
}
