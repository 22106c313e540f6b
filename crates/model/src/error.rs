//! What can be wrong with a network, and where.

use std::fmt;

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A layer kind or option that is not supported.
    Unsupported,
    /// A missing, misspelt or senseless attribute of a layer.
    Attribute,
    /// Shapes that do not fit.
    Shape,
    /// A graph that does not hold together: names, inputs, order.
    Graph,
    /// Weights that do not fit their layer, or that are not finite.
    Weights,
    /// Fixed-point formats that are missing, or arithmetic that could overflow.
    Format,
}

/// A fault of a network: its kind, what is wrong and what to do, the layer and the line it was found at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    layer: Option<String>,
    line: Option<u32>,
}

impl Error {
    /// A fault whose place is not known yet.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), layer: None, line: None }
    }

    /// The same fault at a layer; a layer that is already named stays.
    #[must_use]
    pub fn at_layer(mut self, name: &str) -> Self {
        self.layer.get_or_insert_with(|| name.to_owned());
        self
    }

    /// The same fault at a line of the text it came from; a line that is already named stays, and 0 names none.
    #[must_use]
    pub fn at_line(mut self, line: u32) -> Self {
        if line > 0 {
            self.line.get_or_insert(line);
        }
        self
    }

    /// The kind of the fault.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The layer it was found in.
    pub fn layer(&self) -> Option<&str> {
        self.layer.as_deref()
    }

    /// The line it was found at, from 1.
    pub fn line(&self) -> Option<u32> {
        self.line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(layer) = &self.layer {
            write!(f, "layer {layer:?}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
