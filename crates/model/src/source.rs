//! Weights that come one layer at a time: from a file that keeps them coded until somebody asks.

use std::fmt::Debug;

use crate::error::Error;
use crate::fixed::Fixed;
use crate::graph::NodeId;
use crate::net::Net;
use crate::weights::Weights;

/// A network whose weights lie elsewhere.
pub trait Source: Debug + Send + Sync {
    /// The network without its weights.
    fn net(&self) -> &Net;

    /// The format of a node's weights, if there are any and they are quantized.
    fn format(&self, id: NodeId) -> Option<Fixed>;

    /// A node's weights; `None` for a node without any.
    ///
    /// # Errors
    /// When they cannot be read.
    fn weights(&self, id: NodeId) -> Result<Option<Weights>, Error>;
}
