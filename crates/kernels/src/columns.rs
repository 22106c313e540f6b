//! Patches of an image as columns of a matrix (im2col), and their adjoint (col2im).

use std::ops::Range;

use crate::real::Real;

/// Where a window lies over an image. Sizes are (vertical, horizontal), in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Height and width of the window, in taps.
    pub kernel: [usize; 2],
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Zeros added before the first pixel.
    pub pad: [usize; 2],
    /// Zeros added behind the last pixel.
    pub pad_end: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
}

impl Window {
    /// True when columns are the image itself: one tap, no stride, no padding.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.pad == [0, 0] && self.pad_end == [0, 0]
    }

    /// Number of positions along both axes of an image of `size`, rounded down as convolution does;
    /// `None` when the window is larger than the padded image.
    pub fn positions(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let mut out = [0; 2];
        for axis in 0..2 {
            let extent = self.dilation[axis].checked_mul(self.kernel[axis].checked_sub(1)?)?.checked_add(1)?;
            let padded = self.pad[axis].checked_add(self.pad_end[axis])?.checked_add(size[axis])?;
            out[axis] = padded.checked_sub(extent)?.checked_div(self.stride[axis])?.checked_add(1)?;
        }
        Some(out)
    }
}

/// Positions from the first to before the last, and the pixel that the first of them reads.
type Span = (usize, usize, usize);

/// For one tap of the window: which positions of an axis read inside the image, as a range, and where the first of
/// them reads.
fn inside(tap: usize, axis: usize, w: &Window, size: usize, positions: usize) -> Span {
    let offset = tap * w.dilation[axis];
    let (stride, pad) = (w.stride[axis], w.pad[axis]);
    let first = pad.saturating_sub(offset).div_ceil(stride);
    let last = if size + pad > offset { (size + pad - offset - 1) / stride + 1 } else { 0 };
    let last = last.min(positions);
    if first >= last { (0, 0, 0) } else { (first, last, first * stride + offset - pad) }
}

/// A range of [`inside`] seen from within `rows`: positions count from the first of them.
fn clipped((first, last, from): Span, rows: &Range<usize>, stride: usize) -> Span {
    let (start, end) = (first.max(rows.start), last.min(rows.end));
    if start >= end { (0, 0, 0) } else { (start - rows.start, end - rows.start, from + (start - first) * stride) }
}

/// Taps of an axis whose ranges are computed once for all channels.
const KNOWN: usize = 16;

/// What [`inside`] says of every tap: along y, [clipped] to `rows`, and along x.
fn spans(
    size: [usize; 2],
    w: &Window,
    out: [usize; 2],
    rows: &Range<usize>,
) -> (impl Fn(usize) -> Span, impl Fn(usize) -> Span) {
    fn known(taps: usize, of: impl Fn(usize) -> Span) -> impl Fn(usize) -> Span {
        let mut all = [(0, 0, 0); KNOWN];
        (0..taps.min(KNOWN)).for_each(|tap| all[tap] = of(tap));
        move |tap| if tap < KNOWN { all[tap] } else { of(tap) }
    }
    let (w, rows) = (*w, rows.clone());
    let of_y = move |tap| clipped(inside(tap, 0, &w, size[0], out[0]), &rows, w.stride[0]);
    (known(w.kernel[0], of_y), known(w.kernel[1], move |tap| inside(tap, 1, &w, size[1], out[1])))
}

/// Writes the patches of one image, `channels x size`, as rows of a matrix: row `(c, ky, kx)`, column `(y, x)`.
/// Rows are `row_stride` apart and the columns of this image start at `at`, so that several images can lie side by
/// side.
pub fn gather<T: Copy + Default>(
    image: &[T],
    channels: usize,
    size: [usize; 2],
    w: &Window,
    out: [usize; 2],
    matrix: &mut [T],
    row_stride: usize,
    at: usize,
) {
    gather_rows(image, channels, size, w, out, 0..out[0], matrix, row_stride, at);
}

