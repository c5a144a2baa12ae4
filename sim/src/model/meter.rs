//! How much memory a device has, and who holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::code::{Code, Outcome};

/// One device's memory.
#[derive(Debug)]
pub(crate) struct Meter {
    total: usize,
    limit: usize,
    used: AtomicUsize,
}

impl Meter {
    /// `limit` is where out-of-memory is answered: the whole device, or less where a test asks for it.
    pub(crate) fn new(total: usize, limit: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            total,
            limit: limit.map_or(total, |limit| limit.min(total)),
            used: AtomicUsize::new(0),
        })
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn free(&self) -> usize {
        self.limit.saturating_sub(self.used())
    }

    /// Books `bytes`, to be given back when the charge is dropped.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Outcome<Charge> {
        let booked = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= self.limit)
            });
        booked.map_err(|_full| Code::OUT_OF_MEMORY)?;
        Ok(Charge {
            meter: Arc::clone(self),
            bytes,
        })
    }
}

/// Memory held on a device.
#[derive(Debug)]
pub(crate) struct Charge {
    meter: Arc<Meter>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.meter.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_ends_and_comes_back() {
        let meter = Meter::new(100, Some(60));
        let first = meter.charge(60).unwrap();
        assert_eq!(meter.charge(1).unwrap_err(), Code::OUT_OF_MEMORY);
        drop(first);
        assert_eq!(meter.free(), 60);
    }
}
