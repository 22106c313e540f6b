//! Numbers of an image as codes in the channel-blocked layout.

use std::ops::Range;

use super::planes::rows_of_planes;
use super::{Place, Team};
use crate::integer::{Kernel, Loops};

/// Writes an image `(C, H, W)` as codes: `floor(x * scale + 1/2)`, saturated to `low..=high`, 0 for NaN; zeros around
/// it.
///
/// # Panics
/// When the image or the buffer is too short.
pub fn quantize(
    kernel: Kernel,
    image: &[f32],
    scale: f64,
    range: [i64; 2],
    to: &Place,
    output: &mut [u32],
    team: &Team,
) {
    let area = to.size[0] * to.size[1];
    assert!(image.len() >= to.channels * area, "an image of {} channels", to.channels);
    let limits = range.map(|limit| limit as f64);
    let pieces = team.threads().min(to.size[0]);
    rows_of_planes(to, output, team, pieces, |plane, rows, out| {
        let each = to.cell.channels();
        let channels = &image[plane * each * area..((plane + 1) * each).min(to.channels) * area];
        kernel.run(Rows { channels, scale, limits, to, rows, out });
    });
    to.clear_borders(output);
}

struct Rows<'a> {
    channels: &'a [f32],
    scale: f64,
    limits: [f64; 2],
    to: &'a Place,
    rows: Range<usize>,
    /// From the first pixel of the first row on.
    out: &'a mut [u32],
}

/// Pixels that are worked on at a time.
const TOGETHER: usize = 32;

impl Loops for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Rows { channels, scale, limits: [low, high], to, rows, out } = self;
        let ([height, width], bits) = (to.size, 32 / to.cell.channels());
        let (mask, offset) = (((1u64 << bits) - 1) as u32, i32::from(to.offset()));
        for y in rows.clone() {
            for x in (0..width).step_by(TOGETHER) {
                let n = (width - x).min(TOGETHER);
                let mut cells = [0u32; TOGETHER];
                for (c, channel) in channels.chunks_exact(height * width).enumerate() {
                    let mut pixels = [0f32; TOGETHER];
                    pixels[..n].copy_from_slice(&channel[y * width + x..][..n]);
                    for i in 0..TOGETHER {
                        let scaled = (f64::from(pixels[i]) * scale + 0.5).floor();
                        let scaled = if scaled.is_nan() { 0.0 } else { scaled };
                        let scaled = if scaled < low { low } else { scaled };
                        let scaled = if scaled > high { high } else { scaled };
                        // Safety: a whole number that 17 bits hold.
                        let code: i32 = unsafe { scaled.to_int_unchecked() };
                        cells[i] |= ((code + offset) as u32 & mask) << (c * bits);
                    }
                }
                // Channels beyond the last stay 0, which their weights make harmless.
                out[(y - rows.start) * to.pitch + x..][..n].copy_from_slice(&cells[..n]);
            }
        }
    }
}
