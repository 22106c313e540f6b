//! Layers of one image in the channel-blocked layout ([`Place`]): what a session runs from one layer to the next without
//! rearranging anything.
//!
//! Lanes of a vector are neighbouring positions of a map, and a lane's 32 bits are the channels of a cell, whose
//! products one instruction adds up. Stride 1 is all there is: a map that is read at another stride is first taken
//! apart into [`phases`]. Results are those of the definition in plain loops, bit for bit.

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
#[cfg(target_arch = "aarch64")]
mod arm;
mod cells;
mod codebook;
mod finish;
mod groups;
pub mod image;
mod lanes;
mod loops;
mod normalization;
pub mod phases;
mod place;
mod plain;
mod planes;
pub mod pooling;
mod rows;
mod run;
mod stores;
mod sums;
mod team;
#[cfg(test)]
mod tests;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use finish::{Finish, Stage};
pub use normalization::Normalization;
pub use place::{Buffer, Cell, Place};
pub use sums::{Layer, Sums};
pub use team::Team;

use crate::integer::{Kernel, Set};

/// The loops of a kernel for one kind of cell.
fn loops(kernel: Kernel, cell: Cell) -> &'static run::Loops {
    let [bytes, words] = match kernel.set() {
        Set::Plain => [&plain::BYTES, &plain::WORDS],
        #[cfg(target_arch = "aarch64")]
        Set::Neon => [&arm::NEON_BYTES, &arm::NEON_WORDS],
        #[cfg(target_arch = "aarch64")]
        Set::NeonDot => [&arm::DOT_BYTES, &arm::NEON_WORDS],
        #[cfg(target_arch = "aarch64")]
        Set::I8mm => [&arm::I8MM_BYTES, &arm::NEON_WORDS],
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Set::Simd128 => [&wasm::BYTES, &wasm::WORDS],
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => [&x86::AVX2_BYTES, &x86::AVX2_WORDS],
        #[cfg(target_arch = "x86_64")]
        Set::AvxVnni => [&x86::AVX_VNNI_BYTES, &x86::AVX_VNNI_WORDS],
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => [&x86::AVX512_BYTES, &x86::AVX512_WORDS],
        #[cfg(target_arch = "x86_64")]
        Set::Vnni | Set::Amx => [&x86::VNNI_BYTES, &x86::VNNI_WORDS],
    };
    if cell == Cell::Bytes { bytes } else { words }
}
