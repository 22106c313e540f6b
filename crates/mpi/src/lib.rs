//! Peers that are processes of MPI (Message Passing Interface, version 3), started by `mpirun` on one machine or several.
//!
//! All of it is behind the feature `mpi`, so that who does not ask for it needs no MPI to build.
#![cfg(feature = "mpi")]

use mpi::Threading;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};
use synapress_peers::Peers;

/// All processes that were started together.
#[derive(Clone, Copy, Debug)]
pub struct World(());

/// MPI itself: ends with it in good order. If the thread panics it ends all processes at once, for the others would wait
/// for this one forever.
pub struct Session {
    universe: Option<Universe>,
}

impl Session {
    /// Begins MPI; `None` where that was done before.
    pub fn begin() -> Option<Self> {
        // Layers ask their peers from the thread that runs them, whichever that is, one at a time.
        let (universe, _) = mpi::initialize_with_threading(Threading::Serialized)?;
        Some(Self { universe: Some(universe) })
    }

    /// The processes.
    pub fn world(&self) -> World {
        World(())
    }

    /// Ends all processes at once, this one with an exit code.
    pub fn abort(&self, code: u8) -> ! {
        SimpleCommunicator::world().abort(code.into())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.abort(101);
        }
        self.universe = None;
    }
}

impl Peers for World {
    fn rank(&self) -> usize {
        SimpleCommunicator::world().rank() as usize
    }

    fn count(&self) -> usize {
        SimpleCommunicator::world().size() as usize
    }

    fn gather(&self, own: &[u8], all: &mut [u8]) {
        SimpleCommunicator::world().all_gather_into(own, all);
    }

    fn exchange(&self, own: &[u8], pieces: &mut [u8]) {
        SimpleCommunicator::world().all_to_all_into(own, pieces);
    }
}
