//! The manifest of an export: what every file holds, and what a design must know to compute with it. Written as
//! `manifest.json`; FORMAT.md says what each field means.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use synapress_model::{Attributes, Fixed, Shape, attributes};

/// The whole export.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// Version of this layout.
    pub version: u32,
    /// The network's name.
    pub network: String,
    /// The format of the memory images.
    pub format: &'static str,
    /// Every layer, in order of execution.
    pub layers: Vec<Layer>,
    /// Golden vectors, one for each image.
    pub golden: Vec<Golden>,
    /// Bytes of all memories of a name together, without the golden vectors.
    pub bytes_of: BTreeMap<&'static str, u64>,
    /// Their sum.
    pub bytes: u64,
}

/// A layer.
#[derive(Clone, Debug, Serialize)]
pub struct Layer {
    /// Its number.
    pub node: usize,
    /// Its name.
    pub name: String,
    /// Its kind: Caffe's name.
    pub kind: &'static str,
    /// The numbers of the layers it reads.
    pub inputs: Vec<usize>,
    /// Its attributes, as Caffe names them; defaults are left out.
    pub attributes: Value,
    /// Channels, height and width of each input.
    pub input_shapes: Vec<[usize; 3]>,
    /// Channels, height and width of its output.
    pub output_shape: [usize; 3],
    /// What a code of its output stands for; null for a softmax, which is in floating point.
    pub output_format: Option<Format>,
    /// For each input: its fractional length less that of the output, a right shift.
    pub input_shifts: Vec<i32>,
    /// Where the weighted sums of a convolution or fully connected layer lie.
    pub window: Option<Window>,
    /// How its weights are stored.
    pub weights: Option<Weights>,
    /// What its bias stands for.
    pub bias: Option<Bias>,
    /// What products of weights and inputs are summed in.
    pub accumulator: Option<Accumulator>,
    /// Where its memories are, by name.
    pub memories: BTreeMap<&'static str, Place>,
}

/// A dynamic fixed-point format: `q` stands for `q * 2^-frac`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Format {
    /// Bit width.
    pub bits: u8,
    /// Fractional length.
    pub frac: i8,
    /// Two's complement, or from zero.
    pub signed: bool,
}

impl From<Fixed> for Format {
    fn from(f: Fixed) -> Self {
        Self { bits: f.bits, frac: f.frac, signed: f.signed }
    }
}

/// A sliding window; the two numbers are vertical and horizontal. A fully connected layer's is the whole input.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Window {
    /// Groups that inputs and outputs are split into.
    pub groups: usize,
    /// Taps.
    pub kernel: [usize; 2],
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Zeros before the input.
    pub pad: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Weights {
    /// Outputs, inputs, kernel height and width.
    pub dims: [usize; 4],
    /// What a code is: `index` into the codebook, or the `weight` itself.
    pub code: &'static str,
    /// What an integer weight stands for.
    pub format: Format,
    /// Bits of an entry's gap, the upper ones.
    pub gap_bits: u32,
    /// Bits of an entry's code, the lower ones.
    pub code_bits: u32,
    /// Number of entries.
    pub entries: usize,
    /// Those of them that bridge a gap alone.
    pub fillers: usize,
}

/// What a bias stands for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bias {
    /// Fractional length.
    pub frac: i8,
    /// Left shift to the accumulator's fractional length; a right shift with rounding if negative.
    pub shift: i32,
}

/// What products are summed in.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Accumulator {
    /// Bits that hold every sum of this layer's weights in any order, two's complement.
    pub bits: u32,
    /// Fractional length: that of the weights and that of the input.
    pub frac: i32,
    /// Right shift with rounding to the output's fractional length; a left shift if negative.
    pub shift: i32,
}

/// Where a memory is.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// The file, inside the folder.
    pub file: String,
    /// Where it begins: a byte of a `bin` file, a word of any other.
    pub address: usize,
    /// Number of words.
    pub words: usize,
    /// Bits of a word.
    pub word_bits: u32,
    /// Bits that a word takes in the file; more than `word_bits` where it is filled up to whole bytes.
    pub stored_bits: u32,
    /// Two's complement, or from zero.
    pub signed: bool,
}

/// The golden vectors of one image.
#[derive(Clone, Debug, Serialize)]
pub struct Golden {
    /// The image: its file, or the seed it was drawn from.
    pub image: String,
    /// The integers that each layer puts out by number; those of the input layer are the image's.
    pub outputs: BTreeMap<usize, Place>,
    /// The number of the layer whose integers are the class scores.
    pub scores: usize,
    /// Class probabilities if the network ends in a softmax, otherwise the scores as numbers.
    pub classes: Vec<f32>,
}

/// Channels, height and width.
pub(crate) fn sizes(shape: Shape) -> [usize; 3] {
    [shape.channels, shape.height, shape.width]
}

/// Attributes as an object; what is repeated is a list.
pub(crate) fn object(attributes: &Attributes) -> Value {
    let mut object = Map::new();
    for field in attributes.fields() {
        let value = match &field.value {
            attributes::Value::Text(text) => plain(text),
            attributes::Value::Message(message) => self::object(message),
        };
        let value = match object.remove(&field.name) {
            None => value,
            Some(Value::Array(mut list)) => {
                list.push(value);
                Value::Array(list)
            }
            Some(first) => json!([first, value]),
        };
        object.insert(field.name.clone(), value);
    }
    Value::Object(object)
}

/// A text as the number or truth value that it is, if it is one.
fn plain(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}
