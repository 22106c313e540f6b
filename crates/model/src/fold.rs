//! Folding of batch normalization into the layer before it, and of a division of the image into the layers that read it:
//! same scores, fewer layers, and none without an integer form. It works on floating-point weights and comes before
//! pruning.

use std::borrow::Cow;

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::graph::{Graph, Node, NodeId};
use crate::layer::Layer;
use crate::layers::{BatchNorm, Scale};
use crate::net::Net;
use crate::weights::{Bias, Form, Weights};

/// The same network without BatchNorm. A BatchNorm, and a Scale, is multiplied into the convolution, fully connected
/// layer or Scale that it reads, if that has no other reader and ungrouped floating-point weights; its node is
/// dropped, and its readers read the other node, which keeps its name and gains a bias. A BatchNorm that nothing can
/// take up becomes a Scale of its name. Zero weights stay zero. A quantized network has no BatchNorm and is returned
/// as it is.
///
/// # Errors
/// [`ErrorKind::Weights`] when weights are missing, do not fit, or leave the range of
/// `f32` when multiplied.
pub fn fold_batch_norm(net: &Net) -> Result<Net, Error> {
    net.verify()?;
    if net.integers.is_some() {
        return Ok(net.clone());
    }
    let (readers, several_heads) = (net.graph.readers(), net.graph.heads().len() > 1);
    let mut entries: Vec<Entry> = Vec::new();
    // For each node of `net` its entry.
    let mut place: Vec<usize> = Vec::new();
    for (old, node) in net.graph.nodes().iter().enumerate() {
        let at = |e: Error| e.at_layer(&node.name);
        let mut node = node.clone();
        node.inputs.iter_mut().for_each(|input| *input = place[*input]);
        let mut entry = Entry { old, node, weights: net.weights[old].clone() };
        if let Some(line) = entry.line().map_err(at)? {
            let before = net.graph.node(old).inputs[0];
            // The last head is the output: heads keep their order.
            let head = readers[old] == 0 && several_heads;
            let target = &mut entries[place[before]];
            if readers[before] == 1 && !head && target.takes(net) {
                target.take(&line).map_err(at)?;
                place.push(place[before]);
                continue;
            }
            if entry.is("BatchNorm") {
                entry.node.layer = Box::new(Scale { bias: true });
                let Line { factor, offset } = line;
                let narrow = |v: Vec<f64>| v.into_iter().map(|x| x as f32).collect::<Vec<_>>();
                entry.weights = Some(Weights::dense([factor.len(), 1, 1, 1], narrow(factor), narrow(offset)));
            }
        }
        place.push(entries.len());
        entries.push(entry);
    }
    let mut folded = Net { name: net.name.clone(), graph: Graph::new(), about: net.about.clone(), ..Net::default() };
    for entry in entries {
        folded.graph.push(entry.node)?;
        folded.weights.push(entry.weights);
    }
    folded.verify()?;
    Ok(folded)
}

/// What is quantized in place of a network: the network [without BatchNorm](fold_batch_norm), which has no integer form, or
/// else the network as it is.
///
/// # Errors
/// As [`fold_batch_norm`].
pub fn without_batch_norm(net: &Net) -> Result<Cow<'_, Net>, Error> {
    match net.graph.nodes().iter().any(|node| node.layer.running_average().is_some()) {
        true => Ok(Cow::Owned(fold_batch_norm(net)?)),
        false => Ok(Cow::Borrowed(net)),
    }
}

