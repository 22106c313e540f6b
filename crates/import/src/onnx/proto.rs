//! What a file of the Open Neural Network Exchange says, as far as it matters here. Field numbers are those of the
//! standard's `onnx.proto`.

use std::fmt;

/// A model: operator sets and the graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Version of the format.
    pub ir_version: u64,
    /// The tool that wrote it.
    pub producer: String,
    /// Operator sets by domain.
    pub opsets: Vec<(String, u64)>,
    /// The graph.
    pub graph: Graph,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Nodes in order, each after those that it reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// Operators.
    pub nodes: Vec<Node>,
    /// Constants by name.
    pub initializers: Vec<Tensor>,
    /// What is fed in; older files list initializers too.
    pub inputs: Vec<ValueInfo>,
    /// What is put out.
    pub outputs: Vec<ValueInfo>,
}

/// An operator at its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its name, which may be empty.
    pub name: String,
    /// The operator.
    pub op: String,
    /// The operator's domain; empty for the standard's own.
    pub domain: String,
    /// Values read; empty where an optional one is left out.
    pub inputs: Vec<String>,
    /// Values written.
    pub outputs: Vec<String>,
    /// Attributes.
    pub attributes: Vec<Attribute>,
}

/// A named attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Float(f32),
    /// A whole number.
    Int(i64),
    /// Bytes that should be text.
    Text(String),
    /// A tensor.
    Tensor(Tensor),
    /// Numbers.
    Floats(Vec<f32>),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Something that no supported operator takes: graphs, lists of text and the like.
    Other,
}

/// A named array of constants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its type: one of [`kinds`].
    pub kind: u64,
    /// Sizes along each axis.
    pub dims: Vec<u64>,
    /// Its numbers.
    pub data: Data,
}

impl Tensor {
    /// Numbers in single precision.
    pub fn floats(name: &str, dims: &[usize], numbers: Vec<f32>) -> Self {
        Self { name: name.to_owned(), kind: kinds::FLOAT, dims: sizes(dims), data: Data::Floats(numbers) }
    }

    /// Whole numbers of 64 bits.
    pub fn ints(name: &str, dims: &[usize], numbers: Vec<i64>) -> Self {
        Self { name: name.to_owned(), kind: kinds::INT64, dims: sizes(dims), data: Data::Ints(numbers) }
    }

    /// Numbers of a type as little-endian bytes.
    pub fn bytes(name: &str, kind: u64, dims: &[usize], bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), kind, dims: sizes(dims), data: Data::Bytes(bytes) }
    }
}

fn sizes(dims: &[usize]) -> Vec<u64> {
    dims.iter().map(|&d| u64::try_from(d).unwrap_or(u64::MAX)).collect()
}

/// The numbers of a tensor, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Data {
    /// Floating point, narrowed to single precision.
    Floats(Vec<f32>),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Numbers of the tensor's type as they are in a file that is written.
    Bytes(Vec<u8>),
    /// In another file.
    External(External),
    /// Numbers that no supported operator takes, passed over.
    #[default]
    Unknown,
}

/// A place in another file beside the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct External {
    /// The file, relative to the model's folder.
    pub location: String,
    /// First byte.
    pub offset: u64,
    /// Number of bytes; what the sizes say if it is not given.
    pub length: Option<u64>,
}

/// The name, type and sizes of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueInfo {
    /// Its name.
    pub name: String,
    /// The type's number in the standard; 0 when it is no tensor.
    pub kind: u64,
    /// Sizes along each axis, the batch first.
    pub dims: Vec<Dim>,
}

/// A size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Known.
    Size(i64),
    /// Named or unknown.
    Free(String),
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(n) => write!(f, "{n}"),
            Self::Free(name) if name.is_empty() => f.write_str("?"),
            Self::Free(name) => f.write_str(name),
        }
    }
}

/// Numbers of element types in the standard.
pub mod kinds {
    /// Single precision.
    pub const FLOAT: u64 = 1;
    /// 8 bits from zero.
    pub const UINT8: u64 = 2;
    /// 8 bits, two's complement.
    pub const INT8: u64 = 3;
    /// 16 bits from zero.
    pub const UINT16: u64 = 4;
    /// 16 bits, two's complement.
    pub const INT16: u64 = 5;
    /// 32 bits, two's complement.
    pub const INT32: u64 = 6;
    /// 64 bits, two's complement.
    pub const INT64: u64 = 7;
    /// True or false.
    pub const BOOL: u64 = 9;
    /// Half precision.
    pub const FLOAT16: u64 = 10;
    /// Double precision.
    pub const DOUBLE: u64 = 11;
    /// The upper half of single precision.
    pub const BFLOAT16: u64 = 16;

    /// What a type is called.
    pub fn name(kind: u64) -> String {
        let known = [
            (FLOAT, "float"),
            (UINT8, "uint8"),
            (INT8, "int8"),
            (UINT16, "uint16"),
            (INT16, "int16"),
            (INT32, "int32"),
            (INT64, "int64"),
            (BOOL, "bool"),
            (FLOAT16, "float16"),
            (DOUBLE, "double"),
            (BFLOAT16, "bfloat16"),
        ];
        known.iter().find(|(k, _)| *k == kind).map_or_else(|| format!("type {kind}"), |(_, name)| (*name).to_owned())
    }
}
