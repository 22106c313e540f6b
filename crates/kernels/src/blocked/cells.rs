//! The weights of some outputs sorted by the cells of the input that they are for.

use std::ops::Range;

use super::sums::Layer;

/// Neighbouring weights of bytes whose products with the least activations, -128 too, add up to more than 16 bits hold.
/// They are the only ones.
const LEAST: [i16; 2] = [-128; 2];

/// Weights of some outputs by cell: `[cell][output]`.
pub(super) struct Cells {
    pub offsets: Vec<u32>,
    weights: Vec<[i16; 4]>,
    outputs: usize,
}

impl Cells {
    /// The cells that outputs read; with `narrow` those twice, with half the weights each, of which two products may
    /// exceed 16 bits.
    pub fn new(layer: &Layer<'_>, outputs: Range<usize>, narrow: bool) -> Self {
        let (place, each, taps) = (&layer.input, layer.input.cell.channels(), layer.taps.len());
        let inputs = place.channels / layer.groups;
        let of_group = layer.output.channels / layer.groups;
        let first = |o: usize| o / of_group * inputs;
        let planes = first(outputs.start) / each..(first(outputs.end - 1) + inputs).div_ceil(each);
        // The first channel that an output reads, and its weights.
        let rows = outputs.clone().map(|o| (first(o), &layer.weights[o * inputs * taps..][..inputs * taps]));
        let rows: Vec<(usize, &[i16])> = rows.collect();
        let mut cells = Self { offsets: Vec::new(), weights: Vec::new(), outputs: rows.len() };
        let mut weights = vec![[0; 4]; rows.len()];
        for (t, [dy, dx]) in layer.taps.iter().enumerate() {
            for plane in planes.clone() {
                for (cell, (first, row)) in weights.iter_mut().zip(&rows) {
                    for (c, w) in cell[..each].iter_mut().enumerate() {
                        let input = (plane * each + c).wrapping_sub(*first);
                        *w = if input < inputs { row[input * taps + t] } else { 0 };
                    }
                }
                if weights.iter().all(|w| *w == [0; 4]) {
                    continue;
                }
                let pixel = place.lead as isize + dy * place.pitch as isize + dx;
                cells.offsets.push((plane * place.plane + pixel as usize) as u32);
                if narrow && weights.iter().any(|w| w[..2] == LEAST || w[2..] == LEAST) {
                    cells.weights.extend(weights.iter().map(|w| w.map(|w| w / 2)));
                    cells.offsets.extend(cells.offsets.last().copied());
                    cells.weights.extend(weights.iter().map(|w| w.map(|w| w - w / 2)));
                } else {
                    cells.weights.extend(&weights);
                }
            }
        }
        cells
    }

    /// The weights that outputs have for each cell.
    pub fn weights(&self) -> impl Iterator<Item = &[[i16; 4]]> {
        self.weights.chunks_exact(self.outputs)
    }
}
