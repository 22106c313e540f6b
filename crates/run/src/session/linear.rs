//! Convolution and fully connected layers by the kernels of the channel-blocked layout.

use synapress_kernels::blocked::phases::{self, Phases};
use synapress_kernels::blocked::{Buffer, Cell, Finish, Layer, Place, Stage, Sums, Team};
use synapress_kernels::integer::Kernel;
use synapress_model::Fixed;
use synapress_model::linear::{IntegerWeights, Linear};

use super::plan::{is_direct, stage};
use super::step::How;

/// A layer's weighted sums, and how its input is taken apart first if windows move by more than a pixel.
#[derive(Debug)]
pub(super) struct Product {
    sums: Sums,
    phases: Option<(Phases, Place)>,
}

/// Of maps of so few planes columns are not only taken apart but shifted too: deeper cells for fewer taps.
const FEW: usize = 2;

/// Expanded weights of a layer may be so many.
const MOST: usize = 1 << 28;

impl Product {
    /// Arranges a layer for maps at these places; `None` when 32 bits do not hold its sums.
    pub fn new(
        kernel: Kernel,
        g: &Linear,
        weights: &IntegerWeights,
        [input, output]: [Place; 2],
        [from, to]: [Fixed; 2],
        later: &[Stage],
    ) -> Option<Self> {
        let accumulator = i32::from(weights.format.frac) + i32::from(from.frac);
        let bias = (0..g.output.channels).map(|o| weights.bias_at(o, accumulator)).collect();
        let finish = Finish::new(bias, merged(stage(accumulator, to), later));
        let (low, high) = from.range();
        let range = [low, high];
        if is_direct(g) {
            let taps: Vec<[isize; 2]> = each(g.window.kernel, |t| tap(g, t)).collect();
            let (groups, weights) = (g.groups, &weights.q[..]);
            let sums = Sums::new(kernel, &Layer { input, output, taps: &taps, groups, weights, range }, finish)?;
            return Some(Self { sums, phases: None });
        }
        let apart = Apart::new(g, input.planes() <= FEW);
        let (phases, size) = apart.map(g);
        let channels = phases.channels(&input);
        let most = g.output.channels.checked_mul(channels)?.checked_mul(apart.taps().len())?;
        if most > MOST {
            return None;
        }
        let each = channels / phases.phases.len();
        let input = Place::new(input.cell, channels, size, [0, 0], input.signed);
        let (taps, weights) = (apart.taps(), apart.weights(g, &weights.q, &phases, each));
        let layer = Layer { input, output, taps: &taps, groups: 1, weights: &weights, range };
        Some(Self { sums: Sums::new(kernel, &layer, finish)?, phases: Some((phases, input)) })
    }

    /// How it is done.
    pub fn how(&self) -> How {
        let loops = match (self.sums.is_sparse(), self.sums.cell()) {
            (true, Cell::Bytes) => "sparse 8-bit sums",
            (true, Cell::Words) => "sparse 16-bit sums",
            (false, Cell::Bytes) if self.sums.is_indexed() => "8-bit sums of indices",
            (false, Cell::Bytes) => "8-bit sums",
            (false, Cell::Words) => "16-bit sums",
        };
        How { loops, multiplications: Some(self.sums.multiplications()), bytes: self.sums.bytes() }
    }

    /// The output's codes from the input's; `scratch` holds the input taken apart.
    pub fn run(&self, [from, to]: [&Place; 2], input: &[u32], output: &mut [u32], scratch: &mut Buffer, team: &Team) {
        match &self.phases {
            None => self.sums.run(input, output, team),
            Some((phases, place)) => {
                scratch.reserve(place.end());
                phases::split(phases, from, input, place, scratch.cells_mut(), team);
                self.sums.run(scratch.cells(), output, team);
            }
        }
        to.clear_borders(output);
    }
}

