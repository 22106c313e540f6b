//! Weights of a layer at any stage of compression.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;

/// The size of a layer's weights: `[outputs, inputs, height, width]` and whether it has a bias of `outputs` numbers.
/// Layers with one weight a channel use `[channels, 1, 1, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightShape {
    /// Sizes along each axis, slowest first.
    pub dims: [usize; 4],
    /// Whether there is a bias, one number for each of `dims[0]`.
    pub bias: bool,
}

impl WeightShape {
    /// Number of weights, without the bias; saturates, so that a senseless size meets every limit.
    pub fn len(&self) -> usize {
        self.dims.iter().fold(1usize, |n, &d| n.saturating_mul(d))
    }

    /// Whether there are no weights.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of bias values.
    pub fn bias_len(&self) -> usize {
        if self.bias { self.dims[0] } else { 0 }
    }
}

/// A layer's weights and bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// `[outputs, inputs, height, width]`.
    pub dims: [usize; 4],
    /// The weights, row-major.
    pub form: Form,
    /// The bias.
    pub bias: Bias,
}

/// Weights at one of the stages. A pruned weight is exactly zero in every one of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Floating point, pruned or not.
    Dense(Vec<f32>),
    /// Grouped: every weight names a centroid. Centroid 0 is zero, the pruned weights' own.
    Coded {
        /// The layer's centroid set (codebook).
        centroids: Centroids,
        /// For each weight the place of its centroid.
        index: Vec<u16>,
    },
    /// Quantized without grouping.
    Fixed {
        /// For each weight its code.
        q: Vec<i16>,
        /// What a code stands for.
        format: Fixed,
    },
}

/// A codebook; entry 0 is always zero.
#[derive(Clone, Debug, PartialEq)]
pub enum Centroids {
    /// Before quantization.
    Float(Vec<f32>),
    /// After quantization.
    Fixed {
        /// Codes.
        q: Vec<i16>,
        /// What a code stands for.
        format: Fixed,
    },
}

impl Centroids {
    /// Number of entries, the zero included.
    pub fn len(&self) -> usize {
        match self {
            Self::Float(c) => c.len(),
            Self::Fixed { q, .. } => q.len(),
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries as numbers.
    pub fn values(&self) -> Vec<f32> {
        match self {
            Self::Float(c) => c.clone(),
            Self::Fixed { q, format } => q.iter().map(|&q| format.value(q)).collect(),
        }
    }
}

/// A layer's bias.
#[derive(Clone, Debug, PartialEq)]
pub enum Bias {
    /// The layer has none.
    None,
    /// Floating point.
    Float(Vec<f32>),
    /// Quantized: `q * 2^-frac`.
    Fixed {
        /// Codes.
        q: Vec<i32>,
        /// Fractional length.
        frac: i8,
    },
}

impl Bias {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Float(b) => b.len(),
            Self::Fixed { q, .. } => q.len(),
        }
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of some outputs; none for outputs that it has no value for.
    #[must_use]
    pub fn part(&self, outputs: Range<usize>) -> Self {
        match self {
            Self::None => Self::None,
            Self::Float(b) => Self::Float(b.get(outputs).unwrap_or_default().to_vec()),
            Self::Fixed { q, frac } => Self::Fixed { q: q.get(outputs).unwrap_or_default().to_vec(), frac: *frac },
        }
    }

    /// The values as numbers; empty for none.
    pub fn values(&self) -> Cow<'_, [f32]> {
        match self {
            Self::None => Cow::Borrowed(&[]),
            Self::Float(b) => Cow::Borrowed(b),
            Self::Fixed { q, frac } => {
                let step = f64::from(-i32::from(*frac)).exp2();
                Cow::Owned(q.iter().map(|&q| (f64::from(q) * step) as f32).collect())
            }
        }
    }
}

impl Weights {
    /// Floating-point weights; an empty `bias` is none.
    pub fn dense(dims: [usize; 4], weights: Vec<f32>, bias: Vec<f32>) -> Self {
        Self { dims, form: Form::Dense(weights), bias: if bias.is_empty() { Bias::None } else { Bias::Float(bias) } }
    }

