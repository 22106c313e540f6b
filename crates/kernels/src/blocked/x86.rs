//! Vectors of x86-64: AVX2, AVX-VNNI, AVX-512 and AVX-512 VNNI.

use std::arch::x86_64::*;

use super::codebook::{Codebook, LookUp};
use super::lanes::{Dot, Lanes, bytes, halves, words};
use super::run::{indices, loops};

pub(super) struct Avx2;
pub(super) struct Avx512;

impl Lanes for Avx2 {
    const LANES: usize = 8;
    type V = __m256i;

    #[inline(always)]
    unsafe fn splat(x: i32) -> __m256i {
        // Safety: the caller's, here and below.
        unsafe { _mm256_set1_epi32(x) }
    }
    #[inline(always)]
    unsafe fn load(from: *const u32) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn or(a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_or_si256(a, b) }
    }
    #[inline(always)]
    unsafe fn and(a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_and_si256(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_min_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_max_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn right(a: __m256i, shift: u32) -> __m256i {
        unsafe { _mm256_sra_epi32(a, _mm_cvtsi32_si128(shift as i32)) }
    }
    #[inline(always)]
    unsafe fn left(a: __m256i, shift: u32) -> __m256i {
        unsafe { _mm256_sll_epi32(a, _mm_cvtsi32_si128(shift as i32)) }
    }
    #[inline(always)]
    unsafe fn bytes(codes: [__m256i; 4], signed: bool) -> __m256i {
        unsafe {
            let [a, b] = [_mm256_packs_epi32(codes[0], codes[1]), _mm256_packs_epi32(codes[2], codes[3])];
            let packed = if signed {
                _mm256_xor_si256(_mm256_packs_epi16(a, b), _mm256_set1_epi8(-128))
            } else {
                _mm256_packus_epi16(a, b)
            };
            // Of every four positions the first channels came first, then the second ones.
            let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            _mm256_shuffle_epi8(packed, _mm256_broadcastsi128_si256(order))
        }
    }
    #[inline(always)]
    unsafe fn store(a: __m256i, to: *mut u32, mask: u32) {
        unsafe {
            if mask & 0xff == 0xff {
                return _mm256_storeu_si256(to.cast(), a);
            }
            let bits = _mm256_set_epi32(128, 64, 32, 16, 8, 4, 2, 1);
            let chosen = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(mask as i32), bits), bits);
            _mm256_maskstore_epi32(to.cast(), chosen, a);
        }
    }
}

impl Lanes for Avx512 {
    const LANES: usize = 16;
    type V = __m512i;

    #[inline(always)]
    unsafe fn splat(x: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(x) }
    }
    #[inline(always)]
    unsafe fn load(from: *const u32) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn or(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_or_si512(a, b) }
    }
    #[inline(always)]
    unsafe fn and(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_min_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_max_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn right(a: __m512i, shift: u32) -> __m512i {
        unsafe { _mm512_sra_epi32(a, _mm_cvtsi32_si128(shift as i32)) }
    }
    #[inline(always)]
    unsafe fn left(a: __m512i, shift: u32) -> __m512i {
        unsafe { _mm512_sll_epi32(a, _mm_cvtsi32_si128(shift as i32)) }
    }
    #[inline(always)]
    unsafe fn bytes(codes: [__m512i; 4], signed: bool) -> __m512i {
        unsafe {
            let [a, b] = [_mm512_packs_epi32(codes[0], codes[1]), _mm512_packs_epi32(codes[2], codes[3])];
            let packed = if signed {
                _mm512_xor_si512(_mm512_packs_epi16(a, b), _mm512_set1_epi8(-128))
            } else {
                _mm512_packus_epi16(a, b)
            };
            // Of every four positions the first channels came first, then the second ones.
            let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            _mm512_shuffle_epi8(packed, _mm512_broadcast_i32x4(order))
        }
    }
    #[inline(always)]
    unsafe fn store(a: __m512i, to: *mut u32, mask: u32) {
        unsafe {
            if mask == 0xffff {
                return _mm512_storeu_si512(to.cast(), a);
            }
            _mm512_mask_storeu_epi32(to.cast(), mask as u16, a);
        }
    }
}

