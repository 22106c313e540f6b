//! Intervals and tests for accuracies counted on few images. What is counted is [`crate::evaluate`]'s affair.

/// Quantile of the normal distribution for two-sided intervals of 95%.
pub const Z95: f64 = 1.959_963_984_540_054;

/// Wilson's 95% score interval of a share of `hits` among `count`, from 0 to 1 (Wilson, JASA 22, 1927).
pub fn wilson(hits: usize, count: usize) -> [f64; 2] {
    if count == 0 {
        return [0.0, 1.0];
    }
    let (n, z2) = (count as f64, Z95 * Z95);
    let share = hits as f64 / n;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // Rounding must not exclude the share itself.
    [(centre - half).clamp(0.0, share), (centre + half).clamp(share, 1.0)]
}

/// 95% interval of the difference of two shares counted on the same `count` things, of which `first` were hit only by
/// the first and `second` only by the second: Wald's interval with half a count added to each of the four cells, which
/// holds its level in small samples (Agresti and Min, Statistics in Medicine 24, 2005).
pub fn paired(first: usize, second: usize, count: usize) -> [f64; 2] {
    if count == 0 {
        return [-1.0, 1.0];
    }
    let (n, b, c) = (count as f64 + 2.0, first as f64 + 0.5, second as f64 + 0.5);
    let difference = (b - c) / n;
    let half = Z95 * ((b + c) / n - difference * difference).sqrt() / n.sqrt();
    [(difference - half).max(-1.0), (difference + half).min(1.0)]
}

/// McNemar's exact two-sided test: how likely so uneven a split of the things that only one of two hit would be if both
/// were equally good.
pub fn mcnemar(first: usize, second: usize) -> f64 {
    let n = first + second;
    // Sum of the lower tail of the binomial distribution, in logarithms because 2^-n underflows.
    let (mut term, mut sum) = (-(n as f64) * std::f64::consts::LN_2, 0.0);
    for k in 0..=first.min(second) {
        sum += f64::exp(term);
        term += (((n - k) as f64) / ((k + 1) as f64)).ln();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    #[test]
    fn wilson_is_as_published() {
        // Newcombe, Statistics in Medicine 17, 1998, table I.
        for (hits, count, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let [a, b] = wilson(hits, count);
            assert!((a - low).abs() < 5e-5 && (b - high).abs() < 5e-5, "{hits} of {count}: {a} {b}");
        }
        let [low, high] = wilson(7, 7);
        assert!(low > 0.6 && high == 1.0);
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }

    #[test]
    fn mcnemar_is_the_binomial_test() {
        for (first, second, p) in
            [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 0.021_484_375), (2, 10, 0.038_574_218_75)]
        {
            assert!((mcnemar(first, second) - p).abs() < 1e-12, "{first} {second}: {}", mcnemar(first, second));
            assert_eq!(mcnemar(first, second), mcnemar(second, first));
        }
        let large = mcnemar(24_800, 25_200);
        assert!((large - 0.0743).abs() < 5e-4, "{large}");
    }

    #[test]
    fn paired_covers_the_true_difference() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        // Few images with few differences: any interval of the level covers more.
        for (both, first, second, count, most) in
            [(0.7, 0.03, 0.06, 500, 0.97), (0.5, 0.2, 0.05, 60, 0.98), (0.9, 0.01, 0.01, 100, 1.0)]
        {
            let trials = 4000;
            let mut covered = 0;
            for _ in 0..trials {
                let (mut b, mut c) = (0, 0);
                for _ in 0..count {
                    let u: f64 = rng.random::<f64>() - both;
                    b += usize::from((0.0..first).contains(&u));
                    c += usize::from((first..first + second).contains(&u));
                }
                let [low, high] = paired(b, c, count);
                assert!(low <= (b as f64 - c as f64) / count as f64 && (b as f64 - c as f64) / count as f64 <= high);
                covered += usize::from((low..=high).contains(&(first - second)));
            }
            let share = covered as f64 / f64::from(trials);
            assert!((0.935..=most).contains(&share), "covers {share} of the time at n = {count}");
        }
    }

    #[test]
    fn paired_contains_the_difference_at_the_ends() {
        for count in 1..20 {
            for (b, c) in [(count, 0), (0, count), (0, 0), (count / 2, count - count / 2)] {
                let [low, high] = paired(b, c, count);
                let difference = (b as f64 - c as f64) / count as f64;
                assert!(low <= difference && difference <= high, "{b} {c} of {count}: {low} {high}");
            }
        }
    }
}
