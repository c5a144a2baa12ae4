//! Cells with a number for an address: they are never moved and never given back, so that a
//! reader may look at a cell that a writer has just taken out.

use std::sync::OnceLock;

/// Cells by number, in chunks that double in size.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: [OnceLock<Box<[T]>>; CHUNKS],
    /// The binary logarithm of the first chunk's size.
    first: u32,
}

const CHUNKS: usize = 24;

impl<T: Default> Slab<T> {
    pub(super) const fn new(first: u32) -> Self {
        Self {
            chunks: [const { OnceLock::new() }; CHUNKS],
            first,
        }
    }

    /// The chunk and the place in it of a number.
    const fn place(&self, number: u32) -> (usize, usize) {
        let shifted = (number >> self.first) + 1;
        let chunk = shifted.ilog2();
        let before = ((1_u32 << chunk) - 1) << self.first;
        (chunk as usize, (number - before) as usize)
    }

    /// The cell of a number that was made.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let (chunk, place) = self.place(number);
        self.chunks.get(chunk)?.get()?.get(place)
    }

    /// The cell of a number; its chunk is made where it is the first one.
    pub(super) fn make(&self, number: u32) -> Option<&T> {
        let (chunk, place) = self.place(number);
        let size = 1_usize << (self.first as usize + chunk);
        let cells = self
            .chunks
            .get(chunk)?
            .get_or_init(|| (0..size).map(|_| T::default()).collect());
        cells.get(place)
    }
}

/// Numbers that are free: those given back, then new ones.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    free: Vec<u32>,
    next: u32,
}

impl Numbers {
    /// A free number below `limit`.
    pub(super) fn take(&mut self, limit: u32) -> Option<u32> {
        if let Some(number) = self.free.pop() {
            return Some(number);
        }
        (self.next < limit).then(|| {
            self.next += 1;
            self.next - 1
        })
    }

    pub(super) fn give_back(&mut self, number: u32) {
        self.free.push(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_cell_of_its_own() {
        let slab = Slab::<core::cell::Cell<u32>>::new(2);
        for number in 0..100 {
            slab.make(number).expect("a cell").set(number);
        }
        for number in 0..100 {
            assert_eq!(slab.get(number).expect("a cell").get(), number);
        }
        assert!(slab.get(100_000).is_none());
    }
}
