//! Weighted sums at a single position from rows of gaps and weights: for fully connected layers of which few weights
//! are left. What is read is a fraction of the dense weights, and so is the time where memory is what one waits for.

use std::ops::Range;

use super::Cell;
use super::loops::{little, scatter};
use super::run::Part;
use super::sums::Layer;

/// For each output what its weights are and how far apart their inputs lie.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Distance from the last input, in units of the cell's channels, and weight. Longer distances take entries of
    /// weight 0.
    entries: Vec<Entry>,
    /// For each output where its entries end.
    ends: Vec<u32>,
}

/// A gap and a weight.
#[derive(Clone, Copy, Debug)]
struct Entry {
    gap: u8,
    weight: i8,
}

/// Rows are chosen if at most one in so many weights is not zero. Measured: an entry takes about 1.3 cycles, dense weights
/// come at 4 to 16 a cycle.
const FEW: usize = 8;

/// The same where weights can be read as indices, of which more come in a cycle.
const FEWER: usize = 24;

impl Rows {
    /// Arranges a layer of a single position; `None` if rows would not be quicker than dense weights or, with
    /// `indexed`, than [indices](super::codebook), or weights have over 8 bits.
    pub fn new(layer: &Layer<'_>, indexed: bool) -> Option<Self> {
        let kept = layer.weights.iter().filter(|&&w| w != 0).count();
        if kept * if indexed { FEWER } else { FEW } > layer.weights.len()
            || layer.weights.iter().any(|&w| i8::try_from(w).is_err())
        {
            return None;
        }
        let (place, taps) = (&layer.input, layer.taps.len());
        let (each, inputs) = (place.cell.channels(), place.channels / layer.groups);
        let of_group = layer.output.channels / layer.groups;
        let mut rows = Self { entries: Vec::with_capacity(kept + kept / 8), ends: Vec::new() };
        let mut row: Vec<(usize, i8)> = Vec::new();
        for (o, weights) in layer.weights.chunks_exact(inputs * taps).enumerate() {
            row.clear();
            for (i, &w) in weights.iter().enumerate().filter(|(_, w)| **w != 0) {
                let (channel, [dy, dx]) = (o / of_group * inputs + i / taps, layer.taps[i % taps]);
                let pixel = place.lead as isize + dy * place.pitch as isize + dx;
                let cell = channel / each * place.plane + pixel as usize;
                row.push((cell * each + little(channel % each, 4 / each), w as i8));
            }
            row.sort_unstable();
            let mut at = 0;
            for &(place, weight) in &row {
                while place - at > usize::from(u8::MAX) {
                    rows.entries.push(Entry { gap: u8::MAX, weight: 0 });
                    at += usize::from(u8::MAX);
                }
                rows.entries.push(Entry { gap: (place - at) as u8, weight });
                at = place;
            }
            rows.ends.push(u32::try_from(rows.entries.len()).ok()?);
        }
        Some(rows)
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.ends.len()
    }

    /// Number of entries.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    fn of(&self, output: usize) -> &[Entry] {
        let start = if output == 0 { 0 } else { self.ends[output - 1] as usize };
        &self.entries[start..self.ends[output] as usize]
    }
}

/// Computes some outputs.
///
/// # Safety
/// The part's pointers are those of the layer's buffers, with its places inside.
pub(super) unsafe fn outputs(part: &Part<'_>, rows: &Rows, outputs: Range<usize>) {
    let (layer, bytes) = (part.sums, part.sums.input.cell == Cell::Bytes);
    for output in outputs {
        let entries = rows.of(output);
        // Safety: gaps lead to inputs of the layer's place.
        let sum = unsafe {
            if bytes {
                sum(entries, part.input.cast::<u8>(), i32::from)
            } else {
                sum(entries, part.input.cast::<i16>(), i32::from)
            }
        };
        let code = layer.finish.code(sum, output);
        // Safety: the caller's.
        unsafe { scatter(&layer.output, &[code as u32], output, part.output) }
    }
}

/// The sum of one row.
#[inline(always)]
unsafe fn sum<T: Copy>(entries: &[Entry], mut at: *const T, number: impl Fn(T) -> i32) -> i32 {
    let (mut even, mut odd) = (0i32, 0i32);
    let (pairs, rest) = entries.as_chunks::<2>();
    for [a, b] in pairs {
        // Safety: the caller's.
        unsafe {
            at = at.add(a.gap.into());
            even = even.wrapping_add(number(at.read()) * i32::from(a.weight));
            at = at.add(b.gap.into());
            odd = odd.wrapping_add(number(at.read()) * i32::from(b.weight));
        }
    }
    for entry in rest {
        // Safety: the caller's.
        unsafe {
            at = at.add(entry.gap.into());
            even = even.wrapping_add(number(at.read()) * i32::from(entry.weight));
        }
    }
    even.wrapping_add(odd)
}