/// [`gather`] for some rows of output positions only: the columns are those of positions `(y, x)` with `y` in `rows`.
pub fn gather_rows<T: Copy + Default>(
    image: &[T],
    channels: usize,
    size: [usize; 2],
    w: &Window,
    out: [usize; 2],
    rows: Range<usize>,
    matrix: &mut [T],
    row_stride: usize,
    at: usize,
) {
    let [height, width] = size;
    let (of_y, of_x) = spans(size, w, out, &rows);
    let mut row = 0;
    for c in 0..channels {
        let plane = &image[c * height * width..][..height * width];
        for ky in 0..w.kernel[0] {
            let (y0, y1, from_y) = of_y(ky);
            for kx in 0..w.kernel[1] {
                let (x0, x1, from_x) = of_x(kx);
                let line = &mut matrix[row * row_stride + at..][..rows.len() * out[1]];
                row += 1;
                clear(&mut line[..y0 * out[1]]);
                clear(&mut line[y1 * out[1]..]);
                if let Some(run) = run(w, width, out[1], [y0, y1], [x0, x1]) {
                    let line = &mut line[y0 * width..y1 * width];
                    line[x0..][..run].copy_from_slice(&plane[from_y * width + from_x..][..run]);
                    clear_sides(line, width, [x0, x1]);
                    continue;
                }
                for y in y0..y1 {
                    let source = &plane[(from_y + (y - y0) * w.stride[0]) * width..][..width];
                    let target = &mut line[y * out[1]..][..out[1]];
                    target[..x0].fill(T::default());
                    target[x1..].fill(T::default());
                    if w.stride[1] == 1 {
                        target[x0..x1].copy_from_slice(&source[from_x..from_x + (x1 - x0)]);
                    } else {
                        for (t, s) in target[x0..x1].iter_mut().zip(source[from_x..].iter().step_by(w.stride[1])) {
                            *t = *s;
                        }
                    }
                }
            }
        }
    }
}

/// How many elements a tap reads from the first to the last, if they follow one another in the image as they do in the
/// matrix: then all rows are one run, in which only what lies beyond the sides is wrong.
fn run(w: &Window, width: usize, positions: usize, [y0, y1]: [usize; 2], [x0, x1]: [usize; 2]) -> Option<usize> {
    let same = w.stride == [1, 1] && positions == width && y0 < y1 && x0 < x1;
    same.then(|| (y1 - y0 - 1) * width + x1 - x0)
}

fn clear<T: Copy + Default>(values: &mut [T]) {
    if !values.is_empty() {
        values.fill(T::default());
    }
}

/// Clears what lies beyond the sides in every row.
fn clear_sides<T: Copy + Default>(rows: &mut [T], width: usize, [x0, x1]: [usize; 2]) {
    match (x0, width - x1) {
        (0, 0) => {}
        // One column at a time is what windows of three ask for: calls of `fill` would take longer than the copy.
        (1, 0) => rows.chunks_exact_mut(width).for_each(|row| row[0] = T::default()),
        (0, 1) => rows.chunks_exact_mut(width).for_each(|row| row[width - 1] = T::default()),
        _ => rows.chunks_exact_mut(width).for_each(|row| {
            row[..x0].fill(T::default());
            row[x1..].fill(T::default());
        }),
    }
}

