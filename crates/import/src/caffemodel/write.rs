//! Writes weights files, in the current encoding. Numbers come from iterators, so that a file may be larger than
//! memory.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use synapress_model::{Net, Weights};

use crate::beside::Beside;
use crate::error::Error;
use crate::wire::{bytes_len, write_head, write_string};

/// An array to be written: sizes, and as many numbers.
pub struct Array<'a> {
    /// Sizes along each axis.
    pub dims: Vec<u64>,
    /// At least as many numbers, row-major.
    pub numbers: Box<dyn Iterator<Item = f32> + 'a>,
}

/// Writes a weights file layer by layer, beside its place; [`Writer::finish`] puts it there.
#[derive(Debug)]
pub struct Writer(Beside);

impl Writer {
    /// Begins the weights file of the network `name`.
    ///
    /// # Errors
    /// [`Fault::Io`](crate::Fault::Io).
    pub fn create(path: &Path, name: &str) -> Result<Self, Error> {
        let mut file = Beside::create(path)?;
        file.write(|out| write_string(out, 1, name))?;
        Ok(Self(file))
    }

    /// Appends a layer: what it reads, and its learned arrays. Its output has its name.
    ///
    /// # Errors
    /// [`Fault::Io`](crate::Fault::Io), also when an array has fewer numbers than its sizes say.
    pub fn layer(&mut self, name: &str, kind: &str, inputs: &[&str], arrays: Vec<Array<'_>>) -> Result<(), Error> {
        self.0.write(|out| layer(out, name, kind, inputs, arrays))
    }

    /// Puts the complete file at its place.
    ///
    /// # Errors
    /// [`Fault::Io`](crate::Fault::Io).
    pub fn finish(self) -> Result<(), Error> {
        self.0.finish()
    }
}

/// Writes the weights of a network, at any stage of compression, as floating-point numbers.
///
/// # Errors
/// [`Fault::Io`](crate::Fault::Io).
pub fn write(path: &Path, net: &Net) -> Result<(), Error> {
    let mut writer = Writer::create(path, &net.name)?;
    for (node, weights) in net.graph.nodes().iter().zip(&net.weights) {
        let inputs: Vec<&str> = node.inputs.iter().map(|&i| net.graph.node(i).name.as_str()).collect();
        let kind = node.layer.kind().name;
        let arrays = weights.as_ref().map_or_else(Vec::new, |w| arrays(kind, w));
        writer.layer(&node.name, kind, &inputs, arrays)?;
    }
    writer.finish()
}

/// The arrays that Caffe has for a layer.
fn arrays<'a>(kind: &str, weights: &'a Weights) -> Vec<Array<'a>> {
    let dims: Vec<u64> = weights.dims.iter().map(|&d| u64::try_from(d).unwrap_or(u64::MAX)).collect();
    let values = weights.values();
    if kind == "BatchNorm" {
        let (mean, variance) = values.split_at(values.len() / 2);
        let channels = dims.get(1..2).unwrap_or_default();
        let statistics = |v: &[f32]| array(channels, v.to_vec().into());
        return vec![statistics(mean), statistics(variance), array(&[1], vec![1.0].into())];
    }
    let axes = match kind {
        "Convolution" => 4,
        "InnerProduct" => 2,
        _ => 1,
    };
    let mut all = vec![array(dims.get(..axes).unwrap_or_default(), values)];
    let bias = weights.bias.values();
    if !bias.is_empty() {
        all.push(array(dims.get(..1).unwrap_or_default(), bias));
    }
    all
}

fn array<'a>(dims: &[u64], numbers: Cow<'a, [f32]>) -> Array<'a> {
    let mut place = 0..numbers.len();
    let next = move || place.next().and_then(|i| numbers.get(i).copied());
    Array { dims: dims.to_vec(), numbers: Box::new(std::iter::from_fn(next)) }
}

fn layer(out: &mut impl Write, name: &str, kind: &str, inputs: &[&str], arrays: Vec<Array<'_>>) -> io::Result<()> {
    let text = |number, text: &str| bytes_len(number, size(text.len()));
    let mut total = text(1, name) + text(2, kind) + text(4, name);
    total += inputs.iter().map(|i| text(3, i)).sum::<u64>();
    let mut lengths = Vec::with_capacity(arrays.len());
    for array in &arrays {
        let count = array.dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d));
        let Some(bytes) = count.and_then(|n| n.checked_mul(4)).filter(|&n| n < 1 << 48) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an array is too large for a file"));
        };
        let shape = array.dims.iter().map(|&d| crate::wire::varint_len(d)).sum();
        let shape = bytes_len(1, shape);
        let length = bytes_len(7, shape) + bytes_len(5, bytes);
        total += bytes_len(7, length);
        lengths.push((length, shape, bytes));
    }
    write_head(out, 100, total)?;
    write_string(out, 1, name)?;
    write_string(out, 2, kind)?;
    inputs.iter().try_for_each(|input| write_string(out, 3, input))?;
    write_string(out, 4, name)?;
    for (array, (length, shape, bytes)) in arrays.into_iter().zip(lengths) {
        write_head(out, 7, length)?;
        write_head(out, 7, shape)?;
        write_head(out, 1, array.dims.iter().map(|&d| crate::wire::varint_len(d)).sum())?;
        array.dims.iter().try_for_each(|&d| crate::wire::write_varint(out, d))?;
        write_head(out, 5, bytes)?;
        let mut numbers = array.numbers;
        for _ in 0..bytes / 4 {
            let number = numbers.next().ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, "an array has fewer numbers than its sizes say")
            })?;
            out.write_all(&number.to_le_bytes())?;
        }
    }
    Ok(())
}

fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
