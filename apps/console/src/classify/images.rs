//! Images one by one, a table for each.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use synapress_images::{ENDINGS, Image, MOST_BYTES};

use super::Look;
use crate::output::table;
use crate::recognizer::{Named, Recognizer};

impl Look {
    pub(super) fn images(&self, mut recognizer: Recognizer) -> Result<()> {
        let mut answers = Vec::new();
        for path in files(&self.images)? {
            let place = || path.display().to_string();
            let image = read(&path).with_context(place)?;
            let seen = recognizer.look(&image, self.top.into()).with_context(place)?;
            let scores = self.scores.then(|| recognizer.scores());
            answers.push((place(), seen, scores));
        }
        let image = |(name, seen, scores): &(String, Vec<Named>, Option<Value>)| {
            let mut value = json!({ "image": name, "top": named(seen) });
            if let Some(scores) = scores {
                value["scores"] = scores.clone();
            }
            value
        };
        let json = json!({ "images": answers.iter().map(image).collect::<Vec<_>>() });
        self.output.answer(&json, || answers.iter().map(|(name, seen, _)| text(name, seen)).collect())
    }
}

/// Reads and decodes one image.
///
/// # Errors
/// When it cannot be read, is too long, or is none.
pub fn read(path: &Path) -> Result<Image> {
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a file that is too long.
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("over the limit of {MOST_BYTES} bytes");
    }
    Image::decode(&bytes).map_err(anyhow::Error::msg)
}

/// The files that are given; a folder stands for the images that lie in it, in the order of their names.
fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let place = || path.display().to_string();
        let entries = path.read_dir().and_then(Iterator::collect::<std::io::Result<Vec<_>>>).with_context(place)?;
        let mut images: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).filter(|p| is_image(p)).collect();
        if images.is_empty() {
            bail!("{}: no images in this folder ({})", place(), ENDINGS.join(", "));
        }
        images.sort();
        files.append(&mut images);
    }
    Ok(files)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|e| ENDINGS.contains(&e.as_str())) && path.is_file()
}

/// What is seen, as JSON.
pub(super) fn named(seen: &[Named]) -> Value {
    let guess = |(g, label): &Named| json!({ "class": g.class, "label": label, "probability": g.probability });
    seen.iter().map(guess).collect()
}

fn text(name: &str, seen: &[Named]) -> String {
    let mut out = table(&["label", "class", "probability"]);
    for (g, label) in seen {
        out.add_row([label.clone(), g.class.to_string(), format!("{:.2}%", 100.0 * g.probability)]);
    }
    format!("{name}\n{out}\n")
}
