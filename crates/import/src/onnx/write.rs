//! Writes model files. Numbers of tensors go from where they lie to the file, all else is small and put together in
//! memory, so that lengths are known before what they are of.

use std::io::{self, Write};
use std::path::Path;

use super::proto::{Attribute, Data, Dim, Graph, Model, Node, Tensor, Value, ValueInfo, kinds};
use crate::beside::Beside;
use crate::error::Error;
use crate::wire::{write_head, write_number, write_string, write_varint};

/// Protocol Buffers take no more.
const MOST: u64 = (1 << 31) - 1;

/// Writes a model file, beside its place until it is complete.
///
/// # Errors
/// [`Fault::Io`](crate::Fault::Io), also for models of over 2 GiB.
pub fn write(path: &Path, model: &Model) -> Result<(), Error> {
    let mut file = Beside::create(path)?;
    file.write(|out| write_to(out, model))?;
    file.finish()
}

/// Writes a model as the bytes of a file.
///
/// # Errors
/// What the stream says; [`io::ErrorKind::InvalidInput`] for models of over 2 GiB.
pub fn write_to(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let mut head = Vec::new();
    write_number(&mut head, 1, model.ir_version)?;
    write_string(&mut head, 2, &model.producer)?;
    for (domain, version) in &model.opsets {
        let mut opset = Vec::new();
        if !domain.is_empty() {
            write_string(&mut opset, 1, domain)?;
        }
        write_number(&mut opset, 2, *version)?;
        message(&mut head, 8, &opset)?;
    }
    let parts = graph(&model.graph)?;
    let len: u64 = parts.iter().map(Part::len).sum();
    if len.saturating_add(size(head.len())) > MOST {
        let message = "the model would take over 2 GiB, more than an ONNX file can hold";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    out.write_all(&head)?;
    write_head(out, 7, len)?;
    parts.iter().try_for_each(|part| part.write(out))
}

/// A piece of a message.
enum Part<'a> {
    Bytes(Vec<u8>),
    Floats(&'a [f32]),
    Ints(&'a [i64]),
    Raw(&'a [u8]),
}

impl Part<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => size(bytes.len()),
            Self::Raw(bytes) => size(bytes.len()),
            Self::Floats(v) => size(v.len()).saturating_mul(4),
            Self::Ints(v) => size(v.len()).saturating_mul(8),
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => out.write_all(bytes),
            Self::Raw(bytes) => out.write_all(bytes),
            Self::Floats(v) => v.iter().try_for_each(|n| out.write_all(&n.to_le_bytes())),
            Self::Ints(v) => v.iter().try_for_each(|n| out.write_all(&n.to_le_bytes())),
        }
    }
}

fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn message(out: &mut Vec<u8>, number: u64, content: &[u8]) -> io::Result<()> {
    write_head(out, number, size(content.len()))?;
    out.write_all(content)
}

fn graph(graph: &Graph) -> io::Result<Vec<Part<'_>>> {
    let mut bytes = Vec::new();
    for n in &graph.nodes {
        message(&mut bytes, 1, &node(n)?)?;
    }
    write_string(&mut bytes, 2, &graph.name)?;
    let mut parts = vec![Part::Bytes(bytes)];
    for t in &graph.initializers {
        let (head, numbers) = tensor(t)?;
        let mut bytes = Vec::new();
        write_head(&mut bytes, 5, size(head.len()).saturating_add(numbers.len()))?;
        bytes.extend(head);
        parts.extend([Part::Bytes(bytes), numbers]);
    }
    let mut bytes = Vec::new();
    for (number, infos) in [(11, &graph.inputs), (12, &graph.outputs)] {
        for info in infos {
            message(&mut bytes, number, &value_info(info)?)?;
        }
    }
    parts.push(Part::Bytes(bytes));
    Ok(parts)
}

