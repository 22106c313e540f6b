//! Vectors of 64-bit Arm: NEON, its dot product and that of unsigned with signed bytes (I8MM).
//!
//! The compiler has no stable functions for dot products yet, hence assembly.

use std::arch::aarch64::*;
use std::arch::asm;

use super::codebook::{Codebook, LookUp};
use super::lanes::{Dot, Lanes, bytes, words};
use super::run::{indices, loops};

pub(super) struct Neon;

impl Lanes for Neon {
    const LANES: usize = 4;
    type V = int32x4_t;

    #[inline(always)]
    unsafe fn splat(x: i32) -> int32x4_t {
        // Safety: the caller's, here and below.
        unsafe { vdupq_n_s32(x) }
    }
    #[inline(always)]
    unsafe fn load(from: *const u32) -> int32x4_t {
        unsafe { vld1q_s32(from.cast()) }
    }
    #[inline(always)]
    unsafe fn add(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        unsafe { vaddq_s32(a, b) }
    }
    #[inline(always)]
    unsafe fn or(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        unsafe { vorrq_s32(a, b) }
    }
    #[inline(always)]
    unsafe fn and(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        unsafe { vandq_s32(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        unsafe { vminq_s32(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        unsafe { vmaxq_s32(a, b) }
    }
    #[inline(always)]
    unsafe fn right(a: int32x4_t, shift: u32) -> int32x4_t {
        unsafe { vshlq_s32(a, vdupq_n_s32(-(shift as i32))) }
    }
    #[inline(always)]
    unsafe fn left(a: int32x4_t, shift: u32) -> int32x4_t {
        unsafe { vshlq_s32(a, vdupq_n_s32(shift as i32)) }
    }
    #[inline(always)]
    unsafe fn store(a: int32x4_t, to: *mut u32, mask: u32) {
        let to: *mut i32 = to.cast();
        unsafe {
            if mask & 0xf == 0xf {
                return vst1q_s32(to, a);
            }
            if mask & 1 != 0 {
                vst1q_lane_s32::<0>(to, a);
            }
            if mask & 2 != 0 {
                vst1q_lane_s32::<1>(to.wrapping_add(1), a);
            }
            if mask & 4 != 0 {
                vst1q_lane_s32::<2>(to.wrapping_add(2), a);
            }
            if mask & 8 != 0 {
                vst1q_lane_s32::<3>(to.wrapping_add(3), a);
            }
        }
    }
}

/// [`Dot::add`] where cells of weights come four with a load; `of_four` puts one of them into every lane.
macro_rules! by_fours {
    ($act:ty, $of_four:expr) => {
        #[inline(always)]
        unsafe fn add<const R: usize, const N: usize>(
            mut sums: [[int32x4_t; N]; R],
            acts: [$act; N],
            weights: *const u32,
        ) -> [[int32x4_t; N]; R] {
            for r in 0..R {
                unsafe {
                    let weight = if R % 4 == 0 {
                        $of_four(Neon::load(weights.add(r / 4 * 4)), r % 4)
                    } else {
                        Self::weight(weights.add(r))
                    };
                    for n in 0..N {
                        sums[r][n] = Self::dot(sums[r][n], acts[n], weight);
                    }
                }
            }
            sums
        }
    };
}

/// The larger of each two bytes.
#[inline(always)]
unsafe fn larger_bytes(a: int32x4_t, b: int32x4_t) -> int32x4_t {
    unsafe { vreinterpretq_s32_u8(vmaxq_u8(vreinterpretq_u8_s32(a), vreinterpretq_u8_s32(b))) }
}

/// Bytes, made signed by taking off 128: two products fit 16 bits, where pairs are added before they are added to sums.
pub(super) struct NeonBytes;

impl Dot for NeonBytes {
    type L = Neon;
    type Act = int8x16_t;
    type Weight = int8x16_t;
    const WORDS: usize = 1;
    const LESS: i16 = 128;
    const NARROW: bool = true;

    fn arrange(weights: [i16; 4]) -> [u32; 2] {
        bytes(weights)
    }
    #[inline(always)]
    unsafe fn acts(from: *const u32) -> int8x16_t {
        unsafe { veorq_s8(vreinterpretq_s8_s32(Neon::load(from)), vdupq_n_s8(-128)) }
    }
    #[inline(always)]
    unsafe fn act(from: *const u32) -> int8x16_t {
        unsafe { vreinterpretq_s8_u32(vdupq_n_u32(from.read() ^ 0x8080_8080)) }
    }
    #[inline(always)]
    unsafe fn weight(from: *const u32) -> int8x16_t {
        unsafe { vreinterpretq_s8_u32(vld1q_dup_u32(from)) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> int8x16_t {
        unsafe { vreinterpretq_s8_s32(Neon::load(from)) }
    }
    #[inline(always)]
    unsafe fn dot(sum: int32x4_t, act: int8x16_t, weight: int8x16_t) -> int32x4_t {
        unsafe {
            let low = vmull_s8(vget_low_s8(act), vget_low_s8(weight));
            vpadalq_s16(sum, vpaddq_s16(low, vmull_high_s8(act, weight)))
        }
    }
    by_fours!(int8x16_t, |four, i| {
        vreinterpretq_s8_s32(match i {
            0 => vdupq_laneq_s32::<0>(four),
            1 => vdupq_laneq_s32::<1>(four),
            2 => vdupq_laneq_s32::<2>(four),
            _ => vdupq_laneq_s32::<3>(four),
        })
    });
    #[inline(always)]
    unsafe fn larger(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        unsafe { larger_bytes(a, b) }
    }
}

impl LookUp for NeonBytes {
    type Table = int8x16_t;
    #[inline(always)]
    unsafe fn table(codebook: &Codebook) -> int8x16_t {
        unsafe { vld1q_s8(codebook.as_ptr()) }
    }
    #[inline(always)]
    unsafe fn look_up(table: int8x16_t, indices: int32x4_t) -> int8x16_t {
        unsafe { vqtbl1q_s8(table, vreinterpretq_u8_s32(indices)) }
    }
}

/// Words: the first channels of cells in one vector, the second in another.
pub(super) struct NeonWords;

impl Dot for NeonWords {
    type L = Neon;
    type Act = [int16x4_t; 2];
    type Weight = [int16x4_t; 2];
    const WORDS: usize = 1;

    fn arrange(weights: [i16; 4]) -> [u32; 2] {
        words(weights)
    }
    #[inline(always)]
    unsafe fn acts(from: *const u32) -> [int16x4_t; 2] {
        unsafe {
            let int16x4x2_t(first, second) = vld2_s16(from.cast());
            [first, second]
        }
    }
    #[inline(always)]
    unsafe fn act(from: *const u32) -> [int16x4_t; 2] {
        unsafe { [vld1_dup_s16(from.cast()), vld1_dup_s16(from.cast::<i16>().add(1))] }
    }
    #[inline(always)]
    unsafe fn weight(from: *const u32) -> [int16x4_t; 2] {
        unsafe { Self::act(from) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> [int16x4_t; 2] {
        unsafe { Self::acts(from) }
    }
    #[inline(always)]
    unsafe fn dot(sum: int32x4_t, act: [int16x4_t; 2], weight: [int16x4_t; 2]) -> int32x4_t {
        unsafe { vmlal_s16(vmlal_s16(sum, act[0], weight[0]), act[1], weight[1]) }
    }
    by_fours!([int16x4_t; 2], |four, i| {
        let four = vreinterpretq_s16_s32(four);
        match i {
            0 => [vdup_laneq_s16::<0>(four), vdup_laneq_s16::<1>(four)],
            1 => [vdup_laneq_s16::<2>(four), vdup_laneq_s16::<3>(four)],
            2 => [vdup_laneq_s16::<4>(four), vdup_laneq_s16::<5>(four)],
            _ => [vdup_laneq_s16::<6>(four), vdup_laneq_s16::<7>(four)],
        }
    });
    #[inline(always)]
    unsafe fn larger(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        unsafe { vreinterpretq_s32_s16(vmaxq_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b))) }
    }
}

/// One instruction for the products of bytes and their sums.
macro_rules! dots {
    ($name:ident, $instruction:literal, $less:literal) => {
        pub(super) struct $name;

        impl $name {
            /// The sums with one of four cells of weights.
            #[inline(always)]
            unsafe fn lane<const I: i32>(mut sum: int32x4_t, act: int32x4_t, weights: int32x4_t) -> int32x4_t {
                unsafe {
                    asm!(
                        concat!($instruction, " {0:v}.4s, {1:v}.16b, {2:v}.4b[{3}]"),
                        inout(vreg) sum, in(vreg) act, in(vreg) weights, const I,
                        options(pure, nomem, nostack, preserves_flags)
                    );
                }
                sum
            }
        }

        impl Dot for $name {
            type L = Neon;
            type Act = int32x4_t;
            type Weight = int32x4_t;
            const WORDS: usize = 1;
            const LESS: i16 = $less;

            fn arrange(weights: [i16; 4]) -> [u32; 2] {
                bytes(weights)
            }
            #[inline(always)]
            unsafe fn acts(from: *const u32) -> int32x4_t {
                unsafe { veorq_s32(Neon::load(from), vreinterpretq_s32_u8(vdupq_n_u8($less))) }
            }
            #[inline(always)]
            unsafe fn act(from: *const u32) -> int32x4_t {
                unsafe { veorq_s32(vld1q_dup_s32(from.cast()), vreinterpretq_s32_u8(vdupq_n_u8($less))) }
            }
            #[inline(always)]
            unsafe fn weight(from: *const u32) -> int32x4_t {
                unsafe { vld1q_dup_s32(from.cast()) }
            }
            #[inline(always)]
            unsafe fn weights(from: *const u32) -> int32x4_t {
                unsafe { Neon::load(from) }
            }
            #[inline(always)]
            unsafe fn dot(mut sum: int32x4_t, act: int32x4_t, weight: int32x4_t) -> int32x4_t {
                unsafe {
                    asm!(
                        concat!($instruction, " {0:v}.4s, {1:v}.16b, {2:v}.16b"),
                        inout(vreg) sum, in(vreg) act, in(vreg) weight,
                        options(pure, nomem, nostack, preserves_flags)
                    );
                }
                sum
            }
            #[inline(always)]
            unsafe fn add<const R: usize, const N: usize>(
                mut sums: [[int32x4_t; N]; R],
                acts: [int32x4_t; N],
                weights: *const u32,
            ) -> [[int32x4_t; N]; R] {
                const { assert!(R == 1 || R % 4 == 0) }
                unsafe {
                    if R == 1 {
                        let weight = Self::weight(weights);
                        for n in 0..N {
                            sums[0][n] = Self::dot(sums[0][n], acts[n], weight);
                        }
                    }
                    for i in 0..R / 4 {
                        let four = Neon::load(weights.add(4 * i));
                        for n in 0..N {
                            sums[4 * i][n] = Self::lane::<0>(sums[4 * i][n], acts[n], four);
                            sums[4 * i + 1][n] = Self::lane::<1>(sums[4 * i + 1][n], acts[n], four);
                            sums[4 * i + 2][n] = Self::lane::<2>(sums[4 * i + 2][n], acts[n], four);
                            sums[4 * i + 3][n] = Self::lane::<3>(sums[4 * i + 3][n], acts[n], four);
                        }
                    }
                }
                sums
            }
            #[inline(always)]
            unsafe fn larger(a: int32x4_t, b: int32x4_t) -> int32x4_t {
                unsafe { larger_bytes(a, b) }
            }
        }

        impl LookUp for $name {
            type Table = int8x16_t;
            #[inline(always)]
            unsafe fn table(codebook: &Codebook) -> int8x16_t {
                unsafe { vld1q_s8(codebook.as_ptr()) }
            }
            #[inline(always)]
            unsafe fn look_up(table: int8x16_t, indices: int32x4_t) -> int32x4_t {
                unsafe { vreinterpretq_s32_s8(vqtbl1q_s8(table, vreinterpretq_u8_s32(indices))) }
            }
        }
    };
}

dots!(DotBytes, "sdot", 128);
dots!(I8mmBytes, "usdot", 0);

indices!(neon_bytes_indices, NeonBytes, "neon");
loops!(NEON_BYTES, NeonBytes, "neon", 8, 2, 4, Some(neon_bytes_indices));
loops!(NEON_WORDS, NeonWords, "neon", 8, 2, 4, None);
indices!(dot_bytes_indices, DotBytes, "neon,dotprod");
loops!(DOT_BYTES, DotBytes, "neon,dotprod", 8, 3, 6, Some(dot_bytes_indices));
indices!(i8mm_bytes_indices, I8mmBytes, "neon,i8mm");
loops!(I8MM_BYTES, I8mmBytes, "neon,i8mm", 8, 3, 6, Some(i8mm_bytes_indices));
