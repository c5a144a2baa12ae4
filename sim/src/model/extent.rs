//! A set of free ranges with first fit: the one allocator of addresses, used at every level.

use std::collections::BTreeMap;

/// Free ranges by start, never touching each other.
#[derive(Debug, Default, Clone)]
pub(crate) struct Extents {
    free: BTreeMap<usize, usize>,
}

impl Extents {
    /// One free range.
    pub(crate) fn of(start: usize, length: usize) -> Self {
        Self {
            free: BTreeMap::from([(start, length)]),
        }
    }

    /// Takes the lowest fitting range of `length` bytes, aligned to `alignment`.
    pub(crate) fn take(&mut self, length: usize, alignment: usize) -> Option<usize> {
        let (start, room, at) = self.free.iter().find_map(|(&start, &room)| {
            let at = super::mapping::round_up(start, alignment)?;
            let used = at.checked_add(length)?.checked_sub(start)?;
            (used <= room).then_some((start, room, at))
        })?;
        self.carve(start, room, at, length);
        Some(at)
    }

    /// Takes exactly `at..at + length`, where all of it is free.
    pub(crate) fn take_at(&mut self, at: usize, length: usize) -> bool {
        let Some((&start, &room)) = self.free.range(..=at).next_back() else {
            return false;
        };
        let Some(used) = (at - start).checked_add(length) else {
            return false;
        };
        if used > room {
            return false;
        }
        self.carve(start, room, at, length);
        true
    }

    fn carve(&mut self, start: usize, room: usize, at: usize, length: usize) {
        self.free.remove(&start);
        if at > start {
            self.free.insert(start, at - start);
        }
        let behind = start + room - (at + length);
        if behind > 0 {
            self.free.insert(at + length, behind);
        }
    }

    /// Gives a range back and joins it with its neighbours.
    pub(crate) fn give(&mut self, mut start: usize, mut length: usize) {
        if let Some((&before, &room)) = self.free.range(..start).next_back()
            && before + room == start
        {
            self.free.remove(&before);
            start = before;
            length += room;
        }
        if let Some(room) = self.free.remove(&(start + length)) {
            length += room;
        }
        self.free.insert(start, length);
    }

    /// Whether exactly this one range is free.
    pub(crate) fn is_whole(&self, start: usize, length: usize) -> bool {
        self.free.len() == 1 && self.free.get(&start) == Some(&length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined_again() {
        let mut set = Extents::of(0, 4096);
        let a = set.take(512, 512).unwrap();
        let b = set.take(512, 512).unwrap();
        assert_eq!((a, b), (0, 512));
        assert!(set.take_at(2048, 512) && !set.take_at(2100, 1));
        set.give(2048, 512);
        set.give(a, 512);
        set.give(b, 512);
        assert!(set.is_whole(0, 4096));
    }
}
