//! Local response normalization over neighbouring channels, by table.

use super::{Cell, Place, Team};
use crate::integer::{Kernel, Loops};

/// Multipliers for sums of squares: what a layer's table says, ready for 32-bit lanes.
#[derive(Clone, Debug)]
pub struct Normalization {
    /// Channels of a sum on either side of its own.
    half: usize,
    low: i32,
    high: i32,
    /// For each place of a table the multiplier, and below it the shift in 5 bits.
    entries: Box<[u32; ENTRIES]>,
}

/// Places for sums below 2^24.
const ENTRIES: usize = 2048;

/// Mantissa bits of a sum that select its place.
const MANTISSA: u32 = 6;

/// Positions that are worked on at a time.
const TOGETHER: usize = 64;

impl Normalization {
    /// From `(multiplier, right shift)` for each place: that of sum `s` is `(cut << 6) + (s >> cut)` where `cut` is as
    /// many bits as `s` has above the lowest 7. Multipliers lie from 512 to 1023. `None` unless sums of `channels`
    /// squares of bytes stay below 2^24.
    ///
    /// A code becomes `round_shift(code * multiplier, shift)`, saturated to `low..=high`, which 16 bits hold.
    pub fn new(channels: usize, table: &[(i32, i32)], [low, high]: [i32; 2]) -> Option<Self> {
        if channels.checked_mul(255 * 255)? >= 1 << 24 || table.len() > ENTRIES {
            return None;
        }
        let mut entries = Box::new([0; ENTRIES]);
        for (entry, &(factor, shift)) in entries.iter_mut().zip(table) {
            // Products are below 2^18: shifts of over 24 give 0 as 24 does. Shifts to the left of over 12 saturate as 12
            // does, for any code but 0.
            let (factor, shift) = (factor << (-shift).clamp(0, 12), shift.clamp(0, 24));
            *entry = (factor as u32) << 5 | shift as u32;
        }
        Some(Self { half: channels / 2, low, high, entries })
    }

    /// Normalizes a map of bytes; zeros around the result.
    ///
    /// # Panics
    /// When the input's cells are not bytes, the maps differ in shape, or a buffer is too short.
    pub fn run(&self, kernel: Kernel, from: &Place, input: &[u32], to: &Place, output: &mut [u32], team: &Team) {
        assert_eq!((from.cell, from.channels, from.size), (Cell::Bytes, to.channels, to.size), "maps are alike");
        assert!(input.len() >= from.end() && output.len() >= to.end());
        let out = &Pointer(output.as_mut_ptr());
        team.run(to.size[0], &|y| kernel.run(Row { normalization: self, from, input, to, out, y }));
        to.clear_borders(output);
    }
}

struct Pointer(*mut u32);
// Safety: every row is written by one thread.
unsafe impl Sync for Pointer {}

struct Row<'a> {
    normalization: &'a Normalization,
    from: &'a Place,
    input: &'a [u32],
    to: &'a Place,
    out: &'a Pointer,
    y: usize,
}

impl Row<'_> {
    /// The codes of a channel from a pixel on. Those beyond the row are of no use; there is slack behind the last.
    #[inline(always)]
    fn codes(&self, channel: usize, x: usize) -> [i32; TOGETHER] {
        let (shift, offset) = (channel % 4 * 8, i32::from(self.from.offset()));
        let cells = &self.input[self.from.row(channel / 4, self.y) + x..][..TOGETHER];
        let mut codes = [0; TOGETHER];
        for i in 0..TOGETHER {
            codes[i] = (cells[i] >> shift & 0xff) as i32 - offset;
        }
        codes
    }
}

impl Loops for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Normalization { half, low, high, ref entries } = *self.normalization;
        let (channels, width, to) = (self.to.channels, self.to.size[1], self.to);
        let (each, offset) = (to.cell.channels(), i32::from(to.offset()));
        let (bits, mask) = if each == 4 { (8, 0xff) } else { (16, 0xffff) };
        for x in (0..width).step_by(TOGETHER) {
            let n = (width - x).min(TOGETHER);
            let mut sums = [0i32; TOGETHER];
            for channel in 0..half.min(channels) {
                let come = self.codes(channel, x);
                for i in 0..TOGETHER {
                    sums[i] += come[i] * come[i];
                }
            }
            for plane in 0..to.planes() {
                let mut cells = [0u32; TOGETHER];
                for channel in plane * each..((plane + 1) * each).min(channels) {
                    // The window moves by a channel: one comes, one goes.
                    if channel + half < channels {
                        let come = self.codes(channel + half, x);
                        for i in 0..TOGETHER {
                            sums[i] += come[i] * come[i];
                        }
                    }
                    if channel > half {
                        let gone = self.codes(channel - half - 1, x);
                        for i in 0..TOGETHER {
                            sums[i] -= gone[i] * gone[i];
                        }
                    }
                    let codes = self.codes(channel, x);
                    for i in 0..TOGETHER {
                        // The exponent of a float is the number of bits: exact below 2^24.
                        let bits_of = ((sums[i] | 1 << MANTISSA) as f32).to_bits() >> 23;
                        let cut = bits_of - (127 + MANTISSA);
                        let entry = entries[((cut << MANTISSA) + (sums[i] as u32 >> cut)) as usize % ENTRIES];
                        let (factor, shift) = ((entry >> 5) as i32, entry & 31);
                        let value = codes[i] * factor;
                        let rounded = (value + (1 << shift >> 1)) >> shift;
                        let code = rounded.clamp(low, high) + offset;
                        cells[i] |= (code as u32 & mask) << ((channel % each) * bits);
                    }
                }
                let at = to.row(plane, self.y) + x;
                // Safety: the row's cells lie in the buffer, whose length was checked, and are this thread's.
                let out = unsafe { std::slice::from_raw_parts_mut(self.out.0.add(at), n) };
                out.copy_from_slice(&cells[..n]);
            }
        }
    }
}
