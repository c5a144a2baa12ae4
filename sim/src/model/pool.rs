//! Memory pools: allocation and release in the order of a stream.

use std::collections::HashMap;
use std::sync::Arc;

use super::arena::BLOCK;
use super::code::{Code, Outcome};
use super::mapping::{Mapping, Use};
use super::meter::Charge;
use super::object::{BlockFacts, Home, Kind, Object, Ordinal, Owner, Place};
use super::slab::{Block, Empty, Slab};
use super::space::Space;
use super::ticket::Ticket;
use super::vmm::Protection;

/// Memory whose free is in some stream's order, and that stream.
#[derive(Debug)]
struct Leaving {
    object: Arc<Object>,
    stream: usize,
    when: Arc<Ticket>,
}

/// A pool.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) handle: usize,
    pub(crate) device: Ordinal,
    pub(crate) home: Home,
    /// Memory kept over a synchronisation.
    pub(crate) release_threshold: u64,
    /// Values that are only remembered: reuse policies and the like.
    pub(crate) settings: HashMap<u32, u64>,
    pub(crate) max_size: usize,
    /// Kinds of handles that its memory can be shared by.
    pub(crate) handle_types: u32,
    pub(crate) used: usize,
    pub(crate) used_high: usize,
    pub(crate) reserved_high: usize,
    slab: Slab,
    charges: HashMap<usize, Charge>,
    leaving: Vec<Leaving>,
    access: HashMap<Ordinal, Protection>,
}

impl Pool {
    pub(crate) fn new(
        handle: usize,
        device: Ordinal,
        home: Home,
        max_size: usize,
        handle_types: u32,
    ) -> Self {
        Self {
            handle,
            device,
            home,
            release_threshold: 0,
            settings: HashMap::new(),
            max_size,
            handle_types,
            used: 0,
            used_high: 0,
            reserved_high: 0,
            slab: Slab::pool(),
            charges: HashMap::new(),
            leaving: Vec::new(),
            access: match home {
                Home::Host => HashMap::new(),
                Home::Device | Home::Managed => HashMap::from([(device, Protection::ReadWrite)]),
            },
        }
    }

    pub(crate) fn access(&self, device: Ordinal) -> Protection {
        self.access
            .get(&device)
            .copied()
            .unwrap_or(Protection::None)
    }

    pub(crate) fn set_access(&mut self, device: Ordinal, what: Protection) -> Outcome {
        if device == self.device && what != Protection::ReadWrite {
            return Err(Code::INVALID_DEVICE);
        }
        self.access.insert(device, what);
        Ok(())
    }

    pub(crate) fn reserved(&self) -> usize {
        self.slab.reserved()
    }
}

impl Space {
    pub(crate) fn add_pool(&mut self, pool: Pool) {
        self.pools.insert(pool.handle, pool);
    }

    pub(crate) fn pool(&self, handle: usize) -> Outcome<&Pool> {
        self.pools.get(&handle).ok_or(Code::INVALID_VALUE)
    }

    pub(crate) fn pool_mut(&mut self, handle: usize) -> Outcome<&mut Pool> {
        self.pools.get_mut(&handle).ok_or(Code::INVALID_VALUE)
    }

    /// Removes a pool; memory that is still out stays valid until it is freed.
    pub(crate) fn destroy_pool(&mut self, handle: usize) -> Outcome {
        self.pools
            .remove(&handle)
            .map(drop)
            .ok_or(Code::INVALID_VALUE)
    }

    pub(crate) fn pool_allocate(
        &mut self,
        handle: usize,
        size: usize,
        stream: usize,
    ) -> Outcome<Arc<Object>> {
        if size == 0 {
            return Err(Code::INVALID_VALUE);
        }
        if size > usize::MAX / 4 {
            return Err(Code::OUT_OF_MEMORY);
        }
        let mut pool = self.pools.remove(&handle).ok_or(Code::INVALID_VALUE)?;
        let taken = self.take_from(&mut pool, size, stream);
        let (device, home) = (pool.device, pool.home);
        self.pools.insert(handle, pool);
        let (base, place, block) = taken?;
        Ok(self.insert(
            base,
            size,
            Kind::Pool(handle, home),
            Owner { device, context: 0 },
            place,
            block,
        ))
    }

