//! From an address to the record whose range holds it: a tree of slots like a page table.
//!
//! A slot is one value that is read at once (see `slot`): the word of the only record that touches
//! it, or where finer slots are. Depth is fixed, so a look-up costs the same with one allocation and
//! with 200,000: it reads four values at most. The last one is a small allocation's word, 8 bytes an
//! allocation, which fits into a processor's second cache where a record each would not; those above
//! are so few that they fit into the first.
//!
//! Why a reader needs no lock and no grace period:
//! - Slots that were made stay where they are, and stand for the same addresses, until the tree
//!   goes. They are not given back: 33 KiB for each 2 MiB that ever had two records to 64 KiB of it.
//! - A word means something by itself (see `word`); of a large record it is a number, and the
//!   record is believed only when its seqlock says that it is whole and its range holds the
//!   address.
//! - When a slot that held a word gets finer slots, they are filled first and then take the word's
//!   place: a reader sees either. So what is alive all the time is found all the time, and what a
//!   reader does not see was not there at some moment of its look-up.
//! - Finer slots to which no slot leads hold no word, so that one which comes to hold a word itself
//!   need not remember them.
//!
//! Writers are serialised by their caller.

use super::grown::{Grown, Zeroed};
use super::numbers::Numbers;
use super::page::{PAGE_BITS, Page};
use super::record::Records;
use super::slot::{Content, Slot};
use super::word::{self, BLOCK_BITS, EMPTY, Hit, Word};
use crate::Span;
use std::fmt;

/// Addresses from here on are not kept: no user address lies there.
const LIMIT: u64 = 1 << 48;
/// How often a large record is looked at again that a writer is at work on. A reader never waits
/// for a writer that sleeps, and what it misses is asked of the driver instead.
const MOST_TRIES: u32 = 2000;

/// Slots of 64 KiB. Their finer ones are made together: the words of 200,000 allocations are 400 pages
/// of memory side by side, and would be 1600 in pieces of a KiB among all else that is allocated.
/// That is more than a processor keeps the translations of.
type Block = Level<Page, 1, 32, PAGE_BITS>;
/// Slots of 2 MiB: 64 KiB of them, of which a page of memory is touched for each GiB in use.
type Zone = Level<Block, 8192, 1, BLOCK_BITS>;
/// Slots of 16 GiB.
type Root = Level<Zone, 16384, 1, 34>;

/// Which of `slots` slots an address is in.
#[inline]
pub(super) fn index(address: u64, shift: u32, slots: usize) -> usize {
    usize::try_from(address >> shift).unwrap_or(0) % slots
}

/// Slots of any size.
pub(super) trait Slots: Zeroed {
    /// What the smallest slot of an address has: a word, or what says that a crowd touches it.
    fn find(&self, address: u64) -> u64;

    /// The word of the record that holds an address, out of a crowd if need be.
    fn search(&self, address: u64, records: &Records) -> u64;

    /// Adds a record's word to all slots that `range`, which lies within these slots, touches.
    fn put(&self, range: Span, word: u64, records: &Records);

    /// Puts one word in the place of another.
    fn replace(&self, range: Span, old: u64, new: u64);

    /// Takes everything out.
    fn clear(&self);
}

/// `GROUPS` times `GROUP` slots of `1 << SHIFT` bytes each.
struct Level<Finer, const GROUPS: usize, const GROUP: usize, const SHIFT: u32> {
    slots: [[Slot<Finer>; GROUP]; GROUPS],
    /// The finer slots of each group, which are made together. Readers do not look here.
    finer: [Grown<[Finer; GROUP]>; GROUPS],
}

// SAFETY: it has nothing but slots and places, which are empty then.
unsafe impl<Finer, const GROUPS: usize, const GROUP: usize, const SHIFT: u32> Zeroed
    for Level<Finer, GROUPS, GROUP, SHIFT>
{
}

// SAFETY: all bytes zero are a value of each.
unsafe impl<Finer: Zeroed, const GROUP: usize> Zeroed for [Finer; GROUP] {}

impl<Finer, const GROUPS: usize, const GROUP: usize, const SHIFT: u32>
    Level<Finer, GROUPS, GROUP, SHIFT>
{
    /// Whether a record that is alone in a slot, but does not fill it, is kept there: a small one's
    /// word means nothing without its block.
    const ALONE: bool = SHIFT <= BLOCK_BITS;

    /// The group of an address, and its number in the group.
    #[inline]
    fn place(address: u64) -> (usize, usize) {
        let number = index(address, SHIFT, GROUPS * GROUP);
        (number / GROUP, number % GROUP)
    }

    #[inline]
    fn slot(&self, address: u64) -> &Slot<Finer> {
        let (group, number) = Self::place(address);
        &self.slots[group][number]
    }

    /// Every slot that a range touches, with the part of the range that lies in it and whether the
    /// range fills it.
    fn each(&self, range: Span) -> impl Iterator<Item = (&Slot<Finer>, Span, bool)> {
        let first = range.start >> SHIFT;
        let last = range.end.saturating_sub(1) >> SHIFT;
        (first..=last).map(move |number| {
            let span = Span::sized(number << SHIFT, 1 << SHIFT);
            let slot = self.slot(span.start);
            (slot, range.common(span), range.covers(span))
        })
    }
}

