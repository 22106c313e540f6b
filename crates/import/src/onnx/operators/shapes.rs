//! Other views of the same values: no layer comes of them until one needs the shape.

use synapress_model::{Error, ErrorKind};

use super::linear;
use super::{Call, unsupported};
use crate::onnx::values::{Activation, BATCH, Constant, Numbers, Value};

pub(super) fn flatten(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let activation = call.activation(0)?;
    let axis = call.axis(call.attributes.int("axis", 1)?, activation.dims.len() + 1)?;
    if axis != 1 {
        return Err(unsupported(format!(
            "flattening from axis {axis} on is not supported, only from 1, the first after the batch"
        )));
    }
    let len = plain(&activation)?.iter().product();
    view(call, &activation, vec![len])
}

pub(super) fn reshape(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let target = call.ints(1)?;
    let zero_is_zero = call.attributes.int("allowzero", 0)? != 0;
    if let Value::Constant(constant) = call.value(0)? {
        return reshape_constant(call, &constant, &target);
    }
    let activation = call.activation(0)?;
    let own = plain(&activation)?;
    let len: usize = own.iter().product();
    let fault = || {
        let text: Vec<String> =
            target.iter().map(|&t| if t == BATCH { "batch".to_owned() } else { t.to_string() }).collect();
        let message = format!("batch and {own:?} cannot become {}; the batch must stay in front", text.join(" "));
        Error::new(ErrorKind::Shape, message)
    };
    let (&batch, rest) = target.split_first().ok_or_else(fault)?;
    let stays = batch == BATCH || batch == -1 || (batch == 0 && !zero_is_zero) || Some(batch) == call.builder.batch;
    if !stays || rest.contains(&BATCH) {
        return Err(fault());
    }
    let mut dims = Vec::with_capacity(rest.len());
    for (i, &size) in rest.iter().enumerate() {
        dims.push(match size {
            -1 => None,
            0 if !zero_is_zero => Some(*own.get(i).ok_or_else(fault)?),
            size => Some(usize::try_from(size).map_err(|_| fault())?),
        });
    }
    let known =
        dims.iter().flatten().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n > 0).ok_or_else(fault)?;
    if dims.iter().filter(|d| d.is_none()).count() > 1 || !len.is_multiple_of(known) {
        return Err(fault());
    }
    let dims: Vec<usize> = dims.into_iter().map(|d| d.unwrap_or(len / known)).collect();
    if dims.iter().product::<usize>() != len {
        return Err(fault());
    }
    view(call, &activation, dims)
}

fn reshape_constant(call: &mut Call<'_, '_>, constant: &Constant, target: &[i64]) -> Result<(), Error> {
    let len: usize = match &constant.numbers {
        Numbers::Floats(v) => v.len(),
        Numbers::Ints(v) => v.len(),
    };
    let known: usize = target.iter().filter_map(|&t| usize::try_from(t).ok().filter(|&t| t > 0)).product();
    let left = len.checked_div(known).unwrap_or(0);
    let dims: Vec<usize> = target.iter().map(|&t| usize::try_from(t).unwrap_or(left)).collect();
    if dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) != Some(len) {
        return Err(Error::new(ErrorKind::Shape, format!("a constant of {len} numbers cannot become {target:?}")));
    }
    call.alias(Value::Constant(Constant { dims, numbers: constant.numbers.clone() }.into()))
}

/// The sizes in the order that values lie in.
fn plain(activation: &Activation) -> Result<Vec<usize>, Error> {
    match activation.dims[..] {
        [c, h, w] if activation.channels_last && c != 1 && h * w != 1 => Err(unsupported(
            "channels come last here and would have to be moved; transpose to batch, channels, height, width before",
        )),
        _ => Ok(activation.ordered()),
    }
}

/// The same values under another shape.
fn view(call: &mut Call<'_, '_>, activation: &Activation, dims: Vec<usize>) -> Result<(), Error> {
    call.put_as(Activation { node: activation.node, dims, channels_last: false })
}

pub(super) fn squeeze(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let axes = call.list("axes", 1)?.ok_or_else(|| unsupported("axes are missing; name those to drop"))?;
    if let Value::Constant(constant) = call.value(0)? {
        // A list of one number as a number.
        let dims = constant.dims.iter().copied().filter(|&d| d != 1).collect();
        return call.alias(Value::Constant(Constant { dims, numbers: constant.numbers.clone() }.into()));
    }
    let activation = call.activation(0)?;
    let dims = plain(&activation)?;
    let axes = axes.iter().map(|&a| call.axis(a, dims.len() + 1)).collect::<Result<Vec<_>, _>>()?;
    let dropped = |axis: &usize| axes.contains(axis);
    if dropped(&0) || dims.iter().zip(1..).any(|(&d, axis)| dropped(&axis) && d != 1) {
        return Err(unsupported(format!(
            "dropping axes {axes:?} of batch and {dims:?}; only sizes of 1 behind the batch can be"
        )));
    }
    let dims = dims.iter().zip(1..).filter(|(_, axis)| !dropped(axis)).map(|(&d, _)| d).collect();
    view(call, &activation, dims)
}

