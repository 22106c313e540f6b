//! Who computes with which images of a batch. Sums over images are made lane by lane (see [`LANES`]), and lanes are added
//! up in order; so they have the same bits when the lanes are shared out to several [peers](Peers).

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;
use synapress_kernels::real::Real;
use synapress_peers::{Peers, gather};

use crate::error::{Error, ErrorKind};
use crate::pass::LANES;

/// Lanes of each of the peers.
fn lanes_of(peers: &dyn Peers) -> usize {
    LANES / peers.count()
}

/// Images of a lane; those of the last one may be fewer.
pub fn lane(batch: usize) -> usize {
    batch.div_ceil(LANES)
}

/// The images of a batch that this one of the peers computes with.
pub fn own(batch: usize, peers: &dyn Peers) -> Range<usize> {
    let most = lanes_of(peers) * lane(batch);
    (peers.rank() * most).min(batch)..((peers.rank() + 1) * most).min(batch)
}

/// Refuses peers that a batch cannot be shared out to.
///
/// # Errors
/// [`ErrorKind::Shape`] unless they share the lanes evenly and each has an image.
pub fn check(batch: usize, peers: &dyn Peers) -> Result<(), Error> {
    let (count, refuse) = (peers.count(), |message| Err(Error::new(ErrorKind::Shape, message)));
    if !LANES.is_multiple_of(count) {
        return refuse(format!("training is shared out to 1, 2 or {LANES} processes, not to {count}"));
    }
    if (count - 1) * lanes_of(peers) * lane(batch) >= batch {
        return refuse(format!(
            "a batch of {batch} images leaves nothing to one of {count} processes; take one of a multiple of {LANES}"
        ));
    }
    Ok(())
}

/// Runs of images of the `here` ones that are here of a batch, one for each lane.
pub fn runs(batch: usize, here: usize) -> impl Iterator<Item = Range<usize>> {
    let lane = lane(batch).max(1);
    (0..here).step_by(lane).map(move |from| from..(from + lane).min(here))
}

/// Rows of `row` numbers of all images of a batch, from those of the images that are here.
pub fn rows<'a, T: Real>(peers: &dyn Peers, batch: usize, row: usize, own: &'a [T]) -> Cow<'a, [T]> {
    if peers.count() == 1 {
        return Cow::Borrowed(own);
    }
    let mut wide: Vec<f64> = own.iter().map(|x| x.to64()).collect();
    // Who comes last may have fewer.
    wide.resize(lanes_of(peers) * lane(batch) * row, 0.0);
    let all = gather(peers, &wide);
    Cow::Owned(all[..batch * row].iter().map(|&x| T::of64(x)).collect())
}

/// For each lane of the whole batch, in order, two numbers for each channel; `of` makes them of a channel and the images
/// of a lane, counted from the first one here. Lanes without images are left out.
pub(crate) fn lanes(
    peers: &dyn Peers,
    batch: usize,
    here: usize,
    channels: usize,
    of: impl Fn(usize, Range<usize>) -> [f64; 2] + Sync,
) -> Vec<Vec<[f64; 2]>> {
    let runs: Vec<Range<usize>> = runs(batch, here).collect();
    let work = (0..runs.len() * channels).into_par_iter();
    let mut own: Vec<f64> = work.flat_map_iter(|i| of(i % channels, runs[i / channels].clone())).collect();
    own.resize(lanes_of(peers) * channels * 2, 0.0);
    let all = gather(peers, &own);
    let lanes = all.chunks_exact(2 * channels).take(batch.div_ceil(lane(batch).max(1)));
    lanes.map(|lane| lane.as_chunks::<2>().0.to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use synapress_peers::{Alone, threads};

    #[test]
    fn every_image_belongs_to_one_of_the_peers() {
        for batch in [1, 2, 4, 5, 7, 8, 127] {
            assert_eq!(own(batch, &Alone), 0..batch);
            for count in [2, 4] {
                let peers = threads(count);
                let shares: Vec<Range<usize>> = peers.iter().map(|p| own(batch, p)).collect();
                assert_eq!(shares.iter().cloned().flatten().collect::<Vec<_>>(), (0..batch).collect::<Vec<_>>());
                assert_eq!(check(batch, &peers[0]).is_err(), shares.iter().any(Range::is_empty), "{batch} {count}");
            }
        }
        assert!(check(8, &threads(3)[0]).unwrap_err().to_string().contains("1, 2 or 4"));
    }
}
