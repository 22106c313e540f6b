//! Peers that are threads of one process: what several processes do is tested with them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::Peers;

/// One of some threads.
#[derive(Debug)]
pub struct Thread {
    rank: usize,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    round: Mutex<Round>,
    changed: Condvar,
}

/// What is said in the present round.
#[derive(Debug)]
struct Round {
    said: Vec<Option<Arc<[u8]>>>,
    /// How many have heard all of it.
    heard: usize,
    /// Whether one of them has ended.
    ended: bool,
}

/// Peers, one for each of `count` threads.
///
/// # Panics
/// Without any.
pub fn threads(count: usize) -> Vec<Thread> {
    assert!(count > 0, "at least one peer");
    let round = Round { said: vec![None; count], heard: 0, ended: false };
    let shared = Arc::new(Shared { round: Mutex::new(round), changed: Condvar::new() });
    (0..count).map(|rank| Thread { rank, shared: Arc::clone(&shared) }).collect()
}

impl Thread {
    fn lock(&self) -> MutexGuard<'_, Round> {
        self.shared.round.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits as long as `on` says.
    fn wait<'a>(&'a self, mut round: MutexGuard<'a, Round>, on: impl Fn(&Round) -> bool) -> MutexGuard<'a, Round> {
        while on(&round) {
            let ended = round.ended;
            if ended {
                drop(round);
                panic!("a peer of thread {} has ended", self.rank);
            }
            round = self.shared.changed.wait(round).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        round
    }

    /// Says something and hears what all say.
    fn round(&self, own: &[u8]) -> Vec<Arc<[u8]>> {
        let mut round = self.wait(self.lock(), |round| round.said[self.rank].is_some());
        round.said[self.rank] = Some(own.into());
        self.shared.changed.notify_all();
        let mut round = self.wait(round, |round| round.said.iter().any(Option::is_none));
        let all = round.said.iter().flatten().cloned().collect();
        round.heard += 1;
        if round.heard == round.said.len() {
            round.heard = 0;
            round.said.fill(None);
            self.shared.changed.notify_all();
        }
        all
    }
}

impl Peers for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        // Nobody joins or leaves.
        self.lock().said.len()
    }

    fn gather(&self, own: &[u8], all: &mut [u8]) {
        for (i, said) in self.round(own).iter().enumerate() {
            all[i * own.len()..][..own.len()].copy_from_slice(said);
        }
    }

    fn exchange(&self, own: &[u8], pieces: &mut [u8]) {
        let all = self.round(own);
        let len = own.len() / all.len();
        for (i, said) in all.iter().enumerate() {
            pieces[i * len..][..len].copy_from_slice(&said[self.rank * len..][..len]);
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.lock().ended = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_one_that_has_ended_ends_too() {
        let mut peers = threads(2);
        drop(peers.pop());
        let one = peers.remove(0);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one.gather(&[1], &mut [0; 2])));
        let message = ended.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("has ended"), "{message}");
    }
}
