//! Labelled images: where they lie, augmentation, loading ahead. What one image is, and preparing it for a network, is
//! [`synapress_images`].
//!
//! A [`Dataset`] comes from any of the [`FORMATS`], or from memory; what is done with its
//! images is [`crate::evaluate`]'s and training's affair.

pub mod augment;
mod batch;
pub mod dataset;
mod error;
mod formats;
mod loader;
pub mod settings;
mod source;
pub mod synthetic;

pub use augment::{Augment, mix};
pub use dataset::Dataset;
pub use error::{Bad, Error, Fault};
pub use formats::{FORMATS, Format, formats};
pub use loader::{Batch, Job, Loader};
pub use settings::{PreprocessTable, read_labels};

#[cfg(test)]
mod tests;
