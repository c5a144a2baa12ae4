//! One side of a copy: what the driver finds at an address, and whether it may be used.
//!
//! The rules, as measured: the *start* address is looked up; where CUDA knows an object there, the copy must lie in it
//! to the byte, and the device must have access; where it knows nothing, the memory is taken for pageable host memory
//! and not checked at all. Nothing is looked up further along.

use std::sync::Arc;

use super::code::{Code, Outcome};
use super::mapping::Mapping;
use super::object::{Kind, Object, Ordinal, Place};
use super::space::{Found, Space};
use super::vmm::{Hit, Protection};

/// Bytes that lie side by side in this process.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) address: usize,
    pub(crate) length: usize,
    /// Keeps the bytes mapped; nothing where they are the program's own and may fault.
    pub(crate) keep: Option<Arc<Mapping>>,
}

impl Piece {
    pub(crate) fn inside(bytes: Arc<Mapping>, offset: usize, length: usize) -> Self {
        Self {
            address: bytes.start() + offset,
            length,
            keep: Some(bytes),
        }
    }

    pub(crate) const fn foreign(address: usize) -> Self {
        Self {
            address,
            length: usize::MAX,
            keep: None,
        }
    }
}

/// One side of a copy.
#[derive(Debug)]
pub(crate) struct Operand {
    pub(crate) pieces: Vec<Piece>,
    /// CUDA knows the memory.
    pub(crate) known: bool,
    /// Offset and count wrap around and pass the check all the same: the copy engine will fault.
    pub(crate) wraps: bool,
    /// The device that the memory lives on, for memory that lives on one.
    pub(crate) device: Option<Ordinal>,
}

impl Operand {
    /// Pageable memory: the program's own.
    pub(crate) fn pageable(address: usize) -> Self {
        Self {
            pieces: vec![Piece::foreign(address)],
            known: false,
            wraps: false,
            device: None,
        }
    }

    /// Whether the program's own memory must be touched, on the program's own thread.
    pub(crate) fn is_pageable(&self) -> bool {
        !self.known
    }
}

/// Whose access rights count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// A copy on behalf of this device.
    Device(Ordinal),
    /// A peer copy: every device that has access is as good as any other.
    AnyDevice,
}

/// What a copy does with a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Source,
    Destination,
}

impl Space {
    /// Looks up `count` bytes from `address`.
    pub(crate) fn operand(
        &self,
        address: usize,
        count: usize,
        view: View,
        role: Role,
    ) -> Outcome<Operand> {
        match self.find(address) {
            Found::Object(object) => self.in_object(&object, address, count, view, role),
            Found::Virtual(hit) => self.in_reservation(&hit, address, count, view, role),
            Found::Nothing => Ok(Operand::pageable(address)),
        }
    }

    fn in_object(
        &self,
        object: &Object,
        address: usize,
        count: usize,
        view: View,
        role: Role,
    ) -> Outcome<Operand> {
        let offset = address - object.base;
        if !object.holds(offset, count) || (role == Role::Destination && object.is_read_only()) {
            return Err(Code::INVALID_VALUE);
        }
        if let (Kind::Pool(pool), View::Device(device)) = (object.kind, view) {
            let access = self
                .pool(pool)
                .map_or(Protection::ReadWrite, |pool| pool.access(device));
            permit(access, role)?;
        }
        let room = object.size - offset;
        let piece = match &object.place {
            Place::Behind {
                bytes,
                offset: start,
            }
            | Place::There {
                bytes,
                offset: start,
            } => Piece::inside(Arc::clone(bytes), start + offset, room),
            Place::Foreign => Piece::foreign(address),
        };
        let device = matches!(object.place, Place::Behind { .. }).then_some(object.device);
        Ok(Operand {
            pieces: vec![piece],
            known: true,
            wraps: offset.checked_add(count).is_none(),
            device,
        })
    }

    fn in_reservation(
        &self,
        hit: &Hit,
        address: usize,
        count: usize,
        view: View,
        role: Role,
    ) -> Outcome<Operand> {
        if hit.map.is_none() {
            // Nothing is mapped here: the driver takes the address for pageable memory, where it will fault.
            return Ok(Operand::pageable(address));
        }
        let mut pieces = Vec::new();
        let mut device = None;
        for map in self.mapped_run(address, count)? {
            let access = match view {
                View::Device(device) => map.access(device),
                View::AnyDevice => map.best_access(),
            };
            permit(access, role)?;
            let (bytes, offset, length) = map.place(address.max(map.base));
            pieces.push(Piece::inside(bytes, offset, length));
            device = device.or(Some(map.memory.properties.device));
        }
        Ok(Operand {
            pieces,
            known: true,
            wraps: false,
            device,
        })
    }
}

fn permit(access: Protection, role: Role) -> Outcome {
    let needed = match role {
        Role::Source => Protection::Read,
        Role::Destination => Protection::ReadWrite,
    };
    if access >= needed {
        Ok(())
    } else {
        Err(Code::INVALID_VALUE)
    }
}
