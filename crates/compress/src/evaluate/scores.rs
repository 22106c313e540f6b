//! What one row of class scores says: the rank of a class, probabilities, losses. Sums over images are made elsewhere.

/// What the scores of a classifier are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scores {
    /// Any numbers; softmax makes probabilities of them.
    #[default]
    Logits,
    /// Probabilities already.
    Probabilities,
}

/// The least probability that is told from zero: keeps logarithms finite.
const LEAST: f32 = 1e-30;

/// How many classes come before this one: those with a higher score, and of equal ones those with a smaller index. `None`
/// when its score is NaN or there is no such class; other NaN scores come before all numbers.
pub fn rank(scores: &[f32], class: usize) -> Option<usize> {
    let own = scores.get(class).copied().filter(|s| !s.is_nan())?;
    let before = |&(i, s): &(usize, &f32)| s.is_nan() || *s > own || (*s == own && i < class);
    Some(scores.iter().enumerate().filter(before).count())
}

/// Turns scores into natural logarithms of probabilities, from -69 to 0.
/// If any score is NaN or infinite, all become the least: nothing is known of such an image.
pub fn log_probabilities(scores: &mut [f32], kind: Scores) {
    let least = LEAST.ln();
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if scores.iter().any(|s| !s.is_finite()) {
        scores.fill(least);
        return;
    }
    match kind {
        Scores::Probabilities => scores.iter_mut().for_each(|s| *s = s.clamp(LEAST, 1.0).ln()),
        Scores::Logits => {
            let sum: f64 = scores.iter().map(|&s| f64::from(s - most).exp()).sum();
            let norm = most + sum.ln() as f32;
            scores.iter_mut().for_each(|s| *s = (*s - norm).clamp(least, 0.0));
        }
    }
}

/// Kullback-Leibler divergence of one row of logarithms of probabilities from another, in nats: how much is lost when
/// `scores` stands for `reference`.
pub fn divergence(reference: &[f32], scores: &[f32]) -> f64 {
    reference.iter().zip(scores).map(|(&r, &s)| f64::from(r).exp() * f64::from(r - s)).sum()
}

/// The class of the highest score, of equal ones the first; 0 when there is none.
pub fn highest(scores: &[f32]) -> usize {
    (1..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_smaller_index_and_nan_never_hits() {
        let nan = f32::NAN;
        for (scores, class, expected) in [
            (&[0.1, 0.7, 0.2][..], 1, Some(0)),
            (&[0.5, 0.5, 0.5], 0, Some(0)),
            (&[0.5, 0.5, 0.5], 2, Some(2)),
            (&[nan, 0.5], 0, None),
            (&[nan, 0.5], 1, Some(1)),
            (&[f32::NEG_INFINITY, f32::INFINITY], 1, Some(0)),
            (&[0.5], 3, None),
        ] {
            assert_eq!(rank(scores, class), expected, "{scores:?} {class}");
        }
    }

    #[test]
    fn logits_and_probabilities_agree() {
        let logits = [1.0f32, -2.0, 0.5, 100.0 - 99.0];
        let sum: f32 = logits.iter().map(|v| v.exp()).sum();
        let mut probabilities: Vec<f32> = logits.iter().map(|v| v.exp() / sum).collect();
        let mut rows = logits;
        log_probabilities(&mut rows, Scores::Logits);
        log_probabilities(&mut probabilities, Scores::Probabilities);
        for (a, b) in rows.iter().zip(&probabilities) {
            assert!((a - b).abs() < 1e-5);
        }
        assert!(divergence(&rows, &rows) == 0.0);
        let uniform = [0.25f32.ln(); 4];
        assert!(divergence(&uniform, &rows) > 0.1 && divergence(&rows, &uniform) > 0.1);
        let mut far = [1000.0, 0.0, -1000.0];
        log_probabilities(&mut far, Scores::Logits);
        assert!(far[0] == 0.0 && far[1] < -69.0 && far.iter().all(|v| v.is_finite()));
        let mut broken = [f32::NAN, 0.0];
        log_probabilities(&mut broken, Scores::Logits);
        assert!(broken.iter().all(|&v| v == LEAST.ln()));
    }
}
