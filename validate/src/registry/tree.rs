//! From an address to the record whose range holds it: a tree of slots like a page table.
//!
//! A slot is empty, or names the only record that touches it, or a small bucket of records that
//! touch parts of it, or a cell of finer slots. Depth and bucket size are bounded, so a look-up
//! costs the same with one allocation and with 200,000. Writers are serialised by their caller.
//! Readers take no lock: every cell stays where it is for ever, a record is believed only when its
//! own seqlock says that it is whole and its range holds the address, and "nothing there" only
//! when no writer was at work meanwhile.

use super::record::{Hit, Record};
use super::slab::{Numbers, Slab};
use crate::Span;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Slots of a node.
const FAN: usize = 512;
/// Slots of a line, the finest cell: a page in pieces of 512 bytes, as `cudaMalloc` aligns.
const LINE: usize = 8;
/// Bits of an address below the slots of each level, from the root. The last level's are lines.
const SHIFTS: [u32; 5] = [39, 30, 21, 12, 9];
/// The level whose slots hold several records in a bucket before they become a node.
const BUCKETS_AT: usize = 2;
const LAST: usize = SHIFTS.len() - 1;
/// Addresses from here on are not kept: no user address lies there.
const LIMIT: u64 = 1 << 48;
/// Entries of a bucket; with its head they fill a cache line.
const ENTRIES: usize = 7;
/// Records have 22 bits in an entry, and 0 means none.
const MOST_RECORDS: u32 = (1 << 22) - 1;
const MOST_CELLS: u32 = 1 << 28;
/// How often "nothing there" is looked at again while writers are at work; a reader never waits
/// for a writer that sleeps, and what it misses is asked of the driver instead.
const MOST_TRIES: u32 = 2000;

const EMPTY: u64 = 0;
const CELL: u64 = 1;
const RECORD: u64 = 2;
const BUCKET: u64 = 3;

const fn slot(tag: u64, number: u32) -> u64 {
    (number as u64) << 2 | tag
}

const fn number(slot: u64) -> u32 {
    (slot >> 2 & 0xffff_ffff) as u32
}

/// Which slot of its cell an address has at a level.
#[inline]
fn index(address: u64, level: usize) -> usize {
    let slots = if level == LAST { LINE } else { FAN };
    usize::try_from(address >> SHIFTS[level]).unwrap_or(0) % slots
}

#[derive(Debug)]
struct Node([AtomicU64; FAN]);

impl Default for Node {
    fn default() -> Self {
        Self([const { AtomicU64::new(EMPTY) }; FAN])
    }
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; LINE]);

/// Parts of a slot: first offset (21 bits), last offset (21), record + 1 (22).
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    /// The next bucket + 1 of a piece that has more parts than one bucket holds.
    next: AtomicU32,
    entries: [AtomicU64; ENTRIES],
}

#[derive(Debug)]
pub(super) struct Tree {
    /// Odd while a writer is at work.
    writes: AtomicU64,
    nodes: Slab<Node>,
    lines: Slab<Line>,
    buckets: Slab<Bucket>,
    records: Slab<Record>,
}

/// What the one writer needs besides.
#[derive(Debug, Default)]
pub(super) struct Free {
    nodes: Numbers,
    lines: Numbers,
    buckets: Numbers,
    records: Numbers,
}

impl Free {
    /// The root is node 0.
    pub(super) fn new(tree: &Tree) -> Self {
        let mut free = Self::default();
        if let Some(root) = free.nodes.take(MOST_CELLS) {
            tree.nodes.make(root);
        }
        free
    }
}

/// A slot that a writer works on.
#[derive(Clone, Copy)]
struct Place<'a> {
    slot: &'a AtomicU64,
    level: usize,
    /// The first address that it stands for.
    base: u64,
}

impl Place<'_> {
    const fn span(&self) -> Span {
        Span::sized(self.base, 1 << SHIFTS[self.level])
    }

    fn value(&self) -> u64 {
        self.slot.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.slot.store(value, Ordering::Release);
    }

    /// The part of a range in this slot, as a bucket's entry.
    fn entry(&self, range: Span, record: u32) -> u64 {
        let part = range.common(self.span());
        let first = part.start - self.base;
        let last = part.end - 1 - self.base;
        first << 43 | last << 22 | u64::from(record + 1)
    }

    /// The part that a bucket's entry stands for.
    const fn part(&self, entry: u64) -> Span {
        let (first, last) = (entry >> 43, entry >> 22 & 0x1f_ffff);
        Span::new(self.base + first, self.base + last + 1)
    }
}

impl Tree {
    pub(super) const fn new() -> Self {
        Self {
            writes: AtomicU64::new(0),
            nodes: Slab::new(3),
            lines: Slab::new(8),
            buckets: Slab::new(8),
            records: Slab::new(8),
        }
    }

    /// The slots of a cell at a level.
    #[inline]
    fn slots(&self, level: usize, number: u32) -> Option<&[AtomicU64]> {
        if level == LAST {
            Some(&self.lines.get(number)?.0)
        } else {
            Some(&self.nodes.get(number)?.0)
        }
    }

