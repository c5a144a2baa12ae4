//! What a call's sides may be.

/// What CUDA may do with an object, and what a processor may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::truth) enum Side {
    /// Pageable memory.
    Host,
    /// Device memory.
    Device,
    /// Memory that both reach: pinned, registered, managed.
    Both,
    /// Nothing that a copy should touch.
    Bad,
}

/// Memory, or what looks like it.
#[derive(Debug, Clone, Copy)]
pub(in crate::truth) struct Object {
    /// What is printed as its class; of a second device with its number.
    pub(in crate::truth) class: &'static str,
    /// The device that it was made on, or with.
    pub(in crate::truth) device: u8,
    /// The devices whose copies may touch it, and those whose fills may: a bit for each.
    pub(in crate::truth) users: u8,
    pub(in crate::truth) fillers: u8,
    pub(in crate::truth) base: u64,
    /// Bytes that may be used.
    pub(in crate::truth) bytes: u64,
    pub(in crate::truth) side: Side,
    pub(in crate::truth) writable: bool,
    /// Memory of this process that copies past the end may touch without harm: all of it, or up to
    /// guard pages that stop them.
    pub(in crate::truth) fence: Option<Fence>,
}

/// How far copies past the end of host memory may go.
#[derive(Debug, Clone, Copy)]
pub(in crate::truth) struct Fence {
    /// The first address that may be touched.
    pub(in crate::truth) start: u64,
    /// The first address that must not be reached.
    pub(in crate::truth) end: u64,
    /// Whether guard pages stand before `end`, so that an ascending copy dies in them.
    pub(in crate::truth) guarded: bool,
}

/// An array.
#[derive(Debug, Clone, Copy)]
pub(in crate::truth) struct Array {
    pub(in crate::truth) class: &'static str,
    pub(in crate::truth) device: u8,
    pub(in crate::truth) handle: u64,
    /// Bytes of a row.
    pub(in crate::truth) row: u64,
    pub(in crate::truth) height: u64,
    pub(in crate::truth) depth: u64,
    pub(in crate::truth) element: u64,
}

/// The object of CUDA memory with these numbers.
pub(in crate::truth) fn object(class: &'static str, base: u64, bytes: u64, side: Side) -> Object {
    Object {
        class,
        device: 0,
        users: EVERYONE,
        fillers: EVERYONE,
        base,
        bytes,
        side,
        writable: true,
        fence: None,
    }
}

/// Both devices.
pub(super) const EVERYONE: u8 = 3;

impl Object {
    /// The class, with the device where that is not the first.
    pub(in crate::truth) fn label(&self) -> String {
        if self.device == 0 || self.side == Side::Host {
            self.class.to_owned()
        } else {
            format!("{}_{}", self.class, self.device)
        }
    }

    /// The same on a device. Copies to and from plain device memory are staged where a device cannot reach it;
    /// memory that is mapped handle by handle is its own device's alone, unless its class says something else.
    pub(in crate::truth) fn of(self, device: u8) -> Self {
        let own = 1 << device;
        let other = own ^ EVERYONE;
        let (users, fillers) = match self.class {
            "virtual_lent" => (other, other),
            "virtual_shared" | "pool_shared" => (EVERYONE, EVERYONE),
            class if class.starts_with("virtual") || class.starts_with("pool") => (own, own),
            _ if self.side == Side::Device => (EVERYONE, own),
            _ => (EVERYONE, EVERYONE),
        };
        Self {
            device,
            users,
            fillers,
            ..self
        }
    }
}
