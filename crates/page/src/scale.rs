//! From values to places: linear and logarithmic scales and their ticks. Nothing is drawn here.

/// A scale from an interval of values to an interval of places.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    values: [f64; 2],
    places: [f64; 2],
    log: bool,
}

impl Scale {
    /// Equal steps in value are equal distances. An empty interval of values is widened.
    pub fn linear(values: [f64; 2], places: [f64; 2]) -> Self {
        let [low, high] = values.map(|v| if v.is_finite() { v.clamp(-1e300, 1e300) } else { 0.0 });
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        Self { values: [low, high], places, log: false }
    }

    /// Equal ratios are equal distances. Values below the lower end, zero among them, lie there.
    pub fn log(values: [f64; 2], places: [f64; 2]) -> Self {
        let [low, high] = values.map(|v| if v > 0.0 && v.is_finite() { v } else { 1.0 });
        Self { values: [low, if high > low { high } else { low * 2.0 }], places, log: true }
    }

    /// The place of a value; beyond the ends it lies at the end.
    pub fn at(&self, value: f64) -> f64 {
        let [low, high] = self.values;
        let share = match self.log {
            true if value > 0.0 => (value / low).ln() / (high / low).ln(),
            true => 0.0,
            false => (value - low) / (high - low),
        };
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self.places[0] + share * (self.places[1] - self.places[0])
    }

    /// Round values on the scale, about as many as wanted.
    pub fn ticks(&self, wanted: usize) -> Vec<f64> {
        let [low, high] = self.values;
        if !self.log {
            return linear_ticks(low, high, wanted);
        }
        let decades: Vec<f64> =
            (low.log10().floor() as i32..=high.log10().ceil() as i32).map(|e| 10f64.powi(e)).collect();
        let inside = |v: &f64| (low..=high).contains(v);
        for factors in [&[1.0][..], &[1.0, 3.0], &[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]] {
            let all: Vec<f64> =
                decades.iter().flat_map(|d| factors.iter().map(move |f| d * f)).filter(inside).collect();
            if all.len() >= wanted.div_ceil(2) {
                let every = all.len().div_ceil(wanted.max(1) * 2).max(1);
                return all.into_iter().step_by(every).collect();
            }
        }
        linear_ticks(low, high, wanted)
    }
}

fn linear_ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let rough = (high - low) / wanted.max(1) as f64;
    let unit = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|f| f * unit).find(|s| *s >= rough * 0.999).unwrap_or(rough);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    if !(step > 0.0 && step.is_finite() && last - first < 100.0) {
        return Vec::new();
    }
    // Multiples of a tenth are a little off and may lie beyond an end that is one.
    (0..=(last - first) as usize).map(|i| ((first + i as f64) * step).clamp(low, high)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        for (low, high) in [(0.0, 3.7), (-1.2, 8.0), (0.0, 0.013), (67.0, 91.7), (5.0, 5.0)] {
            let ticks = Scale::linear([low, high], [0.0, 1.0]).ticks(5);
            assert!((2..=7).contains(&ticks.len()), "{low} {high}: {ticks:?}");
        }
        assert_eq!(Scale::linear([-1.2, 8.0], [0.0, 1.0]).ticks(5), [0.0, 2.0, 4.0, 6.0, 8.0]);
        for (low, high) in [(1e6, 28e6), (1e-6, 1.0), (17e3, 205e3), (2.0, 2.3)] {
            let ticks = Scale::log([low, high], [0.0, 1.0]).ticks(5);
            assert!((2..=11).contains(&ticks.len()) && ticks.iter().all(|t| (low..=high).contains(t)), "{ticks:?}");
        }
    }

    #[test]
    fn senseless_values_stay_on_the_scale() {
        for scale in [
            Scale::linear([f64::NAN, f64::INFINITY], [0.0, 9.0]),
            Scale::log([0.0, -1.0], [0.0, 9.0]),
            Scale::linear([-1e308, 1e308], [0.0, 9.0]),
        ] {
            for value in [f64::NAN, f64::INFINITY, -1e308, 0.0, 1.0, 1e308] {
                assert!((0.0..=9.0).contains(&scale.at(value)), "{scale:?} {value}");
            }
            assert!(scale.ticks(5).len() < 100);
        }
    }
}
