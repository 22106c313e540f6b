//! BatchNormalization becomes a BatchNorm and the Scale after it, as Caffe has them; LRN stays.

use synapress_model::attributes::Attributes;
use synapress_model::{Error, ErrorKind, Weights};

use super::{Call, unsupported};
use crate::onnx::values::Activation;

pub(super) fn batch(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let activation = call.activation(0)?;
    let a = &call.attributes;
    let eps = a.float("epsilon", 1e-5)?;
    // Statistics are those of training whatever these say, unless the node is to be trained.
    a.ignore(&["momentum", "spatial"]);
    if a.int("training_mode", 0)? != 0 {
        return Err(unsupported("training_mode is not supported; export the network for inference"));
    }
    let input = call.builder.shaped(&activation, call.name)?;
    let channels = call.builder.shape(input).channels;
    let vector = |i: usize| -> Result<Vec<f32>, Error> {
        let (dims, numbers) = call.floats(i)?;
        if numbers.len() == channels {
            return Ok(numbers);
        }
        let message = format!("input {i} is of shape {dims:?}, but there are {channels} channels");
        Err(Error::new(ErrorKind::Shape, message))
    };
    let (scale, bias, mean, mut variance) = (vector(1)?, vector(2)?, vector(3)?, vector(4)?);
    // Negative ones, which no data has, count as zero.
    variance.iter_mut().for_each(|v| *v = v.max(0.0));
    let statistics = Weights::dense([2, channels, 1, 1], [mean, variance].concat(), Vec::new());
    let normalized = call.layer("BatchNorm", Attributes::new().with("eps", eps), &[input], Some(statistics))?;
    let line = Weights::dense([channels, 1, 1, 1], scale, bias);
    let (name, a) = (format!("{}/scale", call.name), Attributes::new().with("bias_term", true));
    let node = call.builder.layer(&name, "Scale", a, &[normalized], Some(line))?;
    call.put_as(Activation { node, ..activation })
}

pub(super) fn local_response(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (node, _) = call.maps(0)?;
    let a = &call.attributes;
    let size = a.int("size", 0)?;
    if size % 2 == 0 {
        return Err(unsupported(format!("size {size} is not supported, only odd ones")));
    }
    let (alpha, beta, k) = (a.float("alpha", 1e-4)?, a.float("beta", 0.75)?, a.float("bias", 1.0)?);
    let a = Attributes::new().with("local_size", size).with("alpha", alpha).with("beta", beta).with("k", k);
    let node = call.layer("LRN", a, &[node], None)?;
    call.put(node)
}
