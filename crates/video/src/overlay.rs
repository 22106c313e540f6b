//! What a network sees, drawn into a picture: labels, a bar for each as long as it is probable, a line below.

use std::convert::Infallible;

use embedded_graphics::mono_font::iso_8859_1::{FONT_6X13, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use synapress_images::Image;

/// A label and its probability, from 0 to 1.
pub type Line<'a> = (&'a str, f64);

const TEXT: Rgb888 = Rgb888::new(255, 255, 255);
const BAR: Rgb888 = Rgb888::new(64, 200, 120);
const REST: Rgb888 = Rgb888::new(90, 90, 90);
/// Pixels between things.
const GAP: u32 = 4;

/// The picture with lines drawn over its lower part, as many as have room, and a remark below them.
pub fn draw(image: &Image, lines: &[Line<'_>], remark: &str) -> Image {
    let mut canvas = Canvas::of(image);
    let Size { width, height } = canvas.size();
    let font = if width < 400 { &FONT_6X13 } else { &FONT_10X20 };
    let line = font.character_size.height + GAP;
    // At most half of the picture is covered.
    let room = (height / 2).saturating_sub(GAP) / line;
    let shown = &lines[..lines.len().min(room.saturating_sub(u32::from(!remark.is_empty())) as usize)];
    let rows = shown.len() as u32 + u32::from(!remark.is_empty() && room > 0);
    if rows == 0 {
        return image.clone();
    }
    let top = height - rows * line - GAP;
    canvas.darken(top);
    let mut at = (top + GAP) as i32;
    for &(label, probability) in shown {
        canvas.line(font, at, label, probability);
        at += line as i32;
    }
    if !remark.is_empty() {
        canvas.text(font, GAP as i32, at, remark, width.saturating_sub(2 * GAP));
    }
    canvas.image()
}

/// Pixels to draw on, each of them `scale` pixels of the picture a side.
struct Canvas {
    pixels: Vec<u8>,
    width: u32,
    height: u32,
    scale: u32,
}

impl Canvas {
    fn of(image: &Image) -> Self {
        let scale = (image.height().min(image.width()) / 480).max(1);
        Self { pixels: image.pixels().to_vec(), width: image.width(), height: image.height(), scale }
    }

    fn image(self) -> Image {
        Image::new(self.width, self.height, self.pixels).expect("as many pixels as before")
    }

    /// Makes everything below a line darker, so that text can be read on it.
    fn darken(&mut self, top: u32) {
        let from = (top * self.scale) as usize * self.width as usize * 3;
        self.pixels[from..].iter_mut().for_each(|v| *v /= 4);
    }

    /// A label on the left, a bar and a percentage on the right.
    fn line(&mut self, font: &MonoFont<'_>, at: i32, label: &str, probability: f64) {
        let Size { width, .. } = self.size();
        let Size { width: letter, height: line } = font.character_size;
        let percent = format!("{:5.1}%", 100.0 * probability);
        let right = (width.saturating_sub(GAP)).saturating_sub(percent.len() as u32 * letter);
        let bar = width / 4;
        let left = right.saturating_sub(bar + GAP);
        self.text(font, right as i32, at, &percent, width);
        let part = (f64::from(bar) * probability.clamp(0.0, 1.0)).round() as u32;
        let (y, high) = (at + line as i32 / 4, line / 2);
        self.bar(left as i32, y, bar, high, REST);
        self.bar(left as i32, y, part, high, BAR);
        self.text(font, GAP as i32, at, label, left.saturating_sub(2 * GAP));
    }

    fn bar(&mut self, x: i32, y: i32, width: u32, height: u32, colour: Rgb888) {
        let area = Rectangle::new(Point::new(x, y), Size::new(width, height));
        let Ok(()) = area.into_styled(PrimitiveStyle::with_fill(colour)).draw(self);
    }

    /// Text as far as it fits into so many pixels; letters that the font has not are question marks.
    fn text(&mut self, font: &MonoFont<'_>, x: i32, y: i32, text: &str, width: u32) {
        let fits = (width / font.character_size.width) as usize;
        let text: String = text.chars().take(fits).collect();
        let style = MonoTextStyle::new(font, TEXT);
        let Ok(_) = Text::with_baseline(&text, Point::new(x, y), style, Baseline::Top).draw(self);
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width / self.scale, self.height / self.scale)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let Size { width, height } = self.size();
        for Pixel(Point { x, y }, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { continue };
            if x >= width || y >= height {
                continue;
            }
            for row in y * self.scale..(y + 1) * self.scale {
                let at = 3 * (row as usize * self.width as usize + (x * self.scale) as usize);
                for pixel in self.pixels[at..at + 3 * self.scale as usize].chunks_exact_mut(3) {
                    pixel.copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, height: u32) -> Image {
        Image::new(width, height, vec![200; (3 * width * height) as usize]).unwrap()
    }

    fn count(image: &Image, colour: [u8; 3]) -> usize {
        image.pixels().chunks_exact(3).filter(|p| **p == colour).count()
    }

    #[test]
    fn bars_are_as_long_as_a_class_is_probable() {
        for (width, height) in [(227, 227), (640, 480), (1920, 1080)] {
            let bar = |probability| {
                let image = draw(&grey(width, height), &[("tench, Tinca tinca", probability)], "12 ms");
                (count(&image, [64, 200, 120]), count(&image, [90, 90, 90]), count(&image, [255; 3]))
            };
            let (none, half, full) = (bar(0.0), bar(0.5), bar(1.0));
            assert!(none.0 == 0 && full.1 == 0 && full.0 == none.1 && none.2 > 100, "{none:?} {full:?}");
            assert!(half.0.abs_diff(full.0 / 2) <= full.0 / 20, "{half:?} of {full:?}");
        }
    }

    #[test]
    fn pictures_of_any_size_and_labels_of_any_kind_are_drawn() {
        let label = "é ñ 漢字 \u{0} \n a very long label that no picture has room for, whatever its size may be";
        for (width, height) in [(1, 1), (3, 200), (200, 3), (40, 40), (33, 1000), (4000, 50)] {
            let image = draw(&grey(width, height), &[(label, 2.0), (label, f64::NAN)], label);
            assert_eq!((image.width(), image.height()), (width, height));
        }
        let image = grey(100, 100);
        assert_eq!(draw(&image, &[], ""), image);
        let drawn = draw(&image, &[("cat", 0.5)], "");
        assert_eq!(drawn.pixels()[..3 * 100 * 50], image.pixels()[..3 * 100 * 50], "the upper half stays");
    }
}
