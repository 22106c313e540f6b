//! A gradual schedule: sparsity rises round by round to its target, fast at first and slowly at the end.

use synapress_model::{Error, Net};

use super::{Target, apply_pattern, ratios_for, search};

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

/// Prunes a network to a target in `rounds` rounds with `retrain` after each (which may also re-solve the survivors,
/// and must hold zeros at zero). In each round one ratio, common to all layers but those that the target sets apart,
/// gives the sparsity of the [`level`]. `first` is the round to begin with, from 1; to go on with an interrupted job
/// it is the next one, and `net` what `retrain` gave last.
///
/// # Errors
/// Those of `retrain` and of [`ratios_for`]; [`synapress_model::ErrorKind::Weights`] when retraining brought a pruned
/// weight back.
pub fn gradual<E: From<Error>>(
    net: &Net,
    target: &Target,
    first: usize,
    rounds: usize,
    retrain: &mut dyn FnMut(&Net, usize) -> Result<Net, E>,
) -> Result<Net, E> {
    let mut at = net.clone();
    for round in first.max(1)..=rounds {
        let ratios = ratios_for(&at, &scaled(target, level(1.0, round, rounds)))?;
        let pruned = apply_pattern(&at, &ratios, target.pattern)?;
        at = retrain(&pruned, round)?;
        search::held(&pruned, &at)?;
    }
    Ok(at)
}

/// A share of a target, of the network and of the layers with a sparsity of their own alike.
pub fn scaled(target: &Target, share: f64) -> Target {
    Target {
        sparsity: target.sparsity * share,
        layers: target.layers.iter().map(|(name, sparsity)| (name.clone(), sparsity * share)).collect(),
        ..target.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::small_net;
    use crate::prune::{sparsity, zeros};

    #[test]
    fn a_gradual_job_follows_the_ramp_and_resumes() {
        let net = small_net(30);
        let (_, all) = zeros(&net);
        let target = Target { sparsity: 0.8, layers: [("conv1".to_owned(), 0.5)].into(), ..Target::default() };
        let mut seen = Vec::new();
        let mut retrain = |net: &Net, round: usize| {
            seen.push((round, sparsity(net), net.clone()));
            Ok::<_, Error>(net.clone())
        };
        let whole = gradual(&net, &target, 1, 4, &mut retrain).unwrap();
        assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
        for ((_, found, _), wanted) in seen.iter().zip(ramp(0.8, 4)) {
            assert!((found - wanted).abs() <= 2.0 / all as f64, "{found} {wanted}");
        }
        let resumed = gradual(&seen[1].2, &target, 3, 4, &mut |net, _| Ok::<_, Error>(net.clone())).unwrap();
        assert_eq!(resumed.weights, whole.weights);
    }

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
