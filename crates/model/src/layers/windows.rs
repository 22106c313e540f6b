//! Sliding windows over planes, for pooling: what lies in them, and the float loops that combine it.
//!
//! Both maximum and mean are separable: rows of a window are combined first, over the whole width at once, then columns.

use synapress_kernels::real::Real;
use synapress_kernels::wide::Work;

/// One axis of a pooling layer over an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) size: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    pad_end: usize,
    /// Whether padding counts in a mean.
    count_padding: bool,
    pub(super) positions: usize,
    /// First and past-the-last position whose window lies wholly inside the image.
    inner: (usize, usize),
}

impl Axis {
    /// `None` where no window fits. With `cut`, a last window that would begin beyond the image and its padding before
    /// it is left out: Caffe does so if there is padding along either axis.
    pub(super) fn new(
        size: usize,
        kernel: usize,
        stride: usize,
        [pad, pad_end]: [usize; 2],
        round_up: bool,
        cut: bool,
        count_padding: bool,
    ) -> Option<Self> {
        let padded = size + pad + pad_end;
        // Rounded up, a window larger than the image still has one position.
        let last = if round_up { (padded + stride - 1).checked_sub(kernel)? } else { padded.checked_sub(kernel)? };
        let mut positions = last / stride + 1;
        if (positions - 1) * stride >= size + pad {
            if !cut {
                return None;
            }
            positions -= 1;
        }
        let first = pad.div_ceil(stride);
        let end = (size + pad).checked_sub(kernel).map_or(0, |room| room / stride + 1).min(positions);
        Some(Self { size, kernel, stride, pad, pad_end, count_padding, positions, inner: (first.min(end), end) })
    }

    /// The pixels of a window: first and past-the-last.
    pub(super) fn pixels(&self, position: usize) -> (usize, usize) {
        let start = position * self.stride;
        (start.saturating_sub(self.pad), (start + self.kernel - self.pad).min(self.size))
    }

    /// What a mean divides by along this axis: pixels in the window, and padding if that counts.
    pub(super) fn counted(&self, position: usize) -> usize {
        if !self.count_padding {
            let (from, to) = self.pixels(position);
            return to - from;
        }
        let start = position * self.stride;
        (start + self.kernel).min(self.size + self.pad + self.pad_end) - start
    }

    /// Positions whose window reaches beyond the image.
    fn outer(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.inner.0).chain(self.inner.1..self.positions)
    }

    /// The first pixel of the first window that lies wholly inside.
    fn inner_pixel(&self) -> usize {
        self.inner.0 * self.stride - self.pad
    }
}

/// Combines the rows `from..to` of a plane into one.
#[inline(always)]
fn fold_rows<T: Copy>(plane: &[T], width: usize, rows: (usize, usize), out: &mut [T], combine: impl Fn(T, T) -> T) {
    out.copy_from_slice(&plane[rows.0 * width..][..width]);
    for row in plane[(rows.0 + 1) * width..rows.1 * width].chunks_exact(width) {
        for (o, x) in out.iter_mut().zip(row) {
            *o = combine(*o, *x);
        }
    }
}

/// Combines the columns of each window of one row, wholly inside the image or not.
#[inline(always)]
fn fold_columns<T: Copy>(row: &[T], axis: &Axis, out: &mut [T], combine: impl Fn(T, T) -> T) {
    for x in axis.outer() {
        let (from, to) = axis.pixels(x);
        out[x] = row[from + 1..to].iter().fold(row[from], |a, &b| combine(a, b));
    }
    let out = &mut out[axis.inner.0..axis.inner.1];
    if out.is_empty() {
        return;
    }
    let row = &row[axis.inner_pixel()..];
    match (axis.kernel, axis.stride) {
        (3, 1) => {
            for (((o, &a), &b), &c) in out.iter_mut().zip(row).zip(&row[1..]).zip(&row[2..]) {
                *o = combine(combine(a, b), c);
            }
        }
        (2, 2) => {
            for (o, pair) in out.iter_mut().zip(row.chunks_exact(2)) {
                *o = combine(pair[0], pair[1]);
            }
        }
        (3, 2) => {
            // The last window's third column need not have a fourth beside it.
            let (last, most) = out.split_last_mut().expect("not empty");
            let at = 2 * most.len();
            for ((o, pair), next) in most.iter_mut().zip(row.chunks_exact(2)).zip(row[2..].chunks_exact(2)) {
                *o = combine(combine(pair[0], pair[1]), next[0]);
            }
            *last = combine(combine(row[at], row[at + 1]), row[at + 2]);
        }
        (kernel, stride) => {
            for (i, o) in out.iter_mut().enumerate() {
                let window = &row[i * stride..][..kernel];
                *o = window[1..].iter().fold(window[0], |a, &b| combine(a, b));
            }
        }
    }
}

