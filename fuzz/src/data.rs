//! Images, lists, archives and records of them, and recipes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use synapress_compress::data::{Dataset, PreprocessTable};
use synapress_compress::recipe::Recipe;
use synapress_images::{Image, MOST_PIXELS};

/// Bytes as an image file.
pub fn image(bytes: &[u8]) {
    if let Ok(image) = Image::decode(bytes) {
        let area = u64::from(image.width()) * u64::from(image.height());
        assert!((1..=MOST_PIXELS).contains(&area) && image.pixels().len() as u64 == 3 * area);
    }
}

/// Bytes as a list of images, or as an archive of class folders if the first byte is odd. No image of a list is there;
/// one of an archive is decoded.
pub fn dataset(bytes: &[u8]) {
    let Some((&kind, content)) = bytes.split_first() else { return };
    let folder = tempfile::tempdir().expect("a folder for one file");
    let path = folder.path().join(if kind % 2 == 1 { "images.tar" } else { "images.txt" });
    std::fs::write(&path, content).expect("a file that is written");
    match Dataset::open(&path) {
        Ok(set) => {
            assert!(!set.is_empty() && set.labels().iter().all(|&label| label < set.classes()));
            let _ = set.image(set.len() - 1);
        }
        Err(e) => assert!(e.to_string().contains("images."), "{e}"),
    }
}

/// Bytes as a set in large files. The first byte says whether they are one file, such as records of CIFAR, or IDX images
/// and labels beside them, and which of these are compressed by gzip; the second one how long the labels are.
pub fn records(bytes: &[u8]) {
    let Some((&[kind, labels], content)) = bytes.split_first_chunk::<2>() else { return };
    let folder = tempfile::tempdir().expect("a folder for two files");
    let path = folder.path().join("images");
    let pack = |bytes: &[u8], packed: bool| {
        if !packed {
            return bytes.to_vec();
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a pack in memory")
    };
    let (images, labels) = match kind % 2 {
        0 => (content, None),
        _ => content
            .split_at_checked(content.len().saturating_sub(labels.into()))
            .map_or((content, None), |(a, b)| (a, Some(b))),
    };
    std::fs::write(&path, pack(images, kind & 2 > 0)).expect("a file that is written");
    if let Some(labels) = labels {
        std::fs::write(folder.path().join("labels"), pack(labels, kind & 4 > 0)).expect("a file that is written");
    }
    match Dataset::open(&path) {
        Ok(set) => {
            assert!(!set.is_empty() && set.labels().iter().all(|&label| label < set.classes()));
            for i in [0, set.len() - 1] {
                let _ = set.image(i);
            }
        }
        Err(e) => assert!(["images", "labels"].iter().any(|name| e.to_string().contains(name)), "{e}"),
    }
}

/// Bytes as a recipe, and as the settings of how images are prepared.
pub fn recipe(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(table) = PreprocessTable::parse(text) {
        let _ = table.preprocess();
    }
    match Recipe::parse(text, "mine.toml") {
        Ok(recipe) => {
            recipe.stages();
            recipe.prune_retrain();
            recipe.quantize_retrain();
        }
        Err(e) => assert!(e.to_string().contains("mine.toml"), "{e}"),
    }
}
