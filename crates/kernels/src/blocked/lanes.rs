//! What the loops of this module ask of a processor: lanes of 32 bits, and a sum of products in each.
//!
//! Functions are unsafe where they are instructions that the processor must have: the entry points of each kernel are
//! compiled for them, and everything here is inlined there.

/// Vectors of 32-bit integers.
pub(super) trait Lanes {
    /// Lanes of a vector.
    const LANES: usize;
    /// A vector.
    type V: Copy;

    unsafe fn splat(x: i32) -> Self::V;
    /// Any alignment.
    unsafe fn load(from: *const u32) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn or(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn and(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// Arithmetic shift by 0 to 31.
    unsafe fn right(a: Self::V, shift: u32) -> Self::V;
    /// Shift by 0 to 31.
    unsafe fn left(a: Self::V, shift: u32) -> Self::V;
    /// Cells of bytes from the codes of their four channels: saturated to 8 bits, and if `signed` with 128 added.
    #[inline(always)]
    unsafe fn bytes(codes: [Self::V; 4], signed: bool) -> Self::V {
        // Safety: the caller's.
        unsafe {
            let (low, high) = if signed { (-128, 127) } else { (0, 255) };
            let mut cells = Self::splat(0);
            for c in 0..4 {
                let code = Self::max(Self::min(codes[c], Self::splat(high)), Self::splat(low));
                cells = Self::or(cells, Self::left(Self::add(code, Self::splat(low.abs())), 8 * c as u32));
            }
            cells
        }
    }
    /// Writes the lanes whose bit in the mask is set; the others' memory need not be there.
    unsafe fn store(a: Self::V, to: *mut u32, mask: u32);
}

/// Sums of the products of a cell's channels, in every lane.
pub(super) trait Dot {
    type L: Lanes;
    /// Cells of a vector of activations, ready to be multiplied.
    type Act: Copy;
    /// Weights, ready likewise.
    type Weight: Copy;
    /// Words of 32 bits that a cell of weights takes.
    const WORDS: usize;
    /// What activations are made less by before they are multiplied.
    const LESS: i16 = 0;
    /// Whether products of the first two channels of a cell, and of the last two, are added up in 16 bits.
    const NARROW: bool = false;

    /// A cell of weights, of which `WORDS` words count.
    fn arrange(weights: [i16; 4]) -> [u32; 2];
    /// Cells one after another.
    unsafe fn acts(from: *const u32) -> Self::Act;
    /// One cell in every lane.
    unsafe fn act(from: *const u32) -> Self::Act;
    /// One cell of weights in every lane.
    unsafe fn weight(from: *const u32) -> Self::Weight;
    /// A cell of weights for each lane: the first words of all, then the second.
    unsafe fn weights(from: *const u32) -> Self::Weight;
    unsafe fn dot(sum: V<Self>, act: Self::Act, weight: Self::Weight) -> V<Self>;
    /// Adds the products of a cell in `N` vectors to the sums of `R` outputs, whose cells of weights lie one after another.
    #[inline(always)]
    unsafe fn add<const R: usize, const N: usize>(
        mut sums: [[V<Self>; N]; R],
        acts: [Self::Act; N],
        weights: *const u32,
    ) -> [[V<Self>; N]; R] {
        for r in 0..R {
            // Safety: the caller's.
            unsafe {
                let weight = Self::weight(weights.add(r * Self::WORDS));
                for n in 0..N {
                    sums[r][n] = Self::dot(sums[r][n], acts[n], weight);
                }
            }
        }
        sums
    }
    /// The larger codes of every channel of cells.
    unsafe fn larger(a: V<Self>, b: V<Self>) -> V<Self>;
}

/// A vector of sums.
pub(super) type V<D> = <<D as Dot>::L as Lanes>::V;

/// Four codes of 8 bits.
pub(super) fn bytes(weights: [i16; 4]) -> [u32; 2] {
    [u32::from_le_bytes(weights.map(|w| w as u8)), 0]
}

/// Two codes of 16 bits.
pub(super) fn words([a, b, ..]: [i16; 4]) -> [u32; 2] {
    [u32::from(a as u16) | u32::from(b as u16) << 16, 0]
}

/// Channels of even and of odd number: two codes of 16 bits each.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) fn halves([a, b, c, d]: [i16; 4]) -> [u32; 2] {
    [words([a, c, 0, 0])[0], words([b, d, 0, 0])[0]]
}
