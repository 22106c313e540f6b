//! What one row of class scores says of a class or of another row. Probabilities are the runtime's
//! ([`synapress_run::log_probabilities`]), sums over images are made elsewhere.

/// How many classes come before this one: those with a higher score, and of equal ones those with a smaller index. `None`
/// when its score is NaN or there is no such class; other NaN scores come before all numbers.
pub fn rank(scores: &[f32], class: usize) -> Option<usize> {
    let own = scores.get(class).copied().filter(|s| !s.is_nan())?;
    let before = |&(i, s): &(usize, &f32)| s.is_nan() || *s > own || (*s == own && i < class);
    Some(scores.iter().enumerate().filter(before).count())
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
    fn divergence_is_zero_of_the_same_alone() {
        let rows = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        assert!(divergence(&rows, &rows) == 0.0);
        let uniform = [(1.0 / 3.0f32).ln(); 3];
        assert!(divergence(&uniform, &rows) > 0.05 && divergence(&rows, &uniform) > 0.05);
    }
}
