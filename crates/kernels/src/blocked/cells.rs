//! The weights of some outputs sorted by the cells of the input that they are for.

use std::ops::Range;

use super::sums::Layer;

/// Neighbouring weights of bytes whose products with the least activations, -128 too, add up to more than 16 bits hold.
/// They are the only ones.
const LEAST: [i16; 2] = [-128; 2];

/// Weights of some outputs by cell: `[cell][output]`.
pub(super) struct Cells {
    pub offsets: Vec<u32>,
    pub weights: Vec<Vec<[i16; 4]>>,
}

impl Cells {
    /// The cells that outputs read; with `narrow` those twice, with half the weights each, of which two products may
    /// exceed 16 bits.
    pub fn new(layer: &Layer<'_>, outputs: Range<usize>, narrow: bool) -> Self {
        let (place, each) = (&layer.input, layer.input.cell.channels());
        let inputs = place.channels / layer.groups;
        let of_group = layer.output.channels / layer.groups;
        let first = |o: usize| o / of_group * inputs;
        let planes = first(outputs.start) / each..(first(outputs.end - 1) + inputs).div_ceil(each);
        let (mut cells, taps) = (Self { offsets: Vec::new(), weights: Vec::new() }, layer.taps.len());
        for (t, [dy, dx]) in layer.taps.iter().enumerate() {
            for plane in planes.clone() {
                let weight = |o: usize, c: usize| {
                    let input = (plane * each + c).wrapping_sub(first(o));
                    if c < each && input < inputs { layer.weights[(o * inputs + input) * taps + t] } else { 0 }
                };
                let cell = |o: usize| std::array::from_fn(|c| weight(o, c));
                let weights: Vec<[i16; 4]> = outputs.clone().map(cell).collect();
                if weights.iter().all(|w| *w == [0; 4]) {
                    continue;
                }
                let pixel = place.lead as isize + dy * place.pitch as isize + dx;
                let offset = (plane * place.plane + pixel as usize) as u32;
                let mut add = |weights| {
                    cells.offsets.push(offset);
                    cells.weights.push(weights);
                };
                if narrow && weights.iter().any(|w| w[..2] == LEAST || w[2..] == LEAST) {
                    add(weights.iter().map(|w| w.map(|w| w / 2)).collect());
                    add(weights.iter().map(|w| w.map(|w| w - w / 2)).collect());
                } else {
                    add(weights);
                }
            }
        }
        cells
    }
}