/// The value and the place that are larger, or stand earlier in memory if the values are equal.
#[inline(always)]
fn first_larger<T: PartialOrd>(a: (T, i32), b: (T, i32)) -> (T, i32) {
    let other = (b.0 > a.0) | ((b.0 == a.0) & (b.1 < a.1));
    (if other { b.0 } else { a.0 }, if other { b.1 } else { a.1 })
}

/// The largest value of three columns side by side and its place. Values and places, and all the columns, come apart
/// so that they are vectors to the compiler.
#[inline(always)]
fn first_of_three<T: Copy + PartialOrd, P>(
    a: &[T],
    b: &[T],
    c: &[T],
    a_places: &[i32],
    b_places: &[i32],
    c_places: &[i32],
    out: &mut [T],
    at: &mut [P],
    place: impl Fn(i32) -> P,
) {
    let n = out.len();
    let (a, b, c, at) = (&a[..n], &b[..n], &c[..n], &mut at[..n]);
    let (a_places, b_places, c_places) = (&a_places[..n], &b_places[..n], &c_places[..n]);
    for i in 0..n {
        let two = first_larger((a[i], a_places[i]), (b[i], b_places[i]));
        let (value, at_value) = first_larger(two, (c[i], c_places[i]));
        (out[i], at[i]) = (value, place(at_value));
    }
}

/// Takes over the pixels of a row that are larger, and their places, which count from `start`.
#[inline(always)]
fn take_larger<T: Real>(pixels: &[T], start: i32, values: &mut [T], places: &mut [i32]) {
    let n = pixels.len();
    let (values, places) = (&mut values[..n], &mut places[..n]);
    for i in 0..n {
        let (x, value, place) = (pixels[i], values[i], places[i]);
        places[i] = if x > value { start + i as i32 } else { place };
        values[i] = if x > value { x } else { value };
    }
}

/// Splits a row into its columns of even and of odd number, as far as there are any.
#[inline(always)]
fn halve<T: Copy>(row: &[T], even: &mut [T], odd: &mut [T]) {
    for ((pair, even), odd) in row.chunks_exact(2).zip(&mut *even).zip(odd) {
        (*even, *odd) = (pair[0], pair[1]);
    }
    if let ([last], Some(even)) = (row.chunks_exact(2).remainder(), even.get_mut(row.len() / 2)) {
        *even = *last;
    }
}

/// Rows that the search for the largest values works on: values and the places they come from.
struct Rows<T> {
    values: Vec<T>,
    places: Vec<i32>,
    /// Columns of even and of odd number.
    halves: [(Vec<T>, Vec<i32>); 2],
}

impl<T: Real> Rows<T> {
    fn new(width: usize) -> Self {
        let row = || (vec![T::default(); width], vec![0; width]);
        let (values, places) = row();
        Self { values, places, halves: [row(), row()] }
    }
}

/// Whether windows are 3x3 around each pixel: then a plane need not be cut into rows, which are short in such layers.
fn is_neighbourhood(axes: &[Axis; 2]) -> bool {
    axes.iter().all(|a| (a.kernel, a.stride, a.pad) == (3, 1, 1) && a.positions == a.size && a.size >= 2)
}

