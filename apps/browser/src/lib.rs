//! Classification in a web page. The same crate is two things: compiled for WebAssembly it is the runtime that the page
//! loads ([`Classifier`] behind [`abi`]); compiled for anything else it holds the page's files and that runtime, for who
//! serves or writes them ([`PAGE`], [`RUNTIME`]).

pub mod abi;
mod classifier;
#[cfg(not(target_family = "wasm"))]
mod page;

pub use classifier::Classifier;
#[cfg(not(target_family = "wasm"))]
pub use page::{PAGE, POLICY, RUNTIME, RUNTIME_NAME};
