//! Which price of a bit to try next, from what those before it came to.

/// A pass over the network at a price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pass {
    pub price: f64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Points of top-1 that the integers lose; absent where it is not what counts.
    pub loss: Option<f64>,
}

/// The next price to try, a little below the wanted size; `None` for the first one.
pub(super) fn for_bytes(passes: &[Pass], bytes: u64, near: f64) -> Option<f64> {
    let aim = (bytes as f64 * (1.0 - 0.4 * near)).ln();
    let place = |p: &Pass| (p.price.ln(), (p.bytes as f64).ln() - aim);
    let last = place(passes.last()?);
    let above = passes.iter().filter(|p| p.bytes > bytes).map(place).max_by(|a, b| a.0.total_cmp(&b.0));
    let below = passes.iter().filter(|p| p.bytes <= bytes).map(place).min_by(|a, b| a.0.total_cmp(&b.0));
    let ln = match (above, below) {
        // Between the nearest on both sides, along the straight line.
        (Some(a), Some(b)) => {
            let share = if a.1 > b.1 { (a.1 / (a.1 - b.1)).clamp(0.05, 0.95) } else { 0.5 };
            a.0 + share * (b.0 - a.0)
        }
        // Beyond all that were tried, a little further than the slope says: a file shrinks by about a fifth when the
        // price doubles, or as the last two passes show.
        _ => {
            let before = passes.iter().rev().nth(1).map(place);
            let slope = before.map_or(0.3, |b| (b.1 - last.1) / (last.0 - b.0)).clamp(0.1, 1.0);
            last.0 + (1.2 * last.1 / slope).clamp(-4.0, 4.0)
        }
    };
    Some(ln.exp())
}

/// The next price to try for a loss of at most `points`: twice or half of the last one as long as all are within it or
/// beyond it, then the middle. `None` when two that are within and beyond it are nearer than a factor of `near`.
pub(super) fn for_loss(passes: &[Pass], points: f64, near: f64) -> Option<f64> {
    let fits = |p: &&Pass| p.loss.is_some_and(|l| l <= points);
    let within = passes.iter().filter(fits).map(|p| p.price).fold(0.0, f64::max);
    // The loss is noisy: what lies beyond a price that is within the budget does not bound it.
    let beyond = passes.iter().filter(|p| !fits(p) && p.price > within).map(|p| p.price).fold(f64::INFINITY, f64::min);
    match (within > 0.0, beyond.is_finite()) {
        (true, true) if beyond / within < near => None,
        (true, true) => Some((within * beyond).sqrt()),
        (true, false) => Some(2.0 * within),
        _ => Some(0.5 * beyond),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: f64 = 0.01;

    fn pass(price: f64, bytes: u64) -> Pass {
        Pass { price, bytes, loss: None }
    }

    #[test]
    fn prices_close_in_on_the_size() {
        // Bytes that fall with the price in a bent line.
        let bytes = |price: f64| (3e6 * (1.0 + price / 1e-8).powf(-0.35)) as u64;
        for wanted in [2_900_000, 1_400_000, 200_000] {
            let mut passes = vec![pass(2e-8, bytes(2e-8))];
            while !(0.99..=1.0).contains(&(passes.last().unwrap().bytes as f64 / wanted as f64)) {
                let price = for_bytes(&passes, wanted, NEAR).unwrap();
                passes.push(pass(price, bytes(price)));
                assert!(passes.len() <= 10, "{wanted}: {passes:?}");
            }
        }
        assert_eq!(for_bytes(&[], 1000, NEAR), None);
    }

    #[test]
    fn prices_close_in_on_the_loss() {
        // Points that rise with the price, in steps as those of a few hundred images.
        let loss = |price: f64| ((price / 1e-8).sqrt() * 2.0).floor() * 0.2;
        for points in [0.0, 0.5, 3.0] {
            let mut passes: Vec<Pass> = Vec::new();
            let mut price = 2e-8;
            loop {
                passes.push(Pass { loss: Some(loss(price)), ..pass(price, 0) });
                assert!(passes.len() < 16, "{points}: {passes:?}");
                match for_loss(&passes, points, 1.2) {
                    Some(next) => price = next,
                    None => break,
                }
            }
            let best = passes.iter().filter(|p| p.loss.unwrap() <= points).map(|p| p.price).fold(0.0, f64::max);
            assert!(best > 0.0 && loss(best * 1.25) > points, "{points}: {best}");
        }
    }
}
