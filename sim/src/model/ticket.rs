//! A piece of work that will be done: what everything that waits, waits for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Locks, and does not mind that another thread panicked: the model never leaves a lock with half a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work in a stream.
#[derive(Debug, Default)]
pub(crate) struct Ticket {
    done: Mutex<Option<Instant>>,
    changed: Condvar,
}

impl Ticket {
    pub(crate) fn is_done(&self) -> bool {
        lock(&self.done).is_some()
    }

    /// When it was done.
    pub(crate) fn when(&self) -> Option<Instant> {
        *lock(&self.done)
    }

    pub(crate) fn finish(&self) {
        lock(&self.done).get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    pub(crate) fn wait(&self) {
        let mut done = lock(&self.done);
        while done.is_none() {
            done = self
                .changed
                .wait(done)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
