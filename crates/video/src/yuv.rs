//! Luma and chroma of ITU-R BT.601 in 8 bits, from and to red, green and blue, in integers: the same on every machine.
//!
//! With limited range, black is a luma of 16 and white of 235; chroma without colour is 128. Chroma of fewer samples is
//! repeated, not interpolated.

use synapress_images::{Image, MOST_PIXELS};

use crate::Error;

/// How samples lie in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Luma alone.
    Mono,
    /// A plane of luma, then one each of blue and of red difference, of half the width and half the height.
    Yuv420,
    /// The same, chroma of half the width.
    Yuv422,
    /// The same, chroma of full size.
    Yuv444,
    /// Rows of so many bytes: luma and chroma in turn, Y0 Cb Y1 Cr, as cameras have it.
    Yuyv {
        /// Bytes from row to row.
        stride: usize,
    },
}

/// Size and packing of uncompressed frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    width: u32,
    height: u32,
    packing: Packing,
    full_range: bool,
}

/// Fractional bits of coefficients.
const BITS: u32 = 16;

/// Coefficients of a range, in units of 2^-16: luma's offset and factor; of blue difference for green and blue, of red
/// difference for red and green.
struct Matrix {
    black: i32,
    luma: i32,
    red_cr: i32,
    green_cb: i32,
    green_cr: i32,
    blue_cb: i32,
}

/// 255/219 for luma; 255/112 times (1 - Kr) and so on for chroma, with Kr = 0.299, Kb = 0.114.
const LIMITED: Matrix =
    Matrix { black: 16, luma: 76309, red_cr: 104_597, green_cb: 25_675, green_cr: 53_279, blue_cb: 132_201 };
/// JPEG's: all 256 values are used.
const FULL: Matrix =
    Matrix { black: 0, luma: 1 << BITS, red_cr: 91_881, green_cb: 22_553, green_cr: 46_802, blue_cb: 116_130 };

impl Matrix {
    fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let luma = (i32::from(y) - self.black) * self.luma + (1 << (BITS - 1));
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let channel = |sum: i32| (sum >> BITS).clamp(0, 255) as u8;
        [
            channel(luma + self.red_cr * cr),
            channel(luma - self.green_cb * cb - self.green_cr * cr),
            channel(luma + self.blue_cb * cb),
        ]
    }
}

impl Layout {
    /// A layout of limited range.
    ///
    /// # Errors
    /// [`Error::Source`] when a side is zero, there are more pixels than an [`Image`] may have, or rows overlap.
    pub fn new(width: u32, height: u32, packing: Packing) -> Result<Self, Error> {
        let area = u64::from(width) * u64::from(height);
        if area == 0 || area > MOST_PIXELS {
            return Err(Error::source(format!(
                "frames of {width}x{height} pixels: from 1 to {MOST_PIXELS} pixels are supported"
            )));
        }
        if let Packing::Yuyv { stride } = packing
            && (stride < 4 * half(width) || stride > 1 << 24)
        {
            return Err(Error::source(format!("rows of {stride} bytes do not fit {width} pixels of YUYV")));
        }
        Ok(Self { width, height, packing, full_range: false })
    }

