//! A lock for writers that a fork cannot leave held for ever.

use super::grown::Grown;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Guards what writers keep.
///
/// A child that was forked has only the thread that forked. If another thread of the parent was
/// writing at that moment, it never goes on here, and what it was writing is in no state to be
/// used. Therefore the lock knows the process of its holder: who finds it held by another process
/// leaves it alone for ever and begins with a new thing behind a new lock.
///
/// As with any lock, a signal handler must not ask for it: it may have interrupted the holder. Look-ups
/// need none.
#[derive(Debug)]
pub(super) struct Lock<T> {
    /// The process that holds it, or 0.
    holder: AtomicU32,
    /// Never waited for: only the holder touches it.
    inner: Mutex<T>,
    /// What takes its place in a child.
    next: Grown<Self>,
}

/// How often a thread that waits looks again before it lets others run, and before it sleeps.
const SPINS: u32 = 100;
const YIELDS: u32 = 1000;

/// Gives the lock back, also when the work panics.
struct Held<'a>(&'a AtomicU32);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

impl<T> Lock<T> {
    pub(super) const fn new(thing: T) -> Self {
        Self {
            holder: AtomicU32::new(0),
            inner: Mutex::new(thing),
            next: Grown::new(),
        }
    }

    /// Works on the thing while nobody else does. `renew` makes a new one in a child whose parent
    /// was at work on it; several threads may do so at once, and one new thing is kept.
    pub(super) fn with<R>(&self, renew: impl Fn() -> T, work: impl FnOnce(&mut T) -> R) -> R {
        let me = process::id();
        let mut lock = self;
        let mut waited = 0;
        loop {
            let free = &lock.holder;
            match free.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => break,
                Err(holder) if holder == me => wait(&mut waited),
                Err(_) => lock = lock.next.grow(|| Box::new(Self::new(renew()))),
            }
        }
        let _held = Held(&lock.holder);
        let mut thing = lock.inner.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut thing)
    }
}

fn wait(waited: &mut u32) {
    *waited = waited.saturating_add(1);
    match *waited {
        ..SPINS => core::hint::spin_loop(),
        SPINS..YIELDS => std::thread::yield_now(),
        _ => std::thread::sleep(Duration::from_micros(50)),
    }
}

#[cfg(test)]
mod tests {
    use super::Lock;
    use std::sync::atomic::Ordering;

    #[test]
    fn threads_work_one_after_another() {
        let lock = Lock::new(0_u32);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| lock.with(|| 0, |sum| *sum += 1)));
            }
        });
        assert_eq!(lock.with(|| 0, |sum| *sum), 4000);
    }

    #[test]
    fn what_panicked_is_given_back() {
        let lock = Lock::new(1_u32);
        let work = || lock.with(|| 0, |_| panic!("on purpose"));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        assert!(ended.is_err());
        assert_eq!(lock.with(|| 0, |one| *one), 1);
    }

    #[test]
    fn one_that_another_process_holds_is_left_alone() {
        let lock = Lock::new(1_u32);
        // Process 1 runs no test.
        lock.holder.store(1, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| lock.with(|| 10, |sum| *sum += 1)));
            }
        });
        assert_eq!(lock.with(|| 0, |sum| *sum), 410);
        assert_eq!(lock.holder.load(Ordering::Relaxed), 1);
    }
}
