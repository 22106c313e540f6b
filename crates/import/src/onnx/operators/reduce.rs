//! ReduceMean over height and width is global average pooling.

use synapress_model::Error;
use synapress_model::attributes::Attributes;

use super::{Call, unsupported};
use crate::onnx::values::Activation;

pub(super) fn mean(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let activation = call.activation(0)?;
    let keep = call.attributes.int("keepdims", 1)? != 0;
    call.attributes.ignore(&["noop_with_empty_axes"]);
    let rank = activation.dims.len() + 1;
    let axes = call.list("axes", 1)?.unwrap_or_default();
    let mut axes = axes.iter().map(|&a| call.axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    let space = if activation.channels_last { [1, 2] } else { [2, 3] };
    if rank != 4 || axes != space {
        let message =
            format!("a mean over axes {axes:?} of {rank}; over height and width, {space:?} of 4, is supported");
        return Err(unsupported(message));
    }
    let (node, channels) = (activation.node, activation.dims.first().copied().unwrap_or(1));
    let shape = call.builder.shape(node);
    let own = [shape.channels, shape.height, shape.width];
    let node = if activation.dims == own { node } else { call.maps_of(&activation)?.0 };
    let a = Attributes::new().with("pool", "AVE").with("global_pooling", true);
    let node = call.layer("Pooling", a, &[node], None)?;
    let dims = if keep { vec![channels, 1, 1] } else { vec![channels] };
    call.put_as(Activation { node, dims, channels_last: keep && activation.channels_last })
}
