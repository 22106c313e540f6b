//! Kernels of x86-64: pairs of products are added by one instruction (`pmaddwd`, or `vpdpwssd` with the sum as well).

use std::arch::x86_64::*;

use super::{DROPPED, Loops, Tile};

/// Columns of a panel: two vectors of 8.
pub(super) const WIDTH_AVX2: usize = 16;
/// Columns of a panel: two vectors of 16.
pub(super) const WIDTH_AVX512: usize = 32;

#[target_feature(enable = "avx2")]
pub(super) fn run_avx2<L: Loops>(loops: L) -> L::Output {
    loops.run()
}

#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn run_avx512<L: Loops>(loops: L) -> L::Output {
    loops.run()
}

#[inline]
#[target_feature(enable = "avx2")]
fn pair_avx2(sum: __m256i, left: __m256i, right: __m256i) -> __m256i {
    _mm256_add_epi32(sum, _mm256_madd_epi16(left, right))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn pair_avx512(sum: __m512i, left: __m512i, right: __m512i) -> __m512i {
    _mm512_add_epi32(sum, _mm512_madd_epi16(left, right))
}

/// One kernel: a function of a tile's height, and the loops for each height.
macro_rules! kernel {
    (
        $name:ident, $loops:ident, $features:literal, [$($height:literal)*], $most:literal, $width:expr,
        $vector:ty, $zero:ident, $load:ident, $store:ident, $broadcast:ident, $pair:ident, $add:ident, $shift:ident
    ) => {
        #[target_feature(enable = $features)]
        pub(super) fn $name(height: usize, rows: &[i16], panel: &[i16], ends: &[u32], tile: &mut Tile) {
            match height {
                $($height => $loops::<$height>(rows, panel, ends, tile),)*
                _ => $loops::<$most>(rows, panel, ends, tile),
            }
        }

        #[target_feature(enable = $features)]
        fn $loops<const R: usize>(rows: &[i16], panel: &[i16], ends: &[u32], tile: &mut Tile) {
            const LANES: usize = $width / 2;
            let pairs = ends.last().map_or(0, |&end| end as usize);
            assert!(rows.len() >= pairs * R * 2 && panel.len() >= pairs * $width * 2);
            let (mut left, mut right) = (rows.as_ptr(), panel.as_ptr());
            let mut at = 0;
            for (run, &end) in ends.iter().enumerate() {
                let end = (end as usize).min(pairs);
                let mut sums = [[$zero(); 2]; R];
                while at < end {
                    // Safety: `at` is below `pairs`, and both slices hold that many steps.
                    unsafe {
                        let columns = [$load(right.cast()), $load(right.add($width).cast())];
                        for r in 0..R {
                            let row = $broadcast(left.add(2 * r).cast::<i32>().read_unaligned());
                            sums[r][0] = $pair(sums[r][0], row, columns[0]);
                            sums[r][1] = $pair(sums[r][1], row, columns[1]);
                        }
                        left = left.add(2 * R);
                        right = right.add(2 * $width);
                    }
                    at += 1;
                }
                for r in 0..R {
                    for v in 0..2 {
                        let low: *mut $vector = tile.low[r][v * LANES..][..LANES].as_mut_ptr().cast();
                        let high: *mut $vector = tile.high[r][v * LANES..][..LANES].as_mut_ptr().cast();
                        let sum = sums[r][v];
                        // Safety: both places hold a whole vector, as the slices above have checked.
                        unsafe {
                            if run == 0 {
                                $store(low, sum);
                                $store(high, $shift::<{ DROPPED as _ }>(sum));
                            } else {
                                $store(low, $add($load(low), sum));
                                $store(high, $add($load(high), $shift::<{ DROPPED as _ }>(sum)));
                            }
                        }
                    }
                }
            }
        }
    };
}

kernel!(
    tile_avx2, loop_avx2, "avx2", [1 2], 4, WIDTH_AVX2, __m256i, _mm256_setzero_si256, _mm256_loadu_si256,
    _mm256_storeu_si256, _mm256_set1_epi32, pair_avx2, _mm256_add_epi32, _mm256_srai_epi32
);
kernel!(
    tile_avx512, loop_avx512, "avx512f,avx512bw", [1 2 4], 8, WIDTH_AVX512, __m512i, _mm512_setzero_si512,
    _mm512_loadu_si512, _mm512_storeu_si512, _mm512_set1_epi32, pair_avx512, _mm512_add_epi32, _mm512_srai_epi32
);
kernel!(
    tile_vnni, loop_vnni, "avx512f,avx512bw,avx512vnni", [1 2 4], 8, WIDTH_AVX512, __m512i, _mm512_setzero_si512,
    _mm512_loadu_si512, _mm512_storeu_si512, _mm512_set1_epi32, _mm512_dpwssd_epi32, _mm512_add_epi32,
    _mm512_srai_epi32
);