fn node(node: &Node) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    node.inputs.iter().try_for_each(|i| write_string(&mut out, 1, i))?;
    node.outputs.iter().try_for_each(|o| write_string(&mut out, 2, o))?;
    write_string(&mut out, 3, &node.name)?;
    write_string(&mut out, 4, &node.op)?;
    for a in &node.attributes {
        message(&mut out, 5, &attribute(a)?)?;
    }
    if !node.domain.is_empty() {
        write_string(&mut out, 7, &node.domain)?;
    }
    Ok(out)
}

fn attribute(attribute: &Attribute) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    write_string(&mut out, 1, &attribute.name)?;
    let kind = match &attribute.value {
        Value::Float(v) => {
            float(&mut out, 2, *v)?;
            1
        }
        Value::Int(v) => {
            write_number(&mut out, 3, v.cast_unsigned())?;
            2
        }
        Value::Text(text) => {
            write_string(&mut out, 4, text)?;
            3
        }
        Value::Tensor(t) => {
            let (mut bytes, numbers) = tensor(t)?;
            numbers.write(&mut bytes)?;
            message(&mut out, 5, &bytes)?;
            4
        }
        Value::Floats(all) => {
            all.iter().try_for_each(|v| float(&mut out, 7, *v))?;
            6
        }
        Value::Ints(all) => {
            all.iter().try_for_each(|v| write_number(&mut out, 8, v.cast_unsigned()))?;
            7
        }
        Value::Other => return Err(io::Error::new(io::ErrorKind::InvalidInput, "an attribute of no known kind")),
    };
    write_number(&mut out, 20, kind)?;
    Ok(out)
}

fn float(out: &mut Vec<u8>, number: u64, value: f32) -> io::Result<()> {
    write_varint(out, number << 3 | 5)?;
    out.write_all(&value.to_le_bytes())
}

/// A tensor's message up to its numbers, and these.
fn tensor(tensor: &Tensor) -> io::Result<(Vec<u8>, Part<'_>)> {
    let mut out = Vec::new();
    tensor.dims.iter().try_for_each(|&d| write_number(&mut out, 1, d))?;
    let (kind, numbers) = match &tensor.data {
        Data::Floats(v) => (kinds::FLOAT, Part::Floats(v)),
        Data::Ints(v) => (kinds::INT64, Part::Ints(v)),
        Data::Bytes(v) => (tensor.kind, Part::Raw(v)),
        Data::External(_) | Data::Unknown => (tensor.kind, Part::Raw(&[])),
    };
    write_number(&mut out, 2, kind)?;
    write_string(&mut out, 8, &tensor.name)?;
    match &tensor.data {
        Data::External(place) => {
            let length = place.length.map(|n| ("length", n.to_string()));
            let entries = [("location", place.location.clone()), ("offset", place.offset.to_string())];
            for (key, value) in entries.into_iter().chain(length) {
                let mut entry = Vec::new();
                write_string(&mut entry, 1, key)?;
                write_string(&mut entry, 2, &value)?;
                message(&mut out, 13, &entry)?;
            }
            write_number(&mut out, 14, 1)?;
        }
        _ => write_head(&mut out, 9, numbers.len())?,
    }
    Ok((out, numbers))
}

fn value_info(info: &ValueInfo) -> io::Result<Vec<u8>> {
    let mut shape = Vec::new();
    for dim in &info.dims {
        let mut size = Vec::new();
        match dim {
            Dim::Size(n) => write_number(&mut size, 1, n.cast_unsigned())?,
            Dim::Free(name) => write_string(&mut size, 2, name)?,
        }
        message(&mut shape, 1, &size)?;
    }
    let (mut array, mut kind, mut out) = (Vec::new(), Vec::new(), Vec::new());
    write_number(&mut array, 1, info.kind)?;
    message(&mut array, 2, &shape)?;
    message(&mut kind, 1, &array)?;
    write_string(&mut out, 1, &info.name)?;
    message(&mut out, 2, &kind)?;
    Ok(out)
}
