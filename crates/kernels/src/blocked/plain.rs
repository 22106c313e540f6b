//! Loops for any processor, and what the others must equal.

use super::codebook::{Codebook, LookUp};
use super::lanes::{Dot, Lanes, bytes, words};
use super::run::{indices, loops};

const LANES: usize = 4;

pub(super) struct Plain;

fn map2(a: [i32; LANES], b: [i32; LANES], f: impl Fn(i32, i32) -> i32) -> [i32; LANES] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Lanes for Plain {
    const LANES: usize = LANES;
    type V = [i32; LANES];

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self::V {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const u32) -> Self::V {
        // Safety: the caller's.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, i32::wrapping_add)
    }
    #[inline(always)]
    unsafe fn or(a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, |a, b| a | b)
    }
    #[inline(always)]
    unsafe fn and(a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, |a, b| a & b)
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, i32::min)
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, i32::max)
    }
    #[inline(always)]
    unsafe fn right(a: Self::V, shift: u32) -> Self::V {
        a.map(|a| a >> shift)
    }
    #[inline(always)]
    unsafe fn left(a: Self::V, shift: u32) -> Self::V {
        a.map(|a| a << shift)
    }
    #[inline(always)]
    unsafe fn store(a: Self::V, to: *mut u32, mask: u32) {
        for (i, a) in a.into_iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1) {
            // Safety: the caller's, for lanes in the mask.
            unsafe { to.wrapping_add(i).write(a as u32) }
        }
    }
}

/// Implements [`Dot`] by the product of two cells.
macro_rules! dot {
    ($name:ident, $arrange:path, $product:path, $larger:path) => {
        pub(super) struct $name;

        impl Dot for $name {
            type L = Plain;
            type Act = [u32; LANES];
            type Weight = [u32; LANES];
            const WORDS: usize = 1;

            fn arrange(weights: [i16; 4]) -> [u32; 2] {
                $arrange(weights)
            }
            #[inline(always)]
            unsafe fn acts(from: *const u32) -> Self::Act {
                // Safety: the caller's.
                unsafe { from.cast::<Self::Act>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn act(from: *const u32) -> Self::Act {
                // Safety: the caller's.
                unsafe { [from.read(); LANES] }
            }
            #[inline(always)]
            unsafe fn weight(from: *const u32) -> Self::Weight {
                // Safety: the caller's.
                unsafe { [from.read(); LANES] }
            }
            #[inline(always)]
            unsafe fn weights(from: *const u32) -> Self::Weight {
                // Safety: the caller's.
                unsafe { from.cast::<Self::Weight>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn dot(sum: [i32; LANES], act: Self::Act, weight: Self::Weight) -> [i32; LANES] {
                std::array::from_fn(|i| sum[i].wrapping_add($product(act[i], weight[i])))
            }
            #[inline(always)]
            unsafe fn larger(a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
                map2(a, b, $larger)
            }
        }
    };
}

#[inline(always)]
fn product_of_bytes(act: u32, weight: u32) -> i32 {
    let (act, weight) = (act.to_le_bytes(), weight.to_le_bytes());
    (0..4).map(|i| i32::from(act[i]) * i32::from(weight[i] as i8)).sum()
}

#[inline(always)]
fn product_of_words(act: u32, weight: u32) -> i32 {
    let half = |x: u32, i: u32| i32::from((x >> (16 * i)) as i16);
    (half(act, 0) * half(weight, 0)).wrapping_add(half(act, 1) * half(weight, 1))
}

#[inline(always)]
fn larger_bytes(a: i32, b: i32) -> i32 {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    i32::from_le_bytes(std::array::from_fn(|i| a[i].max(b[i])))
}

#[inline(always)]
fn larger_words(a: i32, b: i32) -> i32 {
    let half = |x: i32, y: i32| i32::from((x as i16).max(y as i16)) & 0xffff;
    half(a, b) | half(a >> 16, b >> 16) << 16
}

dot!(Bytes, bytes, product_of_bytes, larger_bytes);
dot!(Words, words, product_of_words, larger_words);

impl LookUp for Bytes {
    type Table = Codebook;
    #[inline(always)]
    unsafe fn table(codebook: &Codebook) -> Codebook {
        *codebook
    }
    #[inline(always)]
    unsafe fn look_up(table: Codebook, indices: [i32; LANES]) -> Self::Weight {
        indices.map(|four| u32::from_le_bytes(four.to_le_bytes().map(|index| table[usize::from(index & 15)] as u8)))
    }
}

indices!(bytes_indices, Bytes,);
loops!(BYTES, Bytes, , 4, 2, 4, Some(bytes_indices));
loops!(WORDS, Words, , 4, 2, 4, None);
