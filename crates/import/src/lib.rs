//! Networks of other frameworks, to and from Synapress.
//!
//! ```no_run
//! use synapress_import::caffe::{self, Options};
//! # fn main() -> Result<(), synapress_import::Error> {
//! let weights = Some("bvlc_googlenet.caffemodel".as_ref());
//! let net = caffe::load("deploy.prototxt".as_ref(), weights, &Options::default())?;
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), deny(clippy::as_conversions))]

mod beside;
pub mod caffe;
pub mod caffemodel;
pub mod deep_compression;
pub mod error;
mod fill;
pub mod formats;
mod learning;
pub mod onnx;
pub mod prototxt;
pub mod safetensors;
pub mod wire;
pub mod zoo;

pub use error::{Error, Fault};
pub use fill::{fill, generator};
pub use formats::{FORMATS, Format};
