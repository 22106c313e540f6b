//! From a decoded image to a network's input: resize, crop, mean, scale, order of channels.

use synapress_model::{Channels, Preprocess, Shape};

use crate::draw::Draw;
use crate::error::Unfit;
use crate::image::Image;
use crate::resize::Resizer;

/// The longest side in pixels that an image may be resized to.
pub const MOST_SIDE: u32 = 1 << 14;

/// Checks that sides are within the limits and numbers finite.
///
/// # Errors
/// [`Unfit`], naming the value.
pub fn check(preprocess: &Preprocess) -> Result<(), Unfit> {
    for (name, side) in [("resize", preprocess.resize), ("crop", preprocess.crop)] {
        if side.is_some_and(|s| s == 0 || s > MOST_SIDE) {
            return Err(Unfit::new(format!("{name} is a length from 1 to {MOST_SIDE} pixels")));
        }
    }
    if !preprocess.mean.iter().all(|m| m.is_finite()) {
        return Err(Unfit::new("mean takes finite numbers"));
    }
    if !preprocess.scale.is_finite() || preprocess.scale == 0.0 {
        return Err(Unfit::new("scale is a finite number other than 0"));
    }
    Ok(())
}

/// Checks that images can be prepared for a network's input: one channel (luminance) or three.
///
/// # Errors
/// [`Unfit`], naming the shape or the option.
pub fn check_shape(preprocess: &Preprocess, shape: Shape) -> Result<(), Unfit> {
    if shape.channels != 1 && shape.channels != 3 {
        return Err(Unfit::new(format!("the network's input {shape} is no image: 1 or 3 channels are")));
    }
    if shape.height.max(shape.width) > MOST_SIDE as usize {
        return Err(Unfit::new(format!("the network's input {shape} has a side over {MOST_SIDE} pixels")));
    }
    check(preprocess)
}

/// Prepares one image: `out` is `(C, H, W)` of the network's input.
///
/// The short side is resized to `resize` (bilinear over the source area, so that shrinking does not alias); the centre
/// crop of side `crop`, or of the input's size, is cut; if the image is smaller than that, it is enlarged to it;
/// if the crop has another size than the input, it is resized to that. Then the mean is subtracted, and the
/// difference multiplied by the scale.
///
/// # Errors
/// [`Unfit`] when the options or the shape make no sense.
///
/// # Panics
/// When `out` has not the length of the shape.
pub fn apply(image: &Image, preprocess: &Preprocess, shape: Shape, out: &mut [f32]) -> Result<(), Unfit> {
    check_shape(preprocess, shape)?;
    prepare(image, preprocess, shape, &Draw::NONE, &mut Resizer::default(), out);
    Ok(())
}

/// The same with what was drawn for a training image, on options that were checked.
///
/// # Panics
/// As [`apply`].
pub fn prepare(
    image: &Image,
    preprocess: &Preprocess,
    shape: Shape,
    draw: &Draw,
    resizer: &mut Resizer,
    out: &mut [f32],
) {
    assert_eq!(out.len(), shape.len(), "room for one image of {shape}");
    let window = Window::of(image, preprocess, shape, draw);
    let size = [shape.height as u32, shape.width as u32];
    match window.copied(size) {
        Some([top, left]) => {
            let (stride, start) = (3 * image.width() as usize, 3 * (top * image.width() + left) as usize);
            write(&image.pixels()[start..], stride, preprocess, shape, draw, out);
        }
        None => {
            let pixels = resizer.resize(image, window.start, window.size, shape.size());
            write(pixels, 3 * shape.width, preprocess, shape, draw, out);
        }
    }
    if let Some(hole) = &draw.hole {
        let (rows, columns) = (hole.range(0, shape.height), hole.range(1, shape.width));
        for plane in out.chunks_exact_mut(shape.height * shape.width) {
            plane.chunks_exact_mut(shape.width).take(rows.end).skip(rows.start).for_each(|row| {
                row[columns.clone()].fill(0.0);
            });
        }
    }
}

/// The part of the image that becomes the input, in the image's own pixels, vertically and horizontally.
#[derive(Debug)]
struct Window {
    start: [f64; 2],
    size: [f64; 2],
}

