//! Those who work on one thing together, such as a batch of images: processes, or threads that stand for them. What they
//! say to each other, and nothing of what they do. Over a network it is MPI, in a crate of its own.

mod numbers;
mod threads;

use std::fmt::Debug;

pub use numbers::{all, gather, gather_each, sum_in_order};
pub use threads::{Thread, threads};

/// One of several who all call the same methods in the same order. A call waits for the others' calls.
///
/// Who waits for one that has ended cannot go on: an implementation ends the caller too, by a panic or with its process.
pub trait Peers: Debug + Send + Sync {
    /// This one's number, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn count(&self) -> usize;

    /// Gives `own`, of the same length at each, to all: `all` becomes what each gave, in the order of ranks.
    fn gather(&self, own: &[u8], all: &mut [u8]);

    /// Gives each a piece: `own` are [`Peers::count`] pieces of equal length in the order of ranks, and `pieces` becomes
    /// what each gave to this one, in the same order.
    fn exchange(&self, own: &[u8], pieces: &mut [u8]);
}

/// The only one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Peers for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn count(&self) -> usize {
        1
    }

    fn gather(&self, own: &[u8], all: &mut [u8]) {
        all.copy_from_slice(own);
    }

    fn exchange(&self, own: &[u8], pieces: &mut [u8]) {
        pieces.copy_from_slice(own);
    }
}
