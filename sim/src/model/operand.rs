//! One side of a copy: what the driver finds at an address, and whether it may be used.
//!
//! The rules, as measured: the *start* address is looked up; where CUDA knows an object there, the copy must lie in it
//! to the byte, and the device must have access; where it knows nothing, the memory is taken for pageable host memory
//! and not checked at all. Nothing is looked up further along.

use std::sync::Arc;

use super::code::{Code, Outcome};
use super::mapping::Mapping;
use super::object::{Home, Kind, Object, Ordinal, Place};
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
    /// Memory of the host: pageable, pinned or registered.
    pub(crate) host: bool,
    pub(crate) reach: Reach,
}

/// How another device may come to use memory of a device by itself: copies are staged, a memset is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Checked already: the memory itself says who may.
    Granted,
    /// With peer access enabled.
    Peers,
    /// Not at all.
    Own,
}

impl Operand {
    /// Pageable memory: the program's own.
    pub(crate) fn pageable(address: usize) -> Self {
        Self {
            pieces: vec![Piece::foreign(address)],
            known: false,
            wraps: false,
            device: None,
            host: true,
            reach: Reach::Granted,
        }
    }

    /// Whether the program's own memory must be touched, on the program's own thread.
    pub(crate) fn is_pageable(&self) -> bool {
        !self.known
    }
}

/// The device on whose behalf memory is used: its access rights count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View(pub(crate) Ordinal);

/// What a copy does with a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Source,
    Destination,
    /// A destination of a memset, which may end exactly where all addresses begin again.
    Filled,
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
        let wraps_to_start = role == Role::Filled && count > 0 && offset.wrapping_add(count) == 0;
        let inside = object.holds(offset, count) || wraps_to_start;
        if !inside || role != Role::Source && object.is_read_only() {
            return Err(Code::INVALID_VALUE);
        }
        if let Kind::Pool(pool, Home::Device | Home::Host) = object.kind {
            let access = self
                .pool(pool)
                .map_or(Protection::ReadWrite, |pool| pool.access(view.0));
            permit(access, role)?;
        }
        let reach = match object.kind {
            Kind::Device | Kind::Imported => Reach::Peers,
            Kind::Global => Reach::Own,
            _ => Reach::Granted,
        };
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
            host: object.is_host(),
            reach,
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
        if address.checked_add(count).is_none() {
            // Past the end of all addresses, and nobody minds until the copy engine does.
            let first = self.in_reservation(hit, address, 1, view, role)?;
            return Ok(Operand {
                wraps: true,
                ..first
            });
        }
        let mut pieces = Vec::new();
        let mut device = None;
        for map in self.mapped_run(address, count)? {
            let access = map.access(view.0);
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
            host: false,
            reach: Reach::Granted,
        })
    }
}

fn permit(access: Protection, role: Role) -> Outcome {
    let needed = match role {
        Role::Source => Protection::Read,
        Role::Destination | Role::Filled => Protection::ReadWrite,
    };
    if access >= needed {
        Ok(())
    } else {
        Err(Code::INVALID_VALUE)
    }
}
