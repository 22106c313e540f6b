//! Classifies pictures natively, for browsers to be compared with: `scores MODEL.syn FOLDER IMAGE...` writes each
//! picture without loss (`N.png`, and `N.rgba` for who decodes none) and `scores.json`: sides, integer scores and class
//! of each.

use std::path::Path;
use std::sync::Arc;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use serde_json::json;
use synapress_code::{Limits, Stored};
use synapress_images::{Image, apply};
use synapress_kernels::integer::Kernel;
use synapress_model::Source as _;
use synapress_run::{Session, guesses};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, folder, images @ ..] = &arguments[..] else { return Err("scores MODEL.syn FOLDER IMAGE...".into()) };
    let stored = Stored::read(model, &Limits::default())?;
    let preprocess = stored.net().about.preprocess.clone().unwrap_or_default();
    let mut session = Session::stored(Arc::new(stored), Kernel::best(), false)?;
    let shape = session.input_shape();
    let mut input = vec![0.0; shape.len()];
    let mut all = Vec::new();
    for (number, path) in images.iter().enumerate() {
        let image = Image::decode(&std::fs::read(path)?)?;
        let (width, height) = (image.width(), image.height());
        let file = |ending: &str| Path::new(folder).join(format!("{number:02}.{ending}"));
        let png = std::io::BufWriter::new(std::fs::File::create(file("png"))?);
        PngEncoder::new(png).write_image(image.pixels(), width, height, ExtendedColorType::Rgb8)?;
        let rgba: Vec<u8> = image.pixels().chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255]).collect();
        std::fs::write(file("rgba"), rgba)?;
        apply(&image, &preprocess, shape, &mut input)?;
        let kind = session.kind();
        let class = guesses(session.run(&input)?, kind, 1).first().map(|guess| guess.class);
        all.push(json!({ "width": width, "height": height, "scores": session.codes().0, "class": class }));
    }
    std::fs::write(Path::new(folder).join("scores.json"), json!(all).to_string())?;
    println!("{} pictures, {} natively", all.len(), session.kernel().name());
    Ok(())
}
