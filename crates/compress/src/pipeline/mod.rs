//! Whole jobs: the three stages in order, with retraining, evaluation and a working directory to resume from.
//!
//! Each stage's method is in its own module ([`crate::prune`], [`crate::group`], [`crate::quantize`]); what is here
//! is their order and what passes between them. Commands call these functions and print what comes back.

mod blocks;
mod budget;
mod compress;
mod demo;
mod error;
mod figures;
mod job;
mod price;
mod quantize;
mod rounds;
mod search;
mod small;
mod stages;
mod training;
mod work;

pub use budget::{Budget, Goal};
pub use compress::Outcome;
pub use demo::{Demo, STEPS as DEMO_STEPS, demo};
pub use error::Error;
pub use job::{Event, Job, Watch};
pub use rounds::Pruned;
pub use search::Judge;
pub use small::network as small_network;
pub use training::Tests;
pub use work::{Work, fingerprint, write};

#[cfg(test)]
mod tests;
