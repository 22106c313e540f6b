//! Pooling in the standard's operators.

use synapress_model::{Attributes, Error, ErrorKind, NodeId, Shape};

use super::emitter::{Emitter, int, sizes};
use crate::onnx::proto::{Attribute, Tensor};

/// What a Pooling's attributes say; pairs are (vertical, horizontal).
struct Windows {
    average: bool,
    kernel: [usize; 2],
    stride: [usize; 2],
    before: [usize; 2],
    behind: [usize; 2],
    round_up: bool,
    count: bool,
}

impl Windows {
    fn read(a: &Attributes) -> Result<Self, Error> {
        let pair = |name: &str, short: &str, default: [usize; 2]| -> Result<[usize; 2], Error> {
            let both = a.get::<usize>(name)?;
            let [y, x] = default;
            Ok([
                a.get_or(&format!("{short}_h"), both.unwrap_or(y))?,
                a.get_or(&format!("{short}_w"), both.unwrap_or(x))?,
            ])
        };
        let before = pair("pad", "pad", [0; 2])?;
        Ok(Self {
            average: a.text("pool")? == Some("AVE"),
            kernel: pair("kernel_size", "kernel", [1; 2])?,
            stride: pair("stride", "stride", [1; 2])?,
            before,
            behind: pair("pad_end", "pad_end", before)?,
            round_up: a.text("round_mode")?.unwrap_or("CEIL") == "CEIL",
            count: a.get_or("count_include_pad", true)?,
        })
    }

    fn is_padded(&self) -> bool {
        self.before != [0; 2] || self.behind != [0; 2]
    }

    /// Whether the last window reaches beyond the padding.
    fn overhangs(&self, input: Shape, output: Shape) -> bool {
        (0..2).any(|i| {
            let end = (output.size()[i] - 1) * self.stride[i] + self.kernel[i];
            end > input.size()[i] + self.before[i] + self.behind[i]
        })
    }

    /// Whether a last window is left out because it would begin in the padding behind the image.
    fn leaves_out(&self, input: Shape, output: Shape) -> bool {
        self.round_up
            && (0..2).any(|i| {
                let padded = input.size()[i] + self.before[i] + self.behind[i];
                output.size()[i] * self.stride[i] + self.kernel[i] < padded + self.stride[i]
            })
    }

    fn pads(&self) -> [usize; 4] {
        let ([top, left], [bottom, right]) = (self.before, self.behind);
        [top, left, bottom, right]
    }
}

/// Adds a Pooling's nodes, which put out `result`.
pub(super) fn write(emitter: &mut Emitter<'_>, id: NodeId, result: &str) -> Result<(), Error> {
    let a = emitter.net.graph.node(id).layer.attributes();
    let mut input = emitter.maps(id, 0);
    let name = emitter.layer_name(id);
    let mut windows = Windows::read(&a)?;
    let (op, global) =
        if windows.average { ("AveragePool", "GlobalAveragePool") } else { ("MaxPool", "GlobalMaxPool") };
    if a.get_or("global_pooling", false)? {
        emitter.node_to(global, name, &[&input], result, Vec::new());
        return Ok(());
    }
    let from = emitter.net.graph.input_shapes(id).first().copied();
    let to = emitter.net.graph.shape(id);
    let overhangs = from.is_some_and(|from| windows.overhangs(from, to));
    if windows.average && windows.count && overhangs {
        // Runtimes do not agree on what a mean divides by where a window reaches beyond padding that counts. Without any
        // it is the pixels that are there.
        if windows.is_padded() {
            if from.is_some_and(|from| windows.leaves_out(from, to)) {
                let message = "means of windows that reach beyond the padding along one axis and are left out along the \
                               other have no operator in ONNX";
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            input = padded(emitter, id, &input, &windows);
            (windows.before, windows.behind) = ([0; 2], [0; 2]);
        }
        windows.count = false;
    }
    let mut attributes: Vec<Attribute> = vec![
        sizes("kernel_shape", &windows.kernel),
        sizes("strides", &windows.stride),
        sizes("pads", &windows.pads()),
        int("ceil_mode", windows.round_up.into()),
    ];
    if windows.average {
        attributes.push(int("count_include_pad", windows.count.into()));
    }
    emitter.node_to(op, name, &[&input], result, attributes);
    Ok(())
}

/// Zeros around an input as a node of their own.
fn padded(emitter: &mut Emitter<'_>, id: NodeId, input: &str, windows: &Windows) -> String {
    let [top, left, bottom, right] = windows.pads().map(|p| i64::try_from(p).unwrap_or(i64::MAX));
    let (name, pads) = (emitter.part(id, "pad"), emitter.part(id, "pads"));
    let all = vec![0, 0, top, left, 0, 0, bottom, right];
    emitter.graph.initializers.push(Tensor::ints(&pads, &[8], all));
    emitter.node("Pad", &name, &[input, &pads], Vec::new());
    name
}
