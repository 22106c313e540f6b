//! The quick sums against their slow definitions.

use super::*;

/// The sum that is kept up to date along the way is that of the features, for kernels of every shape.
#[test]
fn the_expected_magnitude_is_the_sum_of_the_features() {
    for row in [[5, 3, 3], [40, 1, 1], [2, 1, 4], [3, 5, 2], [1, 1, 1], [0, 3, 3]] {
        let tile = Tile { rows: 20, row };
        let mut parameters = Parameters::USUAL;
        parameters.magnitude = [1, -128, 127, 4, -5, 6, 7, -8, 9, 10, -11, 12, 13, -14, 15];
        let mut rows = Rows::new(&tile, &parameters);
        let mut state = 1u32;
        for _ in 0..tile.len() {
            let weighted = rows.features().iter().zip(&rows.weights).map(|(f, w)| f * w).sum::<i32>();
            assert_eq!(rows.expected(), weighted, "{row:?}");
            let (pattern, so_far) = rows.pattern();
            let f = rows.features();
            let flags = [5, 7, 8, 11, 12, 13].iter().fold(0, |n, &i| n << 1 | usize::from(f[i] > 128));
            assert_eq!((pattern, so_far), (flags, f[10]), "{row:?}");
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let loud = amplitude(if state >> 30 == 0 { 0 } else { state >> 16 });
            rows.push(if state & 0x8000 == 0 { loud } else { -loud });
        }
    }
}
