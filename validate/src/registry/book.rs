//! What a writer keeps: everything that is known of each record, in order of address.

use super::numbers::Numbers;
use super::tree::{Place, Tree};
use super::word::Hit;
use super::{Freed, Known};
use crate::facts::Owner;
use crate::{Class, Span};
use std::collections::{BTreeMap, VecDeque};

/// An owner, and the stream in whose order it was freed.
#[derive(Debug, Clone)]
struct Page {
    owner: Owner,
    order: Option<u64>,
    place: Place,
    /// Tells a record from the next one of the same number.
    serial: u64,
}

#[derive(Debug)]
pub(super) struct Book {
    /// Numbers of large records of the tree.
    records: Numbers,
    by_start: BTreeMap<u64, u32>,
    pages: Vec<Option<Page>>,
    /// Numbers of pages.
    numbers: Numbers,
    /// The dead that still lie in the tree, the oldest first: number and serial.
    dead: VecDeque<(u32, u64)>,
    /// The dead whose place was taken, the oldest first.
    former: VecDeque<Owner>,
    /// Numbers of records that were freed in stream order and not waited for.
    pending: Vec<(u32, u64)>,
    limit: usize,
    live: usize,
    serial: u64,
    inherited: bool,
}

impl Book {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            records: Numbers::default(),
            by_start: BTreeMap::new(),
            pages: Vec::new(),
            numbers: Numbers::default(),
            dead: VecDeque::new(),
            former: VecDeque::new(),
            pending: Vec::new(),
            limit,
            live: 0,
            serial: 0,
            inherited: false,
        }
    }

    /// For a child whose parent was at work: it forgets what there was.
    pub(super) fn in_child(limit: usize) -> Self {
        let mut new = Self::new(limit);
        new.inherited = true;
        new
    }

    pub(super) fn settle(&mut self, tree: &Tree) {
        if core::mem::take(&mut self.inherited) {
            tree.clear();
        }
    }

    pub(super) fn allocated(&mut self, tree: &Tree, owner: Owner) {
        let Some(range) = owner.range.filter(|range| !range.is_empty()) else {
            return;
        };
        self.make_room(tree, range);
        if self.add(tree, owner, None).is_some() {
            self.live += 1;
        }
    }

    /// Puts an owner into the tree; its range must be free.
    fn add(&mut self, tree: &Tree, owner: Owner, order: Option<u64>) -> Option<(u32, u64)> {
        let hit = Hit::of(&owner)?;
        let place = tree.insert(&mut self.records, &hit)?;
        let number = self.numbers.take(u32::MAX)?;
        self.serial += 1;
        let serial = self.serial;
        let index = number as usize;
        if self.pages.len() <= index {
            self.pages.resize_with(index + 1, || None);
        }
        self.by_start.insert(hit.range.start, number);
        self.pages[index] = Some(Page {
            owner,
            order,
            place,
            serial,
        });
        Some((number, serial))
    }

    /// Takes out everything that overlaps a range; what is left of the dead stays.
    fn make_room(&mut self, tree: &Tree, range: Span) {
        for number in self.overlapping(range) {
            let Some(page) = self.take(tree, number) else {
                continue;
            };
            if let Some(whole) = page.owner.range
                && page.owner.end.is_some()
            {
                let parts = [
                    Span::new(whole.start, range.start.min(whole.end)),
                    Span::new(range.end.max(whole.start), whole.end),
                ];
                for part in parts.into_iter().filter(|part| !part.is_empty()) {
                    let mut owner = page.owner.clone();
                    owner.range = Some(part);
                    let pending = owner.end.as_ref().is_some_and(|end| end.pending);
                    if let Some(key) = self.add(tree, owner, page.order) {
                        self.dead.push_back(key);
                        if pending {
                            self.pending.push(key);
                        }
                    }
                }
            }
            self.former.push_back(page.owner);
            if self.former.len() > self.limit {
                self.former.pop_front();
            }
        }
        self.forget();
        self.bury_the_oldest(tree);
    }

    /// Takes a record out of the tree and out of the book.
    fn take(&mut self, tree: &Tree, number: u32) -> Option<Page> {
        let page = self.pages.get_mut(number as usize)?.take()?;
        self.numbers.give_back(number);
        tree.remove(&mut self.records, page.place);
        if let Some(range) = page.owner.range {
            self.by_start.remove(&range.start);
        }
        if page.owner.end.is_none() {
            self.live -= 1;
        }
        Some(page)
    }

    fn overlapping(&self, range: Span) -> Vec<u32> {
        let before = self.by_start.range(..range.start).next_back();
        let before = before.filter(|(_, number)| {
            self.range(**number)
                .is_some_and(|known| known.end > range.start)
        });
        let within = self.by_start.range(range.start..range.end);
        before
            .into_iter()
            .chain(within)
            .map(|(_, &number)| number)
            .collect()
    }

    fn range(&self, number: u32) -> Option<Span> {
        self.page(number)?.owner.range
    }

    fn page(&self, number: u32) -> Option<&Page> {
        self.pages.get(number as usize)?.as_ref()
    }

    pub(super) fn freed(&mut self, tree: &Tree, start: u64, how: &Freed) -> Known {
        let Some(&number) = self.by_start.get(&start) else {
            return Known::Not;
        };
        match self.page(number) {
            Some(page) if page.owner.end.is_some() => Known::Dead,
            Some(_) => {
                self.end(tree, number, how, false);
                Known::Live
            }
            None => Known::Not,
        }
    }

    /// A record of the living becomes one of the dead.
    fn end(&mut self, tree: &Tree, number: u32, how: &Freed, context_gone: bool) {
        let Some(Some(page)) = self.pages.get_mut(number as usize) else {
            return;
        };
        page.owner.end = Some(how.end(page.owner.class, context_gone));
        page.owner.class = Class::Freed;
        page.order = how.in_order_of;
        let key = (number, page.serial);
        if let Some(hit) = Hit::of(&page.owner) {
            tree.change(&mut page.place, &hit);
        }
        if how.in_order_of.is_some() {
            self.pending.push(key);
        }
        self.live -= 1;
        self.dead.push_back(key);
        self.bury_the_oldest(tree);
    }

    /// Keeps the number of dead within the limit.
    fn bury_the_oldest(&mut self, tree: &Tree) {
        while self.dead.len() > self.limit {
            let Some((number, serial)) = self.dead.pop_front() else {
                return;
            };
            if self.is_dead(number, serial) {
                self.take(tree, number);
            }
        }
        self.forget();
    }

    /// Forgets keys of records that are gone, once they are the greater part.
    fn forget(&mut self) {
        let pages = &self.pages;
        let alive = |&(number, serial): &(u32, u64)| {
            let page = pages.get(number as usize).and_then(Option::as_ref);
            page.is_some_and(|page| page.serial == serial)
        };
        if self.dead.len() > self.limit {
            self.dead.retain(alive);
        }
        // No more than the limit are alive: at twice as many, half of them go at once.
        if self.pending.len() > self.limit.saturating_mul(2) {
            self.pending.retain(alive);
        }
    }

    fn is_dead(&self, number: u32, serial: u64) -> bool {
        self.page(number)
            .is_some_and(|page| page.serial == serial && page.owner.end.is_some())
    }

    pub(super) fn reset(&mut self, tree: &Tree, how: &Freed, belongs: impl Fn(&Owner) -> bool) {
        let gone: Vec<u32> = self
            .by_start
            .values()
            .copied()
            .filter(|&number| {
                self.page(number)
                    .is_some_and(|page| page.owner.end.is_none() && belongs(&page.owner))
            })
            .collect();
        for number in gone {
            self.end(tree, number, how, true);
        }
    }

    pub(super) fn synchronized(&mut self, tree: &Tree, stream: Option<u64>) {
        for (number, serial) in core::mem::take(&mut self.pending) {
            if !self.is_dead(number, serial) {
                continue;
            }
            let Some(Some(page)) = self.pages.get_mut(number as usize) else {
                continue;
            };
            if stream.is_some() && page.order != stream {
                self.pending.push((number, serial));
                continue;
            }
            if let Some(end) = &mut page.owner.end {
                end.pending = false;
            }
            if let Some(hit) = Hit::of(&page.owner) {
                tree.change(&mut page.place, &hit);
            }
        }
    }

    pub(super) fn starts_in(&self, span: Span) -> Vec<u64> {
        let starts = self.by_start.range(span.start..span.end);
        starts.map(|(&start, _)| start).collect()
    }

    /// Whose an address is.
    pub(super) fn owner(&self, address: u64) -> Option<Owner> {
        let (_, &number) = self.by_start.range(..=address).next_back()?;
        let owner = &self.page(number)?.owner;
        owner
            .range
            .is_some_and(|range| range.contains(address))
            .then(|| owner.clone())
    }

    pub(super) fn next_after(&self, address: u64) -> Option<Owner> {
        let after = self.by_start.range(address.checked_add(1)?..);
        self.first_live(after.map(|(_, &number)| number))
    }

    pub(super) fn last_before(&self, address: u64) -> Option<Owner> {
        let before = self.by_start.range(..address).rev();
        let owner = self.first_live(before.map(|(_, &number)| number))?;
        owner
            .range
            .is_some_and(|range| range.end <= address)
            .then_some(owner)
    }

    /// The first live owner; only so many dead ones are passed over.
    fn first_live(&self, numbers: impl Iterator<Item = u32>) -> Option<Owner> {
        numbers
            .take(64)
            .filter_map(|number| self.page(number))
            .find(|page| page.owner.end.is_none())
            .map(|page| page.owner.clone())
    }

    pub(super) fn former(&self, address: u64) -> Vec<Owner> {
        let holds = |owner: &&Owner| owner.range.is_some_and(|range| range.contains(address));
        self.former.iter().rev().filter(holds).cloned().collect()
    }

    pub(super) const fn live(&self) -> usize {
        self.live
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Site;

    #[test]
    fn what_is_kept_of_frees_that_nobody_waits_for_is_bounded() {
        let (tree, mut book) = (Tree::new(), Book::new(4));
        for number in 1..100_u64 {
            let mut owner = Owner::of(Class::Pool);
            owner.range = Some(Span::sized(number * 512, 512));
            book.allocated(&tree, owner);
            let how = Freed::in_order("cudaFreeAsync", Site::Unknown, 7);
            assert_eq!(book.freed(&tree, number * 512, &how), Known::Live);
            assert!(book.pending.len() <= 8 && book.dead.len() <= 4);
        }
        book.synchronized(&tree, None);
        let last = book.owner(99 * 512).expect("a tombstone");
        assert!(last.end.is_some_and(|end| !end.pending));
    }
}
