//! Products of 16-bit integers: the inner loop of quantized convolution and fully connected layers.
//!
//! Sums are exact. Arithmetic modulo 2^32 forgets nothing as long as the final sum fits 32 bits, so the proof is about
//! sums of whole runs of taps ([`Weights::new`] cuts longer sums into such runs), not about each step. A run's sum is
//! then added to 64 bits. Every kernel gives the same integers; a test compares each with the plain loops.

mod chunks;
mod finish;
mod pack;
mod plain;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use finish::Finish;
pub use pack::{Layout, Weights, interleave};

/// A way to multiply that this processor has: a value of it is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Set);

/// A set of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    Plain,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "aarch64")]
    NeonDot,
    #[cfg(target_arch = "aarch64")]
    I8mm,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Amx,
}

impl Kernel {
    /// Every kernel that this processor can run, the fastest last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "some processors have one kernel")]
        let mut kernels = vec![Self(Set::Plain)];
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        kernels.push(Self(Set::Simd128));
        #[cfg(target_arch = "aarch64")]
        if cfg!(target_endian = "little") && std::arch::is_aarch64_feature_detected!("neon") {
            kernels.push(Self(Set::Neon));
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                kernels.push(Self(Set::NeonDot));
            }
            if std::arch::is_aarch64_feature_detected!("i8mm") {
                kernels.push(Self(Set::I8mm));
            }
        }
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            kernels.push(Self(Set::Avx2));
            if std::arch::is_x86_feature_detected!("avxvnni") {
                kernels.push(Self(Set::AvxVnni));
            }
            if std::arch::is_x86_feature_detected!("avx512bw") && std::arch::is_x86_feature_detected!("avx512f") {
                kernels.push(Self(Set::Avx512));
                if std::arch::is_x86_feature_detected!("avx512vnni") {
                    kernels.push(Self(Set::Vnni));
                    if crate::blocked::amx::available() {
                        kernels.push(Self(Set::Amx));
                    }
                }
            }
        }
        kernels
    }

    /// The fastest that this processor can run.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self(Set::Plain))
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Plain => "plain",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "NEON",
            #[cfg(target_arch = "aarch64")]
            Set::NeonDot => "NEON dot product",
            #[cfg(target_arch = "aarch64")]
            Set::I8mm => "NEON I8MM",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Set::Simd128 => "SIMD128",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => "AVX-VNNI",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Set::Vnni => "AVX-512 VNNI",
            #[cfg(target_arch = "x86_64")]
            Set::Amx => "AMX",
        }
    }

    /// Its instructions, which this processor has.
    pub(crate) fn set(self) -> Set {
        self.0
    }

    /// Whether it multiplies tiles of bytes too.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn has_tiles(self) -> bool {
        self.0 == Set::Amx
    }

    /// Columns of a panel ([`interleave`]).
    pub fn width(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::AvxVnni => x86::WIDTH_AVX2,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Vnni | Set::Amx => x86::WIDTH_AVX512,
            _ => plain::WIDTH,
        }
    }

    /// The most rows of a tile.
    fn height(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Vnni | Set::Amx => 8,
            _ => 4,
        }
    }

    /// Multiplies a block of `height` rows, `[pair][height][2]`, by a panel, `[pair][width][2]`, run by run.
    fn tile(self, height: usize, rows: &[i16], panel: &[i16], ends: &[u32], tile: &mut Tile) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // Safety: the variant exists only where the processor has the features.
            Set::Avx2 | Set::AvxVnni => unsafe { x86::tile_avx2(height, rows, panel, ends, tile) },
            #[cfg(target_arch = "x86_64")]
            // Safety: likewise.
            Set::Avx512 => unsafe { x86::tile_avx512(height, rows, panel, ends, tile) },
            #[cfg(target_arch = "x86_64")]
            // Safety: likewise.
            Set::Vnni | Set::Amx => unsafe { x86::tile_vnni(height, rows, panel, ends, tile) },
            _ => plain::tile(height, rows, panel, ends, tile),
        }
    }

    /// Runs loops with this kernel's instructions.
    pub(crate) fn run<L: Loops>(self, loops: L) -> L::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // Safety: the variant exists only where the processor has the features.
            Set::Avx2 | Set::AvxVnni => unsafe { x86::run_avx2(loops) },
            #[cfg(target_arch = "x86_64")]
            // Safety: likewise.
            Set::Avx512 | Set::Vnni | Set::Amx => unsafe { x86::run_avx512(loops) },
            // The compiler uses the vectors that every processor of the kind has.
            _ => loops.run(),
        }
    }
}

/// The most rows and columns of a tile of any kernel.
const MOST_ROWS: usize = 8;
const MOST_COLUMNS: usize = 32;

/// Bits of a run's sum that are dropped where only the upper part is added up.
const DROPPED: u32 = 16;

/// Sums of a tile. With a single run `low` is the sum. Otherwise `low` is the sum modulo 2^32 and `high` the sum of
/// the runs' sums, each divided by 2^16 and rounded down.
#[repr(align(64))]
struct Tile {
    low: [[i32; MOST_COLUMNS]; MOST_ROWS],
    high: [[i32; MOST_COLUMNS]; MOST_ROWS],
}

impl Tile {
    fn new() -> Self {
        Self { low: [[0; MOST_COLUMNS]; MOST_ROWS], high: [[0; MOST_COLUMNS]; MOST_ROWS] }
    }
}

/// The exact sum from its two parts: what rounding down took from `high` is below 2^32, and `low` tells it.
#[inline(always)]
fn whole(low: i32, high: i32) -> i64 {
    let high = i64::from(high) << DROPPED;
    high + i64::from((i64::from(low) - high) as u32)
}

/// Plain loops that are compiled once more for each kernel's instructions; `run` must be always inlined.
pub(crate) trait Loops {
    /// What they find.
    type Output;
    /// Runs them.
    fn run(self) -> Self::Output;
}

/// Whether no number is negative.
pub fn none_negative(kernel: Kernel, numbers: &[i16]) -> bool {
    struct All<'a>(&'a [i16]);
    impl Loops for All<'_> {
        type Output = i16;
        #[inline(always)]
        fn run(self) -> i16 {
            self.0.iter().fold(0, |all, &x| all | x)
        }
    }
    kernel.run(All(numbers)) >= 0
}
