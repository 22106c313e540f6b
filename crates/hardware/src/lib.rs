//! Quantized networks for hardware: the integers of the archive in fixed-width words that a few gates decode, as memory
//! images with a manifest, and golden vectors to compare a design with.
//!
//! [`pack`] is the coding and [`Packed::unpack`] its inverse; [`export`] writes a network in one of [`FORMATS`].
//! What a layer computes is not decided here but by `synapress_model::Layer::forward_integer`.

mod error;
mod export;
mod folder;
pub mod formats;
pub mod golden;
mod image;
pub mod manifest;
mod memory;
mod pack;

pub use error::Error;
pub use export::export;
pub use folder::Folder;
pub use formats::{FORMATS, Format};
pub use golden::Stimulus;
pub use image::Image;
pub use manifest::Manifest;
pub use memory::{Memory, Storage};
pub use pack::{Packed, pack};
