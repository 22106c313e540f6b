//! What the weights coded so far say about the next one, as numbers: averages of its row and column, and the amplitudes
//! around it. What these numbers mean for its magnitude and sign is learned by [`fit`](super::fit); nothing is coded
//! here.
//!
//! Amplitudes are square roots of magnitudes, so that an average is not ruled by a few large weights. All in integers:
//! encoder and decoder agree on every machine.

use super::super::Tile;
use super::fit::Parameters;

/// Numbers that the expected magnitude is a weighted sum of.
pub(super) const FEATURES: usize = 15;

/// Numbers that the predicted sign is a weighted sum of.
pub(super) const SIGNED: usize = 10;

/// Amplitudes end here, so that sums of them stay within 32 bits.
const LOUDEST: u32 = 4095;

/// The amplitude of a magnitude: 16 times its square root.
pub(super) fn amplitude(magnitude: u32) -> i16 {
    let root = magnitude.saturating_mul(256).isqrt().min(LOUDEST);
    i16::try_from(root).unwrap_or(i16::MAX)
}

/// 1/n of a 65536th.
fn reciprocal(n: usize) -> u32 {
    u32::try_from(65536 / n.max(1)).unwrap_or(0)
}

/// The neighbourhood of the next weight of a tile, in row-major order.
#[derive(Debug)]
pub(super) struct Rows {
    weights: [i32; FEATURES],
    signs: [i32; SIGNED],
    taps: usize,
    area: usize,
    width: usize,
    /// Zeros in front of each row, as many as any neighbour may lie before.
    front: usize,
    /// Signed amplitudes of this row, the one before and the one before that, with zeros around.
    here: Vec<i16>,
    one: Vec<i16>,
    two: Vec<i16>,
    /// Averages of each tap over the rows before, in 1/256 of an amplitude: quick and slow.
    quick: Vec<i32>,
    lasting: Vec<i32>,
    /// For each tap the part of the expected magnitude that the rows before tell.
    known: Vec<i32>,
    /// Averages along the rows, in 1/65536 of an amplitude: over 8 weights, 32 and 256.
    fast: i32,
    medium: i32,
    slow: i32,
    /// Mean amplitude of the kernel before in this row, in 1/16; sum of amplitudes of this kernel.
    channel: i32,
    kernel: u32,
    reciprocals: Vec<u32>,
    /// Place in the row, in the kernel, and its line and column.
    at: usize,
    inside: usize,
    line: usize,
    column: usize,
    row: i32,
}

impl Rows {
    /// The neighbourhood of a tile's first weight.
    pub fn new(tile: &Tile, parameters: &Parameters) -> Self {
        let [_, height, width] = tile.row.map(|n| n.max(1));
        let (taps, area) = (tile.taps(), height.saturating_mul(width));
        let front = area.saturating_mul(2).max(6);
        let cells = taps.saturating_add(front).saturating_add(1);
        let weights = parameters.magnitude.map(i32::from);
        Self {
            weights,
            signs: parameters.sign.map(i32::from),
            taps,
            area,
            width,
            front,
            here: vec![0; cells],
            one: vec![0; cells],
            two: vec![0; cells],
            quick: vec![0; taps],
            lasting: vec![0; taps],
            known: vec![256 * weights[14]; taps],
            fast: 0,
            medium: 0,
            slow: 0,
            channel: 0,
            kernel: 0,
            reciprocals: (0..=area).map(reciprocal).collect(),
            at: 0,
            inside: 0,
            line: 0,
            column: 0,
            row: 0,
        }
    }

    /// The amplitude so many weights before in this row, in 1/16.
    #[inline]
    fn loud(&self, distance: usize) -> i32 {
        i32::from(self.here[self.front + self.at - distance]).abs() << 4
    }

    /// What is known of the next weight's kernel: 0 where it is the first of it, 1 in its first line or column, else 2.
    #[inline]
    pub fn edge(&self) -> usize {
        match self.inside {
            0 => 0,
            _ if self.line == 0 || self.column == 0 => 1,
            _ => 2,
        }
    }

    /// The place in the kernel.
    #[inline]
    pub fn inside(&self) -> usize {
        self.inside
    }

    /// Whether the same tap of the kernel before, those of the two rows before, and the weights to the left, above and
    /// in the corner are not zero; of what is not there, whether the mean of this kernel so far is as much as half the
    /// least amplitude. A bit each, and that mean in 1/16.
    #[inline]
    pub fn pattern(&self) -> (usize, i32) {
        let at = self.front + self.at;
        let so_far = self.so_far();
        let [left, above, corner] = self.around(so_far);
        let rows = [self.here[at - self.area], self.one[at], self.two[at]].map(|a| a != 0);
        let near = [left, above, corner].map(|a| a > 128);
        let bits = rows.into_iter().chain(near).fold(0, |n, bit| n << 1 | usize::from(bit));
        (bits, so_far)
    }

    /// Mean amplitude of this kernel so far, in 1/16; of the kernel before where nothing is known of this one.
    #[inline]
    fn so_far(&self) -> i32 {
        if self.inside == 0 {
            self.channel
        } else {
            (self.kernel.wrapping_mul(self.reciprocals[self.inside]) >> 12).cast_signed()
        }
    }

    /// Amplitudes to the left, above and in the corner between them, in 1/16. Kernels of one weight have none; there
    /// it is those of three, four and five channels before.
    #[inline]
    fn around(&self, so_far: i32) -> [i32; 3] {
        if self.area == 1 {
            return [self.loud(3), self.loud(4), self.loud(5)];
        }
        let (left, above) = (self.column > 0, self.line > 0);
        [
            if left { self.loud(1) } else { so_far },
            if above { self.loud(self.width) } else { so_far },
            if left && above { self.loud(self.width + 1) } else { so_far },
        ]
    }

