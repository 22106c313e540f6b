//! The blobs of a caffemodel become the weights of the layers that have their names.

use std::collections::HashMap;

use synapress_model::{Bias, Error, ErrorKind, Form, Net, WeightShape, Weights};

use super::learning::blob_count;
use crate::caffemodel::{Blob, Caffemodel, Dims};
use crate::error::Fault;

pub(super) fn attach(net: &mut Net, weights: Caffemodel) -> Result<(), Fault> {
    let with_blobs = weights.layers.into_iter().filter(|l| !l.blobs.is_empty());
    let mut by_name: HashMap<String, Vec<Blob>> = with_blobs.map(|l| (l.name, l.blobs)).collect();
    let mut all = Vec::with_capacity(net.graph.nodes().len());
    for (id, node) in net.graph.nodes().iter().enumerate() {
        let at = |e: Error| e.at_layer(&node.name);
        let blobs = by_name.remove(&node.name);
        all.push(match (net.graph.weight_shape(id), blobs) {
            (None, None) => None,
            (Some(shape), Some(blobs)) => Some(layer(node.layer.kind().name, &shape, blobs).map_err(at)?),
            (Some(_), None) => return Err(at(fault("the file has no weights for it")).into()),
            (None, Some(blobs)) => {
                let message = format!("the file has {} blobs for it, but the layer takes none", blobs.len());
                return Err(at(fault(message)).into());
            }
        });
    }
    net.weights = all;
    net.verify()?;
    Ok(())
}

fn fault(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Weights, message)
}

fn layer(kind: &str, shape: &WeightShape, blobs: Vec<Blob>) -> Result<Weights, Error> {
    let count = blob_count(kind, Some(shape));
    if blobs.len() != count {
        return Err(fault(format!("the file has {} blobs for it, the layer takes {count}", blobs.len())));
    }
    let mut fitted = Vec::with_capacity(count);
    if kind == "BatchNorm" {
        let channels = [shape.dims[1]];
        for (i, blob) in blobs.into_iter().enumerate() {
            fitted.push(fit(i, blob, if i < 2 { &channels } else { &[1] })?);
        }
        let [mean, variance, factor] = &fitted[..] else { return Err(fault("BatchNorm takes three blobs")) };
        return Ok(Weights::dense(shape.dims, batch_norm(mean, variance, factor), Vec::new()));
    }
    for (i, blob) in blobs.into_iter().enumerate() {
        fitted.push(if i == 0 { fit(i, blob, &shape.dims)? } else { fit(i, blob, &shape.dims[..1])? });
    }
    let mut fitted = fitted.into_iter();
    let form = Form::Dense(fitted.next().unwrap_or_default());
    Ok(Weights { dims: shape.dims, form, bias: fitted.next().map_or(Bias::None, Bias::Float) })
}

/// Mean and variance are sums of so many batches, which the factor counts with decay; a factor of 0 means no batch.
fn batch_norm(mean: &[f32], variance: &[f32], factor: &[f32]) -> Vec<f32> {
    let scale = match factor.first() {
        Some(&f) if f != 0.0 => 1.0 / f,
        _ => 0.0,
    };
    mean.iter().chain(variance).map(|v| v * scale).collect()
}

/// The numbers of a blob whose shape is `expected`, not counting ones in front and behind.
fn fit(index: usize, blob: Blob, expected: &[usize]) -> Result<Vec<f32>, Error> {
    let expected: Vec<u64> = expected.iter().map(|&d| u64::try_from(d).unwrap_or(u64::MAX)).collect();
    if inner(&blob.dims) != inner(&expected) {
        let (found, wanted) = (Dims(&blob.dims), Dims(trailing(&expected)));
        return Err(fault(format!("blob {index} is {found} in the file, the layer takes {wanted}")));
    }
    if let Some((i, value)) = blob.data.iter().enumerate().find(|(_, v)| !v.is_finite()) {
        let message = format!(
            "number {i} of blob {index} is {value}, not a finite number (the blob's numbers begin at byte {})",
            blob.offset
        );
        return Err(fault(message));
    }
    Ok(blob.data)
}

fn inner(dims: &[u64]) -> &[u64] {
    let dims = trailing(dims);
    let first = dims.iter().position(|&d| d != 1).unwrap_or(dims.len());
    dims.get(first..).unwrap_or_default()
}

/// The dimensions without ones behind.
fn trailing(dims: &[u64]) -> &[u64] {
    let end = dims.iter().rposition(|&d| d != 1).map_or(0, |last| last.saturating_add(1));
    dims.get(..end).unwrap_or_default()
}
