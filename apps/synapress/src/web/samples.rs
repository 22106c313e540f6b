//! Pictures that the page offers: those of a folder, or rendered shapes.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, bail};
use image::{ExtendedColorType, ImageEncoder};
use synapress_compress::data::synthetic::Synthetic;

use crate::images::read;

/// The most pictures that are offered.
const MOST: usize = 60;
/// What browsers read too.
const ENDINGS: [&str; 4] = ["jpg", "jpeg", "png", "bmp"];

/// A picture file.
#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub ending: &'static str,
    pub bytes: Vec<u8>,
}

impl Sample {
    /// The pictures of a folder, in the order of their names. Each is decoded once.
    pub fn of_folder(folder: &Path) -> Result<Vec<Self>> {
        let place = || folder.display().to_string();
        let mut samples = Vec::new();
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(place)? {
            paths.push(entry.with_context(place)?.path());
        }
        paths.sort();
        for path in paths {
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            let Some(&ending) = ENDINGS.iter().find(|known| **known == ending) else { continue };
            if samples.len() == MOST {
                bail!("{}: holds more than {MOST} pictures; name a folder of fewer", place());
            }
            read(&path).with_context(|| path.display().to_string())?;
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            samples.push(Self { name, ending, bytes });
        }
        if samples.is_empty() {
            bail!("{}: holds no picture; the page takes {}", place(), ENDINGS.join(", "));
        }
        Ok(samples)
    }

    /// A rendered shape of each class of the demonstration.
    pub fn rendered() -> Result<Vec<Self>> {
        // Numbers that neither training nor validation of the demonstration takes.
        let first = 1 << 40;
        let shapes = Synthetic { difficulty: 0.1, ..Synthetic::default() };
        let sample = |(number, name): (u64, String)| {
            let image = shapes.image(first + number)?;
            let mut bytes = Vec::new();
            let png = image::codecs::png::PngEncoder::new(Cursor::new(&mut bytes));
            png.write_image(image.pixels(), image.width(), image.height(), ExtendedColorType::Rgb8)?;
            Ok(Self { name, ending: "png", bytes })
        };
        (0..).zip(Synthetic::class_names()).map(sample).collect()
    }
}
