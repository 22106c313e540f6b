//! Rates and fillers: how a layer's parameters are trained, in both encodings.

use synapress_model::attributes::{Attributes, Value};
use synapress_model::{Error, ErrorKind, Filler, Learning, Rate, WeightShape};

use crate::learning::start;

/// How many blobs a layer has in Caffe.
pub(super) fn blob_count(kind: &str, weights: Option<&WeightShape>) -> usize {
    match weights {
        None => 0,
        Some(_) if kind == "BatchNorm" => 3,
        Some(shape) => {
            if shape.bias {
                2
            } else {
                1
            }
        }
    }
}

/// Reads `param { lr_mult decay_mult }`, or the old `blobs_lr` and `weight_decay`, and the fillers.
///
/// A layer without a filler starts from the default of [`Learning`] instead of Caffe's zeros, which cannot be trained.
pub(super) fn learning(
    layer: &Attributes,
    parameter: &Attributes,
    kind: &str,
    weights: Option<&WeightShape>,
) -> Result<Learning, Error> {
    let mut learning = start(kind);
    let rates = rates(layer)?;
    let blobs = blob_count(kind, weights);
    if rates.len() > blobs {
        let message = format!("the layer has {blobs} learned arrays, but learning rates for {}", rates.len());
        return Err(Error::new(ErrorKind::Attribute, message));
    }
    if kind != "BatchNorm" {
        // Statistics are not learned, whatever the rates say.
        learning.weights = rates.first().copied().unwrap_or(learning.weights);
        learning.bias = rates.get(1).copied().unwrap_or(learning.bias);
    }
    let Some(shape) = weights else { return Ok(learning) };
    for name in ["weight_filler", "filler"] {
        if let Some(f) = filler(parameter, name, shape)? {
            learning.weight_filler = f;
        }
    }
    if let Some(f) = filler(parameter, "bias_filler", shape)? {
        learning.bias_filler = f;
    }
    Ok(learning)
}

fn rates(layer: &Attributes) -> Result<Vec<Rate>, Error> {
    let mut rates = Vec::new();
    for field in layer.all("param") {
        let Value::Message(param) = &field.value else {
            // In the old encoding `param` is the name that arrays are shared by.
            return Err(shared().at_line(field.line));
        };
        if param.text("name")?.is_some_and(|name| !name.is_empty()) {
            return Err(shared().at_line(field.line));
        }
        rates.push(Rate { learn: param.get_or("lr_mult", 1.0)?, decay: param.get_or("decay_mult", 1.0)? });
        param.finish()?;
    }
    let (old_learn, old_decay) = (layer.list::<f32>("blobs_lr")?, layer.list::<f32>("weight_decay")?);
    let old = old_learn.len().max(old_decay.len());
    if !rates.is_empty() && old > 0 {
        return Err(Error::new(ErrorKind::Attribute, "param and blobs_lr / weight_decay exclude each other"));
    }
    for i in rates.len()..old {
        let at = |list: &[f32]| list.get(i).copied().unwrap_or(1.0);
        rates.push(Rate { learn: at(&old_learn), decay: at(&old_decay) });
    }
    Ok(rates)
}

fn shared() -> Error {
    Error::new(ErrorKind::Unsupported, "parameters shared between layers by name are not supported")
}

fn filler(parameter: &Attributes, name: &str, shape: &WeightShape) -> Result<Option<Filler>, Error> {
    if !parameter.has(name) {
        return Ok(None);
    }
    let line = parameter.last(name).map_or(0, |f| f.line);
    let Some(a) = parameter.message(name)? else { return Ok(None) };
    read_filler(a, shape).map(Some).map_err(|e| e.at_line(line))
}

fn read_filler(a: &Attributes, shape: &WeightShape) -> Result<Filler, Error> {
    // Prototxts carry values that their filler's type has no use for, such as a std for xavier.
    a.ignore(&["value", "min", "max", "mean", "std", "sparse", "variance_norm"]);
    let filler = match a.text("type")?.unwrap_or("constant") {
        "constant" => Filler::Constant(a.get_or("value", 0.0)?),
        "uniform" => Filler::Uniform(a.get_or("min", 0.0)?, a.get_or("max", 1.0)?),
        "gaussian" if a.get_or::<i64>("sparse", -1)? < 0 => {
            Filler::Gaussian(a.get_or("mean", 0.0)?, a.get_or("std", 1.0)?)
        }
        "gaussian" => return Err(unsupported("sparse gaussian")),
        "xavier" => match fan(a, shape)? {
            None => Filler::Xavier,
            Some(fan) => Filler::Uniform(-(3.0 / fan).sqrt(), (3.0 / fan).sqrt()),
        },
        "msra" => match fan(a, shape)? {
            None => Filler::Msra,
            Some(fan) => Filler::Gaussian(0.0, (2.0 / fan).sqrt()),
        },
        other => return Err(unsupported(other)),
    };
    a.finish()?;
    Ok(filler)
}

fn unsupported(filler: &str) -> Error {
    let known = "constant, uniform, gaussian, xavier, msra";
    Error::new(ErrorKind::Unsupported, format!("the filler {filler:?} is not supported; there are {known}"))
}

/// What the variance is divided by, unless it is the number of inputs.
fn fan(a: &Attributes, shape: &WeightShape) -> Result<Option<f32>, Error> {
    let area = number(shape.dims[2]) * number(shape.dims[3]);
    let (inputs, outputs) = (number(shape.dims[1]) * area, number(shape.dims[0]) * area);
    match a.text("variance_norm")?.unwrap_or("FAN_IN") {
        "FAN_IN" | "0" => Ok(None),
        "FAN_OUT" | "1" => Ok(Some(outputs)),
        "AVERAGE" | "2" => Ok(Some((inputs + outputs) / 2.0)),
        other => Err(Error::new(
            ErrorKind::Attribute,
            format!("variance_norm must be FAN_IN, FAN_OUT or AVERAGE, not {other:?}"),
        )),
    }
}

#[expect(clippy::as_conversions, reason = "a size as a number; exactness does not matter for a standard deviation")]
fn number(size: usize) -> f32 {
    size as f32
}