impl Avx2 {
    /// A codebook in both halves, as shuffles within 128 bits ask for.
    #[inline(always)]
    unsafe fn everywhere(codebook: &Codebook) -> __m256i {
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(codebook.as_ptr().cast())) }
    }
}

impl Avx512 {
    /// A codebook in all quarters.
    #[inline(always)]
    unsafe fn everywhere(codebook: &Codebook) -> __m512i {
        unsafe { _mm512_broadcast_i32x4(_mm_loadu_si128(codebook.as_ptr().cast())) }
    }
}

/// A way to add up products whose weights are as wide as the activations.
macro_rules! direct {
    ($name:ident, $lanes:ident, $v:ty, $arrange:path, $dot:path, $larger:path $(, $shuffle:path)?) => {
        pub(super) struct $name;

        $(
            impl LookUp for $name {
                type Table = $v;
                #[inline(always)]
                unsafe fn table(codebook: &Codebook) -> $v {
                    unsafe { $lanes::everywhere(codebook) }
                }
                #[inline(always)]
                unsafe fn look_up(table: $v, indices: $v) -> $v {
                    unsafe { $shuffle(table, indices) }
                }
            }
        )?

        impl Dot for $name {
            type L = $lanes;
            type Act = $v;
            type Weight = $v;
            const WORDS: usize = 1;

            fn arrange(weights: [i16; 4]) -> [u32; 2] {
                $arrange(weights)
            }
            #[inline(always)]
            unsafe fn acts(from: *const u32) -> $v {
                unsafe { $lanes::load(from) }
            }
            #[inline(always)]
            unsafe fn act(from: *const u32) -> $v {
                unsafe { $lanes::splat(from.cast::<i32>().read()) }
            }
            #[inline(always)]
            unsafe fn weight(from: *const u32) -> $v {
                unsafe { $lanes::splat(from.cast::<i32>().read()) }
            }
            #[inline(always)]
            unsafe fn weights(from: *const u32) -> $v {
                unsafe { $lanes::load(from) }
            }
            #[inline(always)]
            unsafe fn dot(sum: $v, act: $v, weight: $v) -> $v {
                unsafe { $dot(sum, act, weight) }
            }
            #[inline(always)]
            unsafe fn larger(a: $v, b: $v) -> $v {
                unsafe { $larger(a, b) }
            }
        }
    };
}

/// Bytes as two vectors of 16 bits, channels of even and of odd number: exact without an instruction for bytes (the one
/// that multiplies bytes saturates).
macro_rules! halved {
    (
        $name:ident, $lanes:ident, $v:ty, $splat:ident, $and:ident, $shift:ident, $madd:ident, $add:ident, $larger:ident,
        $shuffle:ident, $up:ident, $down:ident
    ) => {
        pub(super) struct $name;

        impl LookUp for $name {
            type Table = $v;
            #[inline(always)]
            unsafe fn table(codebook: &Codebook) -> $v {
                unsafe { $lanes::everywhere(codebook) }
            }
            #[inline(always)]
            unsafe fn look_up(table: $v, indices: $v) -> [$v; 2] {
                unsafe {
                    let weights = $shuffle(table, indices);
                    [$down::<8>($up::<8>(weights)), $down::<8>(weights)]
                }
            }
        }

        impl Dot for $name {
            type L = $lanes;
            type Act = [$v; 2];
            type Weight = [$v; 2];
            const WORDS: usize = 2;

            fn arrange(weights: [i16; 4]) -> [u32; 2] {
                halves(weights)
            }
            #[inline(always)]
            unsafe fn acts(from: *const u32) -> [$v; 2] {
                unsafe {
                    let cells = $lanes::load(from);
                    [$and(cells, $splat(0xff)), $shift::<8>(cells)]
                }
            }
            #[inline(always)]
            unsafe fn act(from: *const u32) -> [$v; 2] {
                unsafe {
                    let cell = from.read();
                    let even = $lanes::splat((cell & 0x00ff_00ff) as i32);
                    [even, $lanes::splat((cell >> 8 & 0x00ff_00ff) as i32)]
                }
            }
            #[inline(always)]
            unsafe fn weight(from: *const u32) -> [$v; 2] {
                unsafe { [$lanes::splat(from.cast::<i32>().read()), $lanes::splat(from.cast::<i32>().add(1).read())] }
            }
            #[inline(always)]
            unsafe fn weights(from: *const u32) -> [$v; 2] {
                unsafe { [$lanes::load(from), $lanes::load(from.add($lanes::LANES))] }
            }
            #[inline(always)]
            unsafe fn dot(sum: $v, act: [$v; 2], weight: [$v; 2]) -> $v {
                unsafe { $add(sum, $add($madd(act[0], weight[0]), $madd(act[1], weight[1]))) }
            }
            #[inline(always)]
            unsafe fn larger(a: $v, b: $v) -> $v {
                unsafe { $larger(a, b) }
            }
        }
    };
}

