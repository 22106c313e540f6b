//! A network to bytes and back: which chunks there are, and in which order.

use std::io::{self, Write};

use rayon::prelude::*;
use synapress_model::{About, Graph, Net, WeightShape};

use crate::bytes::{Reader, put_text, wide};
use crate::container::{self, ChunkWriter, chunks};
use crate::error::{Error, ErrorKind};
use crate::options::{Limits, Options};
use crate::tiles::CodedLayer;
use crate::{about, graph, join, layer, text};

/// A caller's own bytes under a name, such as the state of an optimizer. Readers that know nothing of them skip them.
pub type Extra = (String, Vec<u8>);

/// The network as synapse code. Same network, same bytes, whatever the number of threads.
///
/// # Errors
/// [`ErrorKind::Net`] when the network does not [verify](Net::verify).
pub fn encode(net: &Net, options: &Options) -> Result<Vec<u8>, Error> {
    encode_with_extras(net, &[], options)
}

/// The network as synapse code, and extra chunks after it.
///
/// # Errors
/// As [`encode`].
pub fn encode_with_extras(net: &Net, extras: &[Extra], options: &Options) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    encode_to(&mut out, net, extras, options)?;
    Ok(out)
}

/// Writes the network as synapse code.
pub(crate) fn encode_to(to: impl Write, net: &Net, extras: &[Extra], options: &Options) -> Result<(), Error> {
    net.verify()?;
    let graph = text::encode(&graph::encode(net)?);
    let about = text::encode(&about::encode(&net.about)?);
    let given: Vec<_> = net.weights.iter().enumerate().filter_map(|(id, w)| Some((id, w.as_ref()?))).collect();
    let layers: Vec<Vec<u8>> =
        given.par_iter().with_max_len(1).map(|(id, w)| layer::encode(*id, w, options.effort)).collect();
    let write = || -> io::Result<()> {
        let mut chunks = ChunkWriter::new(to)?;
        chunks.put(container::GRAPH, &graph)?;
        chunks.put(container::ABOUT, &about)?;
        for bytes in layers {
            chunks.put(container::WEIGHTS, &bytes)?;
        }
        if let Some(integers) = &net.integers {
            chunks.put(container::INTEGERS, &about::encode_integers(integers))?;
        }
        for (name, bytes) in extras {
            let mut body = Vec::new();
            put_text(&mut body, name);
            body.extend_from_slice(bytes);
            chunks.put(container::EXTRA, &body)?;
        }
        chunks.finish()
    };
    write().map_err(|e| Error::new(ErrorKind::Io, format!("cannot write: {e}")))
}

/// The network of a file's bytes.
///
/// # Errors
/// Any [`ErrorKind`] but [`ErrorKind::Io`], with section and offset, for bytes that are not the whole code of a
/// network that [verifies](Net::verify), or that claim more than the limits.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Net, Error> {
    Ok(decode_with_extras(bytes, limits)?.0)
}

/// The network of a file's bytes and the extra chunks in their order.
///
/// # Errors
/// As [`decode`].
pub fn decode_with_extras(bytes: &[u8], limits: &Limits) -> Result<(Net, Vec<Extra>), Error> {
    let parts = Parts::of(bytes, limits)?;
    parts.within(bytes.len(), limits)?;
    let decoded = join::weights(parts.layers()?)?;
    let Parts { name, graph, about, integers, extras, .. } = parts;
    let integers = integers.map(about::decode_integers).transpose()?;
    let mut extra = Vec::new();
    for mut reader in extras {
        extra.push((reader.text("an extra chunk's name")?, reader.rest().to_vec()));
    }
    let mut weights = vec![None; graph.nodes().len()];
    for (node, w) in decoded {
        weights[node] = Some(w);
    }
    let net = Net { name, graph, weights, integers, about };
    net.verify().map_err(|e| Error::from(e).in_section("network"))?;
    Ok((net, extra))
}

/// An error that names the layer.
pub(crate) fn in_layer(error: Error, name: &str) -> Error {
    let section = format!("{} of layer {name:?}", error.section().unwrap_or("weights"));
    let mut named = Error::new(error.kind(), error.message()).in_section(&section);
    if let Some(offset) = error.offset() {
        named = named.at(offset);
    }
    named
}

