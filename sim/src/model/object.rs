//! What an address belongs to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::mapping::Mapping;

/// A context, by its handle; handles are never used twice.
pub(crate) type ContextId = usize;
/// A device, by its number.
pub(crate) type Ordinal = usize;

/// How an object came to be, which decides what CUDA says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `cuMemAlloc`, `cuMemAllocPitch`.
    Device,
    /// Memory of this sort that another process has lent.
    Imported,
    /// A variable of a loaded module.
    Global,
    /// Stream-ordered memory of the pool with this handle, and where that pool has its memory.
    Pool(usize, Home),
    /// Memory that a graph allocates while it runs.
    Graph,
    /// `cuMemHostAlloc` and `cuMemAllocHost`, with the flags given.
    Pinned(u32),
    /// `cuMemHostRegister`, with the flags given.
    Registered(u32),
    /// `cuMemAllocManaged`.
    Managed,
}

/// Where a pool has its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    Device,
    Host,
    Managed,
}

/// Where an object's bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Behind its addresses, in memory of the simulator.
    Behind { bytes: Arc<Mapping>, offset: usize },
    /// At its addresses, in memory that the simulator allocated for the program.
    There { bytes: Arc<Mapping>, offset: usize },
    /// At its addresses, in memory of the program, which may have gone by now.
    Foreign,
    /// In memory of the program that begins at this address; the object's own are those that devices use.
    Elsewhere { at: usize },
}

/// One allocation, alive.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) base: usize,
    pub(crate) size: usize,
    pub(crate) kind: Kind,
    pub(crate) device: Ordinal,
    pub(crate) context: ContextId,
    /// Never used twice.
    pub(crate) id: u64,
    pub(crate) place: Place,
    /// What the driver mapped for it, which it may share with others.
    pub(crate) block: BlockFacts,
    sync_memops: AtomicBool,
}

impl Object {
    pub(crate) fn new(
        base: usize,
        size: usize,
        kind: Kind,
        owner: Owner,
        id: u64,
        place: Place,
        block: BlockFacts,
    ) -> Self {
        let managed = matches!(kind, Kind::Managed | Kind::Pool(_, Home::Managed));
        Self {
            base,
            size,
            kind,
            device: owner.device,
            context: owner.context,
            id,
            place,
            block,
            sync_memops: AtomicBool::new(managed),
        }
    }

    /// Host memory: the program may follow the address.
    pub(crate) const fn is_host(&self) -> bool {
        matches!(
            self.kind,
            Kind::Pinned(_) | Kind::Registered(_) | Kind::Pool(_, Home::Host)
        )
    }

    /// Memory that moves between host and devices.
    pub(crate) const fn is_managed(&self) -> bool {
        matches!(self.kind, Kind::Managed | Kind::Pool(_, Home::Managed))
    }

    /// Registered as memory that devices only read.
    pub(crate) const fn is_read_only(&self) -> bool {
        const READ_ONLY: u32 = 0x08;
        matches!(self.kind, Kind::Registered(flags) if flags & READ_ONLY != 0)
    }

    /// Whether its addresses are those that devices use for memory that the program has elsewhere.
    pub(crate) const fn is_elsewhere(&self) -> bool {
        matches!(self.place, Place::Elsewhere { .. })
    }

    pub(crate) fn sync_memops(&self) -> bool {
        self.sync_memops.load(Ordering::Relaxed)
    }

    pub(crate) fn set_sync_memops(&self, on: bool) {
        self.sync_memops.store(on, Ordering::Relaxed);
    }

    /// Whether `offset..offset + count` lies inside, counted as the driver counts: the sum may wrap.
    pub(crate) const fn holds(&self, offset: usize, count: usize) -> bool {
        match offset.checked_add(count) {
            Some(end) => end <= self.size,
            // Past the end of all addresses: accepted when it comes out inside again, not at the very start.
            None => matches!(offset.wrapping_add(count), end if end > 0 && end <= self.size),
        }
    }
}

/// A piece of memory that the driver mapped at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockFacts {
    pub(crate) base: usize,
    pub(crate) size: usize,
    pub(crate) id: u64,
}

/// On whose behalf memory is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) device: Ordinal,
    pub(crate) context: ContextId,
}
