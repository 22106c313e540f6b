//! Indices as levels: the rank of a centroid among those of its sign, by value. Near centroids then have near levels,
//! which the coding schemes live on.

use crate::bytes::wide;
use crate::error::Error;
use crate::schemes::Book;

/// The order of a codebook, both ways.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// For each index its level.
    levels: Vec<i32>,
    /// Indices from the lowest level to the highest.
    indices: Vec<u16>,
    /// Magnitude of the lowest level.
    low: usize,
}

impl Ranks {
    /// Ranks centroids, the first of which is zero and has level 0, by value and then by index; minus zero counts as
    /// negative. At most 65536 centroids.
    pub fn of(centroids: &[f32]) -> Self {
        let mut indices: Vec<u16> = (0..=u16::MAX).take(centroids.len()).collect();
        let value = |i: u16| centroids.get(usize::from(i)).copied().unwrap_or_default();
        let side = |i: u16| {
            if i == 0 {
                0
            } else if value(i).is_sign_negative() {
                -1
            } else {
                1
            }
        };
        indices.sort_by(|&a, &b| side(a).cmp(&side(b)).then(value(a).total_cmp(&value(b))).then(a.cmp(&b)));
        let low = indices.iter().position(|&i| i == 0).unwrap_or(0);
        let mut levels = vec![0; indices.len()];
        let rank = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        for (at, &i) in indices.iter().enumerate() {
            if let Some(level) = levels.get_mut(usize::from(i)) {
                *level = rank(at) - rank(low);
            }
        }
        Self { levels, indices, low }
    }

    /// Indices from the lowest level to the highest.
    pub fn order(&self) -> impl Iterator<Item = u16> {
        self.indices.iter().copied()
    }

    /// Values of positive levels from 1 up, and of negative ones from -1 down.
    pub fn sides(&self, centroids: &[f32]) -> Book {
        let value = |&i: &u16| centroids.get(usize::from(i)).copied().unwrap_or_default();
        let (low, high) = self.indices.split_at(self.low);
        [high.iter().skip(1).map(value).collect(), low.iter().rev().map(value).collect()]
    }

    /// The levels of indices, which all name a centroid.
    pub fn levels(&self, index: &[u16]) -> Vec<i32> {
        index.iter().map(|&i| self.levels.get(usize::from(i)).copied().unwrap_or_default()).collect()
    }

    /// Appends the indices of levels.
    ///
    /// # Errors
    /// A level that no centroid has, as a message without a place.
    pub fn indices(&self, levels: &[i32], out: &mut Vec<u16>) -> Result<(), String> {
        for &level in levels {
            let at = isize::try_from(level).ok().and_then(|n| self.low.checked_add_signed(n));
            match at.and_then(|at| self.indices.get(at)) {
                Some(&index) => out.push(index),
                None => return Err(format!("no centroid of {} has the level {level}", wide(self.indices.len()))),
            }
        }
        Ok(())
    }
}

/// Codes as levels: themselves.
pub(crate) fn codes_to_levels(codes: &[i16]) -> Vec<i32> {
    codes.iter().copied().map(i32::from).collect()
}

/// Appends levels as codes.
///
/// # Errors
/// As [`Ranks::indices`].
pub(crate) fn levels_to_codes(levels: &[i32], out: &mut Vec<i16>) -> Result<(), String> {
    for &level in levels {
        out.push(i16::try_from(level).map_err(|_| format!("the code {level} is not one of 16 bits"))?);
    }
    Ok(())
}

/// A fault of a conversion at a place.
pub(crate) fn located<T>(result: Result<T, String>, at: &crate::bytes::Reader<'_>) -> Result<T, Error> {
    result.map_err(|message| at.malformed(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_values_have_near_levels_and_come_back() {
        let centroids = [0.0, 0.5, -0.25, -0.0, 0.125, -0.25, 0.0];
        let ranks = Ranks::of(&centroids);
        let index: Vec<u16> = (0..7).collect();
        let levels = ranks.levels(&index);
        assert_eq!(levels, [0, 3, -3, -1, 2, -2, 1]);
        let mut back = Vec::new();
        ranks.indices(&levels, &mut back).unwrap();
        assert_eq!(back, index);
        assert!(ranks.indices(&[4], &mut back).is_err() && ranks.indices(&[-4], &mut back).is_err());
    }
}
