//! The network of a prototxt: layers in order, their tops by name, and what has no place in a network that is executed
//! (labels, measures) dropped.

use std::collections::HashMap;

use synapress_model::attributes::{Attributes, Field, Value};
use synapress_model::layers::{self, Input};
use synapress_model::{Error, ErrorKind, Graph, Learning, Net, Node, NodeId, Preprocess, Shape};

use super::data::{self, Source};
use super::{Options, learning, rules};
use crate::error::Fault;

/// A layer may have this many weights; more (4 GiB of them) are taken for a mistake.
pub(crate) const MOST_WEIGHTS: usize = 1 << 30;

/// Types that measure a result or swallow blobs; they compute nothing that anybody reads.
const DROPPED: &[&str] = &["Accuracy", "ACCURACY", "Silence", "SILENCE"];

/// The loss of a classifier, which reads the label too.
const LOSSES: &[&str] = &["SoftmaxWithLoss", "SOFTMAX_LOSS"];

/// What a top's name stands for at some place of the text.
#[derive(Clone, Copy, Debug)]
enum Blob {
    /// The output of a node.
    Node(NodeId),
    /// A label, or what was computed from labels.
    Dropped,
}

pub(super) fn read(attributes: &Attributes, options: &Options) -> Result<Net, Fault> {
    let name = attributes.text("name")?.unwrap_or_default().to_owned();
    attributes.ignore(&["force_backward", "debug_info"]);
    let options = rules::with_state(attributes, options)?;
    let mut builder = Builder { options: &options, graph: Graph::new(), blobs: HashMap::new(), preprocess: None };
    for (name, line, source) in data::heads(attributes)? {
        builder.source(&name, &name, source).map_err(|e| e.at_line(line))?;
    }
    let (current, old): (Vec<_>, Vec<_>) = (attributes.all("layer").collect(), attributes.all("layers").collect());
    attributes.finish().map_err(|e| {
        let solver = attributes.has("net") || attributes.has("train_net") || attributes.has("base_lr");
        let hint = "this is a solver; give the network's prototxt";
        if solver { Error::new(ErrorKind::Unsupported, hint).at_line(e.line().unwrap_or(0)) } else { e }
    })?;
    if let (Some(_), Some(old)) = (current.first(), old.first()) {
        let message = "layer and layers, the current and the old encoding, cannot be mixed";
        return Err(Error::new(ErrorKind::Unsupported, message).at_line(old.line).into());
    }
    for field in current.into_iter().chain(old) {
        builder.layer(field)?;
    }
    if builder.graph.nodes().is_empty() {
        return Err(Error::new(ErrorKind::Graph, "the file describes no layers").into());
    }
    builder.graph.input()?;
    let weights = builder.graph.nodes().iter().map(|_| None).collect();
    let mut net = Net { name, graph: builder.graph, weights, ..Net::default() };
    net.about.preprocess = builder.preprocess;
    Ok(net)
}

struct Builder<'a> {
    options: &'a Options,
    graph: Graph,
    blobs: HashMap<String, Blob>,
    preprocess: Option<Preprocess>,
}

