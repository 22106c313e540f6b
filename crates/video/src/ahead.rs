//! Frames read ahead by a thread, so that a source that waits, or is lost, does not keep a program from ending; and so
//! that of a camera the newest frame is at hand, however slow its pictures are looked at.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Error, Frame, Frames};

/// Frames that wait for their use.
const AHEAD: usize = 4;

/// What becomes of frames that nobody takes in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// They wait, and so does the source.
    Wait,
    /// A newer one replaces them.
    Drop,
}

/// A frame in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Number in the source, from 0; frames that are damaged or were dropped have one too.
    pub number: u64,
    /// When it came.
    pub at: Instant,
    /// The frame, or what is wrong with it.
    pub frame: Result<Frame, Error>,
}

/// What there is at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A frame, or a fault.
    Frame(Numbered),
    /// Nothing yet.
    Nothing,
    /// The source has ended.
    End,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Numbered>,
    dropped: u64,
    ended: bool,
    /// Nobody takes frames any more.
    left: bool,
}

/// A source that is read ahead. Dropping it does not wait for the source.
#[derive(Debug)]
pub struct Ahead {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Ahead {
    /// Starts to read.
    pub fn start(mut frames: Box<dyn Frames>, late: Late) -> Self {
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            let (state, changed) = &*for_thread;
            for number in 0.. {
                let frame = frames.next();
                let mut state = lock(state);
                let Some(frame) = frame else {
                    state.ended = true;
                    changed.notify_all();
                    return;
                };
                match late {
                    Late::Wait => {
                        let full = |s: &mut State| s.frames.len() >= AHEAD && !s.left;
                        state = changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
                    }
                    // What is wrong with the source must be told.
                    Late::Drop if !matches!(frame, Err(Error::Source(_))) => {
                        state.dropped += state.frames.len() as u64;
                        state.frames.clear();
                    }
                    Late::Drop => {}
                }
                if state.left {
                    return;
                }
                state.frames.push_back(Numbered { number, at: Instant::now(), frame });
                changed.notify_all();
            }
        });
        Self { shared }
    }

    /// The next frame, waiting for it so long at most.
    pub fn next(&self, patience: Duration) -> Next {
        let (state, changed) = &*self.shared;
        let empty = |s: &mut State| s.frames.is_empty() && !s.ended;
        let waited = changed.wait_timeout_while(lock(state), patience, empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.frames.pop_front() {
            Some(frame) => {
                changed.notify_all();
                Next::Frame(frame)
            }
            None if state.ended => Next::End,
            None => Next::Nothing,
        }
    }

    /// Frames that were replaced by newer ones.
    pub fn dropped(&self) -> u64 {
        lock(&self.shared.0).dropped
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Ahead {
    fn drop(&mut self) {
        lock(&self.shared.0).left = true;
        self.shared.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::Rate;

    /// Frames that are sent by the test.
    struct Sent(Receiver<Result<Frame, Error>>);

    impl Iterator for Sent {
        type Item = Result<Frame, Error>;

        fn next(&mut self) -> Option<Self::Item> {
            self.0.recv().ok()
        }
    }

    impl Frames for Sent {
        fn rate(&self) -> Option<Rate> {
            None
        }

        fn about(&self) -> String {
            String::new()
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn frames_come_in_their_order_and_none_is_lost() {
        let (sender, receiver) = channel();
        let ahead = Ahead::start(Box::new(Sent(receiver)), Late::Wait);
        assert_eq!(ahead.next(Duration::from_millis(1)), Next::Nothing);
        for i in 0..50 {
            sender.send(if i == 7 { Err(Error::frame("bad")) } else { Ok(Frame::Jpeg(vec![i])) }).unwrap();
        }
        drop(sender);
        for i in 0..50 {
            let Next::Frame(Numbered { number, frame, .. }) = ahead.next(LONG) else { panic!("{i}") };
            assert_eq!(number, u64::from(i));
            assert!(if i == 7 { frame.is_err() } else { frame == Ok(Frame::Jpeg(vec![i])) });
        }
        assert_eq!((ahead.next(LONG), ahead.dropped()), (Next::End, 0));
    }

    #[test]
    fn a_slow_look_sees_the_newest_frame() {
        let (sender, receiver) = channel();
        let ahead = Ahead::start(Box::new(Sent(receiver)), Late::Drop);
        for i in 0..50 {
            sender.send(Ok(Frame::Jpeg(vec![i]))).unwrap();
        }
        sender.send(Err(Error::source("lost"))).unwrap();
        drop(sender);
        while !lock(&ahead.shared.0).ended {
            std::thread::yield_now();
        }
        let Next::Frame(last) = ahead.next(LONG) else { panic!() };
        assert_eq!((last.number, last.frame), (49, Ok(Frame::Jpeg(vec![49]))));
        let Next::Frame(fault) = ahead.next(LONG) else { panic!() };
        assert_eq!(fault.frame, Err(Error::source("lost")));
        assert_eq!((ahead.next(LONG), ahead.dropped()), (Next::End, 49));
    }
}
