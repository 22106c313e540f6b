//! Threads that stay, and wait for work for a moment before they sleep: layers of a network follow one another within
//! microseconds.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Some threads, with the caller's one of them.
#[derive(Debug)]
pub struct Team {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Grows with every piece of work handed out.
    epoch: AtomicUsize,
    /// The next task, the tasks there are, and the threads that have not finished.
    next: AtomicUsize,
    count: AtomicUsize,
    busy: AtomicUsize,
    panicked: AtomicBool,
    leave: AtomicBool,
    work: Mutex<Option<Work>>,
    asleep: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
    /// Held while work is handed out: others who share the threads work alone meanwhile.
    taken: Mutex<()>,
}

/// What to do, for as long as [`Team::run`] waits for it.
#[derive(Clone, Copy, Debug)]
struct Work(*const (dyn Fn(usize) + Sync + 'static));
// Safety: the function may be called from any thread, and outlives the call of `Team::run`.
unsafe impl Send for Work {}

/// How long a thread looks for work before it sleeps.
const PATIENCE: Duration = Duration::from_micros(200);

impl Default for Team {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Team {
    /// A team of so many threads, with the caller's; at least one. If the system gives fewer, there are fewer.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let start = |i: usize| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("synapress {i}")).spawn(move || shared.serve()).ok()
        };
        let handles = (1..threads.max(1)).map_while(start).collect();
        Self { shared, handles }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.handles.len() + 1
    }

    /// Calls `work` with every number below `tasks`, each once, from any of the threads.
    ///
    /// # Panics
    /// When `work` panics.
    pub fn run(&self, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
        let alone = || (0..tasks).for_each(work);
        if tasks < 2 || self.handles.is_empty() {
            return alone();
        }
        let _taken = match self.shared.taken.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::WouldBlock) => return alone(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        let s = &*self.shared;
        // Safety: only the lifetime changes; the function is not called after `busy` has fallen to zero, for which
        // this call waits.
        let work = Work(unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync + 'static)>(work)
        });
        *s.work.lock().unwrap_or_else(|e| e.into_inner()) = Some(work);
        s.next.store(0, Ordering::Relaxed);
        s.count.store(tasks, Ordering::Relaxed);
        s.busy.store(self.handles.len(), Ordering::Relaxed);
        s.epoch.fetch_add(1, Ordering::SeqCst);
        if s.asleep.load(Ordering::SeqCst) > 0 {
            drop(s.lock.lock().unwrap_or_else(|e| e.into_inner()));
            s.wake.notify_all();
        }
        s.take(work);
        let mut spins = 0u32;
        while s.busy.load(Ordering::Acquire) > 0 {
            spins += 1;
            if spins.is_multiple_of(1 << 12) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
        if s.panicked.swap(false, Ordering::Relaxed) {
            panic!("a thread panicked at its work");
        }
    }
}

impl Shared {
    /// A thread's life.
    fn serve(&self) {
        let mut seen = 0;
        loop {
            let since = Instant::now();
            let mut spins = 0u32;
            while self.epoch.load(Ordering::Acquire) == seen {
                spins += 1;
                std::hint::spin_loop();
                if spins.is_multiple_of(1 << 8) && since.elapsed() > PATIENCE {
                    self.sleep(seen);
                }
            }
            seen = self.epoch.load(Ordering::Acquire);
            if self.leave.load(Ordering::Acquire) {
                return;
            }
            let work = *self.work.lock().unwrap_or_else(|e| e.into_inner());
            if let Some(work) = work {
                self.take(work);
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
    }

    fn sleep(&self, seen: usize) {
        let mut guard = self.lock.lock().unwrap_or_else(|e| e.into_inner());
        self.asleep.fetch_add(1, Ordering::SeqCst);
        while self.epoch.load(Ordering::SeqCst) == seen {
            guard = self.wake.wait(guard).unwrap_or_else(|e| e.into_inner());
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    /// Does tasks until none is left.
    fn take(&self, work: Work) {
        // Safety: `Team::run` waits for every thread before the function ends.
        let work = unsafe { &*work.0 };
        let tasks = self.count.load(Ordering::Relaxed);
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            loop {
                let task = self.next.fetch_add(1, Ordering::Relaxed);
                if task >= tasks {
                    return;
                }
                work(task);
            }
        }));
        if done.is_err() {
            self.next.store(tasks, Ordering::Relaxed);
            self.panicked.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.leave.store(true, Ordering::Release);
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        drop(self.shared.lock.lock().unwrap_or_else(|e| e.into_inner()));
        self.shared.wake.notify_all();
        for handle in self.handles.drain(..) {
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(target_family = "wasm", ignore = "no threads")]
    fn every_task_is_done_once_whoever_does_it() {
        for threads in [1, 2, 4] {
            let team = Team::new(threads);
            for tasks in [0, 1, 2, 7, 100] {
                let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                team.run(tasks, &|i| {
                    done[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|d| d.load(Ordering::Relaxed) == 1), "{threads} threads, {tasks} tasks");
            }
            std::thread::sleep(2 * PATIENCE);
        }
    }

    #[test]
    #[cfg_attr(target_family = "wasm", ignore = "no threads")]
    fn a_team_may_be_shared() {
        let team = Team::new(3);
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..200).for_each(|_| {
                        team.run(5, &|i| {
                            sum.fetch_add(i, Ordering::Relaxed);
                        });
                    });
                });
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 4 * 200 * 10);
    }

    #[test]
    #[cfg_attr(target_family = "wasm", ignore = "no threads")]
    fn a_panic_reaches_the_caller_and_the_team_goes_on() {
        let team = Team::new(2);
        for _ in 0..3 {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                team.run(8, &|i| assert!(i != 5, "five"));
            }));
            assert!(caught.is_err());
            let sum = AtomicUsize::new(0);
            team.run(8, &|i| {
                sum.fetch_add(i, Ordering::Relaxed);
            });
            assert_eq!(sum.load(Ordering::Relaxed), 28);
        }
    }
}
