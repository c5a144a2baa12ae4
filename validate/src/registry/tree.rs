//! From an address to the record whose range holds it: a tree of 512-way nodes like a page table.
//!
//! A slot of a node is empty, or names one record that covers all of it, or a small bucket of
//! records that cover parts of it, or a node of finer slots. Depth and bucket size are bounded, so
//! a look-up costs the same with one allocation and with 200,000. Writers are serialised by their
//! caller. Readers take no lock: every cell stays where it is for ever, a record is believed only
//! when its own seqlock says that it is whole and its range holds the address, and "nothing there"
//! only when no writer was at work meanwhile.

use super::record::{Hit, Record};
use super::slab::{Numbers, Slab};
use crate::Span;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Slots of a node.
const FAN: usize = 512;
/// Bits of an address below the slots of each level, from the root.
const SHIFTS: [u32; 4] = [39, 30, 21, 12];
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
const NODE: u64 = 1;
const RECORD: u64 = 2;
const BUCKET: u64 = 3;

const fn slot(tag: u64, number: u32) -> u64 {
    (number as u64) << 2 | tag
}

const fn number(slot: u64) -> u32 {
    (slot >> 2 & 0xffff_ffff) as u32
}

#[derive(Debug)]
struct Node([AtomicU64; FAN]);

impl Default for Node {
    fn default() -> Self {
        Self([const { AtomicU64::new(EMPTY) }; FAN])
    }
}

/// Parts of a slot: first offset (21 bits), last offset (21), record + 1 (22).
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    /// The next bucket + 1 of a page that has more parts than one bucket holds.
    next: AtomicU32,
    entries: [AtomicU64; ENTRIES],
}

#[derive(Debug)]
pub(super) struct Tree {
    /// Odd while a writer is at work.
    writes: AtomicU64,
    nodes: Slab<Node>,
    buckets: Slab<Bucket>,
    records: Slab<Record>,
}

