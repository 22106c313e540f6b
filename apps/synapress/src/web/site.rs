//! The files of the page, by their paths. Who asks for a path gets what is listed here, and nothing of any folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use synapress_browser::{PAGE, RUNTIME_NAME};
use synapress_hardware::Folder;

use super::{Network, Sample};

/// A folder of files in memory.
#[derive(Debug, Default)]
pub struct Site {
    files: BTreeMap<String, Cow<'static, [u8]>>,
}

impl Site {
    /// The page with its runtime, some networks and some samples.
    pub fn new(runtime: Cow<'static, [u8]>, networks: Vec<Network>, samples: Vec<Sample>) -> Self {
        let mut site = Self::default();
        for (name, text) in PAGE {
            site.files.insert((*name).to_owned(), Cow::Borrowed(text.as_bytes()));
        }
        site.files.insert(RUNTIME_NAME.to_owned(), runtime);
        let names: Vec<String> = networks.iter().map(|network| network.name.clone()).collect();
        let mut models = Vec::new();
        for (at, mut network) in networks.into_iter().enumerate() {
            if names.iter().filter(|name| **name == names[at]).count() > 1 {
                network.name = format!("{} ({})", network.name, network.stem);
            }
            let mut card = network.card();
            let file = site.vacant("models", &network.stem, "syn");
            card["file"] = file.as_str().into();
            if !network.labels.is_empty() {
                let labels = file.replace(".syn", ".labels.json");
                site.insert(&labels, &json!(network.labels));
                card["labels"] = labels.into();
            }
            site.files.insert(file, Cow::Owned(network.bytes));
            models.push(card);
        }
        let mut list = Vec::new();
        for sample in samples {
            let file = site.vacant("samples", &sample.name, sample.ending);
            list.push(json!({ "file": file, "name": sample.name }));
            site.files.insert(file, Cow::Owned(sample.bytes));
        }
        site.insert("models.json", &json!({ "models": models, "samples": list }));
        site
    }

    fn insert(&mut self, path: &str, value: &Value) {
        self.files.insert(path.to_owned(), Cow::Owned(value.to_string().into_bytes()));
    }

    /// A path in a folder that no file has, with a name that any web host takes.
    fn vacant(&self, folder: &str, name: &str, ending: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
        let name: String = name.chars().take(60).map(plain).collect();
        let path = |i: usize| match i {
            1 => format!("{folder}/{name}.{ending}"),
            _ => format!("{folder}/{name}-{i}.{ending}"),
        };
        (1..).map(path).find(|path| !self.files.contains_key(path)).unwrap_or_default()
    }

    /// What lies at the path of a request, which begins with `/`: its type and its bytes.
    pub fn get(&self, path: &str) -> Option<(&'static str, &[u8])> {
        let path = match path.strip_prefix('/')? {
            "" => "index.html",
            path => path,
        };
        Some((content_type(path), self.files.get(path)?))
    }

    /// The paths of all files, and how many bytes each has.
    pub fn files(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.len()))
    }

    /// Writes all as a new folder, which appears whole or not at all.
    pub fn export(&self, folder: &Path) -> Result<()> {
        let place = || folder.display().to_string();
        let new = Folder::beside(folder).with_context(place)?;
        self.files.iter().try_for_each(|(path, bytes)| new.write(path, bytes)).with_context(place)?;
        new.finish().with_context(place)
    }
}

/// The type of a file by its name's ending.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "bmp" => "image/bmp",
        _ => "application/octet-stream",
    }
}
