//! One file for each layer kind; this list is the only place that names them all.

mod batch_norm;
mod channels;
mod clip;
mod concat;
mod convolution;
mod dropout;
mod eltwise;
mod flatten;
mod inner_product;
mod input;
mod lrn;
mod pointwise;
mod pooling;
mod power;
mod prelu;
mod relu;
mod reshape;
mod scale;
mod sigmoid;
mod softmax;
mod split;
mod tanh;
mod view;
mod windows;

pub use batch_norm::BatchNorm;
pub use clip::Clip;
pub use concat::Concat;
pub use convolution::Convolution;
pub use dropout::Dropout;
pub use eltwise::{Eltwise, Operation};
pub use flatten::Flatten;
pub use inner_product::InnerProduct;
pub use input::Input;
pub use lrn::{Lrn, multiplier};
pub use pooling::{Method, Pooling};
pub use power::Power;
pub use prelu::PRelu;
pub use relu::Relu;
pub use reshape::Reshape;
pub use scale::Scale;
pub use sigmoid::Sigmoid;
pub use softmax::Softmax;
pub use split::Split;
pub use tanh::TanH;

use convolution::integer_sums;
use rayon::prelude::*;
use synapress_kernels::real::Real;

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::layer::{Kind, Layer};
use crate::shape::Shape;

/// Every layer kind.
pub const LAYERS: &[&Kind] = &[
    &input::KIND,
    &convolution::KIND,
    &inner_product::KIND,
    &relu::KIND,
    &pooling::KIND,
    &lrn::KIND,
    &concat::KIND,
    &softmax::KIND,
    &dropout::KIND,
    &split::KIND,
    &flatten::KIND,
    &reshape::KIND,
    &sigmoid::KIND,
    &tanh::KIND,
    &batch_norm::KIND,
    &scale::KIND,
    &prelu::KIND,
    &eltwise::KIND,
    &power::KIND,
    &clip::KIND,
];

/// The kind of this name.
pub fn by_name(name: &str) -> Option<&'static Kind> {
    LAYERS.iter().copied().find(|k| k.name == name)
}

/// The kind that Caffe calls so, in its current or its old encoding.
pub fn by_caffe_name(name: &str) -> Option<&'static Kind> {
    LAYERS.iter().copied().find(|k| k.caffe.contains(&name))
}

/// Boxes what a kind has read.
fn boxed(layer: impl Layer + 'static) -> Result<Box<dyn Layer>, Error> {
    Ok(Box::new(layer))
}

/// A fault in an attribute's value.
fn senseless(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Attribute, message)
}

/// The one input of a kind that takes one.
fn only(inputs: &[Shape]) -> Result<Shape, Error> {
    match inputs {
        [shape] => Ok(*shape),
        _ => Err(Error::new(ErrorKind::Shape, format!("the layer takes one input, not {}", inputs.len()))),
    }
}

/// A size along both axes: one value for both, two values (vertical first), or the two names with an axis in them.
fn axes(a: &Attributes, name: &str, each: [&str; 2], default: Option<usize>) -> Result<[usize; 2], Error> {
    let values = a.list::<usize>(name)?;
    let separate = [a.get::<usize>(each[0])?, a.get::<usize>(each[1])?];
    match (values[..].as_ref(), separate) {
        ([], [None, None]) => match default {
            Some(d) => Ok([d; 2]),
            None => Err(senseless(format!("{name} is missing"))),
        },
        ([], [Some(y), Some(x)]) => Ok([y, x]),
        ([], [y, x]) => match default {
            Some(d) => Ok([y.unwrap_or(d), x.unwrap_or(d)]),
            None => Err(senseless(format!("{} and {} must be given together", each[0], each[1]))),
        },
        ([both], [None, None]) => Ok([*both; 2]),
        ([y, x], [None, None]) => Ok([*y, *x]),
        (_, [None, None]) => Err(senseless(format!("{name} has {} values; one or two are supported", values.len()))),
        _ => Err(senseless(format!("{name} and {} / {} exclude each other", each[0], each[1]))),
    }
}

/// What [`axes`] reads.
fn with_axes(a: Attributes, name: &str, each: [&str; 2], value: [usize; 2], default: Option<usize>) -> Attributes {
    if default.is_some_and(|d| value == [d; 2]) {
        a
    } else if value[0] == value[1] {
        a.with(name, value[0])
    } else {
        a.with(each[0], value[0]).with(each[1], value[1])
    }
}

/// Padding behind the image, where it differs from that before it (`pad`), which Caffe does not know.
fn pad_end(a: &Attributes, pad: [usize; 2]) -> Result<[usize; 2], Error> {
    let default = [a.get_or("pad_end_h", pad[0])?, a.get_or("pad_end_w", pad[1])?];
    if a.has("pad_end") { axes(a, "pad_end", ["pad_end_h", "pad_end_w"], None) } else { Ok(default) }
}

/// What [`pad_end`] reads.
fn with_pad_end(a: Attributes, pad_end: [usize; 2], pad: [usize; 2]) -> Attributes {
    if pad_end == pad { a } else { with_axes(a, "pad_end", ["pad_end_h", "pad_end_w"], pad_end, None) }
}

/// Adds a vector to another, in parallel.
fn add_all<T: Real>(sum: &mut [T], more: &[T]) {
    const PIECE: usize = 1 << 14;
    sum.par_chunks_mut(PIECE).zip(more.par_chunks(PIECE)).for_each(|(sum, more)| {
        for (s, m) in sum.iter_mut().zip(more) {
            *s += *m;
        }
    });
}
