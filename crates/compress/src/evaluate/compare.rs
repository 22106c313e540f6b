//! Two evaluations on the same images, compared image by image: a lone top-1 of a few hundred images says little.

use serde::Serialize;

use super::{Error, Evaluation};
use crate::data::Error as DataError;
use crate::statistics::{mcnemar, paired};

/// The difference of two accuracies on the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// First minus second, in points (percent of the images).
    pub points: f64,
    /// 95% interval of the difference, in points ([`paired`]).
    pub interval: [f64; 2],
    /// Images that only the first hit.
    pub only_first: usize,
    /// Images that only the second hit.
    pub only_second: usize,
    /// How likely so uneven a split would be if both were equally good ([`mcnemar`]).
    pub p_value: f64,
}

/// Two evaluations, compared on the images that both have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// Number of images that both have.
    pub images: usize,
    /// Difference of top-1.
    pub top1: Difference,
    /// Difference of top-5.
    pub top5: Difference,
}

/// Compares two evaluations on one data set image by image.
///
/// # Errors
/// When they are of different data sets, or have no image in common.
pub fn compare(first: &Evaluation, second: &Evaluation) -> Result<Paired, Error> {
    if first.source != second.source {
        let message = format!("evaluations on {} and on {} cannot be compared", first.source, second.source);
        return Err(DataError::Options(message).into());
    }
    let other: std::collections::HashMap<usize, usize> = second.ids.iter().copied().zip(0..).collect();
    let pairs: Vec<(usize, usize)> =
        first.ids.iter().enumerate().filter_map(|(at, id)| Some((at, *other.get(id)?))).collect();
    if pairs.is_empty() {
        return Err(DataError::Options("the evaluations have no image in common".into()).into());
    }
    let difference = |a: &[bool], b: &[bool]| {
        let only_first = pairs.iter().filter(|&&(i, j)| a[i] && !b[j]).count();
        let only_second = pairs.iter().filter(|&&(i, j)| !a[i] && b[j]).count();
        Difference {
            points: 100.0 * (only_first as f64 - only_second as f64) / pairs.len() as f64,
            interval: paired(only_first, only_second, pairs.len()).map(|v| 100.0 * v),
            only_first,
            only_second,
            p_value: mcnemar(only_first, only_second),
        }
    };
    Ok(Paired {
        images: pairs.len(),
        top1: difference(&first.hits1, &second.hits1),
        top5: difference(&first.hits5, &second.hits5),
    })
}
