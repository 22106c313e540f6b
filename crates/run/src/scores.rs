//! What a row of class scores says to whoever asks for a name: probabilities, and the most probable classes.

/// What the scores of a network are.
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

/// A class and how probable it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// Index of the class.
    pub class: usize,
    /// From 0 to 1.
    pub probability: f64,
}

/// The most probable classes, at most `count`, the most probable first and of equal ones that of the smaller index.
pub fn guesses(scores: &[f32], kind: Scores, count: usize) -> Vec<Guess> {
    let mut logs = scores.to_vec();
    log_probabilities(&mut logs, kind);
    let mut order: Vec<usize> = (0..logs.len()).collect();
    order.sort_by(|&a, &b| logs[b].total_cmp(&logs[a]).then(a.cmp(&b)));
    let guess = |class: usize| Guess { class, probability: f64::from(logs[class]).exp() };
    order.into_iter().take(count).map(guess).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_in_order_and_ties_go_to_the_smaller_index() {
        let found = guesses(&[0.1, 0.3, 0.3, 0.2, 0.1], Scores::Probabilities, 3);
        assert_eq!(found.iter().map(|g| g.class).collect::<Vec<_>>(), [1, 2, 3]);
        assert!((found[0].probability - 0.3).abs() < 1e-6);
        assert_eq!(guesses(&[2.0, 3.0], Scores::Logits, 5).len(), 2);
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
        let mut far = [1000.0, 0.0, -1000.0];
        log_probabilities(&mut far, Scores::Logits);
        assert!(far[0] == 0.0 && far[1] < -69.0 && far.iter().all(|v| v.is_finite()));
        let mut broken = [f32::NAN, 0.0];
        log_probabilities(&mut broken, Scores::Logits);
        assert!(broken.iter().all(|&v| v == LEAST.ln()));
    }
}
