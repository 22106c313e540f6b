//! A gradual schedule: sparsity rises round by round to its target, fast at first and slowly at the end.

/// The sparsity after `round` of `rounds`, from 0 to `target`: `target (1 - (1 - round / rounds)^3)` (Zhu and Gupta
/// 2017, equation 1, from a dense network).
pub fn level(target: f64, round: usize, rounds: usize) -> f64 {
    if round >= rounds {
        return target;
    }
    let left = 1.0 - round as f64 / rounds as f64;
    target * (1.0 - left * left * left)
}

/// The sparsities after each of `rounds` rounds; the last one is the target.
pub fn ramp(target: f64, rounds: usize) -> Vec<f64> {
    (1..=rounds).map(|round| level(target, round, rounds)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_rises_ever_more_slowly_and_ends_at_the_target() {
        let levels = ramp(0.9161, 7);
        assert_eq!(levels.len(), 7);
        assert_eq!(levels[6], 0.9161);
        let steps: Vec<f64> = levels.windows(2).map(|l| l[1] - l[0]).collect();
        assert!(steps.iter().all(|&s| s > 0.0) && steps.windows(2).all(|s| s[1] < s[0]));
        assert!(levels[0] > steps[0]);
        assert_eq!(ramp(0.5, 1), [0.5]);
        assert!(ramp(0.5, 0).is_empty());
    }
}
