//! A layer as memories and parameters: what is written, before it has a format.

use synapress_model::linear::IntegerWeights;
use synapress_model::{Bias, Error as NetError, Fixed, Integers, Linear, Net, NodeId};

use crate::error::Error;
use crate::manifest::{self, Layer};
use crate::memory::{Memory, Storage, signed_bits, unsigned_bits};
use crate::pack::{Packed, pack};

/// The memories of one layer, or of one golden vector, and where they are to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Path inside the folder, without an ending.
    pub path: String,
    /// Its memories; none is empty.
    pub memories: Vec<Memory>,
    /// Numbers that a design is built with, by name.
    pub constants: Vec<(&'static str, i64)>,
    /// Texts likewise.
    pub names: Vec<(&'static str, String)>,
}

/// Letters of a layer's name in a file's.
const LETTERS: usize = 48;

/// The name of a layer's files: its number, which makes it unlike others, and what is plain in its name.
pub(crate) fn stem(net: &Net, id: NodeId) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = net.graph.node(id).name.chars().take(LETTERS).map(plain).collect();
    format!("{id:03}_{name}")
}

/// A layer of a sound quantized network as memories, and its part of the manifest without the places of these.
///
/// # Errors
/// [`Error::Net`], naming the layer.
pub(crate) fn layer(net: &Net, integers: &Integers, id: NodeId, storage: Storage) -> Result<(Layer, Image), Error> {
    let node = net.graph.node(id);
    let at = |e: NetError| e.at_layer(&node.name);
    let (inputs, output) = (&node.inputs, integers.outputs[id]);
    let linear = net.linear(id);
    let mut layer = Layer {
        node: id,
        name: node.name.clone(),
        kind: node.layer.kind().name,
        inputs: inputs.clone(),
        attributes: manifest::object(&node.layer.attributes()),
        input_shapes: net.graph.input_shapes(id).into_iter().map(manifest::sizes).collect(),
        output_shape: manifest::sizes(net.graph.shape(id)),
        output_format: node.layer.loss_weight().is_none().then(|| output.into()),
        input_shifts: inputs.iter().map(|&i| i32::from(integers.outputs[i].frac) - i32::from(output.frac)).collect(),
        window: linear.map(window),
        weights: None,
        bias: None,
        accumulator: None,
        memories: Default::default(),
    };
    let mut image =
        Image { path: format!("layers/{}", stem(net, id)), memories: vec![], constants: vec![], names: vec![] };
    if let (Some(weights), Some(&from)) = (&net.weights[id], inputs.first()) {
        let input = integers.outputs[from];
        let packed = pack(weights, storage).map_err(|e| match e {
            Error::Net(e) => Error::Net(at(e)),
            other => other,
        })?;
        let sums = IntegerWeights::of(weights).map_err(at)?;
        let frac = i32::from(packed.format.frac) + i32::from(input.frac);
        let bound = sums.accumulator_bound(input);
        layer.accumulator = Some(manifest::Accumulator {
            bits: u128::BITS - bound.leading_zeros() + 1,
            frac,
            shift: frac - i32::from(output.frac),
        });
        layer.weights = Some(stored(&packed, weights.dims));
        add_weights(&mut image, packed);
        if let Bias::Fixed { q, frac: own } = &weights.bias {
            layer.bias = Some(manifest::Bias { frac: *own, shift: frac - i32::from(*own) });
            let bits = q.iter().map(|&q| signed_bits(q)).max().unwrap_or(1);
            image.memories.push(Memory::signed("bias", bits, q.iter().copied()));
        }
        if let Some(linear) = linear {
            image.constants = constants(&layer, &image, &linear, [input, output]);
            image.names = vec![("INPUT", stem(net, from)), ("OUTPUT", stem(net, id))];
        }
    }
    let table = &integers.tables[id];
    if !table.is_empty() {
        image.memories.push(Memory::signed("table", 16, table.iter().map(|&q| q.into())));
    }
    Ok((layer, image))
}

