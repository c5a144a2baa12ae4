//! A place of the tree: a word, or the way to something finer, in one value that is read at once.

use super::word::{CROWD, EMPTY};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Set in the address of something finer, which is a multiple of 8, and in no word.
const FINER: usize = 1;
const _: () = assert!(FINER as u64 == CROWD);

/// All bytes zero are an empty one.
#[repr(transparent)]
pub(super) struct Slot<Finer>(AtomicPtr<Finer>);

/// What is in a slot.
pub(super) enum Content<'a, Finer> {
    /// A word; 0 where there is nothing.
    Word(u64),
    /// Something finer.
    Finer(&'a Finer),
}

impl<Finer> Slot<Finer> {
    #[inline]
    pub(super) fn read(&self) -> Content<'_, Finer> {
        const { assert!(size_of::<usize>() == size_of::<u64>() && align_of::<Finer>() >= 8) };
        let held = self.0.load(Ordering::Acquire);
        if held.addr() & FINER == 0 {
            return Content::Word(held.addr() as u64);
        }
        let finer = held.wrapping_byte_sub(FINER);
        // SAFETY: only `lead_to` sets the bit, in the address of what stays where it is and is whole.
        Content::Finer(unsafe { &*finer })
    }

    /// The word; where the slot leads to something finer, what reads as a crowd.
    #[inline]
    pub(super) fn bits(&self) -> u64 {
        self.0.load(Ordering::Acquire).addr() as u64
    }

    /// Puts a word here, or takes out what there is with the empty one.
    pub(super) fn hold(&self, word: u64) {
        let word = usize::try_from(word).unwrap_or(0) & !FINER;
        self.0
            .store(ptr::without_provenance_mut(word), Ordering::Release);
    }

    /// Shows the way to something finer.
    ///
    /// # Safety
    ///
    /// It must stay where it is, and be only shared, until nobody can read the slot any more.
    pub(super) unsafe fn lead_to(&self, finer: &Finer) {
        let finer = ptr::from_ref(finer).cast_mut();
        let finer = finer.map_addr(|address| address | FINER);
        self.0.store(finer, Ordering::Release);
    }

    /// Whether there is nothing, for the writer.
    pub(super) fn is_empty(&self) -> bool {
        self.bits() == EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, Slot};
    use std::sync::atomic::AtomicPtr;

    #[test]
    fn a_slot_is_empty_or_holds_a_word_or_leads_to_something() {
        let slot = Slot::<u64>(AtomicPtr::default());
        assert!(slot.is_empty());
        let finer = 77;
        for word in [2, 4, u64::MAX - 1, 0] {
            slot.hold(word);
            assert!(matches!(slot.read(), Content::Word(held) if held == word));
            // SAFETY: it is declared before the last use of the slot, and never written.
            unsafe { slot.lead_to(&finer) };
            assert!(matches!(slot.read(), Content::Finer(77)));
            assert!(!slot.is_empty());
        }
    }
}