    /// Number of weights, without the bias.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Dense(w) => w.len(),
            Form::Coded { index, .. } => index.len(),
            Form::Fixed { q, .. } => q.len(),
        }
    }

    /// Whether there are no weights.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The weights as numbers.
    pub fn values(&self) -> Cow<'_, [f32]> {
        match &self.form {
            Form::Dense(w) => Cow::Borrowed(w),
            Form::Coded { centroids, index } => {
                let table = centroids.values();
                Cow::Owned(index.iter().map(|&i| table[usize::from(i)]).collect())
            }
            Form::Fixed { q, format } => Cow::Owned(q.iter().map(|&q| format.value(q)).collect()),
        }
    }

    /// The weights as integers and their format, once quantized.
    pub fn codes(&self) -> Option<(Cow<'_, [i16]>, Fixed)> {
        match &self.form {
            Form::Dense(_) | Form::Coded { centroids: Centroids::Float(_), .. } => None,
            Form::Coded { centroids: Centroids::Fixed { q, format }, index } => {
                Some((Cow::Owned(index.iter().map(|&i| q[usize::from(i)]).collect()), *format))
            }
            Form::Fixed { q, format } => Some((Cow::Borrowed(q), *format)),
        }
    }

    /// Number of weights that are exactly zero.
    pub fn zeros(&self) -> usize {
        match &self.form {
            Form::Dense(w) => w.iter().filter(|&&w| w == 0.0).count(),
            Form::Coded { index, .. } => index.iter().filter(|&&i| i == 0).count(),
            Form::Fixed { q, .. } => q.iter().filter(|&&q| q == 0).count(),
        }
    }

    /// Share of weights that are exactly zero, from 0 to 1.
    pub fn sparsity(&self) -> f64 {
        self.zeros() as f64 / self.len().max(1) as f64
    }

    /// Checks sizes against the layer's, indices against the codebook, that centroid 0 is zero, that codes fit their
    /// format and that every number is finite.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] naming what does not fit.
    pub fn check(&self, shape: &WeightShape) -> Result<(), Error> {
        let fault = |message: String| Err(Error::new(ErrorKind::Weights, message));
        if self.dims != shape.dims || self.len() != shape.len() {
            return fault(format!(
                "the weights are {:?} ({} numbers), the layer takes {:?} ({})",
                self.dims,
                self.len(),
                shape.dims,
                shape.len()
            ));
        }
        if self.bias.len() != shape.bias_len() {
            return fault(format!("the bias has {} values, the layer takes {}", self.bias.len(), shape.bias_len()));
        }
        let finite = |name: &str, values: &[f32]| match values.iter().position(|v| !v.is_finite()) {
            Some(at) => fault(format!("{name} {at} is {}, not a finite number", values[at])),
            None => Ok(()),
        };
        let fitting = |q: &[i16], format: &Fixed| {
            let (low, high) = format.range();
            match q.iter().find(|&&q| !(low..=high).contains(&i64::from(q))) {
                Some(q) => fault(format!("the code {q} does not fit the format {format}")),
                None => Ok(()),
            }
        };
        match &self.form {
            Form::Dense(w) => finite("weight", w)?,
            Form::Coded { centroids, index } => {
                match centroids {
                    Centroids::Float(c) => finite("centroid", c)?,
                    Centroids::Fixed { q, format } => {
                        format.checked()?;
                        fitting(q, format)?;
                    }
                }
                if centroids.values().first() != Some(&0.0) {
                    return fault("centroid 0 is not zero".to_owned());
                }
                if let Some(i) = index.iter().find(|&&i| usize::from(i) >= centroids.len()) {
                    return fault(format!("the index {i} names none of the {} centroids", centroids.len()));
                }
            }
            Form::Fixed { q, format } => {
                format.checked()?;
                fitting(q, format)?;
            }
        }
        if let Bias::Float(b) = &self.bias {
            finite("bias", b)?;
        }
        Ok(())
    }
}
