//! Where sums are cut so that every run of taps provably fits 32 bits.

/// More runs than this could overflow the sum of their upper parts.
const MOST: usize = 1 << 15;

/// Ends of runs, in pairs of taps, for rows of weights and inputs from `low` to `high` (`low <= 0 <= high`): the
/// longest runs from the start on whose sums fit 32 bits in every row. `None` when a single pair of taps does not fit.
pub(super) fn ends(rows: &[&[i16]], (low, high): (i64, i64)) -> Option<Vec<u32>> {
    debug_assert!(low <= 0 && 0 <= high);
    let pairs = rows.iter().map(|r| r.len().div_ceil(2)).max().unwrap_or(0);
    let fits = |&(least, most): &(i64, i64)| least >= i64::from(i32::MIN) && most <= i64::from(i32::MAX);
    let mut ends = Vec::new();
    let mut sums = vec![(0i64, 0i64); rows.len()];
    for pair in 0..pairs {
        let own = |row: &[i16]| extremes(row.get(2 * pair..row.len().min(2 * pair + 2)).unwrap_or(&[]), (low, high));
        let add = |sums: &mut [(i64, i64)]| {
            for (sum, row) in sums.iter_mut().zip(rows) {
                let (least, most) = own(row);
                *sum = (sum.0 + least, sum.1 + most);
            }
        };
        add(&mut sums);
        if !sums.iter().all(fits) {
            ends.push(u32::try_from(pair).ok()?);
            sums.fill((0, 0));
            add(&mut sums);
            if !sums.iter().all(fits) {
                return None;
            }
        }
    }
    ends.push(u32::try_from(pairs).ok()?);
    (ends.len() <= MOST).then_some(ends)
}

/// The least and the largest sum of these weights times inputs from `low` to `high`.
pub(super) fn extremes(weights: &[i16], (low, high): (i64, i64)) -> (i64, i64) {
    weights.iter().fold((0, 0), |(least, most), &w| {
        let w = i64::from(w);
        if w > 0 { (least + w * low, most + w * high) } else { (least + w * high, most + w * low) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_as_long_as_they_can_be_and_none_overflows() {
        let range = (-32768, 32767);
        assert_eq!(ends(&[&[1; 9]], range), Some(vec![5]));
        // Two products of 2^30 each do not fit, one does.
        assert_eq!(ends(&[&[-32768, -32768]], range), None);
        assert_eq!(ends(&[&[-32768, 32767]], range), Some(vec![1]));
        assert_eq!(ends(&[&[32767, 0, 32767, 0, 32767, 0, 0, 0]], range), Some(vec![2, 4]));
        // The other row needs a cut elsewhere.
        assert_eq!(ends(&[&[32767, 0, 32767, 0, 32767, 0], &[0, 3, 32767, 32767, 0, 0]], range), Some(vec![1, 3]));
        // Signs cancel where inputs are not negative.
        assert_eq!(ends(&[&[32767, -32768, 32767, -32768]], (0, 32767)), Some(vec![2]));
        assert_eq!(ends(&[&[]], range), Some(vec![0]));
    }

    #[test]
    fn extremes_are_reached() {
        assert_eq!(extremes(&[3, -2, 0], (-8, 7)), (3 * -8 - 2 * 7, 3 * 7 - 2 * -8));
    }
}