/// Divides the weights of the layers that read the image, so that they put out for an image what they did for one that
/// was divided by these numbers, one for each channel. Padding stays zero.
///
/// # Errors
/// [`ErrorKind::Attribute`] for other than one positive number a channel; [`ErrorKind::Unsupported`] when something other
/// than a convolution or fully connected layer with floating-point weights reads the image; [`ErrorKind::Weights`] when
/// weights are missing or leave the range of `f32`.
pub fn divide_input(net: &mut Net, by: &[f32]) -> Result<(), Error> {
    net.verify()?;
    let input = net.graph.input()?;
    let shape = net.graph.shape(input);
    if by.len() != shape.channels || !by.iter().all(|d| d.is_finite() && *d > 0.0) {
        let message = format!("{by:?} must be one positive number for each of {} channels", shape.channels);
        return Err(Error::new(ErrorKind::Attribute, message));
    }
    let readers = |net: &Net| -> Vec<NodeId> {
        (0..net.graph.nodes().len()).filter(|&id| net.graph.node(id).inputs.contains(&input)).collect()
    };
    for id in readers(net) {
        let at = |e: Error| e.at_layer(&net.graph.node(id).name);
        let (linear, weights) = (net.linear(id), &mut net.weights[id]);
        let (Some(linear), Some(Weights { form: Form::Dense(values), .. })) = (linear, weights) else {
            let message = "it reads the image, and only floating-point weights of convolution and fully connected \
                           layers can take a division in";
            return Err(at(Error::new(ErrorKind::Unsupported, message)));
        };
        let taps = linear.taps();
        let inputs = shape.channels / linear.groups;
        let outputs = linear.output.channels / linear.groups;
        for (o, row) in values.chunks_exact_mut(taps).enumerate() {
            for (c, part) in row.chunks_exact_mut(taps / inputs).enumerate() {
                let divisor = f64::from(by[o / outputs * inputs + c]);
                part.iter_mut().for_each(|w| *w = (f64::from(*w) / divisor) as f32);
            }
        }
    }
    net.verify()
}

/// `factor * x + offset`, by channel.
struct Line {
    factor: Vec<f64>,
    offset: Vec<f64>,
}

/// A node of the new network.
struct Entry {
    /// Its place in the old one.
    old: NodeId,
    node: Node,
    weights: Option<Weights>,
}

impl Entry {
    fn is(&self, kind: &str) -> bool {
        self.node.layer.kind().name == kind
    }

    /// The line that stands for this node, if it is one in floating point.
    fn line(&self) -> Result<Option<Line>, Error> {
        let Some(weights) = &self.weights else { return Ok(None) };
        let values = weights.values();
        if self.is("BatchNorm") {
            let eps = self.node.layer.attributes().get_or("eps", BatchNorm::default().eps)?;
            let layer = BatchNorm { eps, ..BatchNorm::default() };
            let (mean, variance) = values.split_at(values.len() / 2);
            let lines = mean.iter().zip(variance).map(|(&m, &v)| layer.line(f64::from(m), f64::from(v)));
            let (factor, offset) = lines.map(|[factor, offset]| (factor, offset)).unzip();
            Ok(Some(Line { factor, offset }))
        } else if self.is("Scale") && self.is_float() {
            let wide = |v: &[f32]| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            let mut offset = wide(&weights.bias.values());
            offset.resize(values.len(), 0.0);
            Ok(Some(Line { factor: wide(&values), offset }))
        } else {
            Ok(None)
        }
    }

    fn is_float(&self) -> bool {
        matches!(&self.weights, Some(Weights { form: Form::Dense(_), bias: Bias::None | Bias::Float(_), .. }))
    }

    /// Whether a line can be multiplied into this node.
    fn takes(&self, net: &Net) -> bool {
        self.is_float() && (self.is("Scale") || net.linear(self.old).is_some())
    }

    /// Multiplies a line into this node.
    fn take(&mut self, line: &Line) -> Result<(), Error> {
        let Some(Weights { dims, form: Form::Dense(weights), bias }) = &mut self.weights else { return Ok(()) };
        let row = weights.len() / dims[0];
        for (row, factor) in weights.chunks_exact_mut(row).zip(&line.factor) {
            // A zero is a pruned weight and must not turn into a negative one.
            row.iter_mut().filter(|w| **w != 0.0).for_each(|w| *w = (f64::from(*w) * factor) as f32);
        }
        let mut values = bias.values().into_owned();
        values.resize(dims[0], 0.0);
        for ((b, factor), offset) in values.iter_mut().zip(&line.factor).zip(&line.offset) {
            *b = (f64::from(*b) * factor + offset) as f32;
        }
        *bias = Bias::Float(values);
        self.node.layer = with_bias(&*self.node.layer)?;
        Ok(())
    }
}

/// The same layer with a bias.
fn with_bias(layer: &dyn Layer) -> Result<Box<dyn Layer>, Error> {
    let mut attributes = Attributes::new();
    for field in layer.attributes().fields().iter().filter(|f| f.name != "bias_term") {
        attributes.push(field.name.clone(), field.value.clone(), 0);
    }
    (layer.kind().read)(&attributes.with("bias_term", true))
}