    /// All that tells the magnitude of the next weight, in 1/16 of an amplitude: the slow definition of what
    /// [`Self::expected`] sums up.
    pub fn features(&self) -> [i32; FEATURES] {
        let so_far = self.so_far();
        let [left, above, corner] = self.around(so_far);
        let old = |row: &[i16]| i32::from(row[self.front + self.at]).abs() << 4;
        [
            self.fast >> 12,
            self.medium >> 12,
            self.slow >> 12,
            self.quick[self.at] >> 4,
            self.lasting[self.at] >> 4,
            self.loud(self.area),
            self.loud(2 * self.area),
            old(&self.one),
            old(&self.two),
            self.channel,
            so_far,
            left,
            above,
            corner,
            256,
        ]
    }

    /// The weighted sum of [`Self::features`].
    #[inline]
    pub fn expected(&self) -> i32 {
        let w = &self.weights;
        if self.area == 1 {
            // The kernel before is the weight before, and this kernel has nothing so far.
            let at = self.front + self.at;
            let near = &self.here[at - 5..at];
            let loud = |distance: usize| i32::from(near[5 - distance]).abs();
            let around =
                (w[5] + w[9] + w[10]) * loud(1) + w[6] * loud(2) + w[11] * loud(3) + w[12] * loud(4) + w[13] * loud(5);
            return self.known[self.at]
                + w[0] * (self.fast >> 12)
                + w[1] * (self.medium >> 12)
                + w[2] * (self.slow >> 12)
                + (around << 4);
        }
        let so_far = self.so_far();
        let [left, above, corner] = self.around(so_far);
        self.known[self.at]
            + w[0] * (self.fast >> 12)
            + w[1] * (self.medium >> 12)
            + w[2] * (self.slow >> 12)
            + w[5] * self.loud(self.area)
            + w[6] * self.loud(2 * self.area)
            + w[9] * self.channel
            + w[10] * so_far
            + w[11] * left
            + w[12] * above
            + w[13] * corner
    }

    /// Signed amplitudes around the next weight.
    pub fn signed(&self) -> [i32; SIGNED] {
        let at = self.front + self.at;
        let here = |there: bool, distance: usize| if there { i32::from(self.here[at - distance]) } else { 0 };
        let (line, column, width) = (self.line, self.column, self.width);
        let kernel = if self.area == 1 {
            let one = |at: usize| i32::from(self.one[at]);
            [here(true, 3), here(true, 4), here(true, 5), one(at - 1), one(at + 1), 0]
        } else {
            [
                here(column > 0, 1),
                here(line > 0, width),
                here(column > 0 && line > 0, width + 1),
                here(column + 1 < width && line > 0, width.wrapping_sub(1)),
                here(column > 1, 2),
                here(line > 1, 2 * width),
            ]
        };
        let [a, b, c, d, e, f] = kernel;
        let rows = [&self.one, &self.two].map(|row| i32::from(row[at]));
        [a, b, c, d, e, f, here(true, self.area), here(true, 2 * self.area), rows[0], rows[1]]
    }

    /// The weighted sum of [`Self::signed`].
    #[inline]
    pub fn predicted(&self) -> i32 {
        self.signed().iter().zip(&self.signs).map(|(s, w)| s * w).sum()
    }

    /// Goes on to the next weight after one of this signed amplitude.
    #[inline]
    pub fn push(&mut self, signed: i16) {
        self.here[self.front + self.at] = signed;
        let loud = i32::from(signed).abs();
        self.fast += ((loud << 16) - self.fast) >> 3;
        self.medium += ((loud << 16) - self.medium) >> 5;
        self.slow += ((loud << 16) - self.slow) >> 8;
        self.at += 1;
        if self.area == 1 {
            self.channel = loud << 4;
            if self.at == self.taps {
                self.end();
            }
            return;
        }
        self.kernel = self.kernel.wrapping_add(loud.cast_unsigned());
        self.inside += 1;
        self.column += 1;
        if self.column == self.width {
            self.column = 0;
            self.line += 1;
            if self.inside == self.area {
                self.channel = (self.kernel.wrapping_mul(self.reciprocals[self.area]) >> 12).cast_signed();
                (self.inside, self.line, self.kernel) = (0, 0, 0);
                if self.at == self.taps {
                    self.end();
                }
            }
        }
    }

    /// Ends a row.
    #[cold]
    fn end(&mut self) {
        // 1/(n + 1.5) after n rows, until the average goes over so many.
        let rate = |longest: i32| 4096 / (2 * self.row.min(longest) + 3);
        let (quick, lasting) = (rate(14), rate(126));
        let w = &self.weights;
        let rows = self.here[self.front..].iter().zip(&self.one[self.front..]);
        let averages = self.quick.iter_mut().zip(&mut self.lasting);
        for (((&here, &one), (q, l)), known) in rows.zip(averages).zip(&mut self.known) {
            let loud = i32::from(here).abs();
            *q += (((loud << 8) - *q) * quick) >> 11;
            *l += (((loud << 8) - *l) * lasting) >> 11;
            *known =
                256 * w[14] + w[3] * (*q >> 4) + w[4] * (*l >> 4) + ((w[7] * loud + w[8] * i32::from(one).abs()) << 4);
        }
        std::mem::swap(&mut self.one, &mut self.two);
        std::mem::swap(&mut self.one, &mut self.here);
        (self.at, self.channel) = (0, 0);
        self.row = self.row.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
