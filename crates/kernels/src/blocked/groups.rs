//! Whether outputs of a layer share a list of the cells that they read or have lists of their own, by what that costs.

use std::ops::Range;

use super::sums::Layer;

/// Outputs of a block whose outputs have lists of their own.
pub(super) const OWN: usize = 4;

/// What a step of a list of one's own costs against an output's share of a shared one: activations are loaded for one
/// output alone. Measured.
const OWN_COST: f64 = 1.6;

/// Outputs that may share a list.
pub(super) struct Group {
    pub outputs: Range<usize>,
    /// Their number with those that only fill up.
    pub rows: usize,
    pub used: Used,
}

#[cfg(target_arch = "x86_64")]
impl Group {
    /// Steps of a vector of positions, those of lists of one's own at their cost.
    pub fn cost(&self) -> f64 {
        self.used.own_cost().min(self.used.shared_cost(self.rows))
    }
}

impl Used {
    pub fn own_cost(&self) -> f64 {
        self.each as f64 * OWN_COST
    }

    pub fn shared_cost(&self, rows: usize) -> f64 {
        (self.any * rows) as f64
    }
}

/// Outputs of a layer in groups of at most so many.
pub(super) fn groups<'a>(layer: &'a Layer<'a>, most: usize) -> impl Iterator<Item = Group> + use<'a> {
    let outputs = layer.output.channels;
    (0..outputs).step_by(most).map(move |first| {
        let outputs = first..outputs.min(first + most);
        let rows = if outputs.len() > OWN { most } else { OWN };
        Group { used: Used::of(layer, outputs.clone()), outputs, rows }
    })
}

/// How many cells some outputs have weights for.
pub(super) struct Used {
    /// Those that any of them has.
    pub any: usize,
    /// Those of each, added up.
    pub each: usize,
}

impl Used {
    pub fn of(layer: &Layer<'_>, outputs: Range<usize>) -> Self {
        let (each, taps) = (layer.input.cell.channels(), layer.taps.len());
        let inputs = layer.input.channels / layer.groups;
        let of_group = layer.output.channels / layer.groups;
        let mut any = vec![false; layer.input.planes() * taps];
        let mut own = any.clone();
        let mut used = Self { any: 0, each: 0 };
        for o in outputs {
            own.fill(false);
            let first = o / of_group * inputs;
            for (c, weights) in layer.weights[o * inputs * taps..][..inputs * taps].chunks_exact(taps).enumerate() {
                let cells = &mut own[(first + c) / each * taps..][..taps];
                cells.iter_mut().zip(weights).for_each(|(cell, &w)| *cell |= w != 0);
            }
            used.each += own.iter().filter(|c| **c).count();
            any.iter_mut().zip(&own).for_each(|(any, own)| *any |= own);
        }
        used.any = any.iter().filter(|c| **c).count();
        used
    }
}
