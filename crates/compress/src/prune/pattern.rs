//! Which weights of a layer fall together.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Weights that fall together or survive together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// Each weight by itself.
    #[default]
    #[serde(rename = "single")]
    Single,
    /// The weights of an output and a place of the window for four neighbouring input channels, which vector hardware
    /// skips as one; the last group of a layer is smaller where the number of its channels is no multiple of four.
    #[serde(rename = "1x4")]
    Channels4,
}

/// The group of each tap of one output.
#[derive(Clone, Debug)]
pub(crate) struct Units {
    /// For each tap the place of its group.
    of: Vec<u32>,
    /// Number of groups.
    pub count: usize,
}

impl Pattern {
    /// Groups of the taps `(channels, height, width)` of one output.
    pub(crate) fn units(self, [channels, height, width]: [usize; 3]) -> Units {
        let area = height * width;
        let taps = channels * area;
        match self {
            Self::Single => Units { of: (0..taps as u32).collect(), count: taps },
            Self::Channels4 => {
                let of = |tap: usize| (tap / area / 4 * area + tap % area) as u32;
                Units { of: (0..taps).map(of).collect(), count: channels.div_ceil(4) * area }
            }
        }
    }

    /// For each weight `(rows, channels, height, width)` the root mean square of those that fall together with it, which
    /// is what is held against a threshold: its own magnitude where it falls by itself.
    pub(crate) fn magnitudes(self, weights: &[f32], row: [usize; 3]) -> Cow<'_, [f32]> {
        if self == Self::Single {
            return Cow::Borrowed(weights);
        }
        let units = self.units(row);
        let mut sums = vec![(0.0f64, 0u32); units.count];
        let mut all = Vec::with_capacity(weights.len());
        for row in weights.chunks_exact(units.of.len().max(1)) {
            sums.fill((0.0, 0));
            for (w, &unit) in row.iter().zip(&units.of) {
                let (sum, count) = &mut sums[unit as usize];
                *sum += f64::from(*w).powi(2);
                *count += 1;
            }
            all.extend(units.of.iter().map(|&unit| {
                let (sum, count) = sums[unit as usize];
                (sum / f64::from(count)).sqrt() as f32
            }));
        }
        Cow::Owned(all)
    }
}

impl Units {
    /// The group of a tap.
    pub fn of(&self, tap: usize) -> usize {
        self.of[tap] as usize
    }

    /// Number of taps.
    pub fn taps(&self) -> usize {
        self.of.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_channels_at_one_place_fall_together() {
        let units = Pattern::Channels4.units([6, 1, 2]);
        let of: Vec<usize> = (0..12).map(|tap| units.of(tap)).collect();
        assert_eq!(of, [0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3]);
        assert_eq!((units.count, units.taps()), (4, 12));
        let weights: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let found = Pattern::Channels4.magnitudes(&weights, [6, 1, 2]);
        // 0, 2, 4, 6 and 8, 10.
        assert!((found[0] - 14f32.sqrt()).abs() < 1e-6 && found[0] == found[6]);
        assert!((found[8] - 82f32.sqrt()).abs() < 1e-6 && found[8] == found[10]);
        assert_eq!(*Pattern::Single.magnitudes(&weights, [6, 1, 2]), weights[..]);
    }
}
