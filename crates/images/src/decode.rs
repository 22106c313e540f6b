//! Decoding files of images such that a hostile one cannot abuse it.

use std::io::Cursor;

use ::image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::image::{Image, MOST_PIXELS};

/// The most bytes of one image file.
pub const MOST_BYTES: u64 = 1 << 28;
/// No format read here can pack more pixels into a byte (PNG of one bit a pixel, deflated 1032 to 1). A file that
/// claims more is damaged, and is refused before memory for its pixels is taken.
const MOST_PIXELS_PER_BYTE: u64 = 8256;
/// File name endings of images, in lower case.
pub const ENDINGS: [&str; 7] = ["jpg", "jpeg", "png", "bmp", "ppm", "pgm", "pnm"];

impl Image {
    /// Decodes a JPEG, PNG, BMP or PNM file. Transparency is dropped, a turn asked for by EXIF is not made.
    ///
    /// # Errors
    /// Says what is wrong with the file; memory is never taken beyond what a file of this length can hold.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("the file is empty".into());
        }
        let mut reader =
            ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| format!("cannot be read: {e}"))?;
        let format = reader.format().ok_or("not an image: it is neither JPEG, PNG, BMP nor PNM")?;
        if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
            return Err("the JPEG file ends early".into());
        }
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MOST_PIXELS * 16);
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(|e| damaged(&e))?;
        let (width, height) = decoder.dimensions();
        let area = u64::from(width) * u64::from(height);
        if area > MOST_PIXELS {
            return Err(format!("{width}x{height} pixels are over the limit of {MOST_PIXELS}"));
        }
        if area > MOST_PIXELS_PER_BYTE.saturating_mul(bytes.len() as u64) {
            return Err(format!("{width}x{height} pixels do not fit {} bytes: the file is damaged", bytes.len()));
        }
        let decoded = DynamicImage::from_decoder(decoder).map_err(|e| damaged(&e))?;
        Self::new(width, height, decoded.into_rgb8().into_raw())
    }
}

fn damaged(error: &ImageError) -> String {
    match error {
        ImageError::Unsupported(_) => format!("not an image that is supported: {error}"),
        _ => format!("the image is damaged: {error}"),
    }
}

/// Whether a JPEG file reaches its end marker. The decoder fills what is missing with grey and says nothing.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let (mut at, mut scan) = (2, false);
    while let Some(&[mark, code]) = bytes.get(at..at + 2).and_then(|b| b.first_chunk::<2>()) {
        match (mark, code) {
            (0xff, 0xd9) => return scan,
            // Fill, stuffed zeros, restarts; in front of a marker also stray bytes.
            (0xff, 0xff) => at += 1,
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, _) => {
                scan |= code == 0xda;
                let Some(length) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
            _ => at += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with smooth colours, as a file of the format.
    fn file(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
        let picture = ::image::RgbImage::from_fn(width, height, |x, y| ::image::Rgb([x as u8, y as u8, (x + y) as u8]));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_format_is_decoded() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Pnm] {
            let image = Image::decode(&file(format, 40, 30)).unwrap();
            assert_eq!((image.width(), image.height()), (40, 30), "{format:?}");
            let at = (20 * 40 + 10) * 3;
            let [r, g, b] = [0, 1, 2].map(|c| i32::from(image.pixels()[at + c]));
            assert!((r - 10).abs() < 4 && (g - 20).abs() < 4 && (b - 30).abs() < 4, "{format:?}: {r} {g} {b}");
        }
        let grey = b"P5 2 1 255\n\x00\xff".to_vec();
        assert_eq!(Image::decode(&grey).unwrap().pixels(), [0, 0, 0, 255, 255, 255]);
    }

    #[test]
    fn truncated_files_are_refused() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Pnm] {
            let bytes = file(format, 40, 30);
            for end in (0..bytes.len()).step_by(64).chain([bytes.len() - 13]) {
                assert!(Image::decode(&bytes[..end]).is_err(), "{format:?} cut to {end} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn flipped_bytes_never_panic() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Pnm] {
            let bytes = file(format, 24, 17);
            for at in 0..bytes.len().min(900) {
                for flip in [0x01, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= flip;
                    let _ = Image::decode(&damaged);
                }
            }
        }
    }

    #[test]
    fn absurd_dimensions_are_refused() {
        let mut jpeg = file(ImageFormat::Jpeg, 40, 30);
        let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        let mut bmp = file(ImageFormat::Bmp, 40, 30);
        bmp[18..22].copy_from_slice(&60_000i32.to_le_bytes());
        bmp[22..26].copy_from_slice(&60_000i32.to_le_bytes());
        for (bytes, what) in [
            (jpeg, "65535x65535"),
            (bmp, "60000x60000"),
            (b"P6 8000 8000 255\nxxxx".to_vec(), "8000x8000"),
            (b"P6 0 5 255\n".to_vec(), ""),
            (b"P6 4000000000 4000000000 255\nxxxx".to_vec(), ""),
            (b"nothing of the kind".to_vec(), "not an image"),
        ] {
            let error = Image::decode(&bytes).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }
}