/// Stages one after another, those that only saturate taken together with the one before.
fn merged(first: Stage, later: &[Stage]) -> Vec<Stage> {
    let mut stages = vec![first];
    for stage in later {
        let last = stages.last_mut().expect("there is a first");
        if stage.shift == 0 && stage.low <= last.high && last.low <= stage.high {
            // A value saturated twice lies in both ranges.
            (last.low, last.high) = (last.low.max(stage.low), last.high.min(stage.high));
        } else {
            stages.push(*stage);
        }
    }
    stages
}

fn each<T>([height, width]: [usize; 2], f: impl Fn([usize; 2]) -> T) -> impl Iterator<Item = T> {
    (0..height * width).map(move |i| f([i / width, i % width]))
}

/// Where a tap of the window lies, from the window's position on the map.
fn tap(g: &Linear, t: [usize; 2]) -> [isize; 2] {
    std::array::from_fn(|i| (t[i] * g.window.dilation[i]) as isize - g.window.pad[i] as isize)
}

/// A window whose steps are larger than a pixel, as one over phases: along each axis tap `t` reads phase `t mod stride`
/// at distance `t div stride`, or, where columns are shifted, phase `t` counted from the first at the first's distance.
struct Apart {
    stride: [usize; 2],
    shifted: bool,
    /// The smallest and the largest distance.
    first: [isize; 2],
    last: [isize; 2],
}

impl Apart {
    fn new(g: &Linear, shifted: bool) -> Self {
        let stride = g.window.stride;
        let end = |i: usize, t: usize| tap(g, [t; 2])[i].div_euclid(stride[i] as isize);
        let first = std::array::from_fn(|i| end(i, 0));
        let last = std::array::from_fn(|i| if shifted && i == 1 { first[1] } else { end(i, g.window.kernel[i] - 1) });
        Self { stride, shifted, first, last }
    }

    /// A tap's phase and distance.
    fn of(&self, tap: [isize; 2]) -> ([usize; 2], [isize; 2]) {
        let stride = self.stride.map(|s| s as isize);
        let mut distance: [isize; 2] = std::array::from_fn(|i| tap[i].div_euclid(stride[i]));
        if self.shifted {
            distance[1] = self.first[1];
        }
        (std::array::from_fn(|i| (tap[i] - distance[i] * stride[i]) as usize), distance)
    }

    /// The phases that any tap reads and the size of their maps.
    fn map(&self, g: &Linear) -> (Phases, [usize; 2]) {
        let mut phases: Vec<[usize; 2]> = each(g.window.kernel, |t| self.of(tap(g, t)).0).collect();
        phases.sort_unstable();
        phases.dedup();
        let span = |i: usize| (self.last[i] - self.first[i]) as usize;
        let size = [g.output.height + span(0), g.output.width + span(1)];
        (Phases { stride: self.stride, first: self.first, phases }, size)
    }

    /// Taps of the window over phases.
    fn taps(&self) -> Vec<[isize; 2]> {
        let span = std::array::from_fn(|i| (self.last[i] - self.first[i]) as usize + 1);
        each(span, |[y, x]| [y as isize, x as isize]).collect()
    }

    /// Weights of the window over phases of `each` channels, `[outputs][phases x channels][taps]`, all groups together.
    fn weights(&self, g: &Linear, q: &[i16], phases: &Phases, each: usize) -> Vec<i16> {
        let (inputs, outputs) = (g.input.channels / g.groups, g.output.channels / g.groups);
        let width = (self.last[1] - self.first[1]) as usize + 1;
        let taps = self.taps().len();
        let row = phases.phases.len() * each * taps;
        let mut weights = vec![0; g.output.channels * row];
        let [height, across] = g.window.kernel;
        for (i, &w) in q.iter().enumerate() {
            let (o, c, t) = (i / (inputs * height * across), i / (height * across) % inputs, i % (height * across));
            let (phase, distance) = self.of(tap(g, [t / across, t % across]));
            let phase = phases.phases.iter().position(|p| *p == phase).expect("the tap's phase is listed");
            let channel = phase * each + o / outputs * inputs + c;
            let [y, x] = std::array::from_fn(|i| (distance[i] - self.first[i]) as usize);
            weights[o * row + channel * taps + y * width + x] = w;
        }
        weights
    }
}
