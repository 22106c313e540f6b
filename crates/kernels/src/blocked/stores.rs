//! Where the lanes of position vectors go: positions are counted in the input's rows, which may be of another length.

use super::sums::Layer;

/// Lanes of a vector that lie side by side in the output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store {
    /// Which lanes.
    pub mask: u32,
    /// The cell of lane 0 in its plane, which may lie before the buffer if that lane is not stored.
    pub at: isize,
}

/// For each vector of positions its stores.
#[derive(Clone, Debug)]
pub(super) struct Stores {
    list: Vec<Store>,
    ends: Vec<u32>,
}

impl Stores {
    pub(super) fn new(layer: &Layer<'_>, lanes: usize) -> Self {
        let ([height, width], pitch) = (layer.output.size, layer.input.pitch);
        let positions = (height - 1) * pitch + width;
        let mut stores = Self { list: Vec::new(), ends: vec![0] };
        for first in (0..positions).step_by(lanes) {
            let begin = stores.list.len();
            for (lane, n) in (first..(first + lanes).min(positions)).enumerate() {
                let (y, x) = (n / pitch, n % pitch);
                if x >= width {
                    continue;
                }
                let at = layer.output.pixel(y, x) as isize - lane as isize;
                match stores.list[begin..].last_mut() {
                    Some(last) if last.at == at => last.mask |= 1 << lane,
                    _ => stores.list.push(Store { mask: 1 << lane, at }),
                }
            }
            stores.ends.push(stores.list.len() as u32);
        }
        stores
    }

    /// Number of vectors.
    pub(super) fn vectors(&self) -> usize {
        self.ends.len() - 1
    }

    #[inline(always)]
    pub(super) fn of(&self, vector: usize) -> &[Store] {
        &self.list[self.ends[vector] as usize..self.ends[vector + 1] as usize]
    }
}
