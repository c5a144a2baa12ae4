//! The smallest slots of the tree: 64 KiB of addresses in pieces of 512 bytes.

use super::grown::{Grown, Zeroed};
use super::record::Records;
use super::tree::{Slots, index};
use super::word::{self, CROWDED, EMPTY, Word};
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

/// 64 KiB in pieces of 512 bytes.
pub(super) struct Page {
    words: [AtomicU64; PIECES],
    /// Buckets of the pieces that more than one record touches.
    crowds: Grown<[Grown<Bucket>; PIECES]>,
}

// SAFETY: as above.
unsafe impl Zeroed for Page {}

/// The words of one piece.
#[derive(Default)]
#[repr(align(64))]
struct Bucket {
    words: [AtomicU64; BUCKET],
    next: Grown<Self>,
}

impl Page {
    fn bucket(&self, piece: usize) -> Option<&Bucket> {
        self.crowds.get()?.get(piece)?.get()
    }

    fn grow(&self, piece: usize) -> &Bucket {
        let crowds = self
            .crowds
            .grow(|| Box::new([const { Grown::new() }; PIECES]));
        crowds[piece].grow(Box::default)
    }

    #[cold]
    #[inline(never)]
    fn crowd(&self, piece: usize, address: u64, records: &Records) -> u64 {
        let words = self.bucket(piece).into_iter().flat_map(Bucket::all);
        // One that is being written, for want of a better one: the caller looks at it again.
        let mut torn = EMPTY;
        for word in words {
            let word = word.load(Ordering::Acquire);
            let hit = match word::read(word, address) {
                Word::Empty => continue,
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
}

impl Bucket {
    /// All words of this bucket and of those behind it.
    fn all(&self) -> impl Iterator<Item = &AtomicU64> {
        let chain = std::iter::successors(Some(self), |bucket| bucket.next.get());
        chain.flat_map(|bucket| &bucket.words)
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
}

impl Slots for Page {
    #[inline]
    fn find(&self, address: u64, records: &Records) -> u64 {
        let piece = index(address, PIECE_BITS, PIECES);
        let word = self.words[piece].load(Ordering::Acquire);
        if word == CROWDED {
            return self.crowd(piece, address, records);
        }
        word
    }

    fn put(&self, range: Span, word: u64, _: &Records) {
        for piece in pieces(range) {
            let place = &self.words[piece];
            match place.load(Ordering::Relaxed) {
                EMPTY => place.store(word, Ordering::Release),
                CROWDED => self.grow(piece).add(word),
                other => {
                    let bucket = self.grow(piece);
                    bucket.add(other);
                    bucket.add(word);
                    place.store(CROWDED, Ordering::Release);
                }
            }
        }
    }

    fn replace(&self, range: Span, old: u64, new: u64) {
        for piece in pieces(range) {
            let place = &self.words[piece];
            let word = place.load(Ordering::Relaxed);
            if word == old {
                place.store(new, Ordering::Release);
            }
            let Some(bucket) = self.bucket(piece).filter(|_| word == CROWDED) else {
                continue;
            };
            let mut left = false;
            for word in bucket.all() {
                if word.load(Ordering::Relaxed) == old {
                    word.store(new, Ordering::Release);
                }
                left |= word.load(Ordering::Relaxed) != EMPTY;
            }
            if !left {
                place.store(EMPTY, Ordering::Release);
            }
        }
    }

    fn clear(&self) {
        for (piece, word) in self.words.iter().enumerate() {
            word.store(EMPTY, Ordering::Release);
            for word in self.bucket(piece).into_iter().flat_map(Bucket::all) {
                word.store(EMPTY, Ordering::Release);
            }
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
            assert_eq!(page.find(BASE + 5, &records), word::large(0));
            assert_eq!(page.find(BASE + 22, &records), word);
        }
    }
}
