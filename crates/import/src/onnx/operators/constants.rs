//! What is known without an image: constants, shapes, and the few operators that older exporters compute shapes with.

use synapress_model::{Error, ErrorKind};

use super::arithmetic::whole;
use super::{Call, unsupported};
use crate::onnx::proto::{self, kinds};
use crate::onnx::values::{Activation, BATCH, Constant, Line, Numbers, Value};

pub(super) fn constant(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let given = call.node.attributes.iter().find(|a| a.name.starts_with("value"));
    let given = given.ok_or_else(|| Error::new(ErrorKind::Attribute, "the value is missing"))?;
    call.attributes.ignore(&["value", "value_float", "value_floats", "value_int", "value_ints"]);
    let list = |numbers: Numbers, dims: Vec<usize>| Constant { dims, numbers };
    let constant = match &given.value {
        proto::Value::Tensor(tensor) => call.builder.constant(tensor)?,
        proto::Value::Float(v) => list(Numbers::Floats(vec![*v]), Vec::new()),
        proto::Value::Floats(v) => list(Numbers::Floats(v.clone()), vec![v.len()]),
        proto::Value::Int(v) => list(Numbers::Ints(vec![*v]), Vec::new()),
        proto::Value::Ints(v) => list(Numbers::Ints(v.clone()), vec![v.len()]),
        proto::Value::Text(_) | proto::Value::Other => return Err(unsupported("a constant that is no number")),
    };
    call.alias(Value::Constant(constant.into()))
}

/// Activations are in single precision whatever they are called; whole numbers stay whole numbers.
pub(super) fn cast(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let to = u64::try_from(call.attributes.int("to", 0)?).unwrap_or(0);
    call.attributes.ignore(&["saturate"]);
    let value = call.value(0)?;
    let float = [kinds::FLOAT, kinds::DOUBLE, kinds::FLOAT16, kinds::BFLOAT16].contains(&to);
    let same = match &value {
        Value::Constant(constant) => matches!(constant.numbers, Numbers::Floats(_)) == float,
        _ => float,
    };
    if !same || (!float && ![kinds::INT64, kinds::INT32].contains(&to)) {
        return Err(unsupported(format!("a cast to {} is not supported here", kinds::name(to))));
    }
    call.alias(value)
}

pub(super) fn shape(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let activation = call.activation(0)?;
    let dims = activation.ordered();
    let sizes = dims.iter().map(|&d| i64::try_from(d).unwrap_or(i64::MAX));
    let all: Vec<i64> = std::iter::once(BATCH).chain(sizes).collect();
    let (start, end) = (call.attributes.int("start", 0)?, call.attributes.int("end", i64::MAX)?);
    call.alias(Value::Constant(Constant::list(part(&all, start, end)).into()))
}

/// The numbers from a place to another, both counted from the end if negative.
fn part(all: &[i64], start: i64, end: i64) -> Vec<i64> {
    let len = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let place = |at: i64| {
        let at = if at < 0 { at.saturating_add(len) } else { at };
        usize::try_from(at.clamp(0, len)).unwrap_or(0)
    };
    all.get(place(start)..place(end)).unwrap_or_default().to_vec()
}

pub(super) fn slice(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let constant = call.constant(0)?;
    let (starts, ends) = (call.list("starts", 1)?.unwrap_or_default(), call.list("ends", 2)?.unwrap_or_default());
    let axes = call.list("axes", 3)?.unwrap_or_else(|| vec![0]);
    let steps = call.list("steps", 4)?.unwrap_or_else(|| vec![1]);
    match (&constant.numbers, &starts[..], &ends[..], &axes[..], &steps[..]) {
        (Numbers::Ints(all), [start], [end], [0 | -1], [1]) if constant.dims.len() == 1 => {
            call.alias(Value::Constant(Constant::list(part(all, *start, *end)).into()))
        }
        _ => Err(unsupported("slices of anything but a shape are not supported")),
    }
}

/// Of a shape some sizes, of an activation one channel.
pub(super) fn gather(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let axis = call.attributes.int("axis", 0)?;
    let index = call.constant(1)?;
    let Numbers::Ints(places) = &index.numbers else { return Err(unsupported("indices that are no whole numbers")) };
    let value = call.value(0)?;
    let wrong =
        |place: i64, len: usize| Error::new(ErrorKind::Attribute, format!("index {place} is beyond the {len} entries"));
    let at = |place: i64, len: usize| {
        let place_from_front =
            if place < 0 { place.saturating_add(i64::try_from(len).unwrap_or(i64::MAX)) } else { place };
        usize::try_from(place_from_front).ok().filter(|&p| p < len).ok_or_else(|| wrong(place, len))
    };
    if let (Some(all), 0) = (whole(&value), axis) {
        let picked = places.iter().map(|&p| at(p, all.len()).map(|p| all[p])).collect::<Result<Vec<_>, _>>()?;
        let constant = Constant { dims: index.dims.clone(), numbers: Numbers::Ints(picked) };
        return call.alias(Value::Constant(constant.into()));
    }
    let of = call.activation(0)?;
    match (places[..].as_ref(), of.dims.first()) {
        ([place], Some(&channels)) if axis == 1 && index.dims.len() <= 1 && of.dims.len() == 3 && !of.channels_last => {
            let lines = vec![Line { channel: at(*place, channels)?, factor: 1.0, offset: 0.0 }];
            call.alias(Value::Channels { of, lines, bare: index.dims.is_empty() })
        }
        _ => Err(unsupported("only one channel at a time can be taken out of a layer's output")),
    }
}

impl Activation {
    /// Sizes after the batch in the order of the graph's axes.
    pub fn ordered(&self) -> Vec<usize> {
        match self.dims[..] {
            [c, h, w] if self.channels_last => vec![h, w, c],
            _ => self.dims.clone(),
        }
    }
}
