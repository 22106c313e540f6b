//! JSON that can be read and compared by line: each key on a line of its own, lists of numbers on one.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

/// A value as JSON.
///
/// # Errors
/// For maps whose keys are no strings.
pub fn text(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Lines::default()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Breaks lines in objects alone.
#[derive(Default)]
struct Lines {
    depth: usize,
    empty: bool,
}

impl Lines {
    fn line<W: ?Sized + io::Write>(&self, to: &mut W) -> io::Result<()> {
        to.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| to.write_all(b"  "))
    }
}

impl Formatter for Lines {
    fn begin_object<W: ?Sized + io::Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.empty = true;
        to.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if !first {
            to.write_all(b",")?;
        }
        self.line(to)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.empty = false;
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if !self.empty {
            self.line(to)?;
        }
        self.empty = false;
        to.write_all(b"}")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn lists_stay_on_a_line_and_all_comes_back() {
        let value = json!({"a": {}, "b": [1, 2.5, "x"], "c": [{"d": null}, {"e": []}], "f": true});
        let text = text(&value).unwrap();
        let lines = "{\n  \"a\": {},\n  \"b\": [1, 2.5, \"x\"],\n  \"c\": [{\n    \"d\": null\n  }, {\n    \"e\": []\n  }],\n  \"f\": true\n}";
        assert_eq!(text, lines);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
