//! Everything that has an address: the one table that copies and queries ask.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::arena::{Arena, BLOCK};
use super::code::{Code, Outcome};
use super::imports::Import;
use super::mapping::{Mapping, PAGE, Use, round_up};
use super::meter::{Charge, Meter};
use super::object::{BlockFacts, ContextId, Kind, Object, Ordinal, Owner, Place};
use super::pool::Pool;
use super::slab::{Block, Empty, Slab};
use super::vmm::{Hit, Reservation};

/// What lies at an address.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing that CUDA knows: pageable memory, freed memory, no memory.
    Nothing,
    Object(Arc<Object>),
    /// Inside a virtual reservation, mapped or not.
    Virtual(Hit),
}

/// Allocations that may share blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Class {
    Device,
    Variables,
    Pinned,
    /// Pinned, and combined when written: never in a block with other pinned memory.
    Combined,
    Managed,
}

impl Class {
    const fn slab(self) -> Slab {
        match self {
            Self::Variables => Slab::variables(),
            Self::Device | Self::Pinned | Self::Combined | Self::Managed => Slab::plain(),
        }
    }
}

/// Where memory of the host is placed.
const fn host_class(kind: Kind) -> Class {
    const WRITE_COMBINED: u32 = 4;
    match kind {
        Kind::Managed => Class::Managed,
        Kind::Pinned(flags) if flags & WRITE_COMBINED != 0 => Class::Combined,
        _ => Class::Pinned,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Space {
    pub(super) arena: Arena,
    /// Reservations of the program: never in addresses that an allocation had.
    pub(super) reserved: Arena,
    pub(super) objects: BTreeMap<usize, Arc<Object>>,
    pub(super) reservations: BTreeMap<usize, Reservation>,
    pub(super) physical: HashMap<usize, super::vmm::Held>,
    pub(super) pools: HashMap<usize, Pool>,
    slabs: HashMap<(Owner, Class), Slab>,
    charges: HashMap<usize, Charge>,
    meters: Vec<Arc<Meter>>,
    pub(super) imports: Vec<Import>,
    /// Where devices have registered memory, by where the program has it; nothing where that is the same.
    elsewhere: HashMap<usize, usize>,
    moves_registered: bool,
    next_id: u64,
}

impl Space {
    pub(crate) fn new(meters: Vec<Arc<Meter>>, moves_registered: bool) -> Self {
        Self {
            arena: Arena::default(),
            reserved: Arena::default(),
            objects: BTreeMap::new(),
            reservations: BTreeMap::new(),
            physical: HashMap::new(),
            pools: HashMap::new(),
            slabs: HashMap::new(),
            charges: HashMap::new(),
            meters,
            imports: Vec::new(),
            elsewhere: HashMap::new(),
            moves_registered,
            next_id: 1,
        }
    }

    pub(crate) fn meter(&self, device: Ordinal) -> Outcome<&Arc<Meter>> {
        self.meters.get(device).ok_or(Code::INVALID_DEVICE)
    }

    pub(super) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Looks the object up that holds this one address.
    pub(crate) fn find(&self, address: usize) -> Found {
        if let Some((_, object)) = self.objects.range(..=address).next_back()
            && address - object.base < object.size
        {
            return Found::Object(Arc::clone(object));
        }
        if let Some((_, reservation)) = self.reservations.range(..=address).next_back()
            && address - reservation.base < reservation.size
        {
            return Found::Virtual(reservation.hit(address));
        }
        Found::Nothing
    }

    /// The first object from an address on.
    pub(crate) fn first_from(&self, address: usize) -> Option<&Arc<Object>> {
        let (_, object) = self.objects.range(address..).next()?;
        Some(object)
    }

    /// The object that begins at this address.
    pub(crate) fn exactly(&self, address: usize) -> Option<&Arc<Object>> {
        self.objects.get(&address)
    }

    /// Whether any object lies in `start..start + length`.
    pub(crate) fn is_occupied(&self, start: usize, length: usize) -> Option<&Arc<Object>> {
        let end = start.saturating_add(length);
        let (_, last) = self.objects.range(..end).next_back()?;
        (last.base + last.size > start).then_some(last)
    }

    /// Allocates device memory (`kind` is `Device` or `Global`).
    pub(crate) fn allocate(
        &mut self,
        size: usize,
        kind: Kind,
        owner: Owner,
    ) -> Outcome<Arc<Object>> {
        let class = if kind == Kind::Global {
            Class::Variables
        } else {
            Class::Device
        };
        self.allocate_in(class, size, kind, owner)
    }

    /// Allocates memory that program and device share at one address.
    pub(crate) fn allocate_shared(
        &mut self,
        size: usize,
        kind: Kind,
        owner: Owner,
    ) -> Outcome<Arc<Object>> {
        self.allocate_in(host_class(kind), size, kind, owner)
    }

    fn allocate_in(
        &mut self,
        class: Class,
        size: usize,
        kind: Kind,
        owner: Owner,
    ) -> Outcome<Arc<Object>> {
        if size == 0 {
            return Err(Code::INVALID_VALUE);
        }
        let found = self
            .slabs
            .entry((owner, class))
            .or_insert_with(|| class.slab())
            .take(size);
        let taken = match found {
            Some(taken) => taken,
            None => {
                let block = self.new_block(class, size, owner.device)?;
                let slab = self
                    .slabs
                    .entry((owner, class))
                    .or_insert_with(|| class.slab());
                slab.add(block, size).ok_or(Code::OUT_OF_MEMORY)?
            }
        };
        let (bytes, offset) = (taken.bytes, taken.offset);
        let place = match class {
            Class::Device | Class::Variables => Place::Behind { bytes, offset },
            Class::Pinned | Class::Combined | Class::Managed => Place::There { bytes, offset },
        };
        Ok(self.insert(taken.at, size, kind, owner, place, taken.block))
    }

    fn new_block(&mut self, class: Class, size: usize, device: Ordinal) -> Outcome<Block> {
        if size > usize::MAX / 4 {
            return Err(Code::OUT_OF_MEMORY);
        }
        let length = class.slab().block_for(size);
        let (base, bytes) = match class {
            Class::Device | Class::Variables => {
                let charge = self.meter(device)?.charge(length)?;
                let (start, bytes) = self.device_block(length, BLOCK)?;
                self.charges.insert(start, charge);
                (start, bytes)
            }
            Class::Pinned | Class::Combined | Class::Managed => {
                let purpose = if class == Class::Managed {
                    Use::Managed
                } else {
                    Use::Shared
                };
                let bytes = Arc::new(Mapping::new(purpose, length, BLOCK)?);
                (bytes.start(), bytes)
            }
        };
        let facts = BlockFacts {
            base,
            size: length,
            id: self.fresh_id(),
        };
        Ok(Block::new(facts, bytes))
    }

    /// Device addresses and the bytes behind them.
    pub(super) fn device_block(
        &mut self,
        length: usize,
        alignment: usize,
    ) -> Outcome<(usize, Arc<Mapping>)> {
        let bytes = Arc::new(Mapping::shareable(length)?);
        Ok((self.arena.take(length, alignment)?, bytes))
    }

    pub(super) fn insert(
        &mut self,
        base: usize,
        size: usize,
        kind: Kind,
        owner: Owner,
        place: Place,
        block: BlockFacts,
    ) -> Arc<Object> {
        let object = Arc::new(Object::new(
            base,
            size,
            kind,
            owner,
            self.fresh_id(),
            place,
            block,
        ));
        self.objects.insert(base, Arc::clone(&object));
        object
    }

    /// Fails where CUDA knows some of this memory already.
    pub(crate) fn may_register(&self, base: usize, size: usize) -> Outcome {
        if let Some(there) = self.is_occupied(base, size) {
            let twice = matches!(there.kind, Kind::Registered(_));
            return Err(if twice {
                Code::HOST_MEMORY_ALREADY_REGISTERED
            } else {
                Code::INVALID_VALUE
            });
        }
        if matches!(self.find(base), Found::Virtual(_)) {
            Err(Code::INVALID_VALUE)
        } else {
            Ok(())
        }
    }

    /// Makes memory of the program known to CUDA.
    pub(crate) fn register(
        &mut self,
        base: usize,
        size: usize,
        flags: u32,
        owner: Owner,
    ) -> Outcome {
        self.may_register(base, size)?;
        let start = base & !(PAGE - 1);
        let end = round_up(base + size, PAGE).ok_or(Code::INVALID_VALUE)?;
        let block = BlockFacts {
            base: start,
            size: end - start,
            id: self.fresh_id(),
        };
        let kind = Kind::Registered(flags);
        if self.moves_registered {
            let there = self.arena.take(block.size, PAGE)?;
            let at = there + (base - start);
            let block = BlockFacts {
                base: there,
                ..block
            };
            self.insert(at, size, kind, owner, Place::Elsewhere { at: base }, block);
            self.elsewhere.insert(base, at);
        }
        self.insert(base, size, kind, owner, Place::Foreign, block);
        Ok(())
    }

    /// The address that devices use for one of an object's.
    pub(crate) fn on_devices(&self, object: &Object, address: usize) -> usize {
        let base = self.elsewhere.get(&object.base).unwrap_or(&object.base);
        base.wrapping_add(address.wrapping_sub(object.base))
    }

    /// Makes an object known that was known before.
    pub(crate) fn revive(&mut self, object: &Arc<Object>) {
        self.objects.insert(object.base, Arc::clone(object));
    }

    /// Forgets an object; its memory goes when the last copy in flight has ended.
    pub(crate) fn remove(&mut self, base: usize) -> Option<Arc<Object>> {
        let object = self.objects.remove(&base)?;
        if let Some(there) = self.elsewhere.remove(&base) {
            self.objects.remove(&there);
        }
        let class = match object.kind {
            Kind::Device => Class::Device,
            Kind::Global => Class::Variables,
            kind @ (Kind::Pinned(_) | Kind::Managed) => host_class(kind),
            Kind::Registered(_) | Kind::Pool(..) | Kind::Graph | Kind::Imported => {
                return Some(object);
            }
        };
        let owner = Owner {
            device: object.device,
            context: object.context,
        };
        let slab = self.slabs.get_mut(&(owner, class));
        if let Some(block) = slab.and_then(|slab| slab.give(base, object.size, Empty::Remove)) {
            self.retire(&block, class);
        }
        Some(object)
    }

    fn retire(&mut self, block: &Block, class: Class) {
        drop(self.charges.remove(&block.facts.base));
        if matches!(class, Class::Device | Class::Variables) {
            self.arena.give(block.facts.base, block.facts.size);
        }
    }

    /// Forgets everything that a context owned.
    pub(crate) fn remove_context(&mut self, context: ContextId) {
        let gone: Vec<_> = self
            .objects
            .values()
            .filter(|object| object.context == context && !matches!(object.kind, Kind::Pool(..)))
            .map(|object| object.base)
            .collect();
        for base in gone {
            self.objects.remove(&base);
            self.elsewhere.remove(&base);
        }
        // Their addresses are not used again, like those of the blocks below.
        self.imports.retain(|import| import.context != context);
        let slabs: Vec<_> = self
            .slabs
            .keys()
            .filter(|(owner, _)| owner.context == context)
            .copied()
            .collect();
        for key in slabs {
            for block in self
                .slabs
                .remove(&key)
                .map(|mut slab| slab.drain())
                .unwrap_or_default()
            {
                // The addresses are not used again: what a program still holds must keep failing.
                drop(self.charges.remove(&block.facts.base));
                block.bury();
            }
        }
    }
}
