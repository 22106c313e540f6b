//! The largest code and the mean of sliding windows.

use std::cell::RefCell;

use super::lanes::{Dot, Lanes};
use super::loops;
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
    /// How many rows and columns around a map of so many pixels and positions windows reach into.
    pub fn border(&self, size: [usize; 2], positions: [usize; 2]) -> [usize; 2] {
        std::array::from_fn(|i| {
            let end = (positions[i] - 1) * self.stride[i] + self.kernel[i];
            self.pad[i].max(end.saturating_sub(self.pad[i] + size[i]))
        })
    }

    /// A window along an axis of so many pixels.
    fn span(&self, axis: usize, size: usize, position: usize) -> Span {
        let (kernel, pad, start) = (self.kernel[axis], self.pad[axis], position * self.stride[axis]);
        Span {
            pixels: (start.saturating_sub(pad), (start + kernel - pad).min(size)),
            counted: (start + kernel).min(size + 2 * pad) - start,
        }
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
    assert!(input.len() >= from.end(), "the input has {} cells", input.len());
    // Zeros around codes that are never negative do not show.
    let bordered = !from.signed && windows.border(from.size, to.size).iter().zip(from.border).all(|(w, b)| *w <= b);
    let loops = loops(kernel, from.cell);
    each_plane(to, output, team, &|plane, out| {
        // What is read beyond a plane does not show.
        let mut plane = Plane { windows, from, input: &input[from.start + plane * from.plane..], to, out };
        if bordered {
            // Safety: windows reach no farther than the border, and there is slack behind the last plane.
            unsafe { (loops.largest)(&mut plane) }
        } else {
            kernel.run(plane);
        }
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
    let span = |axis: usize, position: usize| windows.span(axis, from.size[axis], position);
    let each = to.cell.channels();
    let channel = |c: usize, out: &mut [u32]| {
        let part = c % from.cell.channels();
        let input = &input[from.start + c / from.cell.channels() * from.plane..][..from.plane];
        for (y, rows) in (0..to.size[0]).map(|y| (y, span(0, y))) {
            for (x, columns) in (0..to.size[1]).map(|x| (x, span(1, x))) {
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

thread_local! {
    /// Rows that a thread works on, kept from plane to plane.
    static LINES: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// One plane's windows.
pub(super) struct Plane<'a> {
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
        let mut lines = LINES.take();
        lines.clear();
        lines.resize(span + (span + w.kernel[1]).max(pad + width), least);
        let (best, line) = lines.split_at_mut(span);
        for y in 0..rows {
            let (first, end) = w.span(0, height, y).pixels;
            line[pad..][..width].copy_from_slice(&input[from.pixel(first, 0)..][..width]);
            for y in first + 1..end {
                larger(&mut line[pad..][..width], &input[from.pixel(y, 0)..][..width]);
            }
            best.copy_from_slice(&line[..span]);
            for x in 1..w.kernel[1] {
                larger(best, &line[x..][..span]);
            }
            let out = &mut out[to.pixel(y, 0)..][..columns];
            match stride {
                1 => out.copy_from_slice(best),
                2 => out.iter_mut().zip(best.chunks(2)).for_each(|(o, b)| *o = b[0]),
                _ => out.iter_mut().zip(best.iter().step_by(stride)).for_each(|(o, b)| *o = *b),
            }
        }
        LINES.set(lines);
    }
}

/// The largest codes of a plane whose windows end within its border.
///
/// # Safety
/// The processor has the instructions, the windows do not reach beyond the border, and a vector of cells may be read
/// from the end of the last window on.
#[inline(always)]
pub(super) unsafe fn bordered<D: Dot>(plane: &mut Plane<'_>) {
    let Plane { windows: w, from, input, to, out } = plane;
    let ([rows, columns], lanes, stride) = (to.size, D::L::LANES, w.stride[1]);
    let span = (columns - 1) * stride + 1;
    for y in 0..rows {
        let first = from.lead + y * w.stride[0] * from.pitch - w.pad[0] * from.pitch - w.pad[1];
        let out = &mut out[to.pixel(y, 0)..][..columns];
        let mut x = 0;
        while x < span {
            // Safety: the caller's; a tail is stored in part.
            unsafe {
                let cells = input.as_ptr().add(first + x);
                let mut best = D::L::load(cells);
                for dy in 0..w.kernel[0] {
                    for dx in 0..w.kernel[1] {
                        best = D::larger(best, D::L::load(cells.add(dy * from.pitch + dx)));
                    }
                }
                let left = (span - x).min(lanes);
                if stride == 1 {
                    D::L::store(best, out.as_mut_ptr().add(x), !0 >> (32 - left));
                    x += lanes;
                } else {
                    let mut line = [0u32; 16];
                    D::L::store(best, line.as_mut_ptr(), !0 >> (32 - lanes));
                    let count = left.div_ceil(stride);
                    let out = &mut out[x / stride..][..count];
                    match stride {
                        2 => out.iter_mut().zip(line.chunks(2)).for_each(|(o, pair)| *o = pair[0]),
                        _ => out.iter_mut().zip(line.iter().step_by(stride)).for_each(|(o, &cell)| *o = cell),
                    }
                    x += count * stride;
                }
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
