//! Weights of a layer, or of some of its rows, while they are put together. Where they come from is not known here.

use synapress_model::Form;

/// Without room for more.
fn tight<T>(mut values: Vec<T>) -> Vec<T> {
    values.shrink_to_fit();
    values
}

/// Weights of one tile, or of several.
#[derive(Debug)]
pub(crate) struct Part {
    values: Values,
    /// How many are not zero.
    nonzero: usize,
}

/// Weights without what says which numbers they stand for.
#[derive(Debug)]
pub(crate) enum Values {
    Floats(Vec<f32>),
    Index(Vec<u16>),
    Codes(Vec<i16>),
}

impl Values {
    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        match self {
            Self::Floats(w) => w.reserve(more),
            Self::Index(index) => index.reserve(more),
            Self::Codes(q) => q.reserve(more),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Floats(w) => w.len(),
            Self::Index(index) => index.len(),
            Self::Codes(q) => q.len(),
        }
    }

    /// The first of them, taken off.
    pub fn take(&mut self, count: usize) -> Self {
        match self {
            Self::Floats(w) => Self::Floats(w.drain(..count).collect()),
            Self::Index(index) => Self::Index(index.drain(..count).collect()),
            Self::Codes(q) => Self::Codes(q.drain(..count).collect()),
        }
    }
}

impl Part {
    /// Of these weights.
    pub fn new(values: Values) -> Self {
        let nonzero = match &values {
            Values::Floats(w) => w.iter().filter(|&&w| w != 0.0).count(),
            Values::Index(index) => index.iter().filter(|&&i| i != 0).count(),
            Values::Codes(q) => q.iter().filter(|&&q| q != 0).count(),
        };
        Self { values, nonzero }
    }

    /// How many weights are not zero.
    pub fn nonzero(&self) -> usize {
        self.nonzero
    }

    /// Puts the weights into a form that has none yet.
    pub fn fill(self, form: &mut Form) {
        match (form, self.values) {
            (Form::Dense(to), Values::Floats(w)) => *to = tight(w),
            (Form::Coded { index: to, .. }, Values::Index(index)) => *to = tight(index),
            (Form::Fixed { q: to, .. }, Values::Codes(q)) => *to = tight(q),
            _ => {}
        }
    }

    /// Appends the weights that follow in the same layer.
    pub fn append(&mut self, mut next: Self) {
        self.nonzero += next.nonzero;
        match (&mut self.values, &mut next.values) {
            (Values::Floats(all), Values::Floats(next)) => all.append(next),
            (Values::Index(all), Values::Index(next)) => all.append(next),
            (Values::Codes(all), Values::Codes(next)) => all.append(next),
            _ => {}
        }
    }
}