impl Window {
    fn of(image: &Image, preprocess: &Preprocess, shape: Shape, draw: &Draw) -> Self {
        let whole = [f64::from(image.height()), f64::from(image.width())];
        let crop = match preprocess.crop {
            Some(side) => [f64::from(side); 2],
            None => [shape.height as f64, shape.width as f64],
        };
        let short = whole[0].min(whole[1]);
        let factor = preprocess.resize.map_or(1.0, |side| f64::from(side) / short);
        let enlarge = (0..2).map(|i| crop[i] / (whole[i] * factor).round()).fold(1.0, f64::max);
        let (mut start, mut size) = ([0.0; 2], [0.0; 2]);
        for i in 0..2 {
            // In pixels of the resized image, which are whole, as are those of the crop unless its scale is drawn.
            let resized = (whole[i] * factor * enlarge).round().max(crop[i].min(1.0));
            let cut = match draw.scale[i] {
                1.0 => crop[i],
                scale => crop[i] * scale,
            };
            let cut = cut.clamp(1.0, resized.max(1.0));
            let room = resized - cut;
            let at = match draw.position {
                None => (room / 2.0).floor(),
                Some(position) => (position[i] * (room + 1.0)).floor().min(room),
            };
            let back = whole[i] / resized;
            start[i] = at * back;
            size[i] = (cut * back).min(whole[i] - start[i]);
        }
        Self { start, size }
    }

    /// Where the window starts, if its pixels are those of the image.
    fn copied(&self, size: [u32; 2]) -> Option<[u32; 2]> {
        let exact = (0..2).all(|i| self.size[i] == f64::from(size[i]) && self.start[i].fract() == 0.0);
        exact.then(|| self.start.map(|s| s as u32))
    }
}

/// Writes pixels (rows of `stride` bytes, RGB) as numbers, shifted, mirrored and brightened as drawn.
fn write(pixels: &[u8], stride: usize, preprocess: &Preprocess, shape: Shape, draw: &Draw, out: &mut [f32]) {
    let Shape { height, width, .. } = shape;
    let value = |v: f32, mean: f32| (v - mean) * preprocess.scale;
    for (c, plane) in out.chunks_exact_mut(height * width).enumerate() {
        let from = match preprocess.channels {
            Channels::Bgr => 2 - c,
            Channels::Rgb => c,
        };
        let mean = preprocess.mean[c];
        let table: [f32; 256] =
            std::array::from_fn(|v| value((v as f32 * draw.gain[from.min(2)]).clamp(0.0, 255.0), mean));
        for (y, line) in plane.chunks_exact_mut(width).enumerate() {
            let Some(source) = y.checked_add_signed(-draw.shift[0]).filter(|&s| s < height) else {
                line.fill(0.0);
                continue;
            };
            let row = &pixels[source * stride..][..3 * width];
            if shape.channels == 1 {
                for (to, rgb) in line.iter_mut().zip(row.chunks_exact(3)) {
                    *to = value(luminance(rgb, &draw.gain), mean);
                }
            } else {
                for (to, rgb) in line.iter_mut().zip(row.chunks_exact(3)) {
                    *to = table[usize::from(rgb[from])];
                }
            }
            if draw.flip {
                line.reverse();
            }
            match draw.shift[1] {
                0 => {}
                by => {
                    let steps = by.unsigned_abs().min(width);
                    if by > 0 {
                        line.copy_within(..width - steps, steps);
                        line[..steps].fill(0.0);
                    } else {
                        line.copy_within(steps.., 0);
                        line[width - steps..].fill(0.0);
                    }
                }
            }
        }
    }
}

