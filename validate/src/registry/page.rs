//! The smallest slots of the tree: 64 KiB of addresses in pieces of 512 bytes.

use super::grown::{Grown, Zeroed};
use super::record::Records;
use super::slot::{Content, Slot};
use super::tree::{Slots, index};
use super::word::{self, EMPTY, Word};
use crate::Span;
use std::sync::atomic::{AtomicU64, Ordering};

/// 512 bytes, as `cudaMalloc` places small allocations.
const PIECE_BITS: u32 = 9;
const PIECE_BYTES: u64 = 1 << PIECE_BITS;
/// 64 KiB.
pub(super) const PAGE_BITS: u32 = 16;
const PIECES: usize = 1 << (PAGE_BITS - PIECE_BITS);
/// Words of a bucket; with the way to the next they fill a cache line.
const BUCKET: usize = 7;

/// 64 KiB in pieces of 512 bytes. A piece that more than one record touches leads to their bucket.
pub(super) struct Page {
    pieces: [Slot<Bucket>; PIECES],
    /// The bucket of each piece that ever had one. Readers do not look here.
    crowds: Grown<[Grown<Bucket>; PIECES]>,
}

// SAFETY: it has nothing but slots and places, which are empty then.
unsafe impl Zeroed for Page {}

/// The words of one piece.
#[derive(Default)]
#[repr(align(64))]
struct Bucket {
    words: [AtomicU64; BUCKET],
    next: Grown<Self>,
}

impl Page {
    fn grow(&self, piece: usize) -> &Bucket {
        let crowds = self
            .crowds
            .grow(|| Box::new([const { Grown::new() }; PIECES]));
        crowds[piece].grow(Box::default)
    }
}

impl Bucket {
    /// All words of this bucket and of those behind it.
    fn all(&self) -> impl Iterator<Item = &AtomicU64> {
        let chain = std::iter::successors(Some(self), |bucket| bucket.next.get());
        chain.flat_map(|bucket| &bucket.words)
    }

    fn search(&self, address: u64, records: &Records) -> u64 {
        // One that is being written, for want of a better one: the caller looks at it again.
        let mut torn = EMPTY;
        for word in self.all() {
            let word = word.load(Ordering::Acquire);
            let hit = match word::read(word, address) {
                Word::Empty | Word::Crowd => continue,
                Word::Small(hit) => Some(hit),
                Word::Large(number) => records.read(number),
            };
            match hit {
                Some(hit) if hit.range.contains(address) => return word,
                Some(_) => {}
                None => torn = word,
            }
        }
        torn
    }

    fn add(&self, word: u64) {
        let mut bucket = self;
        loop {
            let mut words = bucket.words.iter();
            if let Some(room) = words.find(|room| room.load(Ordering::Relaxed) == EMPTY) {
                return room.store(word, Ordering::Release);
            }
            bucket = bucket.next.grow(Box::default);
        }
    }

    /// Puts one word in the place of another. Says whether any is left.
    fn replace(&self, old: u64, new: u64) -> bool {
        let mut left = false;
        for word in self.all() {
            if word.load(Ordering::Relaxed) == old {
                word.store(new, Ordering::Release);
            }
            left |= word.load(Ordering::Relaxed) != EMPTY;
        }
        left
    }
}

impl Slots for Page {
    #[inline(always)]
    fn find(&self, address: u64) -> u64 {
        self.pieces[index(address, PIECE_BITS, PIECES)].bits()
    }

    fn search(&self, address: u64, records: &Records) -> u64 {
        match self.pieces[index(address, PIECE_BITS, PIECES)].read() {
            Content::Word(word) => word,
            Content::Finer(bucket) => bucket.search(address, records),
        }
    }

    fn put(&self, range: Span, word: u64, _: &Records) {
        for piece in pieces(range) {
            let slot = &self.pieces[piece];
            match slot.read() {
                Content::Word(EMPTY) => slot.hold(word),
                Content::Finer(bucket) => bucket.add(word),
                Content::Word(other) => {
                    let bucket = self.grow(piece);
                    bucket.add(other);
                    bucket.add(word);
                    // SAFETY: what has grown is given back with this page, and written by nobody.
                    unsafe { slot.lead_to(bucket) };
                }
            }
        }
    }

    fn replace(&self, range: Span, old: u64, new: u64) {
        for piece in pieces(range) {
            let slot = &self.pieces[piece];
            match slot.read() {
                Content::Word(word) if word == old => slot.hold(new),
                Content::Word(_) => {}
                // An empty bucket waits for the next crowd.
                Content::Finer(bucket) if !bucket.replace(old, new) => slot.hold(EMPTY),
                Content::Finer(_) => {}
            }
        }
    }

    fn clear(&self) {
        for bucket in self.crowds.get().into_iter().flatten() {
            for word in bucket.get().into_iter().flat_map(Bucket::all) {
                word.store(EMPTY, Ordering::Release);
            }
        }
        for slot in &self.pieces {
            slot.hold(EMPTY);
        }
    }
}

/// The pieces of a page that a range touches.
fn pieces(range: Span) -> impl Iterator<Item = usize> {
    let first = range.start >> PIECE_BITS;
    let last = range.end.saturating_sub(1) >> PIECE_BITS;
    (first..=last).map(|piece| index(piece * PIECE_BYTES, PIECE_BITS, PIECES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;
    use crate::facts::Owner;
    use crate::registry::word::{BLOCK_BITS, Hit};

    fn hit(start: u64, bytes: u64) -> Hit {
        let mut owner = Owner::of(Class::Device);
        owner.range = Some(Span::sized(start, bytes));
        Hit::of(&owner).expect("it has a range")
    }

    #[test]
    fn one_that_is_being_written_hides_no_neighbour() {
        const BASE: u64 = 1 << BLOCK_BITS;
        let (records, page) = (Records::new(), Page::zeroed());
        records.write(0, &hit(BASE - 1, 11));
        page.put(Span::sized(BASE, 10), word::large(0), &records);
        let small = hit(BASE + 20, 5);
        let word = word::small(&small).expect("it is within a block");
        page.put(small.range, word, &records);
        for cut_off in [false, true] {
            if cut_off {
                records.cut_off(0);
            }
            assert_eq!(page.search(BASE + 5, &records), word::large(0));
            assert_eq!(page.search(BASE + 22, &records), word);
        }
    }
}
