//! Vectors of WebAssembly, where a build asks for them: `-C target-feature=+simd128`.

use std::arch::wasm32::*;

use super::codebook::{Codebook, LookUp};
use super::lanes::{Dot, Lanes, halves, words};
use super::run::{indices, loops};

pub(super) struct Simd128;

impl Lanes for Simd128 {
    const LANES: usize = 4;
    type V = v128;

    #[inline(always)]
    unsafe fn splat(x: i32) -> v128 {
        i32x4_splat(x)
    }
    #[inline(always)]
    unsafe fn load(from: *const u32) -> v128 {
        // Safety: the caller's, here and below; no instruction asks for aligned memory.
        unsafe { v128_load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn add(a: v128, b: v128) -> v128 {
        i32x4_add(a, b)
    }
    #[inline(always)]
    unsafe fn or(a: v128, b: v128) -> v128 {
        v128_or(a, b)
    }
    #[inline(always)]
    unsafe fn and(a: v128, b: v128) -> v128 {
        v128_and(a, b)
    }
    #[inline(always)]
    unsafe fn min(a: v128, b: v128) -> v128 {
        i32x4_min(a, b)
    }
    #[inline(always)]
    unsafe fn max(a: v128, b: v128) -> v128 {
        i32x4_max(a, b)
    }
    #[inline(always)]
    unsafe fn right(a: v128, shift: u32) -> v128 {
        i32x4_shr(a, shift)
    }
    #[inline(always)]
    unsafe fn left(a: v128, shift: u32) -> v128 {
        i32x4_shl(a, shift)
    }
    #[inline(always)]
    unsafe fn store(a: v128, to: *mut u32, mask: u32) {
        unsafe {
            if mask & 0xf == 0xf {
                return v128_store(to.cast(), a);
            }
            if mask & 1 != 0 {
                v128_store32_lane::<0>(a, to);
            }
            if mask & 2 != 0 {
                v128_store32_lane::<1>(a, to.wrapping_add(1));
            }
            if mask & 4 != 0 {
                v128_store32_lane::<2>(a, to.wrapping_add(2));
            }
            if mask & 8 != 0 {
                v128_store32_lane::<3>(a, to.wrapping_add(3));
            }
        }
    }
}

/// Bytes as two vectors of 16 bits, channels of even and of odd number.
pub(super) struct Bytes;

impl Dot for Bytes {
    type L = Simd128;
    type Act = [v128; 2];
    type Weight = [v128; 2];
    const WORDS: usize = 2;

    fn arrange(weights: [i16; 4]) -> [u32; 2] {
        halves(weights)
    }
    #[inline(always)]
    unsafe fn acts(from: *const u32) -> [v128; 2] {
        let cells = unsafe { Simd128::load(from) };
        [v128_and(cells, u16x8_splat(0xff)), u16x8_shr(cells, 8)]
    }
    #[inline(always)]
    unsafe fn act(from: *const u32) -> [v128; 2] {
        let cell = unsafe { from.read() };
        [u32x4_splat(cell & 0x00ff_00ff), u32x4_splat(cell >> 8 & 0x00ff_00ff)]
    }
    #[inline(always)]
    unsafe fn weight(from: *const u32) -> [v128; 2] {
        unsafe { [v128_load32_splat(from), v128_load32_splat(from.add(1))] }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> [v128; 2] {
        unsafe { [Simd128::load(from), Simd128::load(from.add(Simd128::LANES))] }
    }
    #[inline(always)]
    unsafe fn dot(sum: v128, act: [v128; 2], weight: [v128; 2]) -> v128 {
        i32x4_add(sum, i32x4_add(i32x4_dot_i16x8(act[0], weight[0]), i32x4_dot_i16x8(act[1], weight[1])))
    }
    #[inline(always)]
    unsafe fn larger(a: v128, b: v128) -> v128 {
        u8x16_max(a, b)
    }
}

impl LookUp for Bytes {
    type Table = v128;
    #[inline(always)]
    unsafe fn table(codebook: &Codebook) -> v128 {
        unsafe { v128_load(codebook.as_ptr().cast()) }
    }
    #[inline(always)]
    unsafe fn look_up(table: v128, indices: v128) -> [v128; 2] {
        let weights = i8x16_swizzle(table, indices);
        [i16x8_shr(i16x8_shl(weights, 8), 8), i16x8_shr(weights, 8)]
    }
}

pub(super) struct Words;

impl Dot for Words {
    type L = Simd128;
    type Act = v128;
    type Weight = v128;
    const WORDS: usize = 1;

    fn arrange(weights: [i16; 4]) -> [u32; 2] {
        words(weights)
    }
    #[inline(always)]
    unsafe fn acts(from: *const u32) -> v128 {
        unsafe { Simd128::load(from) }
    }
    #[inline(always)]
    unsafe fn act(from: *const u32) -> v128 {
        unsafe { v128_load32_splat(from) }
    }
    #[inline(always)]
    unsafe fn weight(from: *const u32) -> v128 {
        unsafe { v128_load32_splat(from) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> v128 {
        unsafe { Simd128::load(from) }
    }
    #[inline(always)]
    unsafe fn dot(sum: v128, act: v128, weight: v128) -> v128 {
        i32x4_add(sum, i32x4_dot_i16x8(act, weight))
    }
    #[inline(always)]
    unsafe fn larger(a: v128, b: v128) -> v128 {
        i16x8_max(a, b)
    }
}

indices!(bytes_indices, Bytes,);
loops!(BYTES, Bytes, , 4, 2, 4, Some(bytes_indices));
loops!(WORDS, Words, , 4, 2, 4, None);
