//! Where a session's weights come from.

use std::sync::Arc;

use synapress_model::linear::IntegerWeights;
use synapress_model::{Centroids, Error, ErrorKind, Fixed, Form, Net, NodeId, Source};

/// A network and its weights.
#[derive(Clone, Debug)]
pub(super) enum Supply<'a> {
    /// All of them, somebody else's.
    Lent(&'a Net),
    /// All of them, to be freed as they are taken.
    Own(Box<Net>),
    /// As a file stores them, to be decoded once and, if they are to be kept there, at every run.
    Source(Arc<dyn Source>, bool),
}

impl Supply<'_> {
    /// The network, with or without weights, verified as far as that goes.
    pub fn net(&self) -> Result<&Net, Error> {
        match self {
            Self::Lent(net) => net.verify().map(|()| *net),
            Self::Own(net) => net.verify().map(|()| &**net),
            Self::Source(source, _) => {
                source.net().verify_formats()?;
                Ok(source.net())
            }
        }
    }

    /// The format of a node's weights; `None` for a node without any.
    pub fn format(&self, id: NodeId) -> Result<Option<Fixed>, Error> {
        let of = |net: &Net| match &net.weights[id].as_ref()?.form {
            Form::Fixed { format, .. } => Some(*format),
            Form::Coded { centroids: Centroids::Fixed { format, .. }, .. } => Some(*format),
            _ => None,
        };
        let (net, format) = match self {
            Self::Lent(net) => (*net, of(net)),
            Self::Own(net) => (&**net, of(net)),
            Self::Source(source, _) => (source.net(), source.format(id)),
        };
        if net.graph.weight_shape(id).is_none() {
            return Ok(None);
        }
        let not_yet = || Error::new(ErrorKind::Format, "the layer is not quantized; run `quantize` first");
        format.ok_or_else(not_yet).map(Some)
    }

    /// A node's weights, if it has any.
    pub fn take(&mut self, id: NodeId) -> Result<Option<IntegerWeights>, Error> {
        match self {
            Self::Lent(net) => net.weights[id].as_ref().map(IntegerWeights::of),
            Self::Own(net) => net.weights[id].take().map(IntegerWeights::consume),
            Self::Source(source, _) => source.weights(id)?.map(IntegerWeights::consume),
        }
        .transpose()
    }

    /// What keeps a node's weights from run to run, if anything does.
    pub fn kept(&self, id: NodeId) -> Option<Arc<dyn Source>> {
        match self {
            Self::Source(source, true) if source.format(id).is_some() => Some(Arc::clone(source)),
            _ => None,
        }
    }
}
