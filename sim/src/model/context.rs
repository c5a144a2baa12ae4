//! Contexts: what owns memory and streams, and what dies of an error.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::code::{Code, Outcome};
use super::object::{ContextId, Ordinal, Owner};
use super::stream::{Kind, Stream};
use super::ticket::{Ticket, lock};

/// A context.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) handle: ContextId,
    pub(crate) device: Ordinal,
    /// A number that is never used twice.
    pub(crate) serial: u64,
    /// The device's shared context, which the runtime uses.
    pub(crate) primary: bool,
    pub(crate) flags: AtomicU32,
    sticky: AtomicU32,
    alive: AtomicBool,
    /// The device's: after a fault no new context can be made on it.
    fault: Arc<AtomicU32>,
    pub(super) order: Mutex<Order>,
    /// Devices whose memory this context may use directly.
    pub(crate) peers: Mutex<HashSet<Ordinal>>,
    pub(crate) limits: Mutex<BTreeMap<u32, usize>>,
    legacy: Mutex<Option<Arc<Stream>>>,
}

/// The order among streams: what the legacy stream waits for, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(super) legacy_last: Option<Arc<Ticket>>,
    pub(super) streams: Vec<Weak<Stream>>,
}

impl Context {
    pub(crate) fn new(
        handle: ContextId,
        device: Ordinal,
        primary: bool,
        flags: u32,
        fault: Arc<AtomicU32>,
    ) -> Self {
        Self {
            handle,
            device,
            serial: super::stream::next_serial(),
            primary,
            flags: AtomicU32::new(flags),
            sticky: AtomicU32::new(0),
            alive: AtomicBool::new(true),
            fault,
            order: Mutex::default(),
            peers: Mutex::default(),
            limits: Mutex::default(),
            legacy: Mutex::new(None),
        }
    }

    pub(crate) const fn owner(&self) -> Owner {
        Owner {
            device: self.device,
            context: self.handle,
        }
    }

    /// Fails where an earlier fault has killed the context.
    pub(crate) fn check(&self) -> Outcome {
        match self.sticky.load(Ordering::Acquire) {
            0 => Ok(()),
            code => Err(Code(code)),
        }
    }

    /// Kills the context; the first fault stays.
    pub(crate) fn poison(&self, code: Code) {
        for place in [&self.sticky, &*self.fault] {
            let _first_stays =
                place.compare_exchange(0, code.0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Marks the context destroyed and lets its streams end.
    pub(crate) fn destroy(&self) {
        self.alive.store(false, Ordering::Release);
        for stream in self.streams() {
            stream.drain();
        }
        *lock(&self.legacy) = None;
    }

    /// The default stream that waits for all others.
    pub(crate) fn legacy(self: &Arc<Self>) -> Arc<Stream> {
        let mut legacy = lock(&self.legacy);
        Arc::clone(legacy.get_or_insert_with(|| Stream::new(self, 1, Kind::Legacy, 0)))
    }

    /// All streams of this context that somebody still holds.
    pub(crate) fn streams(&self) -> Vec<Arc<Stream>> {
        let mut order = lock(&self.order);
        order.streams.retain(|stream| stream.strong_count() > 0);
        order.streams.iter().filter_map(Weak::upgrade).collect()
    }

    /// Waits for everything, then reports what went wrong.
    pub(crate) fn synchronize(&self) -> Outcome {
        for stream in self.streams() {
            stream.drain();
        }
        self.check()
    }
}