impl<Finer: Slots, const GROUPS: usize, const GROUP: usize, const SHIFT: u32> Slots
    for Level<Finer, GROUPS, GROUP, SHIFT>
{
    #[inline(always)]
    fn find(&self, address: u64) -> u64 {
        match self.slot(address).read() {
            Content::Word(word) => word,
            Content::Finer(finer) => finer.find(address),
        }
    }

    fn search(&self, address: u64, records: &Records) -> u64 {
        match self.slot(address).read() {
            Content::Word(word) => word,
            Content::Finer(finer) => finer.search(address, records),
        }
    }

    fn put(&self, range: Span, word: u64, records: &Records) {
        for (slot, part, whole) in self.each(range) {
            if whole || (Self::ALONE && slot.is_empty()) {
                slot.hold(word);
                continue;
            }
            let other = match slot.read() {
                Content::Word(other) => other,
                Content::Finer(finer) => {
                    finer.put(part, word, records);
                    continue;
                }
            };
            let (group, number) = Self::place(part.start);
            let finer = &self.finer[group].grow(Zeroed::zeroed)[number];
            if other != EMPTY {
                let known = span(other, part.start, records);
                let slots = Span::sized(part.start >> SHIFT << SHIFT, 1 << SHIFT);
                finer.put(known.common(slots), other, records);
            }
            finer.put(part, word, records);
            // SAFETY: what has grown is given back with this level, and written by nobody.
            unsafe { slot.lead_to(finer) };
        }
    }

    fn replace(&self, range: Span, old: u64, new: u64) {
        for (slot, part, _) in self.each(range) {
            match slot.read() {
                Content::Finer(finer) => finer.replace(part, old, new),
                Content::Word(word) if word == old => slot.hold(new),
                Content::Word(_) => {}
            }
        }
    }

    fn clear(&self) {
        for finer in self.finer.iter().filter_map(Grown::get).flatten() {
            finer.clear();
        }
        for slot in self.slots.as_flattened() {
            slot.hold(EMPTY);
        }
    }
}

/// The range of the record that a word means, for the writer.
fn span(word: u64, address: u64, records: &Records) -> Span {
    match word::read(word, address) {
        Word::Small(hit) => hit.range,
        Word::Large(number) => records
            .read(number)
            .map_or(Span::new(0, 0), |hit| hit.range),
        Word::Empty | Word::Crowd => Span::new(0, 0),
    }
}

pub(super) struct Tree {
    root: Box<Root>,
    records: Records,
}

impl fmt::Debug for Tree {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tree").finish_non_exhaustive()
    }
}

/// A glance was not enough: a crowd touches the slot, or a writer was at work on a large record.
#[derive(Debug)]
pub(crate) struct Unclear;

/// What a writer needs to find a record again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    range: Span,
    word: u64,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            root: Root::zeroed(),
            records: Records::new(),
        }
    }

    /// The record that holds an address.
    #[inline(always)]
    pub(super) fn find(&self, address: u64) -> Option<Hit> {
        match self.glance(address, Some) {
            Ok(found) => found,
            Err(Unclear) => self.search(address),
        }
    }

    /// What `of` makes of the record that holds an address, or the default where there is none; where
    /// it is to be seen at once, and no function is called.
    #[inline(always)]
    pub(super) fn glance<R: Default>(
        &self,
        address: u64,
        of: impl FnOnce(Hit) -> R,
    ) -> Result<R, Unclear> {
        if address >= LIMIT {
            return Ok(R::default());
        }
        self.read(self.root.find(address), address, of)
    }

    /// Each kind of word gets its own copy of `of`: what it needs stays in registers.
    #[inline(always)]
    fn read<R: Default>(
        &self,
        word: u64,
        address: u64,
        of: impl FnOnce(Hit) -> R,
    ) -> Result<R, Unclear> {
        match word::read(word, address) {
            Word::Small(hit) if hit.range.contains(address) => Ok(of(hit)),
            Word::Large(number) => match self.records.read(number) {
                Some(hit) if hit.range.contains(address) => Ok(of(hit)),
                Some(_) => Ok(R::default()),
                None => Err(Unclear),
            },
            Word::Small(_) | Word::Empty => Ok(R::default()),
            Word::Crowd => Err(Unclear),
        }
    }

    #[cold]
    #[inline(never)]
    fn search(&self, address: u64) -> Option<Hit> {
        for _ in 0..MOST_TRIES {
            let word = self.root.search(address, &self.records);
            if let Ok(found) = self.read(word, address, Some) {
                return found;
            }
            core::hint::spin_loop();
        }
        None
    }

    /// Adds a range that overlaps none that is there. `None` where it has no place.
    pub(super) fn insert(&self, free: &mut Numbers, hit: &Hit) -> Option<Place> {
        if hit.range.end > LIMIT || hit.range.is_empty() {
            return None;
        }
        let word = match word::small(hit) {
            Some(word) => word,
            None => {
                let number = free.take(Records::MOST)?;
                self.records.write(number, hit);
                word::large(number)
            }
        };
        let range = hit.range;
        self.root.put(range, word, &self.records);
        Some(Place { range, word })
    }

    /// Changes what a record says, but not its range.
    pub(super) fn change(&self, place: &mut Place, hit: &Hit) {
        match word::read(place.word, place.range.start) {
            Word::Large(number) => self.records.write(number, hit),
            _ => {
                if let Some(word) = word::small(hit) {
                    self.root.replace(place.range, place.word, word);
                    place.word = word;
                }
            }
        }
    }

    /// Takes a record out.
    pub(super) fn remove(&self, free: &mut Numbers, place: Place) {
        self.root.replace(place.range, place.word, EMPTY);
        if let Word::Large(number) = word::read(place.word, place.range.start) {
            free.give_back(number);
        }
    }

    /// Takes everything out, whatever state a writer that is gone has left it in.
    pub(super) fn clear(&self) {
        self.root.clear();
    }
}