impl Builder<'_> {
    /// Adds what a data source puts out under the name `top`.
    fn source(&mut self, name: &str, top: &str, source: Source) -> Result<(), Error> {
        let blob = match source {
            Source::Label => Blob::Dropped,
            Source::Image(shape) => {
                let shape = self.options.input_shape.or(shape).ok_or_else(|| {
                    let message = "the prototxt does not say how large the input is; give it by --input C,H,W";
                    Error::new(ErrorKind::Shape, message).at_layer(name)
                })?;
                Blob::Node(self.graph.add(name, Input { shape }, &[])?)
            }
        };
        self.top(top, blob, &[])
    }

    /// Names an output; the name is new, or it is that of a bottom (in place).
    fn top(&mut self, top: &str, blob: Blob, bottoms: &[String]) -> Result<(), Error> {
        if self.blobs.insert(top.to_owned(), blob).is_some() && !bottoms.iter().any(|b| b == top) {
            let message = format!("the top {top:?} is already the output of an earlier layer");
            return Err(Error::new(ErrorKind::Graph, message));
        }
        Ok(())
    }

    fn layer(&mut self, field: &Field) -> Result<(), Fault> {
        let Value::Message(layer) = &field.value else {
            return Err(Error::new(ErrorKind::Attribute, "a layer must be a message { ... }")
                .at_line(field.line)
                .into());
        };
        let name = layer.text("name")?.unwrap_or_default();
        let kind = layer.text("type")?.unwrap_or_default();
        self.typed(layer, name, kind).map_err(|e| {
            let error = e.at_layer(name).at_line(field.line);
            Fault::Layer { kind: if kind.is_empty() { "not given".to_owned() } else { kind.to_owned() }, error }
        })
    }

    fn typed(&mut self, layer: &Attributes, name: &str, kind: &str) -> Result<(), Error> {
        if !rules::included(layer, self.options)? {
            return Ok(());
        }
        let names = |field: &str| -> Result<Vec<String>, Error> {
            let text = |f: &Field| match &f.value {
                Value::Text(t) => Ok(t.clone()),
                Value::Message(_) => {
                    Err(Error::new(ErrorKind::Attribute, format!("{field} must be a name")).at_line(f.line))
                }
            };
            layer.all(field).map(text).collect()
        };
        let (bottoms, tops) = (names("bottom")?, names("top")?);
        if data::DATA.contains(&kind) && bottoms.is_empty() {
            self.preprocess = data::preprocess(layer)?.or(self.preprocess.take());
            return self.sources(name, &tops, data::data_layer(layer, &tops)?);
        }
        if kind == "Input" {
            return self.sources(name, &tops, data::input_layer(layer, &tops)?);
        }
        let inputs = bottoms.iter().map(|b| self.bottom(b)).collect::<Result<Vec<Blob>, Error>>()?;
        let all_dropped = !inputs.is_empty() && inputs.iter().all(|b| matches!(b, Blob::Dropped));
        if DROPPED.contains(&kind) || all_dropped {
            for top in &tops {
                self.top(top, Blob::Dropped, &bottoms)?;
            }
            return Ok(());
        }
        let node = self.node(layer, name, kind, &bottoms, &inputs, tops.len())?;
        for top in &tops {
            self.top(top, Blob::Node(node), &bottoms)?;
        }
        Ok(())
    }

    fn sources(&mut self, name: &str, tops: &[String], sources: Vec<Source>) -> Result<(), Error> {
        for (top, source) in tops.iter().zip(sources) {
            self.source(name, top, source)?;
        }
        Ok(())
    }

    fn bottom(&self, name: &str) -> Result<Blob, Error> {
        self.blobs.get(name).copied().ok_or_else(|| {
            let message = format!(
                "the bottom {name:?} is no earlier layer's top; if a layer that makes it is only for another phase, choose that phase"
            );
            Error::new(ErrorKind::Graph, message)
        })
    }

    fn node(
        &mut self,
        layer: &Attributes,
        name: &str,
        kind: &str,
        bottoms: &[String],
        inputs: &[Blob],
        tops: usize,
    ) -> Result<NodeId, Error> {
        let known = layers::by_caffe_name(kind)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, format!("the layer type {kind:?} is not supported")))?;
        let loss = LOSSES.contains(&kind);
        // Beside the scores a loss reads the label, and puts out the probabilities; both tops are the one node here.
        let inputs = if loss { inputs.get(..1).unwrap_or_default() } else { inputs };
        if tops > 1 && !loss && known.name != "Split" {
            return Err(Error::new(ErrorKind::Unsupported, format!("{tops} tops are not supported, only one")));
        }
        let mut nodes: Vec<NodeId> = Vec::with_capacity(inputs.len());
        for (blob, bottom) in inputs.iter().zip(bottoms) {
            match blob {
                Blob::Node(id) => nodes.push(*id),
                Blob::Dropped => {
                    let message = format!("the bottom {bottom:?} is a label; only a loss or a measure can read it");
                    return Err(Error::new(ErrorKind::Unsupported, message));
                }
            }
        }
        let parameter = match known.parameter {
            "" => Attributes::new(),
            parameter => layer.message(parameter)?.cloned().unwrap_or_default(),
        };
        let learning = |made: &dyn synapress_model::Layer, parameter: &Attributes| -> Result<Learning, Error> {
            let shapes: Vec<Shape> = nodes.iter().map(|&id| self.graph.shape(id)).collect();
            let weights = made.weight_shape(&shapes);
            if weights.is_some_and(|w| w.len() > MOST_WEIGHTS) {
                let message = format!("the layer would have over {MOST_WEIGHTS} weights");
                return Err(Error::new(ErrorKind::Shape, message));
            }
            learning::learning(layer, parameter, known.name, weights.as_ref())
        };
        let mut complete = parameter.clone();
        if loss {
            // Two weights when there are two tops; the second, of the probabilities, is of no use.
            if let Some(weight) = layer.all("loss_weight").next() {
                complete.push("loss_weight", weight.value.clone(), weight.line);
            }
            if let Some(loss) = layer.message("loss_param")? {
                loss.ignore(&["normalize", "normalization"]);
                loss.finish()?;
            }
        }
        let made = (known.read)(&complete)?;
        let learning = learning(made.as_ref(), &parameter)?;
        // What tells a trainer, or a tool, and not what is computed.
        layer.ignore(&["phase", "propagate_down"]);
        layer.finish()?;
        self.graph.push(Node { name: name.to_owned(), layer: made, inputs: nodes, learning })
    }
}
