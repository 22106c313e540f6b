//! What training minimizes: cross-entropy with true labels or with a teacher's soft labels, or the squared error of
//! outputs.

use synapress_kernels::real::Real;

/// What a batch's scores should be.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The true class of each image, of which so much is shared out evenly to all classes: label smoothing (Szegedy et
    /// al. 2016, section 7).
    Labels {
        /// The classes.
        labels: &'a [usize],
        /// The share, 0 to below 1.
        smoothing: f32,
    },
    /// The teacher's scores before softmax, `(n, classes)`: distillation (Hinton et al. 2015). Both sides are softened
    /// by the temperature and the gradient scaled by its square.
    Teacher {
        /// Scores before softmax.
        logits: &'a [f32],
        /// Divides scores of teacher and student.
        temperature: f32,
    },
    /// Outputs `(n, outputs)` that are to be met, for the least squared error.
    Outputs {
        /// The outputs.
        values: &'a [f32],
        /// What the squared error of an image, summed over outputs, is divided by.
        power: f32,
    },
}

impl Target<'_> {
    /// Images that it is of, of so many classes or outputs.
    pub fn images(&self, classes: usize) -> usize {
        match self {
            Self::Labels { labels, .. } => labels.len(),
            Self::Teacher { logits: values, .. } | Self::Outputs { values, .. } => values.len() / classes.max(1),
        }
    }
}

/// Softmax of one image's scores over a temperature.
pub fn softmax<T: Real>(logits: &[T], temperature: T, out: &mut [T]) {
    let top = logits.iter().fold(logits[0], |a, &b| a.larger(b));
    let mut sum = T::default();
    for (o, &x) in out.iter_mut().zip(logits) {
        *o = ((x - top) / temperature).exp();
        sum += *o;
    }
    for o in out.iter_mut() {
        *o = *o / sum;
    }
}

/// The mean loss of a batch, and its gradient by the scores before softmax, times `weight`.
///
/// `logits` and `gradient` are `(n, classes)`. The loss with soft labels is the Kullback-Leibler divergence of the
/// student from the teacher, so that it is zero when both agree; with outputs `classes` is the number of these.
pub fn loss<T: Real>(logits: &[T], classes: usize, target: Target<'_>, weight: f32, gradient: &mut [T]) -> f64 {
    let n = logits.len() / classes;
    let scale = T::of64(f64::from(weight) / n as f64);
    let mut total = 0.0;
    let mut wanted = vec![T::default(); classes];
    for (image, (z, g)) in logits.chunks_exact(classes).zip(gradient.chunks_exact_mut(classes)).enumerate() {
        match target {
            Target::Labels { labels, smoothing } => {
                softmax(z, T::of(1.0), g);
                let even = T::of(smoothing) / T::of64(classes as f64);
                let surprise = |p: T| -p.to64().max(1e-30).ln();
                total += f64::from(1.0 - smoothing) * surprise(g[labels[image]]);
                if smoothing > 0.0 {
                    total += even.to64() * g.iter().map(|&p| surprise(p)).sum::<f64>();
                }
                g[labels[image]] += -T::of(1.0 - smoothing);
                g.iter_mut().for_each(|g| *g = (*g - even) * scale);
            }
            Target::Teacher { logits, temperature } => {
                let t = T::of(temperature);
                let teacher: Vec<T> = logits[image * classes..][..classes].iter().map(|&x| T::of(x)).collect();
                softmax(&teacher, t, &mut wanted);
                softmax(z, t, g);
                for (g, &p) in g.iter_mut().zip(&wanted) {
                    if p > T::default() {
                        total += p.to64() * (p.to64().max(1e-30).ln() - g.to64().max(1e-30).ln());
                    }
                    *g = (*g - p) * t * scale;
                }
            }
            Target::Outputs { values, power } => {
                let factor = T::of(2.0 / power) * scale;
                for ((&z, g), &wanted) in z.iter().zip(g).zip(&values[image * classes..][..classes]) {
                    let error = z - T::of(wanted);
                    total += (error * error).to64() / f64::from(power);
                    *g = error * factor;
                }
            }
        }
    }
    total / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_match_finite_differences() {
        let logits = [0.3, -1.2, 2.0, 0.7, 0.1, -0.4];
        let teacher = [1.0f32, 0.0, -1.0, 0.5, 0.5, 3.0];
        let targets = [
            (Target::Labels { labels: &[2, 0], smoothing: 0.0 }, 1.0),
            (Target::Labels { labels: &[2, 0], smoothing: 0.1 }, 1.0),
            (Target::Teacher { logits: &teacher, temperature: 1.0 }, 1.0),
            (Target::Teacher { logits: &teacher, temperature: 3.0 }, 9.0),
            (Target::Outputs { values: &teacher, power: 4.0 }, 1.0),
        ];
        for (target, scale) in targets {
            let mut gradient = [0.0f64; 6];
            loss(&logits, 3, target, 1.0, &mut gradient);
            for i in 0..6 {
                let at = |d: f64| {
                    let mut z = logits;
                    z[i] += d;
                    loss(&z, 3, target, 1.0, &mut [0.0; 6]) * scale
                };
                let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((numeric - gradient[i]).abs() < 1e-8, "{numeric} {}", gradient[i]);
            }
        }
    }

    #[test]
    fn a_student_equal_to_its_teacher_has_no_loss() {
        let teacher = [1.0f32, 2.0, -3.0];
        let mut gradient = [1.0f64; 3];
        let target = Target::Teacher { logits: &teacher, temperature: 2.0 };
        assert!(loss(&[1.0, 2.0, -3.0], 3, target, 1.0, &mut gradient).abs() < 1e-12);
        assert!(gradient.iter().all(|g| g.abs() < 1e-12));
    }
}
