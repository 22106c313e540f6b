//! Images, lists and archives of them, and recipes.

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
