//! The `.net` files of Deep Compression (Han et al. 2016, as released for SqueezeNet): pruned weights as indices into a
//! codebook of floats and gaps between them. Read and written to the byte; it knows no graph but the prototxt's.
//!
//! All little-endian: `u32` entries of each layer, then for each layer `f32 codebook[256]` (16 for a fully connected
//! layer), `f32 bias[outputs]`, the codes (8 bits; 4 for a fully connected layer, low nibble first), the gaps (4 bits,
//! low nibble first). An entry stands for as many zeros as its gap says and one weight. A gap of 15 with code 0 bridges
//! 16 zeros. Entry 0 of a codebook is 0.0; weights behind the last entry are zero.

use std::fs;
use std::path::Path;

use synapress_model::{Bias, Centroids, ErrorKind, Form, Net, NodeId, Weights};

use crate::error::{Error, Fault};

/// The widest gap.
const GAP: usize = 15;

/// Bits of a code.
fn code_bits(net: &Net, node: NodeId) -> usize {
    if net.graph.node(node).layer.kind().name == "InnerProduct" { 4 } else { 8 }
}

/// Layers in the file's order, which is the graph's.
fn layers(net: &Net) -> Vec<NodeId> {
    net.synaptic()
}

/// Bytes that are read from the front.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::encoding(u64::try_from(self.at).unwrap_or(u64::MAX), message)
    }

    fn take(&mut self, n: usize, what: &str) -> Result<&'a [u8], Fault> {
        match self.at.checked_add(n).and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None => {
                let left = self.bytes.len() - self.at;
                Err(self.fault(format!("{what}: {n} bytes should follow, but only {left} are there")))
            }
        }
    }

    fn floats(&mut self, n: usize, what: &str) -> Result<Vec<f32>, Fault> {
        let start = self.at;
        let (floats, _) = self.take(n.saturating_mul(4), what)?.as_chunks::<4>();
        let values: Vec<f32> = floats.iter().map(|b| f32::from_le_bytes(*b)).collect();
        match values.iter().position(|v| !v.is_finite()) {
            Some(i) => {
                self.at = start + 4 * i;
                Err(self.fault(format!("{what}: number {i} is {}, not a finite number", values[i])))
            }
            None => Ok(values),
        }
    }

    /// `n` integers of 4 or 8 bits; the last byte is filled up with zeros.
    fn packed(&mut self, n: usize, bits: usize, what: &str) -> Result<Vec<u8>, Fault> {
        if bits == 8 {
            return Ok(self.take(n, what)?.to_vec());
        }
        let bytes = self.take(n.div_ceil(2), what)?;
        let mut values: Vec<u8> = bytes.iter().flat_map(|b| [b & 15, b >> 4]).collect();
        if n % 2 == 1 && values.pop() != Some(0) {
            self.at -= 1;
            return Err(self.fault(format!("{what}: the last byte is not filled up with zeros")));
        }
        Ok(values)
    }
}

/// Gives a network the weights of a file: grouped, with codebooks as they are in the file.
///
/// # Errors
/// [`Fault::Io`], [`Fault::Encoding`] with layer and byte, or [`Fault::Net`]; all name the file.
pub fn load(net: &mut Net, path: &Path) -> Result<(), Error> {
    let attach = || -> Result<Vec<u8>, Fault> { Ok(fs::read(path)?) };
    attach().and_then(|bytes| parse(net, &bytes)).map_err(|fault| fault.of(path))
}

/// Gives a network the weights of a file's bytes.
///
/// # Errors
/// As [`load`]. The network then keeps what it had.
pub fn parse(net: &mut Net, bytes: &[u8]) -> Result<(), Fault> {
    let mut reader = Reader { bytes, at: 0 };
    let layers = layers(net);
    let (counts, _) = reader.take(layers.len().saturating_mul(4), "the numbers of entries")?.as_chunks::<4>();
    let mut all = vec![None; net.graph.nodes().len()];
    for (&node, count) in layers.iter().zip(counts) {
        let count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
        let name = &net.graph.node(node).name;
        let weights = layer(net, node, count, &mut reader).map_err(|fault| match fault {
            Fault::Encoding { offset, message } => Fault::encoding(offset, format!("layer {name:?}, {message}")),
            other => other,
        })?;
        all[node] = Some(weights);
    }
    if reader.at < bytes.len() {
        let left = bytes.len() - reader.at;
        return Err(reader.fault(format!("{left} bytes are left over after the last layer")));
    }
    let before = std::mem::replace(&mut net.weights, all);
    if let Err(error) = net.verify() {
        net.weights = before;
        return Err(error.into());
    }
    Ok(())
}

