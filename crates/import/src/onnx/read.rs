//! Reads model files as a stream. Every length is checked against what is left of the file, and how many things a file
//! may hold is limited, so that memory stays in proportion to its size.

use std::io::BufRead;
use std::path::Path;

use super::proto::{Attribute, Dim, Graph, Model, Node, Value, ValueInfo};
use crate::error::{Error, Fault};
use crate::wire::{self, Reader, Wire};

/// A file may hold this many nodes, names, attributes, sizes and whole numbers, all taken together.
pub const MOST_THINGS: usize = 1 << 20;

/// Reads a model file.
///
/// # Errors
/// [`Fault::Io`] and [`Fault::Encoding`], with the file and the byte.
pub fn read(path: &Path) -> Result<Model, Error> {
    wire::read(path, parse)
}

/// Reads a model file of `len` bytes.
///
/// # Errors
/// [`Fault::Io`] and [`Fault::Encoding`] with the byte.
pub fn parse(source: impl BufRead, len: u64) -> Result<Model, Fault> {
    let mut reader = Messages { wire: Reader::new(source, "an ONNX model"), things: 0 };
    let mut model = Model { bytes: len, ..Model::default() };
    let mut found = false;
    while let Some((field, wire)) = reader.wire.field(len)? {
        match (field, wire) {
            (1, Wire::Varint(v)) => model.ir_version = v,
            (2, Wire::Bytes(n)) => model.producer = reader.text(n)?,
            (7, Wire::Bytes(n)) => (model.graph, found) = (reader.graph(n)?, true),
            (8, Wire::Bytes(n)) => {
                let opset = reader.opset(n)?;
                model.opsets.push(opset);
            }
            _ => reader.wire.skip(wire)?,
        }
    }
    if !found {
        return Err(Fault::encoding(
            len,
            "the file ends without a graph; this is not an ONNX model, or it is cut short",
        ));
    }
    Ok(model)
}

pub(super) struct Messages<R> {
    pub(super) wire: Reader<R>,
    /// Counted so far.
    pub(super) things: usize,
}

impl<R: BufRead> Messages<R> {
    /// Counts things.
    pub(super) fn count(&mut self, n: usize) -> Result<(), Fault> {
        self.things = self.things.saturating_add(n);
        if self.things <= MOST_THINGS {
            return Ok(());
        }
        let message =
            format!("over {MOST_THINGS} nodes, names, attributes and whole numbers; no real network has so many");
        Err(Fault::encoding(self.wire.offset(), message))
    }

    pub(super) fn text(&mut self, len: u64) -> Result<String, Fault> {
        self.count(1)?;
        self.wire.string(len)
    }

    fn opset(&mut self, len: u64) -> Result<(String, u64), Fault> {
        self.count(1)?;
        let end = self.wire.end_of(len);
        let (mut domain, mut version) = (String::new(), 0);
        while let Some((field, wire)) = self.wire.field(end)? {
            match (field, wire) {
                (1, Wire::Bytes(n)) => domain = self.text(n)?,
                (2, Wire::Varint(v)) => version = v,
                _ => self.wire.skip(wire)?,
            }
        }
        Ok((domain, version))
    }

    fn graph(&mut self, len: u64) -> Result<Graph, Fault> {
        let end = self.wire.end_of(len);
        let mut graph = Graph::default();
        while let Some((field, wire)) = self.wire.field(end)? {
            match (field, wire) {
                (1, Wire::Bytes(n)) => graph.nodes.push(self.node(n)?),
                (2, Wire::Bytes(n)) => graph.name = self.text(n)?,
                (5, Wire::Bytes(n)) => graph.initializers.push(self.tensor(n)?),
                (11, Wire::Bytes(n)) => graph.inputs.push(self.value_info(n)?),
                (12, Wire::Bytes(n)) => graph.outputs.push(self.value_info(n)?),
                (15, _) => {
                    let message = "sparse initializers are not supported; export the model with dense weights";
                    return Err(Fault::encoding(self.wire.offset(), message));
                }
                _ => self.wire.skip(wire)?,
            }
        }
        Ok(graph)
    }

    fn node(&mut self, len: u64) -> Result<Node, Fault> {
        self.count(1)?;
        let end = self.wire.end_of(len);
        let mut node = Node::default();
        while let Some((field, wire)) = self.wire.field(end)? {
            match (field, wire) {
                (1, Wire::Bytes(n)) => node.inputs.push(self.text(n)?),
                (2, Wire::Bytes(n)) => node.outputs.push(self.text(n)?),
                (3, Wire::Bytes(n)) => node.name = self.text(n)?,
                (4, Wire::Bytes(n)) => node.op = self.text(n)?,
                (5, Wire::Bytes(n)) => node.attributes.push(self.attribute(n)?),
                (7, Wire::Bytes(n)) => node.domain = self.text(n)?,
                _ => self.wire.skip(wire)?,
            }
        }
        Ok(node)
    }

