//! What processes know together of one event: how often it was recorded, and which of the records have happened.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::code::{Code, Outcome};
use super::mapping::{Mapping, PAGE};
use super::store::Lent;
use super::ticket::lock;

/// Other processes cannot wake this one; whoever waits looks this often.
const GLANCE: Duration = Duration::from_micros(50);

/// The two counters lie at the start of a page that every process has which was given the event.
#[derive(Debug)]
pub(crate) struct Crossing {
    page: Mapping,
}

impl Crossing {
    pub(crate) fn new() -> Outcome<Self> {
        let page = Mapping::shareable(PAGE)?;
        Ok(Self { page })
    }

    /// That of another process. While this process has it, it can be opened again, also after the other's end (measured).
    pub(crate) fn of(lent: &Lent) -> Option<Arc<Self>> {
        static OPEN: Mutex<Vec<(Lent, Weak<Crossing>)>> = Mutex::new(Vec::new());
        let mut open = lock(&OPEN);
        open.retain(|(_, crossing)| crossing.strong_count() > 0);
        let known = open.iter().find(|(known, _)| known == lent);
        if let Some(known) = known.and_then(|(_, crossing)| crossing.upgrade()) {
            return Some(known);
        }
        let page = Mapping::lent(lent)?;
        let crossing = Arc::new(Self { page });
        open.push((*lent, Arc::downgrade(&crossing)));
        Some(crossing)
    }

    pub(crate) fn lend(&self) -> Option<Lent> {
        self.page.lend()
    }

    fn counter(&self, index: usize) -> &AtomicU64 {
        let place = self.page.start() + index * size_of::<u64>();
        // SAFETY: the page is mapped for as long as `self` is, zero at first, aligned, and only ever used as these two
        // counters, in every process.
        unsafe { AtomicU64::from_ptr(core::ptr::with_exposed_provenance_mut(place)) }
    }

    /// Another record, which has happened when it is dropped: also where its context died before its turn came.
    pub(crate) fn record(self: Arc<Self>) -> Record {
        let number = self.counter(0).fetch_add(1, Ordering::AcqRel) + 1;
        Record {
            crossing: self,
            number,
        }
    }

    /// The number of the last record.
    pub(crate) fn last(&self) -> u64 {
        self.counter(0).load(Ordering::Acquire)
    }

    pub(crate) fn has_happened(&self, number: u64) -> bool {
        self.counter(1).load(Ordering::Acquire) >= number
    }

    pub(crate) fn wait(&self, number: u64) {
        while !self.has_happened(number) {
            std::thread::sleep(GLANCE);
        }
    }

    pub(crate) fn query(&self) -> Outcome {
        if self.has_happened(self.last()) {
            Ok(())
        } else {
            Err(Code::NOT_READY)
        }
    }
}

/// A record that has not happened yet.
#[derive(Debug)]
pub(crate) struct Record {
    crossing: Arc<Crossing>,
    number: u64,
}

impl Drop for Record {
    fn drop(&mut self) {
        let happened = self.crossing.counter(1);
        happened.fetch_max(self.number, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_counts() {
        let event = Arc::new(Crossing::new().unwrap());
        assert_eq!(event.query(), Ok(()));
        let lent = event.lend().unwrap();
        let twin = Crossing::of(&lent).unwrap();
        assert!(Arc::ptr_eq(&twin, &Crossing::of(&lent).unwrap()));
        let (first, second) = (Arc::clone(&event).record(), twin.record());
        drop(first);
        assert_eq!(event.query(), Err(Code::NOT_READY));
        assert!(event.has_happened(1));
        drop(second);
        event.wait(event.last());
        assert_eq!(event.query(), Ok(()));
    }
}
