//! The largest code and the mean of sliding windows.

use super::planes::each_plane;
use super::{Cell, Place, Stage, Team};
use crate::integer::{Kernel, Loops};
use crate::scalar::{reciprocal, round_shift};

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

/// A window along one axis.
struct Span {
    /// Its first pixel and the one past its last.
    pixels: (usize, usize),
    /// Pixels and padding in it.
    counted: usize,
}

impl Windows {
    /// The windows along an axis.
    fn along(&self, axis: usize, size: usize, positions: usize) -> Vec<Span> {
        let (kernel, pad) = (self.kernel[axis], self.pad[axis]);
        let span = |start: usize| Span {
            pixels: (start.saturating_sub(pad), (start + kernel - pad).min(size)),
            counted: (start + kernel).min(size + 2 * pad) - start,
        };
        (0..positions).map(|i| span(i * self.stride[axis])).collect()
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

/// Means of the windows over each channel: sums of codes by the rounded reciprocal of the number of pixels, those of the
/// padding counted, and one rounding shift of `shift` more; then saturated to `low..=high`. Zeros around the result.
///
/// # Panics
/// When a buffer is too short or the maps differ in channels.
pub fn means(
    windows: &Windows,
    stage: Stage,
    from: &Place,
    input: &[u32],
    to: &Place,
    output: &mut [u32],
    team: &Team,
) {
    assert_eq!(from.channels, to.channels, "maps are alike");
    let [high, across] = [0, 1].map(|axis| windows.along(axis, from.size[axis], to.size[axis]));
    let each = to.cell.channels();
    let channel = |c: usize, out: &mut [u32]| {
        let part = c % from.cell.channels();
        let input = &input[from.start + c / from.cell.channels() * from.plane..][..from.plane];
        for (y, rows) in high.iter().enumerate() {
            for (x, columns) in across.iter().enumerate() {
                let sum: i64 = (rows.pixels.0..rows.pixels.1)
                    .map(|y| from.sum(&input[from.pixel(y, columns.pixels.0)..from.pixel(y, columns.pixels.1)], part))
                    .sum();
                let (factor, scale) = reciprocal(rows.counted * columns.counted);
                let mean = round_shift(sum * factor, scale + stage.shift);
                let code = mean.clamp(stage.low.into(), stage.high.into()) as i32 + i32::from(to.offset());
                let mask = ((1u64 << (32 / each)) - 1) as u32;
                out[to.pixel(y, x)] |= (code as u32 & mask) << (c % each * (32 / each));
            }
        }
    };
    each_plane(to, output, team, &|plane, out| {
        for y in 0..to.size[0] {
            out[to.pixel(y, 0)..][..to.size[1]].fill(0);
        }
        (plane * each..((plane + 1) * each).min(to.channels)).for_each(|c| channel(c, out));
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
        let spans = w.along(0, height, rows);
        let mut line = vec![least; (span + w.kernel[1]).max(pad + width)];
        let mut best = vec![least; span];
        for (y, window) in spans.iter().enumerate() {
            let (first, end) = window.pixels;
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

/// Takes over the codes of `b` that are larger.
#[inline(always)]
fn larger<T: Copy + Ord>(a: &mut [T], b: &[T]) {
    let n = a.len();
    let b = &b[..n];
    for i in 0..n {
        a[i] = a[i].max(b[i]);
    }
}

#[inline(always)]
fn larger_bytes(a: &mut [u32], b: &[u32]) {
    // Safety: a cell is four bytes, of any value.
    let (a, b) = unsafe { (a.align_to_mut::<u8>().1, b.align_to::<u8>().1) };
    larger(a, b);
}

#[inline(always)]
fn larger_words(a: &mut [u32], b: &[u32]) {
    // Safety: a cell is two words, of any value, and aligned for them.
    let (a, b) = unsafe { (a.align_to_mut::<i16>().1, b.align_to::<i16>().1) };
    larger(a, b);
}