pub(super) fn unsqueeze(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let axes = call.list("axes", 1)?.unwrap_or_default();
    match call.value(0)? {
        Value::Constant(constant) => {
            let dims = stretched(call, &constant.dims, &axes, constant.dims.len())?;
            call.alias(Value::Constant(Constant { dims, numbers: constant.numbers.clone() }.into()))
        }
        Value::Channels { of, lines, bare: true } if axes == [1] || axes == [-3] => {
            call.alias(Value::Channels { of, lines, bare: false })
        }
        _ => {
            let activation = call.activation(0)?;
            let mut all = vec![0];
            all.extend(plain(&activation)?);
            let dims = stretched(call, &all, &axes, all.len())?;
            match dims.split_first() {
                Some((0, rest)) => view(call, &activation, rest.to_vec()),
                _ => Err(unsupported("an axis before the batch is not supported")),
            }
        }
    }
}

/// Sizes with ones put in at places of the result.
fn stretched(call: &Call<'_, '_>, dims: &[usize], axes: &[i64], rank: usize) -> Result<Vec<usize>, Error> {
    let rank = rank + axes.len();
    let mut ones = axes.iter().map(|&a| call.axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    ones.sort_unstable();
    let mut dims = dims.to_vec();
    for at in ones {
        if at > dims.len() {
            return Err(Error::new(ErrorKind::Attribute, format!("there is no axis {at}")));
        }
        dims.insert(at, 1);
    }
    Ok(dims)
}

pub(super) fn transpose(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let perm = call.attributes.ints("perm")?;
    if let Value::Constant(constant) = call.value(0)? {
        return transpose_constant(call, &constant, perm);
    }
    let activation = call.activation(0)?;
    let ordered = activation.ordered();
    let rank = ordered.len() + 1;
    let perm = perm.unwrap_or_else(|| (0..i64::try_from(rank).unwrap_or(0)).rev().collect());
    let axes: Option<Vec<usize>> = perm.iter().map(|&p| usize::try_from(p).ok().filter(|&p| p < rank)).collect();
    let axes = axes.filter(|a| a.len() == rank && (0..rank).all(|i| a.contains(&i)));
    let axes =
        axes.ok_or_else(|| Error::new(ErrorKind::Attribute, format!("perm {perm:?} is no order of {rank} axes")))?;
    match (&axes[..], activation.channels_last) {
        ([0, 2, 3, 1], false) => return call.put_as(Activation { channels_last: true, ..activation }),
        ([0, 3, 1, 2], true) => return call.put_as(Activation { channels_last: false, ..activation }),
        _ => {}
    }
    // Axes of one entry may go anywhere.
    let moved: Vec<usize> = axes.iter().copied().filter(|&a| a > 0 && ordered[a - 1] != 1).collect();
    let unmoved = axes.first() == Some(&0) && moved.is_sorted();
    if axes.iter().enumerate().all(|(i, &a)| i == a) {
        return call.put_as(activation);
    }
    if !unmoved {
        let message =
            format!("moving axes as perm {perm:?} says; only channels to the last place and back can be moved");
        return Err(unsupported(message));
    }
    let dims = axes.iter().skip(1).map(|&a| ordered[a - 1]).collect();
    plain(&activation)?;
    view(call, &activation, dims)
}

fn transpose_constant(call: &mut Call<'_, '_>, constant: &Constant, perm: Option<Vec<i64>>) -> Result<(), Error> {
    let (Numbers::Floats(numbers), [rows, columns]) = (&constant.numbers, &constant.dims[..]) else {
        return Err(unsupported("of constants only matrices can be transposed"));
    };
    let constant = match perm.as_deref() {
        None | Some([1, 0]) => {
            let numbers = Numbers::Floats(linear::transpose(numbers, *rows, *columns));
            Constant { dims: vec![*columns, *rows], numbers }
        }
        Some([0, 1]) => constant.clone(),
        Some(other) => return Err(Error::new(ErrorKind::Attribute, format!("perm {other:?} is no order of 2 axes"))),
    };
    call.alias(Value::Constant(constant.into()))
}