/// Luma of ITU-R BT.601.
fn luminance(rgb: &[u8], gain: &[f32; 3]) -> f32 {
    let channel = |c: usize| (f32::from(rgb[c]) * gain[c]).clamp(0.0, 255.0);
    0.299 * channel(0) + 0.587 * channel(1) + 0.114 * channel(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: u32, height: u32) -> Image {
        let at = |i: u32| [(i % width) as u8, (i / width) as u8, 200];
        Image::new(width, height, (0..width * height).flat_map(at).collect()).unwrap()
    }

    fn shape(channels: usize, height: usize, width: usize) -> Shape {
        Shape::new(channels, height, width).unwrap()
    }

    #[test]
    fn the_centre_is_cropped_and_channels_are_ordered() {
        let base = Preprocess { mean: [1.0, 2.0, 3.0], scale: 0.5, ..Preprocess::default() };
        let mut out = vec![0.0; 3 * 4 * 5];
        apply(&image(10, 9), &base, shape(3, 4, 5), &mut out).unwrap();
        // Rows 2 to 5, columns 2 to 6: blue, green, red.
        for (y, x) in [(0, 0), (3, 4), (1, 2)] {
            let at = y * 5 + x;
            assert_eq!(out[at], (200.0 - 1.0) * 0.5);
            assert_eq!(out[20 + at], (y as f32 + 2.0 - 2.0) * 0.5);
            assert_eq!(out[40 + at], (x as f32 + 2.0 - 3.0) * 0.5);
        }
        let rgb = Preprocess { channels: Channels::Rgb, ..base.clone() };
        apply(&image(10, 9), &rgb, shape(3, 4, 5), &mut out).unwrap();
        assert_eq!([out[0], out[20], out[40]], [0.5, 0.0, 98.5]);
        let mut grey = vec![0.0; 20];
        apply(&image(10, 9), &base, shape(1, 4, 5), &mut grey).unwrap();
        assert!((grey[0] - (0.299 * 2.0 + 0.587 * 2.0 + 0.114 * 200.0 - 1.0) * 0.5).abs() < 1e-4);
        assert!(apply(&image(10, 9), &base, shape(2, 4, 5), &mut [0.0; 40]).is_err());
    }

    #[test]
    fn resizing_follows_the_short_side_and_small_images_are_enlarged() {
        struct Case(u32, u32, Option<u32>, Option<u32>, [f64; 4]);
        let base = Preprocess::default();
        for Case(width, height, resize, crop, window) in [
            Case(20, 10, None, None, [1.0, 6.0, 8.0, 8.0]),
            Case(40, 20, Some(10), None, [2.0, 12.0, 16.0, 16.0]),
            Case(40, 20, Some(10), Some(10), [0.0, 10.0, 20.0, 20.0]),
            Case(4, 4, None, None, [0.0, 0.0, 4.0, 4.0]),
            Case(8, 4, None, None, [0.0, 2.0, 4.0, 4.0]),
            Case(1, 1, None, Some(100), [0.0, 0.0, 1.0, 1.0]),
            Case(40, 20, Some(4), None, [0.0, 10.0, 20.0, 20.0]),
            Case(16384, 1, None, None, [0.0, 8191.5, 1.0, 1.0]),
        ] {
            let preprocess = Preprocess { resize, crop, ..base.clone() };
            let found = Window::of(&image(width, height), &preprocess, shape(3, 8, 8), &Draw::NONE);
            let found = [found.start[0], found.start[1], found.size[0], found.size[1]];
            let close = found.iter().zip(window).all(|(a, b)| (a - b).abs() < 1.0 / 16.0);
            assert!(close, "{width}x{height} {resize:?} {crop:?}: {found:?}, not {window:?}");
            let mut out = vec![f32::NAN; 3 * 64];
            apply(&image(width, height), &preprocess, shape(3, 8, 8), &mut out).unwrap();
            assert!(out[..64].iter().all(|&v| v == 200.0));
        }
    }

    #[test]
    fn shrinking_averages() {
        let checks: Vec<u8> = (0..64 * 64).flat_map(|i| [if (i + i / 64) % 2 == 0 { 0 } else { 200 }; 3]).collect();
        let checks = Image::new(64, 64, checks).unwrap();
        let mut out = vec![0.0; 3 * 64];
        let preprocess = Preprocess { resize: Some(8), ..Preprocess::default() };
        apply(&checks, &preprocess, shape(3, 8, 8), &mut out).unwrap();
        assert!(out.iter().all(|v| (v - 100.0).abs() <= 1.0), "{out:?}");
    }

    #[test]
    fn shift_and_flip_move_pixels() {
        let rgb = Preprocess { channels: Channels::Rgb, ..Preprocess::default() };
        let mut out = vec![0.0; 3 * 16];
        let draw = Draw { shift: [1, -2], flip: true, ..Draw::NONE };
        prepare(&image(4, 4), &rgb, shape(3, 4, 4), &draw, &mut Resizer::default(), &mut out);
        // Red is the column: mirrored 3 2 1 0, two to the left.
        assert_eq!(out[..8], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(out[16 + 4..16 + 12], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        let far = Draw { shift: [-9, 9], ..Draw::NONE };
        prepare(&image(4, 4), &rgb, shape(3, 4, 4), &far, &mut Resizer::default(), &mut out);
        assert!(out.iter().all(|&v| v == 0.0));
        let bright = Draw { gain: [2.0, 1.0, 0.5], ..Draw::NONE };
        prepare(&image(4, 4), &rgb, shape(3, 4, 4), &bright, &mut Resizer::default(), &mut out);
        assert_eq!([out[3], out[16 + 12], out[32]], [6.0, 3.0, 100.0]);
    }
}
