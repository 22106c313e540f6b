//! Where the image enters: `Input` layers, the old `input` heads, and data layers, of which only shape and
//! preprocessing matter here. Labels are dropped.

use synapress_model::attributes::{Attributes, Field, Value};
use synapress_model::{Error, ErrorKind, Preprocess, Shape};

/// Layer types that read data in Caffe, in both encodings.
pub(super) const DATA: &[&str] = &[
    "Data",
    "DATA",
    "ImageData",
    "IMAGE_DATA",
    "HDF5Data",
    "HDF5_DATA",
    "MemoryData",
    "MEMORY_DATA",
    "DummyData",
    "DUMMY_DATA",
    "WindowData",
    "WINDOW_DATA",
    "AnnotatedData",
];

/// What a top of an input or data layer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    /// The image; its shape, if it is known.
    Image(Option<Shape>),
    /// The label, which has no place in a network that is executed.
    Label,
}

/// What a top is by its dimensions: a label has one number an image.
fn by_dims(name: &str, dims: &[usize]) -> Result<Source, Error> {
    let numbers = dims.get(1..).unwrap_or_default();
    if name == "label" || numbers.iter().all(|&d| d == 1) {
        return Ok(Source::Label);
    }
    match *numbers {
        [c] => Shape::new(c, 1, 1),
        [c, h, w] => Shape::new(c, h, w),
        _ => Err(Error::new(
            ErrorKind::Shape,
            format!("the input {name:?} has {} dimensions; N C H W or N C are supported", dims.len()),
        )),
    }
    .map(|shape| Source::Image(Some(shape)))
}

fn dims(shape: &Field) -> Result<Vec<usize>, Error> {
    match &shape.value {
        Value::Message(m) => {
            let dims = m.list::<usize>("dim")?;
            m.finish()?;
            Ok(dims)
        }
        Value::Text(_) => {
            Err(Error::new(ErrorKind::Attribute, "shape must be a message { dim: ... }").at_line(shape.line))
        }
    }
}

/// The inputs of the old heads: `input` with `input_dim` or `input_shape`, each with its name and line.
pub(super) fn heads(net: &Attributes) -> Result<Vec<(String, u32, Source)>, Error> {
    let names: Vec<&Field> = net.all("input").collect();
    let shapes = net.all("input_shape").map(dims).collect::<Result<Vec<_>, Error>>()?;
    let sizes = net.list::<usize>("input_dim")?;
    let line = names.first().map_or(0, |f| f.line);
    let fault = |message: String| Err(Error::new(ErrorKind::Attribute, message).at_line(line));
    if !shapes.is_empty() && !sizes.is_empty() {
        return fault("input_shape and input_dim exclude each other".to_owned());
    }
    let shapes: Vec<Vec<usize>> =
        if shapes.is_empty() { sizes.chunks(4).map(<[usize]>::to_vec).collect() } else { shapes };
    if shapes.len() != names.len() || (!sizes.is_empty() && sizes.len() % 4 != 0) {
        return fault(format!(
            "{} inputs have {} input_shape and {} input_dim; give one shape, or four dims, for each",
            names.len(),
            shapes.len(),
            sizes.len()
        ));
    }
    let inputs = names.into_iter().zip(shapes).map(|(field, dims)| match &field.value {
        Value::Text(name) => Ok((name.clone(), field.line, by_dims(name, &dims).map_err(|e| e.at_line(field.line))?)),
        Value::Message(_) => Err(Error::new(ErrorKind::Attribute, "input must be a name").at_line(field.line)),
    });
    inputs.collect()
}

/// What the tops of an `Input` layer are: one shape for each, or one for all.
pub(super) fn input_layer(layer: &Attributes, tops: &[String]) -> Result<Vec<Source>, Error> {
    let shapes = match layer.message("input_param")? {
        None => Vec::new(),
        Some(parameter) => {
            let shapes = parameter.all("shape").map(dims).collect::<Result<Vec<_>, Error>>()?;
            parameter.finish()?;
            shapes
        }
    };
    if shapes.len() != 1 && shapes.len() != tops.len() {
        let message = format!("the layer has {} tops and {} shapes; give one for each", tops.len(), shapes.len());
        return Err(Error::new(ErrorKind::Attribute, message));
    }
    let shape_of = |i: usize| shapes.get(i).or(shapes.first()).map_or(&[][..], Vec::as_slice);
    tops.iter().enumerate().map(|(i, top)| by_dims(top, shape_of(i))).collect()
}

