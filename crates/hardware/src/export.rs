//! Writes a network as memory images, layer by layer, with golden vectors and a manifest.

use std::collections::BTreeMap;
use std::path::Path;

use synapress_model::Net;
use synapress_run::Session;

use crate::error::Error;
use crate::folder::Folder;
use crate::formats::Format;
use crate::golden::{Stimulus, integers, respond};
use crate::image::{self, Image};
use crate::manifest::{Golden, Manifest, Place};

/// The version of the manifest.
const VERSION: u32 = 1;

/// Writes a quantized network to a new folder: the memories of every layer, for every stimulus the integers that every
/// layer puts out, and `manifest.json`. The folder appears when it is complete.
///
/// # Errors
/// [`Error::Net`] when the network is not quantized, does not hold together or has a layer without an integer form, or
/// when a stimulus is not of its input's size; [`Error::Occupied`] when the folder holds something; [`Error::Io`].
pub fn export(net: &Net, format: &'static Format, stimuli: &[Stimulus], folder: &Path) -> Result<Manifest, Error> {
    let formats = integers(net)?;
    net.verify()?;
    let mut session = Session::new(net)?;
    let folder = Folder::beside(folder)?;
    let mut manifest = Manifest {
        version: VERSION,
        network: net.name.clone(),
        format: format.name,
        layers: Vec::new(),
        golden: Vec::new(),
        bytes_of: BTreeMap::new(),
        bytes: 0,
    };
    // First what may be refused.
    for (number, stimulus) in stimuli.iter().enumerate() {
        let response = respond(net, &mut session, stimulus)?;
        let mut outputs = BTreeMap::new();
        for (id, codes) in response.outputs.iter().enumerate().filter(|(_, codes)| !codes.is_empty()) {
            let path = format!("golden/{number}/{}", image::stem(net, id));
            let places = write(&folder, format, &image::output(path, codes, formats.outputs[id]))?;
            outputs.extend(places.into_values().map(|place| (id, place)));
        }
        let (scores, classes) = (response.scores, response.classes);
        manifest.golden.push(Golden { image: stimulus.name.clone(), outputs, scores, classes });
    }
    for id in 0..net.graph.nodes().len() {
        let (mut layer, image) = image::layer(net, formats, id, format.storage)?;
        if !image.memories.is_empty() {
            layer.memories = write(&folder, format, &image)?;
        }
        for memory in &image.memories {
            *manifest.bytes_of.entry(memory.name).or_default() += memory.bits(format.storage).div_ceil(8);
        }
        manifest.layers.push(layer);
    }
    manifest.bytes = manifest.bytes_of.values().sum();
    let mut text = serde_json::to_vec_pretty(&manifest)?;
    text.push(b'\n');
    folder.write("manifest.json", &text)?;
    folder.finish()?;
    Ok(manifest)
}

/// Writes the files of an image; returns where its memories are.
fn write(folder: &Folder, format: &Format, image: &Image) -> Result<BTreeMap<&'static str, Place>, Error> {
    let mut places = BTreeMap::new();
    for file in (format.write)(image) {
        folder.write(&file.path, &file.bytes)?;
        for (name, address) in file.memories {
            for memory in image.memories.iter().filter(|m| m.name == name) {
                let place = Place {
                    file: file.path.clone(),
                    address,
                    words: memory.words.len(),
                    word_bits: memory.word_bits,
                    stored_bits: format.storage.bits(memory.word_bits),
                    signed: memory.signed,
                };
                places.insert(name, place);
            }
        }
    }
    Ok(places)
}
