//! Processes that `mpirun` started together: who they are, and what becomes of all of them when one fails.
//!
//! With the feature `mpi` these are MPI's; without it a program that was started more than once refuses to do the same work
//! several times over.

use std::sync::Arc;

use anyhow::Result;
use synapress_peers::{Alone, Peers};

use crate::commands::usage;

/// Variables that tell a process how many were started with it: of Open MPI, MPICH and its kin, and Slurm's `srun`.
const STARTED: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

/// Whether several were started together.
fn started_together() -> bool {
    STARTED.iter().any(|name| std::env::var(name).is_ok_and(|n| n.parse().is_ok_and(|n: usize| n > 1)))
}

/// Refuses to be one of several, in commands that do not share their work.
pub fn refuse(command: &str) -> Result<()> {
    match started_together() {
        true => Err(usage(format!("{command} is the work of one process; start it without mpirun"))),
        false => Ok(()),
    }
}

/// Does what is to be shared with all that were started together. When this one fails, all are ended with it.
#[cfg(feature = "mpi")]
pub fn together(work: impl FnOnce(Arc<dyn Peers>) -> Result<()>) -> Result<()> {
    if !started_together() {
        return work(Arc::new(Alone));
    }
    let Some(session) = synapress_mpi::Session::begin() else {
        return Err(anyhow::anyhow!("MPI cannot be begun: it was before"));
    };
    let world = session.world();
    if world.rank() > 0 {
        // What there is to tell the first one tells.
        crate::output::set_verbosity(crate::output::Verbosity::Quiet);
    }
    let done = work(Arc::new(world));
    if let Err(error) = &done {
        // The others would wait for this one forever.
        crate::output::say(&format!("error in process {} of {}: {error:#}", world.rank(), world.count()));
        session.abort(if error.is::<synapress_console::Usage>() { 2 } else { 1 });
    }
    done
}

/// Does the work alone.
#[cfg(not(feature = "mpi"))]
pub fn together(work: impl FnOnce(Arc<dyn Peers>) -> Result<()>) -> Result<()> {
    if started_together() {
        let message = "this program was built without MPI and cannot share its work; build it with --features mpi";
        return Err(usage(message));
    }
    work(Arc::new(Alone))
}
