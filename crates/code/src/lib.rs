//! Synapse code: the `.syn` file format.
//!
//! A [`Net`](synapress_model::Net) at any stage of compression goes to bytes and comes back exactly: graph, weights,
//! layer output formats, preprocessing, class names and history. FORMAT.md at the root of the project describes the
//! bytes. How weights are coded is the business of [`SCHEMES`]; a new way to code them is one file and one line there.
//!
//! ```
//! use synapress_code::{Limits, Options, decode, encode};
//! use synapress_model::{Net, Shape, layers::{InnerProduct, Input}, Weights};
//!
//! let mut net = Net::default();
//! let image = net.graph.add("data", Input { shape: Shape::new(3, 1, 1)? }, &[])?;
//! net.graph.add("scores", InnerProduct { outputs: 2, bias: true }, &[image])?;
//! let weights = vec![0.0, 0.5, -1.0, 0.0, 2.0, 0.0];
//! net.weights = vec![None, Some(Weights::dense([2, 3, 1, 1], weights, vec![0.0, 1.0]))];
//! let bytes = encode(&net, &Options::default())?;
//! assert_eq!(decode(&bytes, &Limits::default())?.weights, net.weights);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(clippy::as_conversions)]

mod about;
mod bits;
mod bytes;
mod codebook;
mod coder;
mod container;
mod costs;
mod error;
mod file;
mod graph;
mod join;
mod layer;
mod net;
mod numbers;
mod options;
mod part;
mod ranks;
mod schemes;
mod spaces;
mod stored;
mod summary;
mod text;
mod tiles;

pub use costs::{Cost, costs};
pub use error::{Error, ErrorKind};
pub use file::{read, read_with_extras, write, write_with};
pub use net::{Extra, decode, decode_with_extras, encode, encode_with_extras};
pub use options::{Effort, Limits, Options};
pub use schemes::{SCHEMES, Scheme};
pub use stored::Stored;
pub use summary::{LayerSummary, Stage, Summary, summary};
pub use tiles::{CodedLayer, layers};
