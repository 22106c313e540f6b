//! What the programs on the command line have in common: arguments into commands and results into exit codes, output,
//! progress, and the commands of the runtime. It knows networks that are decoded, not where else they come from.

pub mod bench;
pub mod classify;
pub mod interrupt;
pub mod memory;
pub mod output;
pub mod program;
mod recognizer;
mod runner;

pub use program::{Entry, Program, Run, Usage, usage};
pub use recognizer::{Named, Recognizer, preprocess_of};
