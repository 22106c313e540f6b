//! Logistic mixing in integers: several models' probabilities of one bit become one, weighted by how right each was
//! lately (Mahoney 2005, "Adaptive weighing of context models for lossless data compression"). Which models is not
//! decided here.

use std::sync::LazyLock;

use crate::bytes::place;
use crate::coder::{Bit, Coder, FLOOR};

/// Logits end here, in 1/256.
const LARGEST: i32 = 2047;

/// How fast weights learn: an error of 1/65536 at a logit of 1/256 moves a weight by 1/65536 of 1/2^this.
const SHIFT: u32 = 15;

/// Logits of probabilities and back.
struct Tables {
    /// For a probability of (i + 0.5) / 4096 its logit in 1/256, rounded to nearest.
    stretch: [i16; 4096],
    /// For a logit of (i - 2048) / 256 its probability in 1/65536, rounded to nearest and within what the
    /// coder takes.
    squash: [u16; 4096],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let stretch = |i: i32| {
        let p = (f64::from(i) + 0.5) / 4096.0;
        nearest((p / (1.0 - p)).ln() * 256.0)
    };
    let squash = |i: i32| nearest(65536.0 / (1.0 + (-f64::from(i - 2048) / 256.0).exp())).cast_unsigned();
    let mut tables = Tables { stretch: [0; 4096], squash: [0; 4096] };
    for (i, (l, p)) in (0..).zip(tables.stretch.iter_mut().zip(&mut tables.squash)) {
        *l = i16::try_from(stretch(i)).unwrap_or(0);
        *p = u16::try_from(squash(i).clamp(FLOOR, 65536 - FLOOR)).unwrap_or(0);
    }
    tables
});

#[allow(clippy::as_conversions, reason = "at most 65536")]
fn nearest(x: f64) -> i32 {
    x.round() as i32
}

/// Weights of `N` models, several sets of them.
pub(super) struct Mixer<const N: usize> {
    tables: &'static Tables,
    /// In 1/65536.
    weights: Vec<[i32; N]>,
}

impl<const N: usize> Mixer<N> {
    /// So many sets, in which all models weigh the same.
    pub fn new(sets: usize, weight: i32) -> Self {
        Self { tables: &TABLES, weights: vec![[weight; N]; sets] }
    }

    /// Codes a bit under the models at these places, mixed by one set of weights.
    #[inline]
    pub fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        set: usize,
        models: &mut [Bit],
        places: [usize; N],
        bit: bool,
    ) -> bool {
        let Tables { stretch, squash } = self.tables;
        // What is new in its context starts from the first model, which sees the most.
        for &i in &places[1..] {
            if models[i].is_new() {
                models[i] = models[places[0]].younger();
            }
        }
        let logits = places.map(|i| i32::from(stretch[place(models[i].probability() >> 4)]));
        let weights = &mut self.weights[set];
        let sum: i64 = weights.iter().zip(&logits).map(|(&w, &l)| i64::from(w) * i64::from(l)).sum();
        let logit = i32::try_from((sum >> 16).clamp(-i64::from(LARGEST), i64::from(LARGEST))).unwrap_or(0);
        let p = u32::from(squash[place((logit + 2048).cast_unsigned())]);
        let bit = coder.coin(p, bit);
        let error = if bit { 65536 - p.cast_signed() } else { -p.cast_signed() };
        for (w, l) in weights.iter_mut().zip(logits) {
            *w = (*w + ((l * error) >> SHIFT)).clamp(-(1 << 20), 1 << 20);
        }
        for i in places {
            models[i].update(bit);
        }
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables come from logarithms and exponentials of the machine's library; a file needs the very same.
    #[test]
    fn tables_are_the_same_on_every_machine() {
        let stretch: Vec<u8> = TABLES.stretch.iter().flat_map(|n| n.to_le_bytes()).collect();
        let squash: Vec<u8> = TABLES.squash.iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!([stretch, squash].map(|bytes| crc32fast::hash(&bytes)), [733_890_036, 3_083_374_769]);
    }
}
