//! Labelled images: where they lie, decoding, preparing them for a network, augmentation, loading ahead.
//!
//! A [`Dataset`] comes from a list file, a folder of class folders, a tar of them, or memory; what is done with its
//! images is [`crate::evaluate`]'s and training's affair.

pub mod augment;
mod batch;
pub mod dataset;
mod error;
mod folder;
mod list;
mod loader;
mod picture;
pub mod preprocess;
mod resize;
pub mod settings;
mod source;
pub mod synthetic;
mod tar;

pub use augment::{Augment, mix};
pub use dataset::Dataset;
pub use error::{Bad, Error, Fault};
pub use loader::{Batch, Job, Loader};
pub use picture::{Image, MOST_BYTES, MOST_PIXELS};
pub use preprocess::check_shape;
pub use settings::{PreprocessTable, read_labels};

#[cfg(test)]
mod tests;
