//! The state of a training job on disk: a `.syn` of the network with the solver's state beside it.

use std::path::{Path, PathBuf};

use synapress_code as code;
use synapress_model::{Error, Net};

use super::Options;
use super::trainer::Trainer;

/// What can go wrong in a training job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The network.
    #[error(transparent)]
    Net(#[from] Error),
    /// The images.
    #[error(transparent)]
    Data(Box<dyn std::error::Error + Send + Sync>),
    /// The checkpoint file.
    #[error(transparent)]
    File(#[from] code::Error),
    /// The checkpoint belongs to other settings.
    #[error("{}: this checkpoint is of a job with another network, data or other settings; delete it to start anew", .0.display())]
    OtherJob(PathBuf),
    /// The loss is no longer a number.
    #[error("training diverged at step {step}; use a smaller learning rate or set clip")]
    Diverged {
        /// The step, from 0.
        step: usize,
    },
    /// Peers that began differently.
    #[error(
        "the processes do not go on from the same state: process {rank} begins another job or at another step; give all \
             of them the same command, and a folder that all of them see"
    )]
    Peers {
        /// One that differs from the first.
        rank: usize,
    },
    /// The caller asked to stop; the checkpoint is written.
    #[error("stopped after step {step}; run the same command again to go on from there")]
    Stopped {
        /// Steps done.
        step: usize,
    },
}

/// Name of the solver's section in the file.
const SECTION: &str = "training";

/// A number that tells jobs apart: start, teacher, integers and settings (FNV-1a, 64 bits).
pub fn fingerprint(net: &Net, teacher: Option<&Net>, through: Option<&Net>, options: &Options) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |bits: u64| hash = (hash ^ bits).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{options:?}").bytes().for_each(|b| add(u64::from(b)));
    for net in std::iter::once(net).chain(teacher).chain(through) {
        for (node, weights) in net.graph.nodes().iter().zip(&net.weights) {
            node.name.bytes().for_each(|b| add(u64::from(b)));
            if let Some(w) = weights {
                w.values().iter().chain(w.bias.values().iter()).for_each(|v| add(u64::from(v.to_bits())));
            }
        }
    }
    hash
}

/// Writes the state after `step` steps.
pub fn write(path: &Path, job: u64, step: usize, trainer: &mut Trainer) -> Result<(), Fault> {
    let mut state = Vec::new();
    state.extend(job.to_le_bytes());
    state.extend((step as u64).to_le_bytes());
    for v in trainer.momentum() {
        state.extend(v.iter().flat_map(|v| v.to_le_bytes()));
    }
    code::write(path, &trainer.net(), &[(SECTION.to_owned(), state)])?;
    Ok(())
}

/// A state that was written.
#[derive(Debug)]
pub struct State {
    /// Steps done.
    pub step: usize,
    /// The network.
    pub net: Net,
    /// As [`Trainer::set_momentum`] takes it.
    pub momentum: Vec<f32>,
}

/// Reads the state of the same job if there is one.
pub fn read(path: &Path, job: u64) -> Result<Option<State>, Fault> {
    if !path.exists() {
        return Ok(None);
    }
    let (net, extras) = code::read_with_extras(path, &code::Limits::default())?;
    let other = || Fault::OtherJob(path.to_owned());
    let (_, state) = extras.iter().find(|(name, _)| name == SECTION).ok_or_else(other)?;
    let (head, rest) = state.split_at_checked(16).ok_or_else(other)?;
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    if number(0) != job || rest.len() % 4 != 0 {
        return Err(other());
    }
    let momentum = rest.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))).collect();
    Ok(Some(State { step: usize::try_from(number(8)).map_err(|_| other())?, net, momentum }))
}
