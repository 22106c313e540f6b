//! Work on the planes of a map by several threads.

use std::ops::Range;

use super::{Place, Team};

struct Pointer(*mut u32);
// Safety: every plane, or row of one, is written by one thread.
unsafe impl Sync for Pointer {}

/// Calls `work` with each plane's number and cells.
pub(super) fn each_plane(place: &Place, cells: &mut [u32], team: &Team, work: &(dyn Fn(usize, &mut [u32]) + Sync)) {
    let cells = &mut cells[place.start..][..place.planes() * place.plane];
    let (pointer, len) = (&Pointer(cells.as_mut_ptr()), place.plane);
    team.run(place.planes(), &|i| {
        // Safety: planes do not overlap and lie within the slice, which lives for the whole call.
        let plane = unsafe { std::slice::from_raw_parts_mut(pointer.0.add(i * len), len) };
        work(i, plane);
    });
}

/// Calls `work` with every plane's number and each of some runs of its rows: the rows, and the cells from the first
/// pixel of the first row to the last of the last.
pub(super) fn rows_of_planes(
    place: &Place,
    cells: &mut [u32],
    team: &Team,
    runs: usize,
    work: impl Fn(usize, Range<usize>, &mut [u32]) + Sync,
) {
    let cells = &mut cells[place.start..][..place.planes() * place.plane];
    let (pointer, [height, width]) = (&Pointer(cells.as_mut_ptr()), place.size);
    team.run(place.planes() * runs, &|i| {
        let (plane, run) = (i / runs, i % runs);
        let rows = run * height / runs..(run + 1) * height / runs;
        if rows.is_empty() {
            return;
        }
        let (first, end) = (place.pixel(rows.start, 0), place.pixel(rows.end - 1, width));
        // Safety: rows do not overlap and lie within the slice, which lives for the whole call.
        let part = unsafe { std::slice::from_raw_parts_mut(pointer.0.add(plane * place.plane + first), end - first) };
        work(plane, rows, part);
    });
}