#[inline(always)]
unsafe fn pairs_avx2(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
    unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)) }
}

#[inline(always)]
unsafe fn pairs_avx512(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    unsafe { _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)) }
}

halved!(
    Avx2Bytes,
    Avx2,
    __m256i,
    _mm256_set1_epi16,
    _mm256_and_si256,
    _mm256_srli_epi16,
    _mm256_madd_epi16,
    _mm256_add_epi32,
    _mm256_max_epu8,
    _mm256_shuffle_epi8,
    _mm256_slli_epi16,
    _mm256_srai_epi16
);
halved!(
    Avx512Bytes,
    Avx512,
    __m512i,
    _mm512_set1_epi16,
    _mm512_and_si512,
    _mm512_srli_epi16,
    _mm512_madd_epi16,
    _mm512_add_epi32,
    _mm512_max_epu8,
    _mm512_shuffle_epi8,
    _mm512_slli_epi16,
    _mm512_srai_epi16
);
direct!(Avx2Words, Avx2, __m256i, words, pairs_avx2, _mm256_max_epi16);
direct!(AvxVnniBytes, Avx2, __m256i, bytes, _mm256_dpbusd_avx_epi32, _mm256_max_epu8, _mm256_shuffle_epi8);
direct!(AvxVnniWords, Avx2, __m256i, words, _mm256_dpwssd_avx_epi32, _mm256_max_epi16);
direct!(Avx512Words, Avx512, __m512i, words, pairs_avx512, _mm512_max_epi16);
direct!(VnniBytes, Avx512, __m512i, bytes, _mm512_dpbusd_epi32, _mm512_max_epu8, _mm512_shuffle_epi8);
direct!(VnniWords, Avx512, __m512i, words, _mm512_dpwssd_epi32, _mm512_max_epi16);

indices!(avx2_bytes_indices, Avx2Bytes, "avx2");
loops!(AVX2_BYTES, Avx2Bytes, "avx2", 4, 2, 4, Some(avx2_bytes_indices));
loops!(AVX2_WORDS, Avx2Words, "avx2", 4, 3, 6, None);
indices!(avx_vnni_bytes_indices, AvxVnniBytes, "avx2,avxvnni");
loops!(AVX_VNNI_BYTES, AvxVnniBytes, "avx2,avxvnni", 4, 3, 6, Some(avx_vnni_bytes_indices));
loops!(AVX_VNNI_WORDS, AvxVnniWords, "avx2,avxvnni", 4, 3, 6, None);
indices!(avx512_bytes_indices, Avx512Bytes, "avx512f,avx512bw");
loops!(AVX512_BYTES, Avx512Bytes, "avx512f,avx512bw", 8, 2, 6, Some(avx512_bytes_indices));
loops!(AVX512_WORDS, Avx512Words, "avx512f,avx512bw", 8, 3, 6, None);
indices!(vnni_bytes_indices, VnniBytes, "avx512f,avx512bw,avx512vnni");
loops!(VNNI_BYTES, VnniBytes, "avx512f,avx512bw,avx512vnni", 8, 3, 6, Some(vnni_bytes_indices));
loops!(VNNI_WORDS, VnniWords, "avx512f,avx512bw,avx512vnni", 8, 3, 6, None);