/// Combines the 3x3 pixels around each pixel of a plane; `across` is as long as the plane.
#[inline(always)]
fn fold_neighbours<T: Copy>(plane: &[T], width: usize, across: &mut [T], out: &mut [T], combine: impl Fn(T, T) -> T) {
    let three = |x: &[T], step: usize, out: &mut [T]| {
        let (a, b, c) = (&x[..out.len()], &x[step..][..out.len()], &x[2 * step..][..out.len()]);
        for i in 0..out.len() {
            out[i] = combine(combine(a[i], b[i]), c[i]);
        }
    };
    let n = plane.len();
    three(plane, 1, &mut across[1..n - 1]);
    for (row, out) in plane.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
        out[0] = combine(row[0], row[1]);
        out[width - 1] = combine(row[width - 2], row[width - 1]);
    }
    three(across, width, &mut out[width..n - width]);
    for at in [0, n - width] {
        let other = if at == 0 { width } else { at - width };
        for x in 0..width {
            out[at + x] = combine(across[at + x], across[other + x]);
        }
    }
}

/// As [`fold_neighbours`] the largest values, and with them their first places in the plane.
#[inline(always)]
fn largest_neighbours<T: Real>(
    plane: &[T],
    width: usize,
    own: &[i32],
    rows: &mut Rows<T>,
    out: &mut [T],
    at: &mut [u32],
) {
    let n = plane.len();
    let (v, p) = (&mut rows.values[..n], &mut rows.places[..n]);
    let (inside, inside_places) = (&mut v[1..n - 1], &mut p[1..n - 1]);
    first_of_three(plane, &plane[1..], &plane[2..], own, &own[1..], &own[2..], inside, inside_places, |p| p);
    for y in (0..n).step_by(width) {
        for (x, other) in [(y, y + 1), (y + width - 1, y + width - 2)] {
            (v[x], p[x]) = first_larger((plane[x], x as i32), (plane[other], other as i32));
        }
    }
    let (v, p, w, end) = (&*v, &*p, width, n - width);
    let (inside, inside_at) = (&mut out[w..end], &mut at[w..end]);
    first_of_three(v, &v[w..], &v[2 * w..], p, &p[w..], &p[2 * w..], inside, inside_at, |p| p as u32);
    for (own, other) in [(0, w), (end, end - w)] {
        for x in 0..w {
            let (value, place) = first_larger((v[own + x], p[own + x]), (v[other + x], p[other + x]));
            (out[own + x], at[own + x]) = (value, place as u32);
        }
    }
}

/// The axes, the images' planes and the windows' results.
pub(super) type Planes<'a, T> = (&'a [Axis; 2], &'a [T], &'a mut [T]);

/// Combines the windows of some planes.
#[inline(always)]
fn fold<T: Copy + Default>((axes, planes, out): Planes<'_, T>, combine: impl Fn(T, T) -> T + Copy) {
    let [vertical, horizontal] = axes;
    let area = vertical.size * horizontal.size;
    let outs = out.chunks_exact_mut(vertical.positions * horizontal.positions);
    if is_neighbourhood(axes) {
        let mut across = vec![T::default(); area];
        for (plane, out) in planes.chunks_exact(area).zip(outs) {
            fold_neighbours(plane, horizontal.size, &mut across, out, combine);
        }
        return;
    }
    let mut row = vec![T::default(); horizontal.size];
    for (plane, out) in planes.chunks_exact(area).zip(outs) {
        for (y, line) in out.chunks_exact_mut(horizontal.positions).enumerate() {
            fold_rows(plane, horizontal.size, vertical.pixels(y), &mut row, combine);
            fold_columns(&row, horizontal, line, combine);
        }
    }
}

/// The largest value of each window.
pub(super) struct Largest;

impl<T: Real> Work<Planes<'_, T>> for Largest {
    type Output = ();

    #[inline(always)]
    fn work(planes: Planes<'_, T>) {
        fold(planes, T::larger);
    }
}

/// The largest code of each window.
pub(super) struct LargestCodes;

impl Work<Planes<'_, i16>> for LargestCodes {
    type Output = ();

    #[inline(always)]
    fn work(planes: Planes<'_, i16>) {
        fold(planes, i16::max);
    }
}

/// The mean of each window.
pub(super) struct Means;

impl<T: Real> Work<Planes<'_, T>> for Means {
    type Output = ();

    #[inline(always)]
    fn work((axes, planes, out): Planes<'_, T>) {
        fold((axes, planes, &mut *out), |a, b| a + b);
        for (i, line) in out.chunks_exact_mut(axes[1].positions).enumerate() {
            let rows = axes[0].counted(i % axes[0].positions);
            for (x, o) in line.iter_mut().enumerate() {
                *o = *o / T::of64((rows * axes[1].counted(x)) as f64);
            }
        }
    }
}