fn layer(net: &Net, node: NodeId, count: usize, reader: &mut Reader<'_>) -> Result<Weights, Fault> {
    let shape = net.graph.weight_shape(node).ok_or_else(|| reader.fault("it takes no weights"))?;
    let bits = code_bits(net, node);
    let start = reader.at;
    let centroids = reader.floats(1 << bits, "codebook")?;
    if centroids.first().is_none_or(|c| c.to_bits() != 0) {
        reader.at = start;
        return Err(reader.fault("codebook: entry 0 is not 0.0"));
    }
    let bias = reader.floats(shape.bias_len(), "bias")?;
    let codes = reader.packed(count, bits, "codes")?;
    let place = reader.at;
    let gaps = reader.packed(count, 4, "gaps")?;
    let mut index = vec![0u16; shape.len()];
    let mut at = 0usize;
    for (i, (&code, &gap)) in codes.iter().zip(&gaps).enumerate() {
        let fault = |message: String| Fault::encoding(u64::try_from(place + i / 2).unwrap_or(u64::MAX), message);
        at += usize::from(gap);
        match index.get_mut(at) {
            Some(weight) => *weight = u16::from(code),
            None => return Err(fault(format!("gaps: entry {i} leads beyond the {} weights", shape.len()))),
        }
        if code == 0 && usize::from(gap) != GAP {
            return Err(fault(format!("gaps: entry {i} is a zero that bridges nothing")));
        }
        at += 1;
    }
    let bias = if bias.is_empty() { Bias::None } else { Bias::Float(bias) };
    Ok(Weights { dims: shape.dims, form: Form::Coded { centroids: Centroids::Float(centroids), index }, bias })
}

/// Numbers the centroids of grouped weights anew, by rising value after entry 0. The weights stay what they are; the
/// order of a file's codebooks, which says nothing, is lost, and with it what that takes in other formats.
pub fn sort(net: &mut Net) {
    for weights in net.weights.iter_mut().flatten() {
        let Form::Coded { centroids: Centroids::Float(centroids), index } = &mut weights.form else { continue };
        let mut order: Vec<usize> = (1..centroids.len()).collect();
        order.sort_by(|&a, &b| centroids[a].total_cmp(&centroids[b]));
        let mut places = vec![0u16; centroids.len()];
        for (place, &i) in (1..=u16::MAX).zip(&order) {
            places[i] = place;
        }
        let rest = order.iter().map(|&i| centroids[i]);
        *centroids = centroids.first().copied().into_iter().chain(rest).collect();
        index.iter_mut().for_each(|i| *i = places.get(usize::from(*i)).copied().unwrap_or(0));
    }
}

/// The bytes of a file with a network's weights, which must all be grouped under codebooks of floats of at most 256
/// entries (16 for a fully connected layer). A file that was [parsed](parse) gives the same bytes again, unless it
/// bridged zeros behind the last weight.
///
/// # Errors
/// [`Fault::Net`] naming the layer that this layout cannot hold.
pub fn to_bytes(net: &Net) -> Result<Vec<u8>, Fault> {
    let (mut counts, mut body) = (Vec::new(), Vec::new());
    for node in layers(net) {
        let fault = |message: &str| {
            let error = synapress_model::Error::new(ErrorKind::Weights, message);
            Fault::from(error.at_layer(&net.graph.node(node).name))
        };
        let Some(Some(weights)) = net.weights.get(node) else { return Err(fault("it has no weights")) };
        let Form::Coded { centroids: Centroids::Float(centroids), index } = &weights.form else {
            return Err(fault("only weights that are grouped and not quantized fit a .net file"));
        };
        let bits = code_bits(net, node);
        if centroids.len() > 1 << bits {
            return Err(fault(&format!("a .net file holds {} centroids of it, not {}", 1 << bits, centroids.len())));
        }
        let bias = match &weights.bias {
            Bias::None => &[][..],
            Bias::Float(bias) => bias,
            Bias::Fixed { .. } => return Err(fault("a .net file holds no quantized bias")),
        };
        let (codes, gaps) = entries(index);
        counts.extend(u32::try_from(codes.len()).map_err(|_| fault("it has too many weights"))?.to_le_bytes());
        let padding = (1usize << bits) - centroids.len();
        for v in centroids.iter().chain(std::iter::repeat_n(&0.0, padding)).chain(bias) {
            body.extend(v.to_le_bytes());
        }
        pack(&codes, bits, &mut body);
        pack(&gaps, 4, &mut body);
    }
    counts.extend(body);
    Ok(counts)
}

/// Codes and gaps of a layer's indices, all below 256.
fn entries(index: &[u16]) -> (Vec<u8>, Vec<u8>) {
    let (mut codes, mut gaps, mut zeros) = (Vec::new(), Vec::new(), 0usize);
    for &i in index {
        if i == 0 {
            zeros += 1;
            continue;
        }
        for _ in 0..zeros / (GAP + 1) {
            codes.push(0);
            gaps.push(15);
        }
        codes.push(u8::try_from(i).unwrap_or(u8::MAX));
        gaps.push(u8::try_from(zeros % (GAP + 1)).unwrap_or(15));
        zeros = 0;
    }
    (codes, gaps)
}

fn pack(values: &[u8], bits: usize, out: &mut Vec<u8>) {
    if bits == 8 {
        out.extend(values);
    } else {
        out.extend(values.chunks(2).map(|pair| pair.iter().rev().fold(0, |byte, v| byte << 4 | v)));
    }
}
