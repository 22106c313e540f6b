//! Weights that come one layer at a time: from a file that keeps them coded until somebody asks.

use std::fmt::Debug;

use crate::error::Error;
use crate::fixed::Fixed;
use crate::graph::NodeId;
use crate::net::Net;
use crate::weights::Weights;

/// What takes the weights of some outputs, which begin at a given one.
pub type Taker<'a> = dyn FnMut(usize, Weights) -> Result<(), Error> + 'a;

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

    /// A node's weights and bias, `rows` outputs at a time and fewer at the end, each with its first output. Nothing
    /// for a node without any.
    ///
    /// # Errors
    /// When they cannot be read, and what `take` says.
    fn pieces(&self, id: NodeId, rows: usize, take: &mut Taker<'_>) -> Result<(), Error>;
}