    /// The record that holds an address, and its number.
    #[inline]
    pub(super) fn find(&self, address: u64) -> Option<(u32, Hit)> {
        if address >= LIMIT {
            return None;
        }
        for _ in 0..MOST_TRIES {
            let before = self.writes.load(Ordering::Acquire);
            if let Some(found) = self.walk(address) {
                return Some(found);
            }
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.writes.load(Ordering::Relaxed) == before {
                return None;
            }
            core::hint::spin_loop();
        }
        None
    }

    #[inline]
    fn walk(&self, address: u64) -> Option<(u32, Hit)> {
        let mut slots: &[AtomicU64] = &self.nodes.get(0)?.0;
        for level in 0..SHIFTS.len() {
            let value = slots.get(index(address, level))?.load(Ordering::Acquire);
            match value & 3 {
                CELL => slots = self.slots(level + 1, number(value))?,
                RECORD => return self.believe(number(value), address),
                BUCKET => return self.search(number(value), address, level),
                _ => return None,
            }
        }
        None
    }

    fn search(&self, first: u32, address: u64, level: usize) -> Option<(u32, Hit)> {
        let offset = address & ((1 << SHIFTS[level]) - 1);
        let mut bucket = self.buckets.get(first)?;
        // A chain holds at most one entry per byte of a piece.
        for _ in 0..512 {
            for entry in &bucket.entries {
                let entry = entry.load(Ordering::Acquire);
                if entry >> 43 <= offset && offset <= (entry >> 22 & 0x1f_ffff) && entry != 0 {
                    return self.believe(record_of(entry)?, address);
                }
            }
            let next = bucket.next.load(Ordering::Acquire).checked_sub(1)?;
            bucket = self.buckets.get(next)?;
        }
        None
    }

    fn believe(&self, number: u32, address: u64) -> Option<(u32, Hit)> {
        let hit = self.records.get(number)?.read()?;
        hit.range.contains(address).then_some((number, hit))
    }

    /// The record of a number, for the writer.
    pub(super) fn record(&self, number: u32) -> Option<Hit> {
        self.records.get(number)?.read()
    }

    /// Changes what a record says, but not its range.
    pub(super) fn change(&self, number: u32, hit: &Hit) {
        self.writing(|| {
            if let Some(record) = self.records.get(number) {
                record.write(hit);
            }
        });
    }

    /// Adds a range that overlaps none that is there. `None` where it has no place.
    pub(super) fn insert(&self, free: &mut Free, hit: &Hit) -> Option<u32> {
        if hit.range.end > LIMIT || hit.range.is_empty() {
            return None;
        }
        let number = free.records.take(MOST_RECORDS)?;
        self.records.make(number)?.write(hit);
        self.writing(|| {
            self.each(0, 0, 0, hit.range, |place| {
                self.put(free, place, hit.range, number)
            })
        });
        Some(number)
    }

    /// Takes a record out.
    pub(super) fn remove(&self, free: &mut Free, number: u32) {
        let Some(hit) = self.record(number) else {
            return;
        };
        self.writing(|| {
            self.each(0, 0, 0, hit.range, |place| {
                self.take(free, place, hit.range, number)
            });
            if let Some(record) = self.records.get(number) {
                record.clear();
            }
        });
        free.records.give_back(number);
    }