    /// The same with JPEG's range.
    #[must_use]
    pub fn full_range(self) -> Self {
        Self { full_range: true, ..self }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// Bytes of a frame.
    pub fn bytes(&self) -> usize {
        let (width, height) = (self.width as usize, self.height as usize);
        match self.packing {
            Packing::Mono => width * height,
            Packing::Yuyv { stride } => stride * height,
            _ => {
                let [across, down] = self.chroma();
                width * height + 2 * across * down
            }
        }
    }

    /// Samples of a plane of chroma, across and down.
    fn chroma(&self) -> [usize; 2] {
        match self.packing {
            Packing::Mono => [0; 2],
            Packing::Yuv420 => [half(self.width), half(self.height)],
            Packing::Yuv422 | Packing::Yuyv { .. } => [half(self.width), self.height as usize],
            Packing::Yuv444 => [self.width as usize, self.height as usize],
        }
    }

    /// The picture of a frame.
    ///
    /// # Errors
    /// [`Error::Frame`] when there are not as many bytes as a frame has.
    pub fn image(&self, bytes: &[u8]) -> Result<Image, Error> {
        if bytes.len() != self.bytes() {
            let [width, height] = self.size();
            let message = format!("{} of the {} bytes of {width}x{height} pixels", bytes.len(), self.bytes());
            return Err(Error::Frame(message));
        }
        let matrix = if self.full_range { FULL } else { LIMITED };
        let (width, height) = (self.width as usize, self.height as usize);
        let mut pixels = Vec::with_capacity(3 * width * height);
        match self.packing {
            Packing::Yuyv { stride } => {
                for row in bytes.chunks_exact(stride) {
                    for x in 0..width {
                        let pair = &row[x / 2 * 4..][..4];
                        pixels.extend(matrix.rgb(pair[x % 2 * 2], pair[1], pair[3]));
                    }
                }
            }
            Packing::Mono => pixels.extend(bytes.iter().flat_map(|&y| matrix.rgb(y, 128, 128))),
            _ => {
                let [across, down] = self.chroma();
                let (luma, chroma) = bytes.split_at(width * height);
                let (blue, red) = chroma.split_at(across * down);
                let (wide, high) = (usize::from(across < width), usize::from(down < height));
                for (y, row) in luma.chunks_exact(width).enumerate() {
                    let at = (y >> high) * across;
                    let (blue, red) = (&blue[at..][..across], &red[at..][..across]);
                    for (x, &luma) in row.iter().enumerate() {
                        pixels.extend(matrix.rgb(luma, blue[x >> wide], red[x >> wide]));
                    }
                }
            }
        }
        Image::new(self.width, self.height, pixels).map_err(Error::Frame)
    }
}

/// Half of it, rounded up.
fn half(side: u32) -> usize {
    side.div_ceil(2) as usize
}

/// Planes of luma, blue and red difference of an image, 4:4:4, limited range, one behind the other.
pub fn planes(image: &Image, out: &mut Vec<u8>) {
    let area = image.pixels().len() / 3;
    out.clear();
    out.resize(3 * area, 0);
    let (luma, chroma) = out.split_at_mut(area);
    let (blue, red) = chroma.split_at_mut(area);
    // 219 times luma's weights and 112 times those of the differences, over 255, in units of 2^-16.
    let sum = |rgb: &[u8], by: [i32; 3], base: i32| {
        let sum: i32 = rgb.iter().zip(by).map(|(&v, by)| i32::from(v) * by).sum();
        ((sum + (base << BITS) + (1 << (BITS - 1))) >> BITS) as u8
    };
    for (i, rgb) in image.pixels().chunks_exact(3).enumerate() {
        luma[i] = sum(rgb, [16_829, 33_039, 6_416], 16);
        blue[i] = sum(rgb, [-9_714, -19_071, 28_785], 128);
        red[i] = sum(rgb, [28_784, -24_103, -4_681], 128);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(y: u8, cb: u8, cr: u8, full: bool) -> [f64; 3] {
        let (y, cb, cr) = match full {
            true => (f64::from(y), f64::from(cb) - 128.0, f64::from(cr) - 128.0),
            false => {
                let difference = |c: u8| (f64::from(c) - 128.0) * 255.0 / 224.0;
                ((f64::from(y) - 16.0) * 255.0 / 219.0, difference(cb), difference(cr))
            }
        };
        [y + 1.402 * cr, y - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587, y + 1.772 * cb]
            .map(|v| v.clamp(0.0, 255.0))
    }

    #[test]
    fn integers_are_the_rounded_definition() {
        for (matrix, full) in [(LIMITED, false), (FULL, true)] {
            for y in 0..=255 {
                for (cb, cr) in (0..=255).step_by(5).flat_map(|a| (0..=255).step_by(5).map(move |b| (a, b))) {
                    for (a, b) in matrix.rgb(y, cb, cr).into_iter().zip(exact(y, cb, cr, full)) {
                        assert!((f64::from(a) - b).abs() < 0.51, "{y} {cb} {cr} {full}: {a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn colours_as_the_standard_has_them() {
        for (yuv, rgb) in [
            ([16, 128, 128], [0, 0, 0]),
            ([235, 128, 128], [255, 255, 255]),
            ([81, 90, 240], [254, 0, 0]),
            ([145, 54, 34], [0, 255, 1]),
            ([41, 240, 110], [0, 0, 255]),
        ] {
            let [y, cb, cr] = yuv;
            assert_eq!(LIMITED.rgb(y, cb, cr), rgb, "{yuv:?}");
        }
    }

    /// One pixel of another colour than the rest, seen through every packing.
    #[test]
    fn samples_are_those_of_their_pixel() {
        let (width, height) = (5u32, 3u32);
        let luma: Vec<u8> = (0..15).map(|i| 20 + 10 * i).collect();
        for (packing, across, down) in
            [(Packing::Yuv420, 3, 2), (Packing::Yuv422, 3, 3), (Packing::Yuv444, 5, 3), (Packing::Mono, 0, 0)]
        {
            let layout = Layout::new(width, height, packing).unwrap();
            let blue: Vec<u8> = (0..across * down).map(|i| 100 + i as u8).collect();
            let red: Vec<u8> = (0..across * down).map(|i| 150 + i as u8).collect();
            let bytes = [luma.clone(), blue.clone(), red.clone()].concat();
            assert_eq!(layout.bytes(), bytes.len());
            let image = layout.image(&bytes).unwrap();
            for (y, x) in (0..3).flat_map(|y| (0..5).map(move |x| (y, x))) {
                let (cb, cr) = match across {
                    0 => (128, 128),
                    _ => {
                        let (y, x) = (if down == 2 { y / 2 } else { y }, if across == 3 { x / 2 } else { x });
                        let at = y * across + x;
                        (blue[at], red[at])
                    }
                };
                let at = y * 5 + x;
                assert_eq!(image.pixels()[3 * at..][..3], LIMITED.rgb(luma[at], cb, cr), "{packing:?} {x} {y}");
            }
        }
    }

    #[test]
    fn pairs_of_a_camera_and_their_padding() {
        let layout = Layout::new(3, 2, Packing::Yuyv { stride: 10 }).unwrap();
        let mut bytes = vec![99; 20];
        bytes[..8].copy_from_slice(&[50, 90, 60, 200, 70, 91, 0, 201]);
        bytes[10..18].copy_from_slice(&[150, 30, 160, 40, 170, 31, 0, 41]);
        let expected = [(50, 90, 200), (60, 90, 200), (70, 91, 201), (150, 30, 40), (160, 30, 40), (170, 31, 41)];
        let expected: Vec<u8> = expected.iter().flat_map(|&(y, cb, cr)| LIMITED.rgb(y, cb, cr)).collect();
        assert_eq!(layout.image(&bytes).unwrap().pixels(), expected);
        assert!(layout.image(&bytes[1..]).is_err());
        assert!(Layout::new(3, 2, Packing::Yuyv { stride: 7 }).is_err());
    }

    #[test]
    fn there_and_back_is_nearly_the_same() {
        let pixels: Vec<u8> = (0..3 * 64 * 64).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let image = Image::new(64, 64, pixels).unwrap();
        let mut bytes = Vec::new();
        planes(&image, &mut bytes);
        let back = Layout::new(64, 64, Packing::Yuv444).unwrap().image(&bytes).unwrap();
        for (a, b) in image.pixels().iter().zip(back.pixels()) {
            assert!(a.abs_diff(*b) <= 2, "{a} {b}");
        }
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        for (width, height) in [(0, 5), (5, 0), (1 << 14, 1 << 13), (u32::MAX, u32::MAX)] {
            assert!(Layout::new(width, height, Packing::Yuv420).is_err());
        }
    }
}
