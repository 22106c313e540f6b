//! Executes networks: floating point at any stage, integers once quantized.
//!
//! The runtime carries no importer, no training and no heavy dependency.

mod float;
mod parts;
mod plan;
mod rounding;
mod scores;
mod session;

pub use float::Executor;
pub use parts::{Parameters, Parts};
pub use plan::{Keep, Plan};
pub use rounding::Rounded;
pub use scores::{Guess, Scores, guesses, log_probabilities};
pub use session::{How, Session, definition};