/// What the one writer needs besides.
#[derive(Debug, Default)]
pub(super) struct Free {
    nodes: Numbers,
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

impl Tree {
    pub(super) const fn new() -> Self {
        Self {
            writes: AtomicU64::new(0),
            nodes: Slab::new(3),
            buckets: Slab::new(8),
            records: Slab::new(8),
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
        let mut node = self.nodes.get(0)?;
        for shift in SHIFTS {
            let value = node.0[index(address, shift)].load(Ordering::Acquire);
            match value & 3 {
                NODE => node = self.nodes.get(number(value))?,
                RECORD => return self.believe(number(value), address),
                BUCKET => return self.search(number(value), address, shift),
                _ => return None,
            }
        }
        None
    }

    fn search(&self, first: u32, address: u64, shift: u32) -> Option<(u32, Hit)> {
        let offset = address & ((1 << shift) - 1);
        let mut bucket = self.buckets.get(first)?;
        // A chain holds at most one entry per byte of a page.
        for _ in 0..4096 {
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
        self.writing(|| self.fill(free, 0, 0, hit.range, Some(number), number));
        Some(number)
    }

    /// Takes a record out.
    pub(super) fn remove(&self, free: &mut Free, number: u32) {
        let Some(hit) = self.record(number) else {
            return;
        };
        self.writing(|| {
            self.fill(free, 0, 0, hit.range, None, number);
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

    /// Names `record` in, or takes `old` out of, every slot below `node` that `range` touches.
    fn fill(
        &self,
        free: &mut Free,
        node: u32,
        level: usize,
        range: Span,
        record: Option<u32>,
        old: u32,
    ) {
        let (Some(cell), Some(&shift)) = (self.nodes.get(node), SHIFTS.get(level)) else {
            return;
        };
        let size = 1_u64 << shift;
        let mut base = range.start & !(size - 1);
        while base < range.end {
            let place = &cell.0[index(base, shift)];
            let part = Span::sized(base, size).common(range);
            let value = place.load(Ordering::Relaxed);
            let whole = part.bytes() == size;
            match (value & 3, record) {
                (NODE, Some(_)) if whole => {
                    place.store(slot(RECORD, old), Ordering::Release);
                    self.give_back(free, number(value), level + 1);
                }
                (NODE, _) => self.fill(free, number(value), level + 1, part, record, old),
                (RECORD, None) if number(value) == old => place.store(EMPTY, Ordering::Release),
                (RECORD, None) => {}
                (BUCKET, None) => self.take_out(free, place, number(value), old),
                (_, None) => {}
                (_, Some(_)) if whole => place.store(slot(RECORD, old), Ordering::Release),
                (_, Some(_)) => self.add_part(free, place, level, part, old),
            }
            base += size;
        }
    }

    /// Adds a part of a slot that is empty or a bucket.
    fn add_part(&self, free: &mut Free, place: &AtomicU64, level: usize, part: Span, record: u32) {
        let shift = SHIFTS[level];
        if shift > 21 {
            if let Some(node) = self.new_node(free) {
                self.fill(free, node, level + 1, part, Some(record), record);
                place.store(slot(NODE, node), Ordering::Release);
            }
            return;
        }
        let mask = (1_u64 << shift) - 1;
        let (first, last) = (part.start & mask, (part.end - 1) & mask);
        let entry = first << 43 | last << 22 | u64::from(record + 1);
        let value = place.load(Ordering::Relaxed);
        if value & 3 != BUCKET {
            if let Some(bucket) = self.new_bucket(free, entry) {
                place.store(slot(BUCKET, bucket), Ordering::Release);
            }
            return;
        }
        let mut current = number(value);
        while let Some(bucket) = self.buckets.get(current) {
            if let Some(room) = bucket.entries.iter().find(|room| is_free(room)) {
                room.store(entry, Ordering::Release);
                return;
            }
            match bucket.next.load(Ordering::Relaxed).checked_sub(1) {
                Some(next) => current = next,
                None if shift == 12 => {
                    if let Some(next) = self.new_bucket(free, entry) {
                        bucket.next.store(next + 1, Ordering::Release);
                    }
                    return;
                }
                None => break,
            }
        }
        self.split(free, place, level, entry);
    }

    /// A full bucket becomes a node of finer slots.
    fn split(&self, free: &mut Free, place: &AtomicU64, level: usize, entry: u64) {
        let old = number(place.load(Ordering::Relaxed));
        let (Some(bucket), Some(node)) = (self.buckets.get(old), self.new_node(free)) else {
            return;
        };
        let held = bucket.entries.iter().map(|one| one.load(Ordering::Relaxed));
        for entry in held.chain([entry]) {
            let Some(record) = record_of(entry) else {
                continue;
            };
            // Offsets suffice: a node's slots are chosen by the bits below its own.
            let part = Span::new(entry >> 43, (entry >> 22 & 0x1f_ffff) + 1);
            self.fill(free, node, level + 1, part, Some(record), record);
        }
        place.store(slot(NODE, node), Ordering::Release);
        self.drop_chain(free, old);
    }

    fn take_out(&self, free: &mut Free, place: &AtomicU64, first: u32, record: u32) {
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
            place.store(EMPTY, Ordering::Release);
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

    /// Empties a node that a record has taken the place of, and everything below it.
    fn give_back(&self, free: &mut Free, node: u32, level: usize) {
        let Some(cell) = self.nodes.get(node) else {
            return;
        };
        for place in &cell.0 {
            let value = place.swap(EMPTY, Ordering::AcqRel);
            match value & 3 {
                NODE if level < SHIFTS.len() => self.give_back(free, number(value), level + 1),
                BUCKET => self.drop_chain(free, number(value)),
                _ => {}
            }
        }
        free.nodes.give_back(node);
    }

    fn new_node(&self, free: &mut Free) -> Option<u32> {
        let node = free.nodes.take(MOST_CELLS)?;
        self.nodes.make(node)?;
        Some(node)
    }

    fn new_bucket(&self, free: &mut Free, entry: u64) -> Option<u32> {
        let number = free.buckets.take(MOST_CELLS)?;
        let bucket = self.buckets.make(number)?;
        bucket.entries[0].store(entry, Ordering::Release);
        Some(number)
    }
}

const fn index(address: u64, shift: u32) -> usize {
    (address >> shift) as usize % FAN
}

fn is_free(entry: &AtomicU64) -> bool {
    entry.load(Ordering::Relaxed) == EMPTY
}

fn record_of(entry: u64) -> Option<u32> {
    u32::try_from(entry & 0x3f_ffff).ok()?.checked_sub(1)
}
