//! Who owns a piece of memory, with everything that is known of it.

use super::{Access, Class, Permissions};
use crate::{Site, Span};
use std::sync::Arc;

/// How memory came into being.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The C function that made it, where known.
    pub call: Option<&'static str>,
    /// Where that was called.
    pub site: Site,
}

/// How memory went away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The C function that ended it.
    pub call: &'static str,
    /// Where that was called.
    pub site: Site,
    /// What it had been.
    pub class: Class,
    /// Whether it was freed in stream order and no synchronisation has been seen since.
    pub pending: bool,
    /// Whether its context or device is gone.
    pub context_gone: bool,
}

/// The owner of a piece of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// What it is.
    pub class: Class,
    /// The owner's whole range: the allocation, the registration, the mapping.
    pub range: Option<Span>,
    /// The device that it lives on.
    pub device: Option<i32>,
    /// The context that it belongs to.
    pub context: Option<u64>,
    /// The pool that it came from.
    pub pool: Option<u64>,
    /// The driver's number for the allocation, never used twice.
    pub buffer_id: Option<u64>,
    /// What the current device may do with it.
    pub access: Access,
    /// Whether the current context reaches it, as far as a context was current to ask.
    pub reachable: Option<bool>,
    /// The address by which a device knows it.
    pub device_pointer: Option<u64>,
    /// Whether the old form of inter-process handles works with it; true of `cudaMalloc` alone.
    pub exportable: Option<bool>,
    /// What host code may do with it.
    pub permissions: Option<Permissions>,
    /// The mapping's name: a file, `[stack]`, `[heap]`.
    pub mapping: Option<Arc<str>>,
    /// Whether the registry saw it come into being, so that the class is exact.
    pub seen: bool,
    /// How it came into being.
    pub origin: Origin,
    /// How it went away.
    pub end: Option<End>,
    /// Bytes from row to row where it was made with a pitch.
    pub pitch: Option<u64>,
    /// Bytes of a row that were asked for, where it was made with a pitch.
    pub row: Option<u64>,
}

impl Owner {
    /// An owner of which only the class is known.
    #[must_use]
    pub const fn of(class: Class) -> Self {
        Self {
            class,
            range: None,
            device: None,
            context: None,
            pool: None,
            buffer_id: None,
            access: Access::Unknown,
            reachable: None,
            device_pointer: None,
            exportable: None,
            permissions: None,
            mapping: None,
            seen: false,
            origin: Origin {
                call: None,
                site: Site::Unknown,
            },
            end: None,
            pitch: None,
            row: None,
        }
    }

    /// Whether nothing can be there: no memory, or address space that nobody may touch, as drivers
    /// keep for themselves.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        let closed = self
            .permissions
            .is_some_and(|all| !all.readable() && !all.execute);
        self.class.is_nothing() || self.class == Class::Pageable && closed
    }

    /// Whether host code can read it.
    #[must_use]
    pub fn host_readable(&self) -> Option<bool> {
        self.host(Permissions::readable)
    }

    /// Whether host code can write it.
    #[must_use]
    pub fn host_writable(&self) -> Option<bool> {
        self.host(|permissions| permissions.write)
    }

    fn host(&self, allows: impl Fn(Permissions) -> bool) -> Option<bool> {
        match self.class {
            Class::Managed | Class::Pinned => Some(true),
            Class::Registered | Class::Pageable => self
                .permissions
                .map(allows)
                .or((self.class == Class::Registered).then_some(true)),
            Class::Foreign | Class::Unknown => None,
            _ => Some(false),
        }
    }
}

/// A part of an operand with one owner; offsets count from the operand's first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The part of the operand.
    pub part: Span,
    /// Whose it is.
    pub owner: Owner,
}
