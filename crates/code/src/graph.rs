//! The chunk of the graph: the network's name and its nodes with their attributes, inputs and learning rates.

use synapress_model::{Attributes, Filler, Graph, Learning, Net, Node, Rate, Value, layers};

use crate::bytes::{Reader, put_floats, put_size, put_text, wide};
use crate::error::{Error, ErrorKind};

/// Messages within messages within attributes.
const DEEPEST: usize = 16;

/// Bytes that the shortest node takes.
const SHORTEST: usize = 5;

/// The chunk.
pub(crate) fn encode(net: &Net) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    put_text(&mut out, &net.name);
    put_size(&mut out, net.graph.nodes().len());
    for node in net.graph.nodes() {
        put_text(&mut out, &node.name);
        put_text(&mut out, node.layer.kind().name);
        put_size(&mut out, node.inputs.len());
        for &input in &node.inputs {
            put_size(&mut out, input);
        }
        let at = |e: Error| e.in_section("graph");
        put_attributes(&mut out, &node.layer.attributes(), DEEPEST).map_err(at)?;
        put_learning(&mut out, &node.learning).map_err(at)?;
    }
    Ok(out)
}

fn put_attributes(out: &mut Vec<u8>, attributes: &Attributes, depth: usize) -> Result<(), Error> {
    if depth == 0 {
        return Err(Error::new(ErrorKind::Limit, format!("attributes are nested more than {DEEPEST} deep")));
    }
    put_size(out, attributes.fields().len());
    for field in attributes.fields() {
        put_text(out, &field.name);
        match &field.value {
            Value::Text(text) => {
                out.push(0);
                put_text(out, text);
            }
            Value::Message(message) => {
                out.push(1);
                put_attributes(out, message, depth - 1)?;
            }
        }
    }
    Ok(())
}

fn attributes(reader: &mut Reader<'_>, depth: usize) -> Result<Attributes, Error> {
    if depth == 0 {
        return Err(reader.malformed(format!("attributes are nested more than {DEEPEST} deep")));
    }
    let mut attributes = Attributes::new();
    for _ in 0..reader.count("attributes", 3)? {
        let name = reader.text("an attribute's name")?;
        let value = match reader.byte()? {
            0 => Value::Text(reader.text("an attribute")?),
            1 => Value::Message(self::attributes(reader, depth - 1)?),
            other => return Err(reader.malformed(format!("an attribute is of kind 0 or 1, not {other}"))),
        };
        attributes.push(name, value, 0);
    }
    Ok(attributes)
}

fn put_learning(out: &mut Vec<u8>, learning: &Learning) -> Result<(), Error> {
    if *learning == Learning::default() {
        out.push(0);
        return Ok(());
    }
    out.push(1);
    let mut numbers = Vec::new();
    for rate in [learning.weights, learning.bias] {
        numbers.extend([rate.learn, rate.decay]);
        put_floats(out, &[rate.learn, rate.decay]);
    }
    for filler in [learning.weight_filler, learning.bias_filler] {
        let (kind, values): (u8, &[f32]) = match &filler {
            Filler::Constant(value) => (0, &[*value]),
            Filler::Uniform(low, high) => (1, &[*low, *high]),
            Filler::Gaussian(mean, deviation) => (2, &[*mean, *deviation]),
            Filler::Xavier => (3, &[]),
            Filler::Msra => (4, &[]),
        };
        out.push(kind);
        put_floats(out, values);
        numbers.extend(values);
    }
    match numbers.iter().find(|n| !n.is_finite()) {
        Some(n) => Err(Error::new(ErrorKind::Net, format!("a learning rate or filler is {n}; give a finite number"))),
        None => Ok(()),
    }
}

fn learning(reader: &mut Reader<'_>) -> Result<Learning, Error> {
    if !reader.flag("the mark of learning rates")? {
        return Ok(Learning::default());
    }
    let what = "a learning rate or filler";
    let mut rate = || Ok::<_, Error>(Rate { learn: reader.float(what)?, decay: reader.float(what)? });
    let (weights, bias) = (rate()?, rate()?);
    let mut filler = || match reader.byte()? {
        0 => Ok(Filler::Constant(reader.float(what)?)),
        1 => Ok(Filler::Uniform(reader.float(what)?, reader.float(what)?)),
        2 => Ok(Filler::Gaussian(reader.float(what)?, reader.float(what)?)),
        3 => Ok(Filler::Xavier),
        4 => Ok(Filler::Msra),
        other => Err(reader.malformed(format!("the filler {other} is not known"))),
    };
    Ok(Learning { weights, bias, weight_filler: filler()?, bias_filler: filler()? })
}

/// The network's name and its graph, of at most so many layers.
pub(crate) fn decode(mut reader: Reader<'_>, most: u64) -> Result<(String, Graph), Error> {
    let name = reader.text("the network's name")?;
    let count = reader.count("layers", SHORTEST)?;
    if wide(count) > most {
        return Err(reader.fault(ErrorKind::Limit, format!("{count} layers are more than the limit of {most}")));
    }
    let mut graph = Graph::new();
    for _ in 0..count {
        let at = reader.clone();
        let name = reader.text("a layer's name")?;
        let kind = reader.text("a layer's kind")?;
        let inputs = reader.count("inputs", 1)?;
        let inputs = (0..inputs).map(|_| Ok(usize::try_from(reader.varint()?).unwrap_or(usize::MAX)));
        let inputs = inputs.collect::<Result<Vec<_>, Error>>()?;
        let attributes = attributes(&mut reader, DEEPEST)?;
        let learning = learning(&mut reader)?;
        let Some(known) = layers::by_name(&kind) else {
            let message = format!("layer {name:?}: the kind {kind:?} is not known to this release; update synapress");
            return Err(at.fault(ErrorKind::Version, message));
        };
        let net_fault = |e: synapress_model::Error| at.fault(ErrorKind::Net, e.to_string());
        let layer = (known.read)(&attributes).map_err(|e| net_fault(e.at_layer(&name)))?;
        graph.push(Node { name, layer, inputs, learning }).map_err(net_fault)?;
    }
    reader.finish()?;
    Ok((name, graph))
}