/// The adjoint of [`gather_rows`]: adds every element of the matrix to the pixel that it was read from. Elements that were
/// read from no pixel may be cleared.
pub fn scatter_add<T: Real>(
    matrix: &mut [T],
    row_stride: usize,
    at: usize,
    channels: usize,
    size: [usize; 2],
    w: &Window,
    out: [usize; 2],
    rows: Range<usize>,
    image: &mut [T],
) {
    let [height, width] = size;
    let (of_y, of_x) = spans(size, w, out, &rows);
    let mut row = 0;
    for c in 0..channels {
        let plane = &mut image[c * height * width..][..height * width];
        for ky in 0..w.kernel[0] {
            let (y0, y1, from_y) = of_y(ky);
            for kx in 0..w.kernel[1] {
                let (x0, x1, from_x) = of_x(kx);
                let line = &mut matrix[row * row_stride + at..][..rows.len() * out[1]];
                row += 1;
                if let Some(run) = run(w, width, out[1], [y0, y1], [x0, x1]) {
                    let line = &mut line[y0 * width..y1 * width];
                    clear_sides(line, width, [x0, x1]);
                    let target = &mut plane[from_y * width + from_x..][..run];
                    target.iter_mut().zip(&line[x0..]).for_each(|(t, s)| *t += *s);
                    continue;
                }
                for y in y0..y1 {
                    let target = &mut plane[(from_y + (y - y0) * w.stride[0]) * width..][..width];
                    let source = &line[y * out[1]..][x0..x1];
                    if w.stride[1] == 1 {
                        for (t, s) in target[from_x..from_x + (x1 - x0)].iter_mut().zip(source) {
                            *t += *s;
                        }
                    } else {
                        for (i, s) in source.iter().enumerate() {
                            target[from_x + i * w.stride[1]] += *s;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gather_reads_what_the_definition_says_and_scatter_is_its_adjoint() {
        let cases = [
            ([3, 3], [1, 1], [1, 1], [1, 1], [1, 1]),
            ([7, 7], [2, 2], [3, 3], [3, 3], [1, 1]),
            ([2, 3], [3, 1], [0, 2], [0, 2], [1, 2]),
            ([3, 3], [1, 1], [4, 4], [4, 4], [3, 3]),
            ([1, 1], [2, 2], [0, 0], [0, 0], [1, 1]),
            ([3, 3], [2, 2], [0, 1], [1, 2], [1, 1]),
            ([3, 2], [1, 1], [2, 0], [0, 3], [1, 1]),
            ([1, 1], [1, 1], [0, 0], [2, 1], [1, 1]),
            ([3, 5], [1, 1], [2, 2], [2, 2], [2, 1]),
            ([1, 25], [1, 1], [0, 12], [0, 12], [1, 1]),
            ([2, 4], [1, 1], [0, 2], [1, 1], [1, 1]),
        ];
        for (kernel, stride, pad, pad_end, dilation) in cases {
            let w = Window { kernel, stride, pad, pad_end, dilation };
            let (channels, size) = (2, [7, 9]);
            let out = w.positions(size).unwrap();
            let image: Vec<f64> = (0..channels * 63).map(|i| (i * 37 % 101) as f64 - 50.0).collect();
            let rows = channels * kernel[0] * kernel[1];
            let (stride_of_rows, at) = (out[0] * out[1] + 5, 3);
            let mut matrix = vec![9.0; rows * stride_of_rows];
            gather(&image, channels, size, &w, out, &mut matrix, stride_of_rows, at);
            let mut expected = vec![9.0; matrix.len()];
            let weight: Vec<f64> = (0..matrix.len()).map(|i| (i % 13) as f64).collect();
            let mut adjoint = vec![0.0; image.len()];
            for row in 0..rows {
                let (c, ky, kx) = (row / (kernel[0] * kernel[1]), row / kernel[1] % kernel[0], row % kernel[1]);
                for y in 0..out[0] {
                    for x in 0..out[1] {
                        let iy = (y * stride[0] + ky * dilation[0]).wrapping_sub(pad[0]);
                        let ix = (x * stride[1] + kx * dilation[1]).wrapping_sub(pad[1]);
                        let place = row * stride_of_rows + at + y * out[1] + x;
                        let hit = iy < size[0] && ix < size[1];
                        expected[place] = if hit { image[(c * size[0] + iy) * size[1] + ix] } else { 0.0 };
                        if hit {
                            adjoint[(c * size[0] + iy) * size[1] + ix] += weight[place];
                        }
                    }
                }
            }
            assert_eq!(matrix, expected, "{w:?}");
            let scatter = |rows, at, image: &mut [f64]| {
                scatter_add(&mut weight.clone(), stride_of_rows, at, channels, size, &w, out, rows, image);
            };
            let mut image_gradient = vec![0.0; image.len()];
            scatter(0..out[0], at, &mut image_gradient);
            assert_eq!(image_gradient, adjoint, "{w:?}");
            // Piece by piece the same as at once.
            let (mut pieces, mut image_gradient) = (matrix.clone(), vec![0.0; image.len()]);
            for y in (0..out[0]).step_by(2) {
                let (rows, at) = (y..(y + 2).min(out[0]), at + y * out[1]);
                gather_rows(&image, channels, size, &w, out, rows.clone(), &mut pieces, stride_of_rows, at);
                scatter(rows, at, &mut image_gradient);
            }
            assert_eq!(pieces, matrix, "{w:?}");
            assert_eq!(image_gradient, adjoint, "{w:?}");
        }
    }

    #[test]
    fn a_window_beyond_the_image_has_no_position() {
        let w = Window { kernel: [9, 1], stride: [1, 1], pad: [0, 0], pad_end: [0, 0], dilation: [1, 1] };
        assert_eq!(w.positions([8, 8]), None);
        assert_eq!(Window { pad_end: [1, 0], ..w }.positions([8, 8]), Some([1, 8]));
    }
}
