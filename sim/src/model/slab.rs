//! Small allocations side by side in blocks, as the driver places them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arena::BLOCK;
use super::extent::Extents;
use super::mapping::Mapping;

/// The driver's alignment of every allocation.
pub(crate) const GRAIN: usize = 512;
/// Above this an allocation gets blocks of its own.
pub(crate) const SMALL: usize = 1 << 20;
/// A pool takes memory from its device in pieces of this size (documented nowhere, seen everywhere).
pub(crate) const CHUNK: usize = 32 << 20;

/// A block of addresses with the bytes behind it.
#[derive(Debug)]
pub(crate) struct Block {
    /// First address.
    pub(crate) start: usize,
    pub(crate) length: usize,
    /// The bytes; they begin at `bytes.start()`, which is another address than `start` for device memory.
    pub(crate) bytes: Arc<Mapping>,
    free: Extents,
}

impl Block {
    pub(crate) fn new(start: usize, length: usize, bytes: Arc<Mapping>) -> Self {
        Self {
            start,
            length,
            bytes,
            free: Extents::of(start, length),
        }
    }

    fn is_empty(&self) -> bool {
        self.free.is_whole(self.start, self.length)
    }

    /// Where the bytes of `address` are.
    pub(crate) fn place(&self, address: usize) -> (Arc<Mapping>, usize) {
        (Arc::clone(&self.bytes), address - self.start)
    }
}

/// Blocks of one owner: a context's device memory, its pinned memory, or a pool.
#[derive(Debug)]
pub(crate) struct Slab {
    blocks: BTreeMap<usize, Block>,
    unit: usize,
    small: usize,
}

/// The part of a block that an allocation occupies.
pub(crate) const fn occupied(size: usize) -> usize {
    let size = if size == 0 { 1 } else { size };
    (size + GRAIN - 1) & !(GRAIN - 1)
}

/// What becomes of a block that is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    Keep,
    Remove,
}

impl Slab {
    /// For plain allocations: small ones share blocks, others have their own.
    pub(crate) const fn plain() -> Self {
        Self {
            blocks: BTreeMap::new(),
            unit: BLOCK,
            small: SMALL,
        }
    }

    /// For a pool: everything shares.
    pub(crate) const fn pool() -> Self {
        Self {
            blocks: BTreeMap::new(),
            unit: CHUNK,
            small: CHUNK,
        }
    }

    /// How large a block an allocation of `size` needs where no block has room.
    pub(crate) const fn block_for(&self, size: usize) -> usize {
        (size + self.unit - 1) & !(self.unit - 1)
    }

    /// Finds room in the blocks that are there.
    pub(crate) fn take(&mut self, size: usize) -> Option<(usize, Arc<Mapping>, usize)> {
        if size > self.small {
            return None;
        }
        let unit = self.unit;
        self.blocks
            .values_mut()
            .filter(|block| block.length == unit)
            .find_map(|block| {
                let at = block.free.take(occupied(size), GRAIN)?;
                let (bytes, offset) = block.place(at);
                Some((at, bytes, offset))
            })
    }

    /// Adds a block and takes its first bytes.
    pub(crate) fn add(&mut self, mut block: Block, size: usize) -> (usize, Arc<Mapping>, usize) {
        let taken = if size <= self.small {
            occupied(size)
        } else {
            block.length
        };
        let at = block.free.take(taken, GRAIN).unwrap_or(block.start);
        let (bytes, offset) = block.place(at);
        self.blocks.insert(block.start, block);
        (at, bytes, offset)
    }

    /// Gives an allocation back; answers the block where it is empty now and was removed.
    pub(crate) fn give(&mut self, at: usize, size: usize, empty: Empty) -> Option<Block> {
        let (&start, block) = self.blocks.range_mut(..=at).next_back()?;
        let taken = if size <= self.small {
            occupied(size)
        } else {
            block.length
        };
        block.free.give(at, taken);
        let gone = empty == Empty::Remove && block.is_empty();
        if gone {
            self.blocks.remove(&start)
        } else {
            None
        }
    }

    /// Removes one block that holds nothing.
    pub(crate) fn remove_empty(&mut self) -> Option<Block> {
        let start = self.blocks.values().find(|block| block.is_empty())?.start;
        self.blocks.remove(&start)
    }

    /// Bytes of all blocks.
    pub(crate) fn reserved(&self) -> usize {
        self.blocks.values().map(|block| block.length).sum()
    }

    /// Takes all blocks out.
    pub(crate) fn drain(&mut self) -> Vec<Block> {
        core::mem::take(&mut self.blocks).into_values().collect()
    }
}
