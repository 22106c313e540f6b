//! The largest code of sliding windows.

use super::planes::each_plane;
use super::{Cell, Place, Team};
use crate::integer::{Kernel, Loops};

/// Windows over a map, each cut off at the map's edge. Sizes are (vertical, horizontal), in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Steps between windows.
    pub stride: [usize; 2],
    /// How far the first window reaches beyond the map.
    pub pad: [usize; 2],
}

impl Windows {
    /// The rows of a window.
    fn rows(&self, y: usize, height: usize) -> (usize, usize) {
        let start = y * self.stride[0];
        (start.saturating_sub(self.pad[0]), (start + self.kernel[0] - self.pad[0]).min(height))
    }
}

/// The largest codes of the windows over each channel, in the same format; zeros around them.
///
/// # Panics
/// When a buffer is too short, or the maps differ in cells, channels or sign.
pub fn largest(
    kernel: Kernel,
    windows: &Windows,
    from: &Place,
    input: &[u32],
    to: &Place,
    output: &mut [u32],
    team: &Team,
) {
    assert_eq!((from.cell, from.channels, from.signed), (to.cell, to.channels, to.signed), "maps are alike");
    each_plane(to, output, team, &|plane, out| {
        let input = &input[from.start + plane * from.plane..][..from.plane];
        kernel.run(Plane { windows, from, input, to, out });
    });
    to.clear_borders(output);
}

struct Plane<'a> {
    windows: &'a Windows,
    from: &'a Place,
    input: &'a [u32],
    to: &'a Place,
    out: &'a mut [u32],
}

impl Loops for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.from.cell {
            Cell::Bytes => self.each_row(0, larger_bytes),
            Cell::Words => self.each_row(0x8000_8000, larger_words),
        }
    }
}

impl Plane<'_> {
    /// `least` is a cell of the smallest codes.
    #[inline(always)]
    fn each_row(self, least: u32, larger: impl Fn(&mut [u32], &[u32])) {
        let Plane { windows: w, from, input, to, out } = self;
        let ([height, width], [rows, columns]) = (from.size, to.size);
        let (pad, stride) = (w.pad[1], w.stride[1]);
        // A row with what windows see beyond its ends, and the largest codes from every start.
        let span = (columns - 1) * stride + 1;
        let mut line = vec![least; (span + w.kernel[1]).max(pad + width)];
        let mut best = vec![least; span];
        for y in 0..rows {
            let (first, end) = w.rows(y, height);
            line[pad..][..width].copy_from_slice(&input[from.pixel(first, 0)..][..width]);
            for y in first + 1..end {
                larger(&mut line[pad..][..width], &input[from.pixel(y, 0)..][..width]);
            }
            best.copy_from_slice(&line[..span]);
            for x in 1..w.kernel[1] {
                larger(&mut best, &line[x..][..span]);
            }
            let out = &mut out[to.pixel(y, 0)..][..columns];
            match stride {
                1 => out.copy_from_slice(&best),
                2 => out.iter_mut().zip(best.chunks(2)).for_each(|(o, b)| *o = b[0]),
                _ => out.iter_mut().zip(best.iter().step_by(stride)).for_each(|(o, b)| *o = *b),
            }
        }
    }
}

#[inline(always)]
fn larger_bytes(a: &mut [u32], b: &[u32]) {
    for (a, b) in a.iter_mut().zip(b) {
        let (x, y) = (a.to_ne_bytes(), b.to_ne_bytes());
        *a = u32::from_ne_bytes(std::array::from_fn(|i| x[i].max(y[i])));
    }
}

#[inline(always)]
fn larger_words(a: &mut [u32], b: &[u32]) {
    for (a, b) in a.iter_mut().zip(b) {
        let half = |i: u32| (((*a >> i) as i16).max((*b >> i) as i16) as u16 as u32) << i;
        *a = half(0) | half(16);
    }
}
