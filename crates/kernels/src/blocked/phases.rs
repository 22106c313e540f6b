//! A map taken apart for a stride: every phase of rows and columns becomes channels of its own, so that windows move by
//! one pixel.

use super::planes::each_plane;
use super::{Place, Team};

/// Which pixels go where: pixel `(y, x)` of phase `(a, b)` is pixel `((y + first) * stride + a, ...)` of the map, or code
/// 0 where that lies outside. Phases of the stride and more are shifts of others, which saves taps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phases {
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Row and column that the output begins with.
    pub first: [isize; 2],
    /// The phases, in the order of the output's planes: all planes of the first, then of the second.
    pub phases: Vec<[usize; 2]>,
}

impl Phases {
    /// Channels of the map taken apart: those of whole cells for each phase.
    pub fn channels(&self, from: &Place) -> usize {
        self.phases.len() * from.planes() * from.cell.channels()
    }
}

/// Takes a map apart. The output has the planes of the input once for each phase, cells and sign of the input and no
/// border.
///
/// # Panics
/// When a buffer is too short or the maps do not fit each other.
pub fn split(phases: &Phases, from: &Place, input: &[u32], to: &Place, output: &mut [u32], team: &Team) {
    assert_eq!((from.cell, from.signed), (to.cell, to.signed), "maps are alike");
    assert_eq!(phases.channels(from), to.channels, "channels for every phase");
    each_plane(to, output, team, &|plane, out| {
        let (phase, plane) = (phases.phases[plane / from.planes()], plane % from.planes());
        copy(phases, phase, from, &input[from.start + plane * from.plane..][..from.plane], to, out);
    });
}

/// One phase of a plane.
fn copy(phases: &Phases, phase: [usize; 2], from: &Place, input: &[u32], to: &Place, out: &mut [u32]) {
    let source = |axis: usize, at: usize| {
        let at = (at as isize + phases.first[axis]) * phases.stride[axis] as isize + phase[axis] as isize;
        usize::try_from(at).ok().filter(|&at| at < from.size[axis])
    };
    let (width, zero) = (to.size[1], from.zero());
    // The columns that lie inside.
    let inside = (0..width).position(|x| source(1, x).is_some()).map_or(0..0, |first| {
        let end = (first..width).find(|&x| source(1, x).is_none()).unwrap_or(width);
        first..end
    });
    for y in 0..to.size[0] {
        let line = &mut out[to.pixel(y, 0)..][..width];
        let Some((row, first)) = source(0, y).zip(source(1, inside.start).filter(|_| !inside.is_empty())) else {
            line.fill(zero);
            continue;
        };
        line[..inside.start].fill(zero);
        line[inside.end..].fill(zero);
        let cells = &input[from.pixel(row, first)..from.pixel(row, from.size[1] - 1) + 1];
        let line = &mut line[inside.clone()];
        match phases.stride[1] {
            2 => line.iter_mut().zip(cells.chunks(2)).for_each(|(cell, pair)| *cell = pair[0]),
            stride => line.iter_mut().zip(cells.iter().step_by(stride)).for_each(|(cell, &s)| *cell = s),
        }
    }
}