/// The largest value of each window of some planes, and the first place in its plane where it stands.
pub(super) struct LargestAndPlaces;

/// [`Planes`] and the places.
type PlanesAndPlaces<'a, T> = (&'a [Axis; 2], &'a [T], &'a mut [T], &'a mut [u32]);

impl<T: Real> Work<PlanesAndPlaces<'_, T>> for LargestAndPlaces {
    type Output = ();

    #[inline(always)]
    fn work((axes, planes, out, places): PlanesAndPlaces<'_, T>) {
        let [vertical, horizontal] = axes;
        let (width, (first, end)) = (horizontal.size, horizontal.inner);
        if is_neighbourhood(axes) {
            let area = vertical.size * width;
            let mut rows = Rows::new(area);
            let own: Vec<i32> = (0..area as i32).collect();
            let outs = out.chunks_exact_mut(area).zip(places.chunks_exact_mut(area));
            for (plane, (out, places)) in planes.chunks_exact(area).zip(outs) {
                largest_neighbours(plane, width, &own, &mut rows, out, places);
            }
            return;
        }
        let mut rows = Rows::new(width);
        let outs = out.chunks_exact_mut(horizontal.positions).zip(places.chunks_exact_mut(horizontal.positions));
        for (i, (out, at)) in outs.enumerate() {
            let plane = &planes[i / vertical.positions * vertical.size * width..][..vertical.size * width];
            let (from, to) = vertical.pixels(i % vertical.positions);
            rows.values.copy_from_slice(&plane[from * width..][..width]);
            rows.places.iter_mut().zip((from * width) as i32..).for_each(|(p, place)| *p = place);
            for row in from + 1..to {
                take_larger(&plane[row * width..][..width], (row * width) as i32, &mut rows.values, &mut rows.places);
            }
            let (v, p) = (&rows.values[..], &rows.places[..]);
            let best = |(from, to): (usize, usize)| {
                let (value, place) =
                    (from + 1..to).fold((v[from], p[from]), |best, x| first_larger(best, (v[x], p[x])));
                (value, place as u32)
            };
            for x in horizontal.outer() {
                (out[x], at[x]) = best(horizontal.pixels(x));
            }
            if first == end {
                continue;
            }
            let (out, at, pixel) = (&mut out[first..end], &mut at[first..end], horizontal.inner_pixel());
            let (v, p) = (&v[pixel..], &p[pixel..]);
            match (horizontal.kernel, horizontal.stride) {
                (3, 1) => first_of_three(v, &v[1..], &v[2..], p, &p[1..], &p[2..], out, at, |p| p as u32),
                (3, 2) => {
                    let n = out.len() + 1;
                    let [(even, even_places), (odd, odd_places)] = &mut rows.halves;
                    halve(v, &mut even[..n], &mut odd[..n]);
                    halve(p, &mut even_places[..n], &mut odd_places[..n]);
                    first_of_three(even, odd, &even[1..], even_places, odd_places, &even_places[1..], out, at, |p| {
                        p as u32
                    });
                }
                (kernel, stride) => {
                    for (i, (out, at)) in out.iter_mut().zip(at).enumerate() {
                        (*out, *at) = best((pixel + i * stride, pixel + i * stride + kernel));
                    }
                }
            }
        }
    }
}

/// Adds the gradient of the mean of each window of one plane to the window's pixels.
pub(super) fn spread<T: Real>([vertical, horizontal]: &[Axis; 2], gradient: &[T], plane: &mut [T], row: &mut [T]) {
    let width = horizontal.size;
    for (y, line) in gradient.chunks_exact(horizontal.positions).enumerate() {
        row.fill(T::default());
        for (x, &d) in line.iter().enumerate() {
            let (from, to) = horizontal.pixels(x);
            let share = d / T::of64((vertical.counted(y) * horizontal.counted(x)) as f64);
            row[from..to].iter_mut().for_each(|r| *r += share);
        }
        let (from, to) = vertical.pixels(y);
        for pixels in plane[from * width..to * width].chunks_exact_mut(width) {
            pixels.iter_mut().zip(&*row).for_each(|(p, &r)| *p += r);
        }
    }
}
