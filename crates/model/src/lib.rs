//! What a network is: shapes, layer kinds, the graph, weights at any stage of compression, dynamic fixed point.
//!
//! Nothing here reads or writes files. A layer kind is one file in [`layers`] and one line in [`layers::LAYERS`].

pub mod about;
pub mod attributes;
pub mod census;
pub mod error;
pub mod fixed;
pub mod fold;
pub mod graph;
pub mod layer;
pub mod layers;
pub mod linear;
pub mod net;
pub mod pass;
pub mod shape;
pub mod share;
pub mod source;
pub mod structure;
pub mod weights;

pub use about::{About, Channels, Preprocess};
pub use attributes::{Attributes, Value};
pub use error::{Error, ErrorKind};
pub use fixed::Fixed;
pub use graph::{Filler, Graph, Learning, Node, NodeId, Rate};
pub use layer::{IntegerForward, Kind, Layer};
pub use linear::Linear;
pub use net::{Integers, Net};
pub use pass::{Backward, Float, Forward, Mode};
pub use shape::Shape;
pub use source::{Source, Taker};
pub use structure::Structure;
pub use weights::{Bias, Centroids, Form, WeightShape, Weights};
