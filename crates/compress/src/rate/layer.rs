//! One layer coded for the least of error and bits together: which step its levels are apart, and which level each
//! weight takes.

use synapress_model::{Bias, Centroids, Error, Fixed, Form, Weights};

use super::lengths::{Lengths, classes};
use crate::layerwise::factor::Choice;
use crate::layerwise::problem::Problem;

/// A layer's least-squares problems and what its bits are told by.
pub(super) struct Layer {
    problem: Problem,
    /// Mean logarithm of what an error of one in a weight is worth.
    log_curvature: f64,
    /// Class of expected magnitude of every weight.
    classes: Vec<u8>,
    /// The largest magnitude of an optimal weight.
    largest: f32,
}

/// Levels of a layer.
#[derive(Clone, Debug)]
pub(super) struct Coded {
    /// The distance between two levels.
    pub step: f32,
    /// One for each weight.
    pub levels: Vec<i16>,
    /// Squared error of the outputs relative to that of constant ones.
    pub error: f64,
    /// Estimated bits of all levels.
    pub bits: f64,
    /// The value of each level from the lowest that may occur.
    values: Vec<f32>,
}

/// How levels of one step are chosen.
struct Grid {
    step: f32,
    reach: i32,
    values: Vec<f32>,
}

impl Grid {
    /// Multiples of a step as far as `largest`, each rounded to fixed point of `bits`.
    fn new(step: f32, largest: f32, bits: u8) -> Result<Self, Error> {
        let most = (1i32 << (bits.min(15) - 1)) - 1;
        let reach = ((largest / step).round() as i32).clamp(1, most);
        let format = Fixed::covering(bits, true, step * reach as f32);
        let values: Vec<f32> = (-reach..=reach).map(|l| format.value(format.quantize(step * l as f32))).collect();
        Ok(Self { step, reach, values })
    }

    fn value(&self, level: i32) -> f32 {
        self.values[(level + self.reach) as usize]
    }

    fn level(&self, value: f32) -> i16 {
        let near = ((value / self.step).round() as i32).clamp(-self.reach, self.reach);
        let exact = [near, near - 1, near + 1].into_iter().find(|l| l.abs() <= self.reach && self.value(*l) == value);
        exact.unwrap_or(near) as i16
    }

    /// The level of the least error and bits together.
    fn choose(&self, c: Choice, class: u8, lengths: &Lengths, price: f32) -> f32 {
        let near = ((c.best / self.step).round() as i32).clamp(-self.reach, self.reach);
        let cost = |level: i32| {
            let miss = self.value(level) - c.best;
            c.curvature * miss * miss + price * lengths.bits(class, level)
        };
        let mut least = (cost(near), near);
        for other in [near - near.signum(), 0] {
            if other != least.1 {
                let cost = cost(other);
                if cost < least.0 {
                    least = (cost, other);
                }
            }
        }
        self.value(least.1)
    }
}

/// Ratio of neighbouring steps that are tried.
const FINER: f32 = 0.8;

/// Sweeps for each step: the first one goes by a guess of the lengths.
const SWEEPS: usize = 2;

/// Passes of descent at the end.
const PASSES: usize = 3;

impl Layer {
    /// Of a problem in which all weights may be other than zero.
    pub fn new(problem: Problem) -> Self {
        let all = problem.optimum();
        let n = problem.parts.len() as f64;
        Self {
            log_curvature: problem.parts.iter().map(|p| p.mean_log_curvature()).sum::<f64>() / n,
            classes: classes(&all, problem.taps),
            largest: all.iter().fold(0.0, |m, w| m.max(w.abs())),
            problem,
        }
    }

    /// Codes the layer with at most `width` bits a value where a bit is worth `price` of relative squared error.
    ///
    /// # Errors
    /// When a format cannot hold the weights.
    pub fn code(&self, price: f64, width: u8) -> Result<Coded, Error> {
        let price = (price * self.problem.power) as f32;
        // At high rates the best step of an entropy-coded quantizer is where d² curvature / 12 costs ln 2 / 6 bits.
        let guess = (8.66 * f64::from(price)).ln() - self.log_curvature;
        let least = self.largest / (1i32 << (width - 1)) as f32;
        let guess = ((0.5 * guess).exp() as f32).clamp(least, self.largest.max(f32::MIN_POSITIVE));
        let cost = |c: &Coded| c.error * self.problem.power + f64::from(price) * c.bits;
        let mut best = self.levels(guess, price, width, 0)?;
        for direction in [FINER, 1.0 / FINER] {
            let start = best.step;
            loop {
                let next = self.levels(best.step * direction, price, width, 0)?;
                if cost(&next) >= cost(&best) || next.step < least * 0.5 {
                    break;
                }
                best = next;
            }
            if best.step != start {
                break;
            }
        }
        self.levels(best.step, price, width, PASSES)
    }

    fn levels(&self, step: f32, price: f32, width: u8, passes: usize) -> Result<Coded, Error> {
        let grid = Grid::new(step, self.largest, width)?;
        let mut levels: Vec<i16> = self
            .problem
            .parts
            .iter()
            .flat_map(|p| &p.optimum)
            .map(|w| (w.signum() * (w.abs() / step + 0.35).floor().min(grid.reach as f32)) as i16)
            .collect();
        let mut values = vec![0.0; levels.len()];
        let mut lengths = Lengths::of(&levels, &self.classes, grid.reach);
        for round in 0..SWEEPS + usize::from(passes > 0) {
            for part in &self.problem.parts {
                let classes = &self.classes[part.range.clone()];
                let choose = |c: Choice| grid.choose(c, classes[c.row * self.problem.taps + c.tap], &lengths, price);
                let values = &mut values[part.range.clone()];
                if round < SWEEPS {
                    part.sweep(values, choose);
                } else {
                    part.descend(values, passes, choose);
                }
            }
            levels = values.iter().map(|&v| grid.level(v)).collect();
            lengths = Lengths::of(&levels, &self.classes, grid.reach);
        }
        let bits = lengths.total(&levels, &self.classes);
        Ok(Coded { step, error: self.problem.error(&values), bits, values: grid.values, levels })
    }

    /// Grouped weights with these levels, and a bias that makes the means right.
    pub fn weights(&self, coded: &Coded, like: &Weights) -> Weights {
        let reach = (coded.values.len() / 2) as i32;
        let mut place = vec![0u16; coded.values.len()];
        coded.levels.iter().for_each(|&l| place[(i32::from(l) + reach) as usize] = 1);
        let mut table = vec![0.0];
        for (value, place) in coded.values.iter().zip(&mut place) {
            if *place == 1 && *value != 0.0 {
                *place = table.len() as u16;
                table.push(*value);
            } else {
                *place = 0;
            }
        }
        let index: Vec<u16> = coded.levels.iter().map(|&l| place[(i32::from(l) + reach) as usize]).collect();
        let mut weights = like.clone();
        if let Bias::Float(bias) = &mut weights.bias {
            let values: Vec<f32> = index.iter().map(|&i| table[usize::from(i)]).collect();
            self.problem.correct(&values, bias);
        }
        weights.form = Form::Coded { centroids: Centroids::Float(table), index };
        weights
    }
}
