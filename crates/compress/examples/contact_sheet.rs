//! Writes a contact sheet of the synthetic images as PNG: one row a class.
//!
//! `cargo run -p synapress-compress --example contact_sheet -- OUT.png [DIFFICULTY]`

use synapress_compress::data::synthetic::Synthetic;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("say where the PNG goes")?;
    let mut options = Synthetic::default();
    if let Some(difficulty) = arguments.next() {
        options.difficulty = difficulty.parse()?;
    }
    let (columns, rows, zoom) = (16, Synthetic::CLASSES as u32, 2);
    let mut sheet = image::RgbImage::new(columns * options.width * zoom, rows * options.height * zoom);
    for column in 0..columns {
        for row in 0..rows {
            let tile = options.image(u64::from(column * rows + row))?;
            for (x, y) in (0..options.width * zoom).flat_map(|x| (0..options.height * zoom).map(move |y| (x, y))) {
                let at = 3 * ((y / zoom) * options.width + x / zoom) as usize;
                let pixel = image::Rgb([0, 1, 2].map(|c| tile.pixels()[at + c]));
                sheet.put_pixel(column * options.width * zoom + x, row * options.height * zoom + y, pixel);
            }
        }
    }
    sheet.save(path)?;
    Ok(())
}
