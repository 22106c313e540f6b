//! From sums to codes: bias, then rounding shifts and saturations one after another.

use super::place::Cell;
use super::sums::Layer;
use crate::scalar::round_shift;

/// A rounding shift and a saturation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Right shift, rounding; a negative one shifts to the left.
    pub shift: i32,
    /// The smallest code.
    pub low: i32,
    /// The largest code.
    pub high: i32,
}

/// What becomes of the sums of one layer.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Added to the sum of each output; empty for nothing.
    pub bias: Vec<i64>,
    /// The layer's own requantization, and those of what follows it (ReLU, concat).
    pub stages: Vec<Stage>,
    /// For each output what is added to its sum.
    pub(super) start: Vec<i32>,
    /// What is added to a code where it is stored.
    pub(super) offset: i32,
    /// Whether codes are bytes that one stage saturates to all that bytes hold.
    pub(super) whole_bytes: bool,
}

/// Outputs whose starting values are read together.
const TOGETHER: usize = 64;

impl Finish {
    /// A bias for each output (or none) and the steps to its code.
    pub fn new(bias: Vec<i64>, stages: Vec<Stage>) -> Self {
        Self { bias, stages, start: Vec::new(), offset: 0, whole_bytes: false }
    }

    /// The code of one sum, as it is stored.
    pub(super) fn code(&self, sum: i32, output: usize) -> i32 {
        let mut value = sum.wrapping_add(self.start[output]) >> self.stages[0].shift;
        value = value.clamp(self.stages[0].low, self.stages[0].high);
        for stage in &self.stages[1..] {
            let rounded = round_shift(value.into(), stage.shift);
            value = rounded.clamp(stage.low.into(), stage.high.into()) as i32;
        }
        value + self.offset
    }

    /// Ready for sums of what is stored less a number; `None` when 32 bits do not hold every sum and what finishing makes
    /// of it.
    pub(super) fn prepared(mut self, layer: &Layer<'_>, less: i16) -> Option<Self> {
        let shift = self.stages.first()?.shift;
        if !(0..=30).contains(&shift) {
            return None;
        }
        let later = &self.stages[1..];
        if later.iter().any(|s| !(-14..=30).contains(&s.shift)) {
            return None;
        }
        let half = if shift > 0 { 1i64 << (shift - 1) } else { 0 };
        let stored = i64::from(layer.input.offset()) - i64::from(less);
        let most = layer.range.map(|q| (q + stored).abs()).into_iter().max().unwrap_or(0);
        let row = layer.weights.len() / layer.output.channels;
        self.start = Vec::with_capacity(layer.output.channels.next_multiple_of(TOGETHER));
        for (o, row) in layer.weights.chunks_exact(row).enumerate() {
            let sum: i64 = row.iter().map(|&w| i64::from(w)).sum();
            let size: i64 = row.iter().map(|&w| i64::from(w).abs()).sum();
            let start = self.bias.get(o).copied().unwrap_or(0).checked_add(half)?.checked_sub(sum * stored)?;
            if start.checked_abs()?.checked_add(size.checked_mul(most)?)? > i64::from(i32::MAX) {
                return None;
            }
            self.start.push(i32::try_from(start).ok()?);
        }
        self.start.resize(layer.output.channels.next_multiple_of(TOGETHER), 0);
        self.offset = i32::from(layer.output.offset());
        let [low, high] = if layer.output.signed { [-128, 127] } else { [0, 255] };
        let Stage { low: least, high: most, .. } = self.stages[0];
        self.whole_bytes = layer.output.cell == Cell::Bytes && later.is_empty() && [least, most] == [low, high];
        Some(self)
    }
}