/// What a layer puts out for one image, as a memory in its output's format.
pub(crate) fn output(path: String, codes: &[i16], format: Fixed) -> Image {
    let memory = Memory::signed("output", format.bits.into(), codes.iter().map(|&q| q.into()));
    let memory = Memory { signed: format.signed, ..memory };
    Image { path, memories: vec![memory], constants: vec![], names: vec![] }
}

fn window(linear: Linear) -> manifest::Window {
    let w = linear.window;
    manifest::Window { groups: linear.groups, kernel: w.kernel, stride: w.stride, pad: w.pad, dilation: w.dilation }
}

fn stored(packed: &Packed, dims: [usize; 4]) -> manifest::Weights {
    manifest::Weights {
        dims,
        code: if packed.codebook.is_some() { "index" } else { "weight" },
        format: packed.format.into(),
        gap_bits: packed.gap_bits,
        code_bits: packed.code_bits,
        entries: packed.words.len(),
        fillers: packed.fillers,
    }
}

fn add_weights(image: &mut Image, packed: Packed) {
    let word_bits = packed.word_bits();
    // A memory has a word at least; where every weight is zero nobody reads it.
    let words = if packed.words.is_empty() { vec![0] } else { packed.words };
    let row_bits = unsigned_bits(packed.rows.last().copied().unwrap_or(0));
    image.memories.push(Memory::unsigned("weights", word_bits, words));
    image.memories.push(Memory::unsigned("rows", row_bits, packed.rows));
    if let Some(book) = packed.codebook {
        let bits = book.iter().map(|&q| signed_bits(q.into())).max().unwrap_or(1);
        image.memories.push(Memory::signed("codebook", bits, book.iter().map(|&q| q.into())));
    }
}

/// What a design of a convolution or fully connected layer is built with.
fn constants(layer: &Layer, image: &Image, g: &Linear, [input, output]: [Fixed; 2]) -> Vec<(&'static str, i64)> {
    let bits = |name| image.memories.iter().find(|m| m.name == name).map_or(0, |m| i64::from(m.word_bits));
    let words = |name| image.memories.iter().find(|m| m.name == name).map_or(0, |m| m.words.len() as i64);
    let n = |size: usize| size as i64;
    let (w, window) = (layer.weights, &g.window);
    let accumulator = layer.accumulator;
    vec![
        ("IN_CHANNELS", n(g.input.channels)),
        ("IN_HEIGHT", n(g.input.height)),
        ("IN_WIDTH", n(g.input.width)),
        ("OUT_CHANNELS", n(g.output.channels)),
        ("OUT_HEIGHT", n(g.output.height)),
        ("OUT_WIDTH", n(g.output.width)),
        ("GROUPS", n(g.groups)),
        ("KERNEL_HEIGHT", n(window.kernel[0])),
        ("KERNEL_WIDTH", n(window.kernel[1])),
        ("STRIDE_Y", n(window.stride[0])),
        ("STRIDE_X", n(window.stride[1])),
        ("PAD_Y", n(window.pad[0])),
        ("PAD_X", n(window.pad[1])),
        ("DILATION_Y", n(window.dilation[0])),
        ("DILATION_X", n(window.dilation[1])),
        ("IN_BITS", input.bits.into()),
        ("IN_SIGNED", input.signed.into()),
        ("OUT_BITS", output.bits.into()),
        ("OUT_SIGNED", output.signed.into()),
        ("GAP_BITS", w.map_or(0, |w| w.gap_bits.into())),
        ("CODE_BITS", w.map_or(0, |w| w.code_bits.into())),
        ("ENTRIES", words("weights")),
        ("ROW_BITS", bits("rows")),
        ("CODEBOOK_WORDS", words("codebook")),
        ("CODEBOOK_BITS", bits("codebook")),
        ("BIAS_BITS", bits("bias")),
        ("BIAS_SHIFT", layer.bias.map_or(0, |b| b.shift.into())),
        ("ACCUMULATOR_BITS", accumulator.map_or(0, |a| a.bits.into())),
        ("OUT_SHIFT", accumulator.map_or(0, |a| a.shift.into())),
    ]
}
