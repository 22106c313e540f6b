//! Named attributes of a layer, as a tree: what a prototxt message, or the layer section of a `.syn` file, says.

use std::cell::Cell;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// A value: a word or number as it was written, or a message of further fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number, word or string, as text.
    Text(String),
    /// Nested fields.
    Message(Attributes),
}

/// One named value and the line it stands on (0: not from a text).
#[derive(Clone, Debug)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Value,
    /// Line in the source text, from 1; 0 when it came from elsewhere.
    pub line: u32,
    read: Cell<bool>,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

/// Named values in order; a name may repeat.
///
/// Readers take what they know by the getters, then [`Attributes::finish`] names what nobody asked for: an option
/// that is not understood is refused instead of ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    fields: Vec<Field>,
}

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// All fields in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Appends a field that stands on a line of a text.
    pub fn push(&mut self, name: impl Into<String>, value: Value, line: u32) {
        self.fields.push(Field { name: name.into(), value, line, read: Cell::new(false) });
    }

    /// The same attributes and one more, from something that prints as it is to be read.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.push(name, Value::Text(value.to_string()), 0);
        self
    }

    /// Like [`Attributes::with`] unless `value` equals `default`.
    #[must_use]
    pub fn with_unless<T: ToString + PartialEq>(self, name: &str, value: T, default: T) -> Self {
        if value == default { self } else { self.with(name, value) }
    }

    /// Every field of this name, marked as read.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a Field> + use<'a, 'n> {
        self.fields.iter().filter(move |f| f.name == name).inspect(|f| f.read.set(true))
    }

    /// The last field of this name (as Protocol Buffers have it), marked as read.
    pub fn last(&self, name: &str) -> Option<&Field> {
        self.all(name).last()
    }

    /// Whether there is a field of this name; does not mark it as read.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|f| f.name == name)
    }

    /// The nested message of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Attribute`] when it is a plain value.
    pub fn message(&self, name: &str) -> Result<Option<&Attributes>, Error> {
        match self.last(name) {
            None => Ok(None),
            Some(Field { value: Value::Message(m), .. }) => Ok(Some(m)),
            Some(f) => Err(fault(f, "a message { ... }")),
        }
    }

    /// The word or string of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Attribute`] when it is a message.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        self.last(name).map(|f| plain(f, "a word")).transpose()
    }

    /// The value of this name parsed, or `None` when absent.
    ///
    /// # Errors
    /// [`ErrorKind::Attribute`] with the line when it cannot be parsed.
    pub fn get<T: FromStr + Expected>(&self, name: &str) -> Result<Option<T>, Error> {
        self.last(name).map(|f| parse(f)).transpose()
    }

    /// The value of this name parsed, or `default` when absent.
    ///
    /// # Errors
    /// As [`Attributes::get`].
    pub fn get_or<T: FromStr + Expected>(&self, name: &str, default: T) -> Result<T, Error> {
        Ok(self.get(name)?.unwrap_or(default))
    }

    /// All values of this name parsed.
    ///
    /// # Errors
    /// As [`Attributes::get`].
    pub fn list<T: FromStr + Expected>(&self, name: &str) -> Result<Vec<T>, Error> {
        self.all(name).map(|f| parse(f)).collect()
    }

    /// Marks fields as read that have no bearing on the result.
    pub fn ignore(&self, names: &[&str]) {
        for f in &self.fields {
            if names.contains(&f.name.as_str()) {
                f.read.set(true);
            }
        }
    }

    /// Refuses fields that no getter asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the name and line of the first such field.
    pub fn finish(&self) -> Result<(), Error> {
        match self.fields.iter().find(|f| !f.read.get()) {
            None => Ok(()),
            Some(f) => {
                Err(Error::new(ErrorKind::Unsupported, format!("the option {:?} is not supported", f.name))
                    .at_line(f.line))
            }
        }
    }
}

/// What a parsed type is called in a message.
pub trait Expected {
    /// Such as "a whole number".
    const EXPECTED: &'static str;
}
impl Expected for usize {
    const EXPECTED: &'static str = "a whole number from 0";
}
impl Expected for u32 {
    const EXPECTED: &'static str = "a whole number from 0";
}
impl Expected for i64 {
    const EXPECTED: &'static str = "a whole number";
}
impl Expected for f32 {
    const EXPECTED: &'static str = "a number";
}
impl Expected for f64 {
    const EXPECTED: &'static str = "a number";
}
impl Expected for bool {
    const EXPECTED: &'static str = "true or false";
}

fn plain<'a>(field: &'a Field, expected: &str) -> Result<&'a str, Error> {
    match &field.value {
        Value::Text(t) => Ok(t),
        Value::Message(_) => Err(fault(field, expected)),
    }
}

fn parse<T: FromStr + Expected>(field: &Field) -> Result<T, Error> {
    plain(field, T::EXPECTED)?.parse().map_err(|_| fault(field, T::EXPECTED))
}

fn fault(field: &Field, expected: &str) -> Error {
    let found = match &field.value {
        Value::Text(t) => format!("{t:?}"),
        Value::Message(_) => "a message".to_owned(),
    };
    Error::new(ErrorKind::Attribute, format!("{} must be {expected}, not {found}", field.name)).at_line(field.line)
}
