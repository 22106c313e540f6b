//! For each layer kind the nodes that compute the same.

use synapress_model::{Error, ErrorKind, NodeId};

use super::emitter::{Emitter, float, int, sizes};
use super::normalization::{batch_norm, lrn, scale};
use super::pooling;

/// Adds the nodes of a layer.
type Rule = fn(&mut Emitter<'_>, NodeId) -> Result<(), Error>;

/// Every layer kind and its rule.
const RULES: &[(&str, Rule)] = &[
    ("Input", input),
    ("Convolution", convolution),
    ("InnerProduct", inner_product),
    ("ReLU", relu),
    ("Clip", clip),
    ("PReLU", p_relu),
    ("Sigmoid", |e, id| plain(e, id, "Sigmoid")),
    ("TanH", |e, id| plain(e, id, "Tanh")),
    ("Split", |e, id| plain(e, id, "Identity")),
    ("Dropout", dropout),
    ("Pooling", pool),
    ("LRN", lrn),
    ("BatchNorm", batch_norm),
    ("Scale", scale),
    ("Concat", concat),
    ("Eltwise", eltwise),
    ("Power", power),
    ("Flatten", flatten),
    ("Reshape", reshape),
    ("Softmax", softmax),
];

/// The kinds that have a rule.
#[cfg(test)]
pub(super) fn kinds() -> Vec<&'static str> {
    RULES.iter().map(|(kind, _)| *kind).collect()
}

/// Adds the nodes of a layer by its kind's rule.
pub(super) fn write(emitter: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let kind = emitter.net.graph.node(id).layer.kind().name;
    let rule = RULES.iter().find(|(name, _)| *name == kind).map(|(_, rule)| rule);
    let missing = || Error::new(ErrorKind::Unsupported, format!("{kind} has no operator in ONNX"));
    rule.ok_or_else(missing)?(emitter, id)
}

fn input(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let name = e.layer_name(id).to_owned();
    e.done(id, name, false);
    Ok(())
}

/// One node that takes the layer's input in any shape.
fn plain(e: &mut Emitter<'_>, id: NodeId, op: &str) -> Result<(), Error> {
    let (input, result) = (e.input(id, 0), e.result(id));
    e.node_to(op, e.layer_name(id), &[&input.name], &result, Vec::new());
    e.done(id, result, input.flat);
    Ok(())
}

fn convolution(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let linear = e.net.linear(id).ok_or_else(|| Error::new(ErrorKind::Shape, "the shapes do not fit"))?;
    let (w, input) = (linear.window, e.maps(id, 0));
    let dims = [linear.output.channels, linear.input.channels / linear.groups, w.kernel[0], w.kernel[1]];
    let (weights, bias) = (e.weights(id, &dims), e.bias(id, &dims[..1]));
    let attributes = vec![
        sizes("dilations", &w.dilation),
        int("group", i64::try_from(linear.groups).unwrap_or(i64::MAX)),
        sizes("kernel_shape", &w.kernel),
        sizes("pads", &[w.pad[0], w.pad[1], w.pad_end[0], w.pad_end[1]]),
        sizes("strides", &w.stride),
    ];
    let result = e.result(id);
    let inputs: Vec<&str> = [input.as_str(), &weights].into_iter().chain(bias.as_deref()).collect();
    e.node_to("Conv", e.layer_name(id), &inputs, &result, attributes);
    e.done(id, result, false);
    Ok(())
}

fn inner_product(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let linear = e.net.linear(id).ok_or_else(|| Error::new(ErrorKind::Shape, "the shapes do not fit"))?;
    let input = e.vector(id, 0);
    let dims = [linear.output.channels, linear.input.len()];
    let (weights, bias) = (e.weights(id, &dims), e.bias(id, &dims[..1]));
    let result = e.result(id);
    let inputs: Vec<&str> = [input.as_str(), &weights].into_iter().chain(bias.as_deref()).collect();
    e.node_to("Gemm", e.layer_name(id), &inputs, &result, vec![int("transB", 1)]);
    e.done(id, result, true);
    Ok(())
}

fn relu(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let slope = e.net.graph.node(id).layer.attributes().get_or("negative_slope", 0.0)?;
    if slope == 0.0 {
        return plain(e, id, "Relu");
    }
    let (input, result) = (e.input(id, 0), e.result(id));
    e.node_to("LeakyRelu", e.layer_name(id), &[&input.name], &result, vec![float("alpha", slope)]);
    e.done(id, result, input.flat);
    Ok(())
}

fn clip(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let a = e.net.graph.node(id).layer.attributes();
    let (input, result) = (e.input(id, 0), e.result(id));
    let (min, max) = (e.part(id, "min"), e.part(id, "max"));
    let min = e.floats(min, &[], vec![a.get_or("min", f32::MIN)?]);
    let max = e.floats(max, &[], vec![a.get_or("max", f32::MAX)?]);
    e.node_to("Clip", e.layer_name(id), &[&input.name, &min, &max], &result, Vec::new());
    e.done(id, result, input.flat);
    Ok(())
}

/// Sizes of numbers of each channel, to be stretched over an image.
pub(super) fn by_channel(channels: usize, flat: bool) -> Vec<usize> {
    if flat { vec![channels] } else { vec![channels, 1, 1] }
}