/// What the tops of a data layer are: the first one is the image, further ones are labels. What else it says (files,
/// batch sizes, threads) has no bearing on the network.
pub(super) fn data_layer(layer: &Attributes, tops: &[String]) -> Result<Vec<Source>, Error> {
    let mut image = Some(());
    let sources = tops.iter().enumerate().map(|(i, top)| {
        if top == "label" {
            return Ok(Source::Label);
        }
        if let Some(dummy) = layer.message("dummy_data_param")? {
            let dims = dummy_dims(dummy, i)?;
            return if dims.is_empty() { Ok(Source::Image(None)) } else { by_dims(top, &dims) };
        }
        match image.take() {
            Some(()) => shape(layer).map(Source::Image),
            None => Ok(Source::Label),
        }
    });
    sources.collect()
}

fn dummy_dims(dummy: &Attributes, top: usize) -> Result<Vec<usize>, Error> {
    let shapes: Vec<&Field> = dummy.all("shape").collect();
    if let Some(shape) = shapes.get(top).or(shapes.first()) {
        return dims(shape);
    }
    let mut dims = Vec::new();
    for name in ["num", "channels", "height", "width"] {
        let sizes = dummy.list::<usize>(name)?;
        dims.extend(sizes.get(top).or(sizes.first()));
    }
    Ok(dims)
}

fn shape(layer: &Attributes) -> Result<Option<Shape>, Error> {
    if let Some(memory) = layer.message("memory_data_param")? {
        let size = |name| memory.get_or::<usize>(name, 0);
        let (channels, height, width) = (size("channels")?, size("height")?, size("width")?);
        return crop(layer, channels, height, width);
    }
    let image = layer.message("image_data_param")?;
    let size = |name| image.map_or(Ok(0), |a| a.get_or::<usize>(name, 0));
    let (height, width) = (size("new_height")?, size("new_width")?);
    let mut gray = !image.map_or(Ok(true), |a| a.get_or("is_color", true))?;
    if let Some(transform) = layer.message("transform_param")? {
        gray = gray || transform.get_or("force_gray", false)?;
    }
    crop(layer, if gray { 1 } else { 3 }, height, width)
}

/// The crop takes the place of the size, which may be unknown (0).
fn crop(layer: &Attributes, channels: usize, height: usize, width: usize) -> Result<Option<Shape>, Error> {
    // The old encoding has the crop among the data layer's own attributes.
    for name in ["transform_param", "data_param", "image_data_param", "window_data_param"] {
        if let Some(side) = layer.message(name)?.map_or(Ok(0), |a| a.get_or::<usize>("crop_size", 0)).map(nonzero)? {
            return Shape::new(channels, side, side).map(Some);
        }
    }
    if height == 0 || width == 0 { Ok(None) } else { Shape::new(channels, height, width).map(Some) }
}

fn nonzero(size: usize) -> Option<usize> {
    (size != 0).then_some(size)
}

/// The preprocessing that a data layer tells: mean values and scale. A mean file is another file's business.
pub(super) fn preprocess(layer: &Attributes) -> Result<Option<Preprocess>, Error> {
    let Some(transform) = layer.message("transform_param")? else { return Ok(None) };
    let (means, scale) = (transform.list::<f32>("mean_value")?, transform.get::<f32>("scale")?);
    if transform.has("mean_file") || (means.is_empty() && scale.is_none()) {
        return Ok(None);
    }
    let mean = match means[..] {
        [] => [0.0; 3],
        [all] => [all; 3],
        [b, g, r] => [b, g, r],
        _ => {
            let message =
                format!("{} values of mean_value; one, or one for each of three channels, are supported", means.len());
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    };
    Ok(Some(Preprocess { mean, scale: scale.unwrap_or(1.0), ..Preprocess::default() }))
}
