//! Networks of other frameworks, to and from Synapress.

#![cfg_attr(not(test), deny(clippy::as_conversions))]

pub mod caffe;
pub mod caffemodel;
pub mod error;
pub mod prototxt;
pub mod wire;

pub use error::{Error, Fault};
