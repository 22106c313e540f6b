//! A file whose weights stay coded until somebody asks for them, layer by layer.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use synapress_model::{Centroids, Fixed, Form, Net, NodeId, Source, Taker, Weights};

use crate::bytes::Reader;
use crate::container;
use crate::error::{Error, ErrorKind};
use crate::join;
use crate::layer;
use crate::net::{Parts, in_layer};
use crate::options::Limits;
use crate::tiles::CodedLayer;

/// A network with its weights as they are stored.
#[derive(Debug)]
pub struct Stored {
    bytes: Vec<u8>,
    net: Net,
    layers: Vec<Option<Layer>>,
}

/// The weights of one node.
#[derive(Clone, Debug)]
struct Layer {
    /// Where they lie.
    at: Range<usize>,
    format: Option<Fixed>,
}

impl Stored {
    /// Takes a file's bytes; all but the coded weights is read and checked.
    ///
    /// # Errors
    /// As [`decode`](crate::decode), but for what only decoding a layer tells.
    pub fn new(bytes: Vec<u8>, limits: &Limits) -> Result<Self, Error> {
        let parts = Parts::of(&bytes, limits)?;
        parts.within(bytes.len(), limits)?;
        let mut layers = vec![None; parts.graph.nodes().len()];
        for (reader, (_, head)) in parts.weights.iter().zip(parts.heads()?) {
            let format = match &head.form {
                Form::Fixed { format, .. } | Form::Coded { centroids: Centroids::Fixed { format, .. }, .. } => {
                    Some(*format)
                }
                _ => None,
            };
            let start = usize::try_from(reader.offset()).map_err(|_| reader.malformed("the file is too long"))?;
            layers[head.node] = Some(Layer { at: start..start + reader.left(), format });
        }
        let Parts { name, graph, about, integers, extras, .. } = parts;
        extras.into_iter().try_for_each(|mut reader| reader.text("an extra chunk's name").map(|_| ()))?;
        let integers = integers.map(crate::about::decode_integers).transpose()?;
        let weights = vec![None; graph.nodes().len()];
        let net = Net { name, graph, weights, integers, about };
        let fault = |e: synapress_model::Error| Error::from(e).in_section("network");
        net.verify_formats().map_err(fault)?;
        let mut without = (0..layers.len()).filter(|&id| layers[id].is_none());
        without.try_for_each(|id| net.verify_layer(id, None)).map_err(fault)?;
        Ok(Self { bytes, net, layers })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], or as [`Stored::new`]; all name the file.
    pub fn read(path: impl AsRef<Path>, limits: &Limits) -> Result<Self, Error> {
        let path = path.as_ref();
        let io = |e: io::Error| Error::new(ErrorKind::Io, format!("cannot read: {e}"));
        fs::read(path).map_err(io).and_then(|bytes| Self::new(bytes, limits)).map_err(|e| e.in_file(path))
    }

    /// Decodes a node's weights.
    ///
    /// # Errors
    /// As [`decode`](crate::decode); they name the layer.
    pub fn decode(&self, id: NodeId) -> Result<Option<Weights>, Error> {
        let Some(layer) = self.layer(id)? else { return Ok(None) };
        let mut decoded = join::weights(vec![layer])?;
        let Some((_, weights)) = decoded.pop() else { return Ok(None) };
        self.net.verify_layer(id, Some(&weights))?;
        Ok(Some(weights))
    }

    /// A node's weights, not decoded yet.
    fn layer(&self, id: NodeId) -> Result<Option<CodedLayer<'_>>, Error> {
        let Some(Some(layer)) = self.layers.get(id) else { return Ok(None) };
        let name = &self.net.graph.node(id).name;
        let base = crate::bytes::wide(layer.at.start);
        let reader = Reader::new(&self.bytes[layer.at.clone()], base, container::section(container::WEIGHTS));
        let shape = |at: &Reader<'_>, _| {
            self.net.graph.weight_shape(id).ok_or_else(|| at.malformed("the layer takes no weights"))
        };
        let head = layer::head(reader, shape).map_err(|e| in_layer(e, name))?;
        Ok(Some(CodedLayer::new(name.clone(), head)))
    }
}

fn fault(e: Error) -> synapress_model::Error {
    synapress_model::Error::new(synapress_model::ErrorKind::Weights, e.to_string())
}

impl Source for Stored {
    fn net(&self) -> &Net {
        &self.net
    }

    fn format(&self, id: NodeId) -> Option<Fixed> {
        self.layers.get(id)?.as_ref()?.format
    }

    fn weights(&self, id: NodeId) -> Result<Option<Weights>, synapress_model::Error> {
        self.decode(id).map_err(fault)
    }

    fn pieces(&self, id: NodeId, rows: usize, take: &mut Taker<'_>) -> Result<(), synapress_model::Error> {
        let Some(layer) = self.layer(id).map_err(fault)? else { return Ok(()) };
        // What `take` says is told as it is.
        let mut refused = None;
        let done = layer.pieces(rows, &mut |first, form| {
            let weights = layer.rows_of(first, form);
            self.net.verify_rows(id, &weights)?;
            take(first, weights).map_err(|e| {
                refused = Some(e.clone());
                Error::from(e)
            })
        });
        match refused {
            Some(refused) => Err(refused),
            None => done.map_err(fault),
        }
    }
}
