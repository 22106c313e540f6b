//! How the weights of one node are represented while they are trained.

use rayon::prelude::*;
use synapress_model::{Centroids, Error, ErrorKind, Fixed, Form, Weights};

/// How a node's weights are represented while they are trained.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// Each weight learns by itself; zeros are held at zero if the network is pruned. With a format the executor has
    /// the nearest codes of the weights that are kept here.
    Dense { velocity: Vec<f32>, rounded: Option<(Fixed, Vec<f32>)> },
    /// The centroids learn: the gradient of one is the sum of its members'. Centroid 0 stays zero.
    Grouped {
        index: Vec<u16>,
        /// What the sum over the members of a centroid is multiplied by.
        scale: Vec<f32>,
        values: Vec<f32>,
        velocity: Vec<f32>,
        gradient: Vec<f32>,
        format: Option<Fixed>,
    },
    /// Nothing learns: no weights, or both rates are zero.
    Still,
}

impl Slot {
    pub(super) fn velocity(&self) -> &[f32] {
        match self {
            Self::Dense { velocity, .. } | Self::Grouped { velocity, .. } => velocity,
            Self::Still => &[],
        }
    }

    /// The weights as they are computed with.
    pub(super) fn put(&self, to: &mut [f32]) {
        match self {
            Self::Dense { rounded: Some((format, weights)), .. } => {
                let round = |(to, &w): (&mut f32, &f32)| *to = format.value(format.quantize(w));
                to.par_iter_mut().zip(weights).for_each(round);
            }
            Self::Grouped { index, values, format, .. } => {
                let value = |&v: &f32| format.map_or(v, |f| f.value(f.quantize(v)));
                let table: Vec<f32> = values.iter().map(value).collect();
                to.par_iter_mut().zip(index).for_each(|(to, &i)| *to = table[usize::from(i)]);
            }
            Self::Dense { rounded: None, .. } | Self::Still => {}
        }
    }
}

/// The gradient of a centroid is the sum of its members' (Han et al. 2016, section 3.3). Through integers it is their
/// mean: a code that flips moves all members at once, and those of a large group would flip to and fro.
fn scales(index: &[u16], centroids: usize, format: Option<Fixed>) -> Vec<f32> {
    let mut counts = vec![1u32; centroids];
    if format.is_some() {
        counts.fill(0);
        index.iter().for_each(|&i| counts[usize::from(i)] += 1);
    }
    counts.iter().map(|&n| 1.0 / n.max(1) as f32).collect()
}

/// How a node's weights are trained, with a format if that is through integers.
///
/// # Errors
/// When they are quantized.
pub(super) fn slot(weights: &Weights, format: Option<Fixed>) -> Result<Slot, Error> {
    match &weights.form {
        Form::Dense(w) => {
            Ok(Slot::Dense { velocity: vec![0.0; w.len()], rounded: format.map(|format| (format, w.clone())) })
        }
        Form::Coded { centroids: Centroids::Float(values), index } => Ok(Slot::Grouped {
            scale: scales(index, values.len(), format),
            index: index.clone(),
            values: values.clone(),
            velocity: vec![0.0; values.len()],
            gradient: vec![0.0; values.len()],
            format,
        }),
        _ => Err(Error::new(ErrorKind::Format, "the layer is quantized; retrain the network that it was made from")),
    }
}
