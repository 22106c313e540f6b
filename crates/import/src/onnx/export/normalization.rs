//! Normalization and scaling by channel in the standard's operators.

use synapress_model::layers::BatchNorm;
use synapress_model::{Error, ErrorKind, NodeId};

use super::emitter::{Emitter, float, int, sizes};
use super::layers::by_channel;

/// Across channels the standard's own operator; within a channel `x / (1 + alpha * mean of x^2)^beta`, where the mean counts
/// zeros around.
pub(super) fn lrn(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let a = e.net.graph.node(id).layer.attributes();
    let (size, k) = (a.get_or("local_size", 5usize)?, a.get_or("k", 1.0f32)?);
    let (alpha, beta) = (a.get_or("alpha", 1.0f32)?, a.get_or("beta", 0.75f32)?);
    let (input, result) = (e.maps(id, 0), e.result(id));
    let name = e.layer_name(id);
    if a.text("norm_region")? != Some("WITHIN_CHANNEL") {
        let n = i64::try_from(size).unwrap_or(i64::MAX);
        let attributes = vec![int("size", n), float("alpha", alpha), float("beta", beta), float("bias", k)];
        e.node_to("LRN", name, &[&input], &result, attributes);
        e.done(id, result, false);
        return Ok(());
    }
    let [square, mean, weighted, base, divisor] =
        ["square", "mean", "weighted", "base", "divisor"].map(|p| e.part(id, p));
    let constants = [("alpha", alpha), ("one", 1.0), ("beta", beta)].map(|(name, value)| {
        let name = e.part(id, name);
        e.floats(name, &[], vec![value])
    });
    let half = size / 2;
    e.node("Mul", &square, &[&input, &input], Vec::new());
    let window = vec![sizes("kernel_shape", &[size, size]), sizes("pads", &[half; 4]), int("count_include_pad", 1)];
    e.node("AveragePool", &mean, &[&square], window);
    e.node("Mul", &weighted, &[&mean, &constants[0]], Vec::new());
    e.node("Add", &base, &[&weighted, &constants[1]], Vec::new());
    e.node("Pow", &divisor, &[&base, &constants[2]], Vec::new());
    e.node_to("Div", name, &[&input, &divisor], &result, Vec::new());
    e.done(id, result, false);
    Ok(())
}

/// Whether a BatchNorm and a Scale that alone reads it are one node.
fn joined(e: &Emitter<'_>, norm: NodeId) -> bool {
    let graph = &e.net.graph;
    let mut readers = graph.nodes().iter().filter(|n| n.inputs.contains(&norm));
    match (readers.next(), readers.next()) {
        (Some(reader), None) => reader.layer.kind().name == "Scale",
        _ => false,
    }
}

pub(super) fn batch_norm(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let input = e.input(id, 0);
    if joined(e, id) {
        e.outputs.push(input);
        return Ok(());
    }
    let channels = e.net.graph.shape(id).channels;
    let result = e.result(id);
    normalize(e, id, &input.name, &result, [vec![1.0; channels], vec![0.0; channels]])?;
    e.done(id, result, input.flat);
    Ok(())
}

/// Adds the node of a BatchNorm with the factors and biases of a Scale.
fn normalize(
    e: &mut Emitter<'_>,
    norm: NodeId,
    input: &str,
    result: &str,
    [factors, biases]: [Vec<f32>; 2],
) -> Result<(), Error> {
    let missing = || Error::new(ErrorKind::Weights, "the layer has no weights");
    let statistics = e.parameters(norm).ok_or_else(missing)?.values();
    let (mean, variance) = statistics.split_at(statistics.len() / 2);
    // Negative ones, which no data has, count as zero.
    let variance = variance.iter().map(|v| v.max(0.0)).collect();
    let eps = e.net.graph.node(norm).layer.attributes().get_or("eps", BatchNorm::default().eps)?;
    let mut names = vec![input.to_owned()];
    for (part, numbers) in [("weight", factors), ("bias", biases), ("mean", mean.to_vec()), ("variance", variance)] {
        let name = e.part(norm, part);
        names.push(e.floats(name, &[numbers.len()], numbers));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    e.node_to("BatchNormalization", e.layer_name(norm), &names, result, vec![float("epsilon", eps)]);
    Ok(())
}

pub(super) fn scale(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let (input, result) = (e.input(id, 0), e.result(id));
    let before = e.net.graph.node(id).inputs.first().copied();
    let norm = before.filter(|&b| e.net.graph.node(b).layer.kind().name == "BatchNorm" && joined(e, b));
    let channels = e.net.graph.shape(id).channels;
    if let (Some(norm), Some(weights)) = (norm, e.parameters(id)) {
        let mut bias = weights.bias.values().into_owned();
        bias.resize(channels, 0.0);
        normalize(e, norm, &input.name, &result, [weights.values().into_owned(), bias])?;
        e.done(id, result, input.flat);
        return Ok(());
    }
    let dims = by_channel(channels, input.flat);
    let (factors, bias) = (e.weights(id, &dims), e.bias(id, &dims));
    let name = e.layer_name(id);
    match bias {
        None => e.node_to("Mul", name, &[&input.name, &factors], &result, Vec::new()),
        Some(bias) => {
            let (product, sum) = (e.part(id, "product"), e.part(id, "sum"));
            e.node_to("Mul", name, &[&input.name, &factors], &product, Vec::new());
            e.node_to("Add", &sum, &[&product, &bias], &result, Vec::new());
        }
    }
    e.done(id, result, input.flat);
    Ok(())
}
