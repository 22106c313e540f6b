//! The attributes of a node in the form in which layers read theirs: what nobody asks for is refused by name.

use synapress_model::attributes::{Attributes, Value as Text};
use synapress_model::{Error, ErrorKind};

use super::proto::{Node, Value};

/// A node's attributes.
#[derive(Debug)]
pub(super) struct Named<'a> {
    plain: Attributes,
    node: &'a Node,
}

impl<'a> Named<'a> {
    pub fn new(node: &'a Node) -> Self {
        let mut plain = Attributes::new();
        for attribute in &node.attributes {
            let mut push = |text: String| plain.push(attribute.name.clone(), Text::Text(text), 0);
            match &attribute.value {
                Value::Float(v) => push(v.to_string()),
                Value::Int(v) => push(v.to_string()),
                Value::Text(text) => push(text.clone()),
                Value::Floats(all) => all.iter().for_each(|v| push(v.to_string())),
                Value::Ints(all) => all.iter().for_each(|v| push(v.to_string())),
                Value::Tensor(_) => push("a tensor".to_owned()),
                Value::Other => push("something else".to_owned()),
            }
        }
        Self { plain, node }
    }

    /// A whole number.
    pub fn int(&self, name: &str, default: i64) -> Result<i64, Error> {
        self.plain.get_or(name, default)
    }

    /// A number.
    pub fn float(&self, name: &str, default: f32) -> Result<f32, Error> {
        self.plain.get_or(name, default)
    }

    /// Whole numbers, if there are any.
    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, Error> {
        let there = self.plain.has(name) || self.node.attributes.iter().any(|a| a.name == name);
        there.then(|| self.plain.list(name)).transpose()
    }

    /// A word.
    pub fn text(&self, name: &str, default: &str) -> Result<String, Error> {
        Ok(self.plain.text(name)?.unwrap_or(default).to_owned())
    }

    /// Two sizes (vertical, horizontal).
    pub fn pair(&self, name: &str, default: usize) -> Result<[usize; 2], Error> {
        let wrong = |message: String| Error::new(ErrorKind::Unsupported, message);
        match self.plain.list::<usize>(name)?[..] {
            [] => Ok([default; 2]),
            [y, x] => Ok([y, x]),
            ref other => {
                Err(wrong(format!("{name} has {} numbers; layers over height and width are supported", other.len())))
            }
        }
    }

    /// Passes over attributes that have no bearing on the result.
    pub fn ignore(&self, names: &[&str]) {
        self.plain.ignore(names);
    }

    /// Refuses what nobody asked for.
    pub fn finish(&self) -> Result<(), Error> {
        self.plain.finish()
    }
}