    fn take_from(
        &mut self,
        pool: &mut Pool,
        size: usize,
        stream: usize,
    ) -> Outcome<(usize, Place, BlockFacts)> {
        pool.settle();
        let room = pool.slab.occupied(size);
        let again = pool
            .leaving
            .iter()
            .position(|old| old.stream == stream && pool.slab.occupied(old.object.size) == room);
        let found = if let Some(index) = again {
            let old = pool.leaving.swap_remove(index).object;
            (old.base, old.place.clone(), old.block)
        } else {
            let taken = match pool.slab.take(size) {
                Some(taken) => taken,
                None => {
                    let block = self.pool_block(pool, size)?;
                    pool.slab.add(block, size).ok_or(Code::OUT_OF_MEMORY)?
                }
            };
            let (bytes, offset) = (taken.bytes, taken.offset);
            let place = match pool.home {
                Home::Device => Place::Behind { bytes, offset },
                Home::Host | Home::Managed => Place::There { bytes, offset },
            };
            (taken.at, place, taken.block)
        };
        pool.used += room;
        pool.used_high = pool.used_high.max(pool.used);
        pool.reserved_high = pool.reserved_high.max(pool.reserved());
        Ok(found)
    }

    fn pool_block(&mut self, pool: &mut Pool, size: usize) -> Outcome<Block> {
        let length = pool.slab.block_for(size);
        // A pool's own limit counts in whole chunks.
        if pool.max_size != 0 && pool.slab.reserved() + length > pool.slab.block_for(pool.max_size)
        {
            return Err(Code::OUT_OF_MEMORY);
        }
        let (base, bytes) = match pool.home {
            Home::Device => {
                let charge = self.meter(pool.device)?.charge(length)?;
                let (base, bytes) = self.device_block(length, super::slab::CHUNK)?;
                pool.charges.insert(base, charge);
                (base, bytes)
            }
            Home::Host | Home::Managed => {
                let purpose = if pool.home == Home::Host {
                    Use::Shared
                } else {
                    Use::Managed
                };
                let bytes = Arc::new(Mapping::new(purpose, length, BLOCK)?);
                (bytes.start(), bytes)
            }
        };
        Ok(Block::new(
            BlockFacts {
                base,
                size: length,
                id: self.fresh_id(),
            },
            bytes,
        ))
    }

    /// Frees pool memory: at once for everybody who asks, for new owners when `when` is done.
    pub(crate) fn pool_free(&mut self, base: usize, stream: usize, when: Arc<Ticket>) -> Outcome {
        let found = self.exactly(base).cloned().ok_or(Code::INVALID_VALUE)?;
        let Kind::Pool(handle, _) = found.kind else {
            return Err(Code::INVALID_VALUE);
        };
        let object = self.remove(base).ok_or(Code::INVALID_VALUE)?;
        if let Some(pool) = self.pools.get_mut(&handle) {
            pool.used = pool.used.saturating_sub(pool.slab.occupied(object.size));
            pool.leaving.push(Leaving {
                object,
                stream,
                when,
            });
        }
        Ok(())
    }

    /// What a synchronisation does to pools (documented, not measured): free what has left, keep what the threshold says.
    pub(crate) fn settle_pools(&mut self, device: Ordinal) {
        let handles: Vec<_> = self
            .pools
            .values()
            .filter(|pool| pool.device == device)
            .map(|pool| pool.handle)
            .collect();
        for handle in handles {
            let keep = self
                .pools
                .get(&handle)
                .map_or(u64::MAX, |pool| pool.release_threshold);
            self.trim_pool(handle, usize::try_from(keep).unwrap_or(usize::MAX));
        }
    }

    /// Gives empty blocks back to the device until `keep` bytes are left.
    pub(crate) fn trim_pool(&mut self, handle: usize, keep: usize) {
        let Some(pool) = self.pools.get_mut(&handle) else {
            return;
        };
        pool.settle();
        let mut gone = Vec::new();
        while pool.slab.reserved() > keep {
            let Some(block) = pool.slab.remove_empty() else {
                break;
            };
            drop(pool.charges.remove(&block.facts.base));
            if pool.home == Home::Device {
                gone.push((block.facts.base, block.facts.size));
            }
        }
        for (start, length) in gone {
            self.arena.give(start, length);
        }
    }
}

impl Pool {
    /// Takes back what has left its stream.
    fn settle(&mut self) {
        let (gone, staying) = core::mem::take(&mut self.leaving)
            .into_iter()
            .partition(|old: &Leaving| old.when.is_done());
        self.leaving = staying;
        for old in gone {
            let old: Leaving = old;
            let _kept = self
                .slab
                .give(old.object.base, old.object.size, Empty::Keep);
        }
    }
}
