//! One allocation, alive or dead, as a reader sees it without a lock.

use crate::Span;
use crate::facts::Class;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// What a look-up without a lock tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// The whole range.
    pub range: Span,
    /// What it is, or was.
    pub class: Class,
    /// The device that it lives on.
    pub device: Option<i32>,
    /// Whether it is alive.
    pub live: bool,
    /// Whether it was freed in stream order and no synchronisation has been seen since.
    pub pending: bool,
    /// Whether the current device may only read it.
    pub read_only: bool,
    /// The driver's number for the allocation.
    pub buffer_id: Option<u64>,
}

/// A seqlock over the fields of a [`Hit`]: the upper half of `head` counts the writes and is odd
/// while a writer is at work, the lower half holds class, flags and device. Two records share a
/// cache line; with many allocations the line that a look-up misses is the record's.
#[derive(Debug, Default)]
#[repr(align(32))]
pub(super) struct Record {
    head: AtomicU64,
    start: AtomicU64,
    end: AtomicU64,
    buffer_id: AtomicU64,
}

const CLASSES: [Class; 16] = [
    Class::Unknown,
    Class::Null,
    Class::Device,
    Class::Symbol,
    Class::Pool,
    Class::Virtual,
    Class::NoAccess,
    Class::Reserved,
    Class::Managed,
    Class::Pinned,
    Class::Registered,
    Class::Pageable,
    Class::Unmapped,
    Class::Freed,
    Class::Foreign,
    Class::Unknown,
];
const LIVE: u64 = 1 << 4;
const PENDING: u64 = 1 << 5;
const READ_ONLY: u64 = 1 << 6;
const HAS_DEVICE: u64 = 1 << 7;
const DEVICE_SHIFT: u32 = 8;
const DEVICE_MASK: u64 = 0xffff;
const META: u64 = 0xffff_ffff;
const ONE_WRITE: u64 = 1 << 32;

fn pack(hit: &Hit) -> u64 {
    let class = CLASSES.iter().position(|&class| class == hit.class);
    let flag = |set, bit| if set { bit } else { 0 };
    let device = hit.device.map_or(0, |device| {
        HAS_DEVICE | (u64::from(device.cast_unsigned()) & DEVICE_MASK) << DEVICE_SHIFT
    });
    class.unwrap_or(0) as u64
        | flag(hit.live, LIVE)
        | flag(hit.pending, PENDING)
        | flag(hit.read_only, READ_ONLY)
        | device
}

impl Record {
    /// Only one writer at a time may do this.
    pub(super) fn write(&self, hit: &Hit) {
        let count = self.head.load(Ordering::Relaxed) & !META;
        self.head.store(count + ONE_WRITE, Ordering::Relaxed);
        fence(Ordering::Release);
        self.start.store(hit.range.start, Ordering::Relaxed);
        self.end.store(hit.range.end, Ordering::Relaxed);
        self.buffer_id
            .store(hit.buffer_id.unwrap_or(0), Ordering::Relaxed);
        let after = count.wrapping_add(2 * ONE_WRITE);
        self.head.store(after | pack(hit), Ordering::Release);
    }

    /// The record, unless a writer was at work meanwhile.
    #[inline]
    pub(super) fn read(&self) -> Option<Hit> {
        let meta = self.head.load(Ordering::Acquire);
        let start = self.start.load(Ordering::Relaxed);
        let end = self.end.load(Ordering::Relaxed);
        let buffer_id = self.buffer_id.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let after = self.head.load(Ordering::Relaxed);
        if meta & ONE_WRITE != 0 || meta != after {
            return None;
        }
        let device = u32::try_from(meta >> DEVICE_SHIFT & DEVICE_MASK).unwrap_or(0);
        Some(Hit {
            range: Span::new(start, end),
            class: CLASSES[usize::try_from(meta & 0xf).unwrap_or(0)],
            device: (meta & HAS_DEVICE != 0).then_some(device.cast_signed()),
            live: meta & LIVE != 0,
            pending: meta & PENDING != 0,
            read_only: meta & READ_ONLY != 0,
            buffer_id: (buffer_id != 0).then_some(buffer_id),
        })
    }

    /// Takes the record out: it holds no address any more.
    pub(super) fn clear(&self) {
        self.write(&Hit {
            range: Span::new(0, 0),
            class: Class::Unknown,
            device: None,
            live: false,
            pending: false,
            read_only: false,
            buffer_id: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for class in CLASSES {
            let hit = Hit {
                range: Span::new(0x1000, 0x2000),
                class,
                device: Some(7),
                live: true,
                pending: false,
                read_only: true,
                buffer_id: Some(9),
            };
            let record = Record::default();
            record.write(&hit);
            assert_eq!(record.read(), Some(hit));
        }
    }
}
