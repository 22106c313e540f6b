//! Codebooks through the range coder: entries in the order of their levels, as spaces between neighbours, and the order
//! of the codebook where it is another. Which entry a weight has is coded elsewhere.

use synapress_model::Centroids;

use crate::bytes::{Reader, place, put_size, wide};
use crate::coder::Coder;
use crate::error::Error;
use crate::numbers::{coded, put_coded};
use crate::ranks::Ranks;
use crate::spaces::Spaces;

/// The most centroids that an index of 16 bits can name.
const MOST: usize = 1 << 16;

/// A codebook as it is coded. Entry 0 aside, there are `negative` entries with a sign and `positive` ones without, by
/// rising magnitude.
#[derive(Debug, Default)]
struct Sorted {
    /// Whether entry 0 is minus zero.
    minus: bool,
    negative: Vec<u32>,
    positive: Vec<u32>,
    /// For each entry from the lowest level to the highest its place in the codebook; empty when those rise.
    places: Vec<usize>,
}

impl Sorted {
    /// From a codebook's values, which rank as the magnitudes and signs of `parts` do.
    fn of(values: &[f32], parts: impl Fn(usize) -> u32) -> Self {
        let order: Vec<usize> = Ranks::of(values).order().map(usize::from).collect();
        let zero = order.iter().position(|&i| i == 0).unwrap_or(0);
        let (low, high) = order.split_at(zero);
        let high = high.get(1..).unwrap_or_default();
        let places = [low, high].concat();
        Self {
            minus: values.first().is_some_and(|v| v.is_sign_negative()),
            negative: low.iter().rev().map(|&i| parts(i)).collect(),
            positive: high.iter().map(|&i| parts(i)).collect(),
            places: if places.is_sorted() { Vec::new() } else { places },
        }
    }

    /// Codes all of it. When decoding, the lists are filled, and end early where the code does.
    fn code<C: Coder>(&mut self, coder: &mut C, count: usize) {
        let entries = count.saturating_sub(1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.minus = coder.direct(u32::from(self.minus), 1) == 1;
        let negative = place(coder.uniform(number(self.negative.len()), number(entries) + 1));
        let mut spaces = Spaces::new();
        spaces.code(coder, &mut self.negative, negative);
        spaces.code(coder, &mut self.positive, entries - negative);
        if coder.direct(u32::from(!self.places.is_empty()), 1) == 0 {
            return;
        }
        let mut left: Vec<usize> = (1..=entries).collect();
        for i in 0..entries {
            let given = self.places.get(i).and_then(|p| left.binary_search(p).ok()).unwrap_or(0);
            let chosen = place(coder.uniform(number(given), number(left.len())));
            let found = left.remove(chosen);
            if i >= self.places.len() {
                self.places.push(found);
            }
            if coder.is_beyond() {
                return;
            }
        }
    }

    /// The codebook, each entry made of its sign and magnitude.
    fn entries<T: Clone>(&self, make: impl Fn(bool, u32) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let mut sorted = Vec::with_capacity(self.negative.len() + self.positive.len());
        for &m in self.negative.iter().rev() {
            sorted.push(make(true, m)?);
        }
        for &m in &self.positive {
            sorted.push(make(false, m)?);
        }
        let mut entries = vec![make(self.minus, 0)?];
        entries.extend_from_slice(&sorted);
        for (value, &place) in sorted.into_iter().zip(&self.places) {
            if let Some(entry) = entries.get_mut(place) {
                *entry = value;
            }
        }
        Ok(entries)
    }
}

/// Appends a codebook, its format aside.
pub(crate) fn put(out: &mut Vec<u8>, centroids: &Centroids) {
    put_size(out, centroids.len());
    let mut sorted = match centroids {
        Centroids::Float(values) => Sorted::of(values, |i| values[i].to_bits() & 0x7fff_ffff),
        Centroids::Fixed { q, .. } => {
            let values: Vec<f32> = q.iter().map(|&q| f32::from(q)).collect();
            Sorted::of(&values, |i| u32::from(q[i].unsigned_abs()))
        }
    };
    put_coded(out, |coder| sorted.code(coder, centroids.len()));
}

fn read(reader: &mut Reader<'_>) -> Result<Sorted, Error> {
    let n = match usize::try_from(reader.varint()?) {
        Ok(n) if (1..=MOST).contains(&n) => n,
        _ => return Err(reader.malformed(format!("a codebook has 1 to {} centroids", wide(MOST)))),
    };
    let mut sorted = Sorted::default();
    coded(reader, "the codebook", |coder| sorted.code(coder, n))?;
    Ok(sorted)
}

/// Reads a codebook of floats.
pub(crate) fn floats(reader: &mut Reader<'_>) -> Result<Vec<f32>, Error> {
    let at = reader.clone();
    read(reader)?.entries(|negative, magnitude| match magnitude {
        0..=0x7fff_ffff => Ok(f32::from_bits(u32::from(negative) << 31 | magnitude)),
        _ => Err(at.malformed("a centroid is no float")),
    })
}

/// Reads a codebook of codes.
pub(crate) fn codes(reader: &mut Reader<'_>) -> Result<Vec<i16>, Error> {
    let at = reader.clone();
    read(reader)?.entries(|negative, magnitude| {
        let value = i64::from(magnitude);
        let value = i16::try_from(if negative { -value } else { value });
        value.map_err(|_| at.malformed(format!("the centroid {magnitude} is not a code of 16 bits")))
    })
}