    fn writing(&self, work: impl FnOnce()) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        work();
        self.writes.fetch_add(1, Ordering::Release);
    }

    /// Every slot of a cell that a range touches; `base` is the first address of the cell.
    fn each(
        &self,
        cell: u32,
        level: usize,
        base: u64,
        range: Span,
        mut work: impl FnMut(Place<'_>),
    ) {
        let Some(slots) = self.slots(level, cell) else {
            return;
        };
        let size = 1_u64 << SHIFTS[level];
        let within = Span::sized(base, size * slots.len() as u64).common(range);
        if within.is_empty() {
            return;
        }
        let mut base = within.start & !(size - 1);
        while base < within.end {
            work(Place {
                slot: &slots[index(base, level)],
                level,
                base,
            });
            base += size;
        }
    }

    /// Names a record in a slot that its range touches.
    fn put(&self, free: &mut Free, place: Place<'_>, range: Span, record: u32) {
        let value = place.value();
        let whole = range.covers(place.span());
        match value & 3 {
            EMPTY => place.set(slot(RECORD, record)),
            CELL if whole => {
                place.set(slot(RECORD, record));
                self.give_back(free, number(value), place.level + 1);
            }
            CELL => self.each(number(value), place.level + 1, place.base, range, |finer| {
                self.put(free, finer, range, record)
            }),
            BUCKET => self.add(free, place, range, record),
            _ => self.second(free, place, range, record),
        }
    }

    /// A slot that named one record gets a second one.
    fn second(&self, free: &mut Free, place: Place<'_>, range: Span, record: u32) {
        let first = number(place.value());
        let Some(other) = self.record(first).map(|hit| hit.range) else {
            return place.set(slot(RECORD, record));
        };
        if other.common(place.span()).is_empty() {
            return place.set(slot(RECORD, record));
        }
        if place.level == BUCKETS_AT || place.level == LAST {
            let entries = [place.entry(other, first), place.entry(range, record)];
            if let Some(bucket) = self.new_bucket(free, &entries) {
                place.set(slot(BUCKET, bucket));
            }
        } else {
            let parts = [(other, first), (range, record)];
            self.refine(free, place, &parts);
        }
    }

    /// A slot becomes a cell of finer slots that hold these parts.
    fn refine(&self, free: &mut Free, place: Place<'_>, parts: &[(Span, u32)]) {
        let level = place.level + 1;
        let Some(cell) = self.new_cell(free, level) else {
            return;
        };
        for &(range, record) in parts {
            let part = range.common(place.span());
            self.each(cell, level, place.base, part, |finer| {
                self.put(free, finer, part, record);
            });
        }
        place.set(slot(CELL, cell));
    }

    /// Adds a part to a slot's bucket.
    fn add(&self, free: &mut Free, place: Place<'_>, range: Span, record: u32) {
        let first = number(place.value());
        let entry = place.entry(range, record);
        let mut current = first;
        while let Some(bucket) = self.buckets.get(current) {
            if let Some(room) = bucket.entries.iter().find(|room| is_free(room)) {
                return room.store(entry, Ordering::Release);
            }
            match bucket.next.load(Ordering::Relaxed).checked_sub(1) {
                Some(next) => current = next,
                None if place.level == LAST => {
                    if let Some(next) = self.new_bucket(free, &[entry]) {
                        bucket.next.store(next + 1, Ordering::Release);
                    }
                    return;
                }
                None => break,
            }
        }
        let Some(bucket) = self.buckets.get(first) else {
            return;
        };
        let held = bucket.entries.iter().map(|one| one.load(Ordering::Relaxed));
        let parts: Vec<(Span, u32)> = held
            .chain([entry])
            .filter_map(|entry| Some((place.part(entry), record_of(entry)?)))
            .collect();
        self.refine(free, place, &parts);
        self.drop_chain(free, first);
    }

    /// Takes a record out of a slot that its range touches.
    fn take(&self, free: &mut Free, place: Place<'_>, range: Span, record: u32) {
        let value = place.value();
        match value & 3 {
            RECORD if number(value) == record => place.set(EMPTY),
            BUCKET => self.take_out(free, place, number(value), record),
            CELL => self.each(number(value), place.level + 1, place.base, range, |finer| {
                self.take(free, finer, range, record)
            }),
            _ => {}
        }
    }

    fn take_out(&self, free: &mut Free, place: Place<'_>, first: u32, record: u32) {
        let (mut current, mut left) = (Some(first), 0);
        while let Some(bucket) = current.and_then(|number| self.buckets.get(number)) {
            for entry in &bucket.entries {
                match record_of(entry.load(Ordering::Relaxed)) {
                    Some(other) if other == record => entry.store(EMPTY, Ordering::Release),
                    Some(_) => left += 1,
                    None => {}
                }
            }
            current = bucket.next.load(Ordering::Relaxed).checked_sub(1);
        }
        if left == 0 {
            place.set(EMPTY);
            self.drop_chain(free, first);
        }
    }

    fn drop_chain(&self, free: &mut Free, first: u32) {
        let mut current = Some(first);
        while let Some((number, bucket)) =
            current.and_then(|number| Some((number, self.buckets.get(number)?)))
        {
            for entry in &bucket.entries {
                entry.store(EMPTY, Ordering::Release);
            }
            let next = bucket.next.swap(0, Ordering::AcqRel);
            free.buckets.give_back(number);
            current = next.checked_sub(1);
        }
    }

    /// Empties a cell that a record has taken the place of, and everything below it.
    fn give_back(&self, free: &mut Free, cell: u32, level: usize) {
        let Some(slots) = self.slots(level, cell) else {
            return;
        };
        for place in slots {
            let value = place.swap(EMPTY, Ordering::AcqRel);
            match value & 3 {
                CELL if level < LAST => self.give_back(free, number(value), level + 1),
                BUCKET => self.drop_chain(free, number(value)),
                _ => {}
            }
        }
        if level == LAST {
            free.lines.give_back(cell);
        } else {
            free.nodes.give_back(cell);
        }
    }

    fn new_cell(&self, free: &mut Free, level: usize) -> Option<u32> {
        if level == LAST {
            let line = free.lines.take(MOST_CELLS)?;
            self.lines.make(line)?;
            Some(line)
        } else {
            let node = free.nodes.take(MOST_CELLS)?;
            self.nodes.make(node)?;
            Some(node)
        }
    }

    fn new_bucket(&self, free: &mut Free, entries: &[u64]) -> Option<u32> {
        let number = free.buckets.take(MOST_CELLS)?;
        let bucket = self.buckets.make(number)?;
        for (room, &entry) in bucket.entries.iter().zip(entries) {
            room.store(entry, Ordering::Release);
        }
        Some(number)
    }
}

fn is_free(entry: &AtomicU64) -> bool {
    entry.load(Ordering::Relaxed) == EMPTY
}

fn record_of(entry: u64) -> Option<u32> {
    u32::try_from(entry & 0x3f_ffff).ok()?.checked_sub(1)
}
