//! Caffe's list files: `path label` a line. Paths are relative to the list's folder and may contain spaces; the label
//! is the last word of the line.

use std::path::Path;

use super::super::error::Fault;
use super::super::source::{Item, Place, read_text};
use super::{Contents, Format, Look, MOST_CLASSES};

/// What no other format takes is a list.
pub(super) const FORMAT: Format = Format {
    name: "list",
    what: "a list file (`path label` a line)",
    read: |look: &Look<'_>| Some(read(look.path).map(|items| Contents { items, ..Contents::default() })),
};

/// Reads a list file.
///
/// # Errors
/// When it cannot be read, is not text, or a line has no path or no label.
fn read(path: &Path) -> Result<Vec<Item>, Fault> {
    let text = read_text(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut items = Vec::new();
    for (number, line) in (1u32..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let fault = |message: String| Fault::at(path, message).line(number);
        let (name, label) = line
            .rsplit_once([' ', '\t'])
            .ok_or_else(|| fault(format!("{line:?} is not a path and a label, such as `images/cat.jpg 281`")))?;
        let name = name.trim_end();
        let label = label
            .parse::<u32>()
            .ok()
            .filter(|&l| l < MOST_CLASSES)
            .ok_or_else(|| fault(format!("the label {label:?} is not a number from 0 to {}", MOST_CLASSES - 1)))?;
        items.push(Item { name: name.to_owned(), label, line: Some(number), place: Place::File(folder.join(name)) });
    }
    match items.is_empty() {
        true => Err(Fault::at(path, "the list names no images")),
        false => Ok(items),
    }
}
