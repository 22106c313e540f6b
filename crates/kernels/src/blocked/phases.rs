//! A map taken apart for a stride: every phase of rows and columns becomes channels of its own, so that windows move by
//! one pixel.

use super::planes::each_plane;
use super::{Cell, Place, Team};

/// Which pixels go where: pixel `(y, x)` of phase `(a, b)` is pixel `((y + first) * stride + a, ...)` of the map, or code
/// 0 where that lies outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phases {
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Row and column that the output begins with.
    pub first: [isize; 2],
    /// The phases, in the order of the output's channels: all channels of the first, then of the second.
    pub phases: Vec<[usize; 2]>,
}

/// Takes a map apart. The output has the channels of the input once for each phase, cells and sign of the input and no
/// border.
///
/// # Panics
/// When a buffer is too short or the maps do not fit each other.
pub fn split(phases: &Phases, from: &Place, input: &[u32], to: &Place, output: &mut [u32], team: &Team) {
    assert_eq!((from.cell, from.signed), (to.cell, to.signed), "maps are alike");
    assert_eq!(from.channels * phases.phases.len(), to.channels, "channels for every phase");
    let each = from.cell.channels();
    let whole = from.channels.is_multiple_of(each);
    let bits = if from.cell == Cell::Bytes { 8 } else { 16 };
    let mask = (1u32 << bits) - 1;
    each_plane(to, output, team, &|plane, out| {
        if whole {
            let (phase, plane) = (plane / from.planes(), plane % from.planes());
            let input = &input[from.start + plane * from.plane..][..from.plane];
            let take = |cell: &mut u32, source: u32| *cell = source;
            let zero = |cell: &mut u32| *cell = from.zero();
            copy(phases, phases.phases[phase], from, input, to, out, take, zero);
            return;
        }
        for (part, channel) in (plane * each..((plane + 1) * each).min(to.channels)).enumerate() {
            let (phase, channel) = (channel / from.channels, channel % from.channels);
            let input = &input[from.start + channel / each * from.plane..][..from.plane];
            let (right, left) = ((channel % each * bits) as u32, (part * bits) as u32);
            let keep = !(mask << left);
            let take = |cell: &mut u32, source: u32| *cell = *cell & keep | (source >> right & mask) << left;
            let zero = |cell: &mut u32| *cell = *cell & keep | from.zero() & (mask << left);
            copy(phases, phases.phases[phase], from, input, to, out, take, zero);
        }
    });
}

/// One phase of a plane.
fn copy(
    phases: &Phases,
    phase: [usize; 2],
    from: &Place,
    input: &[u32],
    to: &Place,
    out: &mut [u32],
    take: impl Fn(&mut u32, u32),
    zero: impl Fn(&mut u32),
) {
    let source = |axis: usize, at: usize| {
        let at = (at as isize + phases.first[axis]) * phases.stride[axis] as isize + phase[axis] as isize;
        usize::try_from(at).ok().filter(|&at| at < from.size[axis])
    };
    let width = to.size[1];
    // The columns that lie inside.
    let inside = (0..width).position(|x| source(1, x).is_some()).map_or(0..0, |first| {
        let end = (first..width).find(|&x| source(1, x).is_none()).unwrap_or(width);
        first..end
    });
    for y in 0..to.size[0] {
        let line = &mut out[to.pixel(y, 0)..][..width];
        let Some((row, first)) = source(0, y).zip(source(1, inside.start).filter(|_| !inside.is_empty())) else {
            line.iter_mut().for_each(&zero);
            continue;
        };
        line[..inside.start].iter_mut().for_each(&zero);
        line[inside.end..].iter_mut().for_each(&zero);
        let cells = &input[from.pixel(row, first)..from.pixel(row, from.size[1] - 1) + 1];
        let line = &mut line[inside.clone()];
        match phases.stride[1] {
            2 => line.iter_mut().zip(cells.chunks(2)).for_each(|(cell, pair)| take(cell, pair[0])),
            stride => line.iter_mut().zip(cells.iter().step_by(stride)).for_each(|(cell, &s)| take(cell, s)),
        }
    }
}
