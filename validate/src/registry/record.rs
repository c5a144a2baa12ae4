//! Records that are too large for a word, as a reader sees them without a lock.

use super::grown::{Grown, Zeroed};
use super::word::Hit;
use crate::Span;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// A seqlock over a range and what it is: the upper half of `head` counts the writes and is odd
/// while a writer is at work, the lower half says what it is.
#[derive(Debug, Default)]
#[repr(align(32))]
struct Record {
    head: AtomicU64,
    start: AtomicU64,
    end: AtomicU64,
}

const META: u64 = 0xffff_ffff;
const ONE_WRITE: u64 = 1 << 32;

impl Record {
    /// Only one writer at a time may do this.
    fn write(&self, hit: &Hit) {
        // A writer that a fork cut off in its middle has left an odd number.
        let during = self.head.load(Ordering::Relaxed) & !META | ONE_WRITE;
        self.head.store(during, Ordering::Relaxed);
        fence(Ordering::Release);
        self.start.store(hit.range.start, Ordering::Relaxed);
        self.end.store(hit.range.end, Ordering::Relaxed);
        let after = during.wrapping_add(ONE_WRITE);
        self.head.store(after | hit.meta, Ordering::Release);
    }

    /// The record, unless a writer was at work meanwhile.
    #[inline(always)]
    fn read(&self) -> Option<Hit> {
        let before = self.head.load(Ordering::Acquire);
        let start = self.start.load(Ordering::Relaxed);
        let end = self.end.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let after = self.head.load(Ordering::Relaxed);
        let hit = Hit {
            range: Span { start, end },
            meta: before & META,
        };
        (before & ONE_WRITE == 0 && before == after).then_some(hit)
    }
}

const CHUNK: usize = 1024;
const CHUNKS: usize = Records::MOST as usize / CHUNK;

#[derive(Debug)]
struct Chunk([Record; CHUNK]);

// SAFETY: it has nothing but numbers.
unsafe impl Zeroed for Chunk {}

/// Records by number. They stay where they are, and a number that is free is used again: a reader
/// that comes too late finds a whole record of another range, and sees that by its range.
#[derive(Debug)]
pub(super) struct Records(Box<[Grown<Chunk>; CHUNKS]>);

impl Records {
    /// How many there can be: each crosses a border of 2 MiB, and these are 2 TiB of borders.
    pub(super) const MOST: u32 = 1 << 20;

    pub(super) fn new() -> Self {
        Self(Box::new([const { Grown::new() }; CHUNKS]))
    }

    #[inline]
    fn chunk(&self, number: u32) -> Option<&Grown<Chunk>> {
        self.0.get(number as usize / CHUNK)
    }

    /// The record of a number, unless a writer was at work meanwhile.
    #[inline(always)]
    pub(super) fn read(&self, number: u32) -> Option<Hit> {
        self.chunk(number)?.get()?.0[number as usize % CHUNK].read()
    }

    /// Only one writer at a time may do this.
    pub(super) fn write(&self, number: u32, hit: &Hit) {
        if let Some(chunk) = self.chunk(number) {
            let chunk = chunk.grow(Chunk::zeroed);
            chunk.0[number as usize % CHUNK].write(hit);
        }
    }

    /// Leaves a record as a writer leaves it that is in the middle of its work.
    #[cfg(test)]
    pub(super) fn cut_off(&self, number: u32) {
        if let Some(chunk) = self.chunk(number).and_then(Grown::get) {
            let record = &chunk.0[number as usize % CHUNK];
            record.head.fetch_add(ONE_WRITE, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;
    use crate::facts::Owner;
    use std::sync::atomic::AtomicBool;

    fn hit(start: u64, bytes: u64) -> Hit {
        let mut owner = Owner::of(Class::Managed);
        owner.range = Some(Span::sized(start, bytes));
        owner.device = Some(7);
        Hit::of(&owner).expect("it has a range")
    }

    #[test]
    fn what_is_written_is_read() {
        let records = Records::new();
        assert_eq!(records.read(0), None);
        for number in [0, 1023, 1024, Records::MOST - 1] {
            let hit = hit(u64::from(number) << 21, 5 << 21);
            records.write(number, &hit);
            assert_eq!(records.read(number), Some(hit));
        }
        records.write(Records::MOST, &hit(0, 1));
        assert_eq!(records.read(Records::MOST), None);
    }

    #[test]
    fn a_write_that_was_cut_off_is_not_believed_and_the_next_one_is() {
        let record = Record::default();
        record.write(&hit(1, 5));
        record.head.fetch_add(ONE_WRITE, Ordering::Relaxed);
        assert_eq!(record.read(), None);
        record.write(&hit(2, 6));
        assert_eq!(record.read(), Some(hit(2, 6)));
    }

    #[test]
    fn no_reader_sees_half_of_one_and_half_of_another() {
        let record = Record::default();
        record.write(&hit(1, 1));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        if let Some(hit) = record.read() {
                            assert_eq!(hit.range.bytes(), hit.range.start);
                        }
                    }
                });
            }
            for round in 1..200_000 {
                record.write(&hit(round, round));
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
