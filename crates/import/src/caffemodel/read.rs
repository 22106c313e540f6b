//! Reads weights files as a stream. Every length is checked against what is left of the file.

use std::io::BufRead;
use std::path::Path;

use super::{AXES, Blob, Caffemodel, Dims, Layer};
use crate::error::{Error, Fault};
use crate::wire::{self, Reader, Wire};

/// Reads a weights file as a stream: memory is what the blobs take.
///
/// # Errors
/// [`Fault::Io`] and [`Fault::Encoding`], with the file and the byte.
pub fn read(path: &Path) -> Result<Caffemodel, Error> {
    wire::read(path, parse)
}

/// Reads a weights file of `len` bytes.
///
/// # Errors
/// [`Fault::Io`] and [`Fault::Encoding`] with the byte.
pub fn parse(source: impl BufRead, len: u64) -> Result<Caffemodel, Fault> {
    let mut reader = Reader::new(source, "a caffemodel");
    let mut model = Caffemodel::default();
    while let Some((field, wire)) = reader.field(len)? {
        match (field, wire) {
            (1, Wire::Bytes(n)) => model.name = reader.string(n)?,
            (2, Wire::Bytes(n)) => model.layers.push(layer(&mut reader, n, &OLD)?),
            (100, Wire::Bytes(n)) => model.layers.push(layer(&mut reader, n, &CURRENT)?),
            _ => reader.skip(wire)?,
        }
    }
    Ok(model)
}

/// Field numbers of an encoding.
struct Numbers {
    name: u64,
    kind: u64,
    blobs: u64,
    /// A field that only an encoding before this one has.
    older: u64,
}

const CURRENT: Numbers = Numbers { name: 1, kind: 2, blobs: 7, older: 0 };
const OLD: Numbers = Numbers { name: 4, kind: 5, blobs: 6, older: 1 };

fn layer(reader: &mut Reader<impl BufRead>, len: u64, numbers: &Numbers) -> Result<Layer, Fault> {
    let end = reader.end_of(len);
    let mut layer = Layer::default();
    loop {
        let at = reader.offset();
        let Some((field, wire)) = reader.field(end)? else { return Ok(layer) };
        match wire {
            Wire::Bytes(_) if field == numbers.older => {
                let message = "layers of the oldest encoding (V0) are not supported; upgrade the file with Caffe's upgrade_net_proto_binary";
                return Err(Fault::encoding(at, message));
            }
            Wire::Bytes(n) if field == numbers.name => layer.name = reader.string(n)?,
            Wire::Bytes(n) if field == numbers.kind => layer.kind = reader.string(n)?,
            Wire::Varint(v) if field == numbers.kind => layer.kind = v.to_string(),
            Wire::Bytes(n) if field == numbers.blobs => {
                let blob = blob(reader, n).map_err(|fault| in_layer(fault, &layer))?;
                layer.blobs.push(blob);
            }
            _ => reader.skip(wire)?,
        }
    }
}

fn in_layer(fault: Fault, layer: &Layer) -> Fault {
    match fault {
        Fault::Encoding { offset, message } => {
            Fault::encoding(offset, format!("layer {:?}, blob {}: {message}", layer.name, layer.blobs.len()))
        }
        other => other,
    }
}

fn blob(reader: &mut Reader<impl BufRead>, len: u64) -> Result<Blob, Fault> {
    let start = reader.offset();
    let end = reader.end_of(len);
    let mut blob = Blob { offset: start, ..Blob::default() };
    let mut old: Option<[u64; 4]> = None;
    let mut shape = None;
    while let Some((field, wire)) = reader.field(end)? {
        if blob.data.is_empty() {
            blob.offset = reader.offset();
        }
        match (field, wire) {
            (1..=4, Wire::Varint(size)) => {
                let axis = usize::try_from(field - 1).unwrap_or(0);
                old.get_or_insert([0; 4])[axis] = size;
            }
            (5, Wire::Bytes(n)) => reader.packed(n, &mut blob.data, f32::from_le_bytes)?,
            (5, Wire::Fixed32(bytes)) => blob.data.push(f32::from_le_bytes(bytes)),
            (7, Wire::Bytes(n)) => shape = Some(dims(reader, n)?),
            (8, Wire::Bytes(n)) => reader.packed(n, &mut blob.data, |b| narrow(f64::from_le_bytes(b)))?,
            (8, Wire::Fixed64(bytes)) => blob.data.push(narrow(f64::from_le_bytes(bytes))),
            _ => reader.skip(wire)?,
        }
    }
    blob.dims = match (old, shape) {
        (Some(old), _) => old.to_vec(),
        (None, Some(shape)) => shape,
        (None, None) => Vec::new(),
    };
    let product = blob.dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d));
    if product.is_none() || product != u64::try_from(blob.data.len()).ok() {
        let (shape, count) = (Dims(&blob.dims), blob.data.len());
        return Err(Fault::encoding(start, format!("a blob of shape {shape} has {count} numbers")));
    }
    Ok(blob)
}

fn dims(reader: &mut Reader<impl BufRead>, len: u64) -> Result<Vec<u64>, Fault> {
    let start = reader.offset();
    let end = reader.end_of(len);
    let mut dims = Vec::new();
    let mut push = |size: u64| {
        dims.push(size);
        if dims.len() > AXES {
            return Err(Fault::encoding(start, format!("a blob has over {AXES} axes")));
        }
        Ok(())
    };
    while let Some((field, wire)) = reader.field(end)? {
        match (field, wire) {
            (1, Wire::Varint(size)) => push(size)?,
            (1, Wire::Bytes(n)) => {
                let end = reader.end_of(n);
                while reader.offset() < end {
                    push(reader.varint(end)?)?;
                }
            }
            _ => reader.skip(wire)?,
        }
    }
    Ok(dims)
}

#[expect(clippy::as_conversions, reason = "rounding to the nearest single is what is meant")]
fn narrow(value: f64) -> f32 {
    value as f32
}
