//! Weights as a safetensors file, under the names that PyTorch has for such arrays: `LAYER.weight`, `LAYER.bias`,
//! `LAYER.running_mean` and `LAYER.running_var`, and for convolution and fully connected layers `LAYER.weight_mask`, which
//! is true where a weight is not pruned. The graph is not among them.

use std::collections::HashMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use synapress_model::Net;

use crate::beside::Beside;
use crate::error::{Error, Fault};

/// A named array: its type, sizes and bytes.
type Array = (String, Dtype, Vec<usize>, Vec<u8>);

/// Writes the weights of a network, at any stage of compression, as floating-point numbers.
///
/// # Errors
/// [`Fault::Io`].
pub fn write(path: &Path, net: &Net) -> Result<(), Error> {
    let fault = |e: safetensors::SafeTensorError| Fault::from(std::io::Error::other(e.to_string())).of(path);
    let arrays = arrays(net);
    let mut views = Vec::with_capacity(arrays.len());
    for (name, kind, dims, bytes) in &arrays {
        views.push((name, TensorView::new(*kind, dims.clone(), bytes).map_err(fault)?));
    }
    let about = HashMap::from([("format".to_owned(), "pt".to_owned()), ("network".to_owned(), net.name.clone())]);
    let bytes = serialize(views, Some(about)).map_err(fault)?;
    let mut file = Beside::create(path)?;
    file.write(|out| std::io::Write::write_all(out, &bytes))?;
    file.finish()
}

fn arrays(net: &Net) -> Vec<Array> {
    let mut all = Vec::new();
    for (id, (node, weights)) in net.graph.nodes().iter().zip(&net.weights).enumerate() {
        let Some(weights) = weights else { continue };
        let mut floats = |part: &str, dims: &[usize], numbers: &[f32]| {
            let bytes = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
            all.push((format!("{}.{part}", node.name), Dtype::F32, dims.to_vec(), bytes));
        };
        let values = weights.values();
        if node.layer.kind().name == "BatchNorm" {
            let (mean, variance) = values.split_at(values.len() / 2);
            floats("running_mean", &[mean.len()], mean);
            floats("running_var", &[variance.len()], variance);
            continue;
        }
        let linear = net.linear(id);
        let axes = match &linear {
            Some(l) if l.fully_connected => 2,
            Some(_) => 4,
            None => 1,
        };
        let dims = weights.dims.get(..axes).unwrap_or_default();
        floats("weight", dims, &values);
        let bias = weights.bias.values();
        if !bias.is_empty() {
            floats("bias", &[bias.len()], &bias);
        }
        if linear.is_some() {
            let mask = values.iter().map(|&v| u8::from(v != 0.0)).collect();
            all.push((format!("{}.weight_mask", node.name), Dtype::BOOL, dims.to_vec(), mask));
        }
    }
    all
}
