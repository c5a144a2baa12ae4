//! Small allocations side by side in blocks, as the driver places them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arena::BLOCK;
use super::extent::Extents;
use super::mapping::Mapping;
use super::object::BlockFacts;

/// The driver's alignment of an allocation, and of a module's variable.
const GRAIN: usize = 512;
const VARIABLE_GRAIN: usize = 256;
/// Above this an allocation gets blocks of its own.
const SMALL: usize = 1 << 20;
/// A pool takes memory from its device in pieces of this size.
pub(crate) const CHUNK: usize = 32 << 20;

/// A block of addresses with the bytes behind it.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) facts: BlockFacts,
    /// The bytes; they begin at another address than the block for device memory.
    bytes: Arc<Mapping>,
    free: Extents,
}

/// Part of a block.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) at: usize,
    pub(crate) bytes: Arc<Mapping>,
    /// Where in `bytes` it begins.
    pub(crate) offset: usize,
    pub(crate) block: BlockFacts,
}

impl Block {
    pub(crate) fn new(facts: BlockFacts, bytes: Arc<Mapping>) -> Self {
        Self {
            facts,
            bytes,
            free: Extents::of(facts.base, facts.size),
        }
    }

    /// Gives the bytes back, but not the addresses.
    pub(crate) fn bury(self) {
        if let Ok(bytes) = Arc::try_unwrap(self.bytes) {
            bytes.bury();
        }
    }

    fn is_empty(&self) -> bool {
        self.free.is_whole(self.facts.base, self.facts.size)
    }

    fn take(&mut self, length: usize, grain: usize) -> Option<Taken> {
        let at = self.free.take(length, grain)?;
        Some(Taken {
            at,
            bytes: Arc::clone(&self.bytes),
            offset: at - self.facts.base,
            block: self.facts,
        })
    }
}

/// Blocks of one owner: a context's device memory, its pinned memory, or a pool.
#[derive(Debug)]
pub(crate) struct Slab {
    blocks: BTreeMap<usize, Block>,
    unit: usize,
    small: usize,
    grain: usize,
}

/// What becomes of a block that is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    Keep,
    Remove,
}

impl Slab {
    const fn new(unit: usize, small: usize, grain: usize) -> Self {
        Self {
            blocks: BTreeMap::new(),
            unit,
            small,
            grain,
        }
    }

    /// For plain allocations: small ones share blocks, others have their own.
    pub(crate) const fn plain() -> Self {
        Self::new(BLOCK, SMALL, GRAIN)
    }

    /// For the variables of modules.
    pub(crate) const fn variables() -> Self {
        Self::new(BLOCK, BLOCK, VARIABLE_GRAIN)
    }

    /// For a pool: everything shares.
    pub(crate) const fn pool() -> Self {
        Self::new(CHUNK, CHUNK, GRAIN)
    }

    /// How large a block an allocation of `size` needs where no block has room.
    pub(crate) const fn block_for(&self, size: usize) -> usize {
        (size + self.unit - 1) & !(self.unit - 1)
    }

    /// The part of a block that an allocation occupies.
    pub(crate) const fn occupied(&self, size: usize) -> usize {
        let size = if size == 0 { 1 } else { size };
        (size + self.grain - 1) & !(self.grain - 1)
    }

    /// Finds room in the blocks that are there.
    pub(crate) fn take(&mut self, size: usize) -> Option<Taken> {
        if size > self.small {
            return None;
        }
        let (length, grain, unit) = (self.occupied(size), self.grain, self.unit);
        let mut shared = self
            .blocks
            .values_mut()
            .filter(|block| block.facts.size == unit);
        shared.find_map(|block| block.take(length, grain))
    }

    /// Adds a block and takes its first bytes.
    pub(crate) fn add(&mut self, mut block: Block, size: usize) -> Option<Taken> {
        let length = self.length_in(size, block.facts.size);
        let taken = block.take(length, self.grain);
        self.blocks.insert(block.facts.base, block);
        taken
    }

    const fn length_in(&self, size: usize, block: usize) -> usize {
        if size <= self.small {
            self.occupied(size)
        } else {
            block
        }
    }

    /// Gives an allocation back; answers the block where it is empty now and was removed.
    pub(crate) fn give(&mut self, at: usize, size: usize, empty: Empty) -> Option<Block> {
        let (&start, block) = self.blocks.range(..=at).next_back()?;
        let length = self.length_in(size, block.facts.size);
        let block = self.blocks.get_mut(&start)?;
        block.free.give(at, length);
        let gone = empty == Empty::Remove && block.is_empty();
        if gone {
            self.blocks.remove(&start)
        } else {
            None
        }
    }

    /// Removes one block that holds nothing.
    pub(crate) fn remove_empty(&mut self) -> Option<Block> {
        let start = self
            .blocks
            .values()
            .find(|block| block.is_empty())?
            .facts
            .base;
        self.blocks.remove(&start)
    }

    /// Bytes of all blocks.
    pub(crate) fn reserved(&self) -> usize {
        self.blocks.values().map(|block| block.facts.size).sum()
    }

    /// Takes all blocks out.
    pub(crate) fn drain(&mut self) -> Vec<Block> {
        core::mem::take(&mut self.blocks).into_values().collect()
    }
}
