//! Work on the planes of a map by several threads.

use super::{Place, Team};

struct Pointer(*mut u32);
// Safety: every plane is written by one thread.
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
