//! Which streams, or arrays, are alive, by their handles: addresses of the driver's own heap.

use super::grown::Grown;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

const BUCKETS: usize = 256;
/// Words of a bucket; with the way to the next they fill a cache line, and a look-up reads one.
const WORDS: usize = 7;

// A word: the handle above two bits.
const KNOWN: u64 = 1;
const LIVE: u64 = 2;
const HANDLE_AT: u32 = 2;

/// A set of handles that is read without a lock: a word is read at once and has all that is known,
/// it stays in its place while the handle is known, and buckets are never given back.
pub(super) struct Handles(Box<[Bucket; BUCKETS]>);

#[derive(Default)]
#[repr(align(64))]
struct Bucket {
    words: [AtomicU64; WORDS],
    next: Grown<Self>,
}

impl fmt::Debug for Handles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Handles").finish_non_exhaustive()
    }
}

impl Bucket {
    fn all(&self) -> impl Iterator<Item = &AtomicU64> {
        let chain = std::iter::successors(Some(self), |bucket| bucket.next.get());
        chain.flat_map(|bucket| &bucket.words)
    }
}

impl Handles {
    pub(super) fn new() -> Self {
        Self(Box::new(std::array::from_fn(|_| Bucket::default())))
    }

    #[inline]
    fn bucket(&self, handle: u64) -> &Bucket {
        // Fibonacci hashing: handles are multiples of 16 that lie close together.
        let hash = handle.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        &self.0[usize::try_from(hash).unwrap_or(0) % BUCKETS]
    }

    /// Whether a handle is alive; nothing where it is not known.
    #[inline]
    pub(super) fn find(&self, handle: u64) -> Option<bool> {
        let words = &mut self.bucket(handle).all();
        let mut words = words.map(|word| word.load(Ordering::Acquire));
        let found = words.find(|&word| is_of(word, handle))?;
        Some(found & LIVE != 0)
    }

    /// The place of a handle, for the writer.
    fn place(&self, handle: u64) -> Option<&AtomicU64> {
        let mut words = self.bucket(handle).all();
        words.find(|word| is_of(word.load(Ordering::Relaxed), handle))
    }

    fn put(&self, handle: u64) {
        let word = handle << HANDLE_AT | LIVE | KNOWN;
        if let Some(place) = self.place(handle) {
            return place.store(word, Ordering::Release);
        }
        let mut bucket = self.bucket(handle);
        loop {
            let mut words = bucket.words.iter();
            if let Some(room) = words.find(|room| room.load(Ordering::Relaxed) == 0) {
                return room.store(word, Ordering::Release);
            }
            bucket = bucket.next.grow(Box::default);
        }
    }

    fn clear(&self) {
        for word in self.0.iter().flat_map(Bucket::all) {
            word.store(0, Ordering::Release);
        }
    }
}

const fn is_of(word: u64, handle: u64) -> bool {
    word & KNOWN != 0 && word >> HANDLE_AT == handle
}

/// What a writer keeps: the dead, the oldest first.
#[derive(Debug)]
pub(super) struct Ends {
    dead: VecDeque<u64>,
    limit: usize,
    inherited: bool,
}

impl Ends {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            dead: VecDeque::new(),
            limit,
            inherited: false,
        }
    }

    /// For a child whose parent was at work: it forgets what there was.
    pub(super) const fn in_child(limit: usize) -> Self {
        let mut new = Self::new(limit);
        new.inherited = true;
        new
    }

    pub(super) fn settle(&mut self, handles: &Handles) {
        if core::mem::take(&mut self.inherited) {
            handles.clear();
        }
    }

    pub(super) fn created(&mut self, handles: &Handles, handle: u64) {
        if handle >> (u64::BITS - HANDLE_AT) != 0 {
            // It does not fit, and is no address.
            return;
        }
        if handles.find(handle) == Some(false) {
            self.dead.retain(|&dead| dead != handle);
        }
        handles.put(handle);
    }

    pub(super) fn destroyed(&mut self, handles: &Handles, handle: u64) {
        let Some(place) = handles.place(handle) else {
            return;
        };
        let word = place.load(Ordering::Relaxed);
        if word & LIVE == 0 {
            return;
        }
        place.store(word & !LIVE, Ordering::Release);
        self.dead.push_back(handle);
        if self.dead.len() > self.limit
            && let Some(oldest) = self.dead.pop_front()
            && let Some(place) = handles.place(oldest)
        {
            place.store(0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ends, Handles};

    #[test]
    fn many_are_known_and_the_oldest_dead_are_forgotten() {
        let (handles, mut ends) = (Handles::new(), Ends::new(100));
        let all: Vec<u64> = (1..5000).map(|number| number * 16).collect();
        for &handle in &all {
            ends.created(&handles, handle);
        }
        assert!(all.iter().all(|&handle| handles.find(handle) == Some(true)));
        for &handle in &all {
            ends.destroyed(&handles, handle);
            ends.destroyed(&handles, handle);
        }
        let (forgotten, known) = all.split_at(all.len() - 100);
        assert!(forgotten.iter().all(|&one| handles.find(one).is_none()));
        assert!(known.iter().all(|&one| handles.find(one) == Some(false)));
    }

    #[test]
    fn one_that_is_used_again_is_not_buried_with_its_former_self() {
        let (handles, mut ends) = (Handles::new(), Ends::new(2));
        ends.created(&handles, 16);
        ends.destroyed(&handles, 16);
        ends.created(&handles, 16);
        for other in [32, 48, 64] {
            ends.created(&handles, other);
            ends.destroyed(&handles, other);
        }
        assert_eq!(handles.find(16), Some(true));
        assert_eq!(handles.find(32), None);
        assert_eq!(handles.find(64), Some(false));
    }

    #[test]
    fn what_is_no_address_is_not_kept() {
        let (handles, mut ends) = (Handles::new(), Ends::new(2));
        ends.created(&handles, u64::MAX);
        ends.destroyed(&handles, u64::MAX);
        assert_eq!(handles.find(u64::MAX), None);
        assert_eq!(handles.find(0), None);
    }
}