fn p_relu(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let input = e.input(id, 0);
    let slopes = e.parameters(id).map_or(0, |w| w.len());
    let slopes = e.weights(id, &by_channel(slopes, input.flat));
    let result = e.result(id);
    e.node_to("PRelu", e.layer_name(id), &[&input.name, &slopes], &result, Vec::new());
    e.done(id, result, input.flat);
    Ok(())
}

fn dropout(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    if e.rounded {
        return plain(e, id, "Identity");
    }
    let ratio = e.net.graph.node(id).layer.attributes().get_or("dropout_ratio", 0.5)?;
    let (input, result) = (e.input(id, 0), e.result(id));
    let name = e.part(id, "ratio");
    let ratio = e.floats(name, &[], vec![ratio]);
    e.node_to("Dropout", e.layer_name(id), &[&input.name, &ratio], &result, Vec::new());
    e.done(id, result, input.flat);
    Ok(())
}

fn pool(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let result = e.result(id);
    pooling::write(e, id, &result)?;
    e.done(id, result, false);
    Ok(())
}

/// Every input of a layer in one rank, and whether that is without height and width.
fn alike(e: &mut Emitter<'_>, id: NodeId) -> (Vec<String>, bool) {
    let count = e.net.graph.node(id).inputs.len();
    let flat = (0..count).all(|i| e.input(id, i).flat);
    let names = (0..count).map(|i| if flat { e.input(id, i).name } else { e.maps(id, i) }).collect();
    (names, flat)
}

fn concat(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let (names, flat) = alike(e, id);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let result = e.result(id);
    e.node_to("Concat", e.layer_name(id), &names, &result, vec![int("axis", 1)]);
    e.done(id, result, flat);
    Ok(())
}

fn eltwise(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let a = e.net.graph.node(id).layer.attributes();
    let (mut names, flat) = alike(e, id);
    let coefficients = a.list::<f32>("coeff")?;
    let op = match (a.text("operation")?.unwrap_or("SUM"), names.len()) {
        ("SUM", 2) if coefficients == [1.0, -1.0] => "Sub",
        ("SUM", 2) if coefficients.is_empty() => "Add",
        ("SUM", _) => "Sum",
        ("PROD", _) => "Mul",
        _ => "Max",
    };
    if op == "Sum" {
        for (i, (name, c)) in names.iter_mut().zip(&coefficients).enumerate() {
            let (factor, term) = (e.part(id, &format!("coefficient{i}")), e.part(id, &format!("term{i}")));
            let factor = e.floats(factor, &[], vec![*c]);
            e.node("Mul", &term, &[name, &factor], Vec::new());
            *name = term;
        }
    }
    // Products are of two at a time.
    while op == "Mul" && names.len() > 2 {
        let product = e.part(id, "product");
        e.node("Mul", &product, &[&names[0], &names[1]], Vec::new());
        names.splice(..2, [product]);
    }
    let op = if names.len() == 1 { "Identity" } else { op };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let result = e.result(id);
    e.node_to(op, e.layer_name(id), &names, &result, Vec::new());
    e.done(id, result, flat);
    Ok(())
}

/// `(shift + scale * x)^power`; steps that change nothing are left out.
fn power(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let a = e.net.graph.node(id).layer.attributes();
    let (input, result) = (e.input(id, 0), e.result(id));
    let mut steps = Vec::new();
    for (op, attribute, idle) in [("Mul", "scale", 1.0f32), ("Add", "shift", 0.0), ("Pow", "power", 1.0)] {
        let value = a.get_or(attribute, idle)?;
        if value != idle {
            let constant = e.part(id, attribute);
            steps.push((op, e.floats(constant, &[], vec![value])));
        }
    }
    let Some((last, constant)) = steps.pop() else { return plain(e, id, "Identity") };
    let mut value = input.name;
    for (op, constant) in steps {
        let name = e.part(id, &op.to_lowercase());
        e.node(op, &name, &[&value, &constant], Vec::new());
        value = name;
    }
    e.node_to(last, e.layer_name(id), &[&value, &constant], &result, Vec::new());
    e.done(id, result, input.flat);
    Ok(())
}

fn flatten(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let (input, result) = (e.input(id, 0), e.result(id));
    e.node_to("Flatten", e.layer_name(id), &[&input.name], &result, vec![int("axis", 1)]);
    e.done(id, result, true);
    Ok(())
}

fn reshape(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let (input, result) = (e.input(id, 0), e.result(id));
    let s = e.net.graph.shape(id);
    e.reshape(id, &result, &input.name, [s.channels, s.height, s.width]);
    e.done(id, result, false);
    Ok(())
}

fn softmax(e: &mut Emitter<'_>, id: NodeId) -> Result<(), Error> {
    let (input, result) = (e.input(id, 0), e.result(id));
    e.node_to("Softmax", e.layer_name(id), &[&input.name], &result, vec![int("axis", 1)]);
    e.done(id, result, input.flat);
    Ok(())
}

#[cfg(test)]
mod tests {
    use synapress_model::layers::LAYERS;

    #[test]
    fn every_layer_kind_has_a_rule() {
        let missing: Vec<_> = LAYERS.iter().map(|k| k.name).filter(|k| !super::kinds().contains(k)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
