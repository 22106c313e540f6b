//! Whole jobs: the three stages in order, with retraining, evaluation and a working directory to resume from.
//!
//! Each stage's method is in its own module ([`crate::prune`], [`crate::group`], [`crate::quantize`]); what is here
//! is their order and what passes between them. Commands call these functions and print what comes back.

mod error;
mod job;
mod search;
mod small;
mod stages;
mod work;

pub use error::Error;
pub use job::{Event, Job, Watch};
pub use search::Judge;
pub use small::network as small_network;
pub use work::{Work, fingerprint, write};
