//! What a name stands for while a graph is read.

use std::rc::Rc;

use synapress_model::NodeId;

/// In a shape, the number of images, which is not known.
pub(super) const BATCH: i64 = i64::MIN;

/// A value of the graph.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// What a layer puts out.
    Layer(Activation),
    /// That, with zeros or other constants around each channel.
    Padded(Activation, Padding),
    /// Some channels of that, each multiplied and shifted; without the axis of channels if `bare`.
    Channels { of: Activation, lines: Vec<Line>, bare: bool },
    /// A constant.
    Constant(Rc<Constant>),
}

/// A layer's output under some shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Activation {
    /// The layer.
    pub node: NodeId,
    /// Sizes after the batch. The product is the layer's; where the sizes themselves are not, a Reshape is still to come.
    pub dims: Vec<usize>,
    /// Whether the graph has height, width, channels in this order. `dims` are channels, height, width all the same.
    pub channels_last: bool,
}

/// Constants around each channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Padding {
    /// Rows above, columns to the left.
    pub before: [usize; 2],
    /// Rows below, columns to the right.
    pub behind: [usize; 2],
    /// The constant.
    pub value: f32,
}

/// `factor * x + offset` of a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub channel: usize,
    pub factor: f32,
    pub offset: f32,
}

/// A constant array.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub dims: Vec<usize>,
    pub numbers: Numbers,
}

/// Its numbers, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Numbers {
    Floats(Vec<f32>),
    /// Whole numbers, with [`BATCH`] among them in shapes.
    Ints(Vec<i64>),
}

impl Constant {
    /// A list of whole numbers.
    pub fn list(numbers: Vec<i64>) -> Self {
        Self { dims: vec![numbers.len()], numbers: Numbers::Ints(numbers) }
    }

    /// Its only number.
    pub fn scalar(&self) -> Option<f32> {
        match &self.numbers {
            Numbers::Floats(v) => v.first().copied().filter(|_| v.len() == 1),
            Numbers::Ints(_) => None,
        }
    }
}