/// The chunks of a network, the graph read, the others checked but not yet read.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub name: String,
    pub graph: Graph,
    pub graph_bytes: u64,
    pub about: About,
    pub about_bytes: u64,
    pub weights: Vec<Reader<'a>>,
    pub integers: Option<Reader<'a>>,
    pub extras: Vec<Reader<'a>>,
}

impl<'a> Parts<'a> {
    /// Sorts the chunks of a file.
    pub fn of(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let mut graph = None;
        let (mut about, mut integers, mut weights, mut extras) = (None, None, Vec::new(), Vec::new());
        for chunk in chunks(bytes, limits.checksums)? {
            let body = chunk.body;
            let twice = match chunk.tag {
                container::GRAPH => graph.replace(body.clone()).is_some(),
                container::ABOUT => about.replace(body.clone()).is_some(),
                container::INTEGERS => integers.replace(body.clone()).is_some(),
                container::WEIGHTS => {
                    weights.push(body.clone());
                    false
                }
                container::EXTRA => {
                    extras.push(body.clone());
                    false
                }
                [first, ..] if first.is_ascii_lowercase() => false,
                tag => {
                    let message = format!("the chunk {} is not known to this release", tag.escape_ascii());
                    return Err(body.fault(ErrorKind::Version, message + "; update synapress"));
                }
            };
            if twice {
                return Err(body.malformed("there is a second one"));
            }
        }
        let Some(body) = graph else {
            return Err(Error::new(ErrorKind::Malformed, "the file has no graph").in_section("graph"));
        };
        let graph_bytes = wide(body.left());
        let text = text::decode(body.clone())?;
        let (name, graph) = graph::decode(Reader::new(&text, body.offset(), body.section()), limits.layers)?;
        let about_bytes = about.as_ref().map_or(0, |r| wide(r.left()));
        let about = match about {
            None => About::default(),
            Some(body) => {
                let text = text::decode(body.clone())?;
                about::decode(Reader::new(&text, body.offset(), body.section()))?
            }
        };
        Ok(Self { name, graph, graph_bytes, about, about_bytes, weights, integers, extras })
    }

    /// Refuses a graph whose layers take more weights than a file of so many bytes may have.
    pub fn within(&self, len: usize, limits: &Limits) -> Result<(), Error> {
        let total = wide(len).saturating_mul(limits.expansion).saturating_add(Limits::FREE).min(limits.weights);
        let claimed = (0..self.graph.nodes().len()).filter_map(|id| self.graph.weight_shape(id));
        let claimed = claimed.fold(0u64, |n, s| n.saturating_add(wide(s.len())).saturating_add(wide(s.bias_len())));
        if claimed <= total {
            return Ok(());
        }
        let message =
            format!("the layers take {claimed} weights, more than the limit of {total} for a file of {len} bytes");
        Err(Error::new(ErrorKind::Limit, message).in_section("graph"))
    }

    /// The heads of all weights, with their layers' names, in the order of layers.
    pub fn heads(&self) -> Result<Vec<(String, layer::Head<'a>)>, Error> {
        let mut heads: Vec<(String, layer::Head<'a>)> = Vec::new();
        for reader in &self.weights {
            let next = heads.last().map_or(0, |(_, head)| head.node + 1);
            let at = reader.clone();
            let head = layer::head(reader.clone(), |at, node| self.shape(at, node, next))?;
            let node = self.graph.nodes().get(head.node);
            let node = node.ok_or_else(|| at.malformed(format!("there is no layer {}", head.node)))?;
            heads.push((node.name.clone(), head));
        }
        Ok(heads)
    }

    /// The layers with weights, not decoded yet.
    pub fn layers(&self) -> Result<Vec<CodedLayer<'a>>, Error> {
        Ok(self.heads()?.into_iter().map(|(name, head)| CodedLayer::new(name, head)).collect())
    }

    /// The shape of the weights of a node, which must not come before `next`.
    fn shape(&self, at: &Reader<'_>, node: u64, next: usize) -> Result<WeightShape, Error> {
        let id = match usize::try_from(node) {
            Ok(id) if id < self.graph.nodes().len() => id,
            _ => return Err(at.malformed(format!("there is no layer {node}"))),
        };
        if id < next {
            return Err(at.malformed(format!("the weights of layer {id} are out of order, or there twice")));
        }
        let name = &self.graph.node(id).name;
        self.graph.weight_shape(id).ok_or_else(|| at.malformed(format!("the layer {name:?} takes no weights")))
    }
}