    fn attribute(&mut self, len: u64) -> Result<Attribute, Fault> {
        self.count(1)?;
        let end = self.wire.end_of(len);
        let (mut name, mut kind) = (String::new(), 0);
        let (mut single, mut floats, mut ints) = (None, Vec::new(), Vec::new());
        while let Some((field, wire)) = self.wire.field(end)? {
            match (field, wire) {
                (1, Wire::Bytes(n)) => name = self.text(n)?,
                (2, Wire::Fixed32(bytes)) => single = Some(Value::Float(f32::from_le_bytes(bytes))),
                (3, Wire::Varint(v)) => single = Some(Value::Int(v.cast_signed())),
                (4, Wire::Bytes(n)) => {
                    let bytes = self.wire.bytes(n)?;
                    single = Some(String::from_utf8(bytes).map_or(Value::Other, Value::Text));
                }
                (5, Wire::Bytes(n)) => single = Some(Value::Tensor(self.tensor(n)?)),
                (7, Wire::Fixed32(bytes)) => {
                    self.count(1)?;
                    floats.push(f32::from_le_bytes(bytes));
                }
                (7, Wire::Bytes(n)) => self.wire.packed(n, &mut floats, f32::from_le_bytes)?,
                (8, wire) => self.whole(wire, &mut ints)?,
                (20, Wire::Varint(v)) => kind = v,
                (6 | 9 | 10 | 11 | 21, _) => {
                    single = Some(Value::Other);
                    self.wire.skip(wire)?;
                }
                _ => self.wire.skip(wire)?,
            }
        }
        let value = match (single, kind) {
            (Some(value), _) => value,
            (None, 1) => Value::Float(0.0),
            (None, 2) => Value::Int(0),
            (None, 3) => Value::Text(String::new()),
            (None, 6) => Value::Floats(floats),
            (None, 7) => Value::Ints(ints),
            (None, _) if !floats.is_empty() => Value::Floats(floats),
            (None, _) if !ints.is_empty() => Value::Ints(ints),
            (None, _) => Value::Other,
        };
        Ok(Attribute { name, value })
    }

    /// Appends whole numbers, packed or one.
    pub(super) fn whole(&mut self, wire: Wire, ints: &mut Vec<i64>) -> Result<(), Fault> {
        match wire {
            Wire::Varint(v) => {
                self.count(1)?;
                ints.push(v.cast_signed());
            }
            Wire::Bytes(n) => {
                let end = self.wire.end_of(n);
                while self.wire.offset() < end {
                    self.count(1)?;
                    ints.push(self.wire.varint(end)?.cast_signed());
                }
            }
            wire => self.wire.skip(wire)?,
        }
        Ok(())
    }

    fn value_info(&mut self, len: u64) -> Result<ValueInfo, Fault> {
        self.count(1)?;
        let end = self.wire.end_of(len);
        let mut info = ValueInfo::default();
        while let Some((field, wire)) = self.wire.field(end)? {
            match (field, wire) {
                (1, Wire::Bytes(n)) => info.name = self.text(n)?,
                (2, Wire::Bytes(n)) => self.type_of(n, &mut info)?,
                _ => self.wire.skip(wire)?,
            }
        }
        Ok(info)
    }

    fn type_of(&mut self, len: u64, info: &mut ValueInfo) -> Result<(), Fault> {
        let end = self.wire.end_of(len);
        while let Some((field, wire)) = self.wire.field(end)? {
            let (1, Wire::Bytes(n)) = (field, wire) else {
                self.wire.skip(wire)?;
                continue;
            };
            let end = self.wire.end_of(n);
            while let Some((field, wire)) = self.wire.field(end)? {
                match (field, wire) {
                    (1, Wire::Varint(v)) => info.kind = v,
                    (2, Wire::Bytes(n)) => info.dims = self.sizes(n)?,
                    _ => self.wire.skip(wire)?,
                }
            }
        }
        Ok(())
    }

    fn sizes(&mut self, len: u64) -> Result<Vec<Dim>, Fault> {
        let end = self.wire.end_of(len);
        let mut dims = Vec::new();
        while let Some((field, wire)) = self.wire.field(end)? {
            let (1, Wire::Bytes(n)) = (field, wire) else {
                self.wire.skip(wire)?;
                continue;
            };
            self.count(1)?;
            let end = self.wire.end_of(n);
            let mut dim = Dim::Free(String::new());
            while let Some((field, wire)) = self.wire.field(end)? {
                match (field, wire) {
                    (1, Wire::Varint(v)) => dim = Dim::Size(v.cast_signed()),
                    (2, Wire::Bytes(n)) => dim = Dim::Free(self.text(n)?),
                    _ => self.wire.skip(wire)?,
                }
            }
            dims.push(dim);
        }
        Ok(dims)
    }
}
