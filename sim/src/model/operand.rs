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
    /// Where the address that was looked up lies, counted from the first piece.
    pub(crate) start: usize,
    /// CUDA knows the memory.
    pub(crate) known: bool,
    /// The device that the memory lives on, for memory that lives on one.
    pub(crate) device: Option<Ordinal>,
    /// Memory of the host: pageable, pinned or registered.
    pub(crate) host: bool,
    /// Devices have this memory elsewhere: the address is of no use to them.
    pub(crate) elsewhere: bool,
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
            start: 0,
            known: false,
            device: None,
            host: true,
            elsewhere: false,
            reach: Reach::Granted,
        }
    }

    /// What a device finds that takes the address for one of its own.
    pub(crate) fn seen_by_devices(mut self) -> Self {
        if self.elsewhere {
            self.pieces.clear();
        }
        self
    }

    /// Whether the program's own memory must be touched, on the program's own thread.
    pub(crate) fn is_pageable(&self) -> bool {
        !self.known
    }
}

/// The device on whose behalf memory is used: its access rights count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) device: Ordinal,
    /// Memory is taken for accessible where a side begins: to see whether anything else is wrong with it.
    pub(crate) lenient: bool,
    /// No context is current: measured, the driver goes on to no next handle of mapped memory.
    pub(crate) alone: bool,
}

impl View {
    pub(crate) const fn of(device: Ordinal) -> Self {
        Self {
            device,
            lenient: false,
            alone: false,
        }
    }
}

/// What a copy does with a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Source,
    Destination,
    /// A destination of a memset, whose end may lie behind that of all addresses.
    Filled,
}

/// A range as the driver's check sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The address that is looked up.
    pub(crate) base: usize,
    /// From there to the first byte.
    pub(crate) skipped: usize,
    /// From the first byte to the last, counted as the driver counts: it may wrap.
    pub(crate) count: usize,
}

impl Wanted {
    /// Whether the range wraps around all addresses, as the check of mapped memory and of memsets computes it:
    /// then it is not looked at any further.
    const fn ends_before_it_begins(self) -> bool {
        self.base.checked_add(self.count).is_none()
    }
}

impl Space {
    /// Looks up where a side begins and whether it may be used.
    pub(crate) fn operand(&self, wanted: Wanted, view: View, role: Role) -> Outcome<Operand> {
        match self.find(wanted.base) {
            Found::Object(object) => self.in_object(&object, wanted, view, role),
            Found::Virtual(hit) => self.in_reservation(&hit, wanted, view, role),
            Found::Nothing => Ok(Operand::pageable(wanted.base)),
        }
    }

    fn in_object(
        &self,
        object: &Object,
        wanted: Wanted,
        view: View,
        role: Role,
    ) -> Outcome<Operand> {
        let offset = wanted.base - object.base;
        let inside = if matches!(object.kind, Kind::Pool(..)) {
            // Mapped memory is looked up from the address itself, whatever is skipped afterwards.
            wanted.ends_before_it_begins() || object.holds(offset, wanted.count)
        } else if role == Role::Filled {
            wanted.ends_before_it_begins() || object.holds(offset, wanted.count)
        } else {
            let start = offset.wrapping_add(wanted.skipped);
            let end = start.wrapping_add(wanted.count);
            let wraps = start.checked_add(wanted.count).is_none();
            end > 0 && (object.holds(start, wanted.count) || wraps && end <= object.size)
        };
        if !inside || role != Role::Source && object.is_read_only() {
            return Err(Code::INVALID_VALUE);
        }
        if let Kind::Pool(pool, Home::Device | Home::Host) = object.kind {
            let access = self
                .pool(pool)
                .map_or(Protection::ReadWrite, |pool| pool.access(view.device));
            permit(access, role)?;
        }
        let reach = match object.kind {
            Kind::Device | Kind::Imported => Reach::Peers,
            Kind::Global => Reach::Own,
            _ => Reach::Granted,
        };
        // Device memory is mapped block by block: what leaves the object may still lie in its block.
        let (piece, start) = match &object.place {
            Place::Behind {
                bytes,
                offset: within,
            } => (
                Piece::inside(Arc::clone(bytes), 0, bytes.length()),
                within + offset,
            ),
            Place::There {
                bytes,
                offset: within,
            } if object.is_managed() => (
                Piece::inside(Arc::clone(bytes), 0, bytes.length()),
                within + offset,
            ),
            Place::There {
                bytes,
                offset: within,
            } => (
                Piece::inside(Arc::clone(bytes), *within, object.size),
                offset,
            ),
            Place::Foreign => (Piece::foreign(object.base), offset),
            Place::Elsewhere { at } => (Piece::foreign(*at), offset),
        };
        let device = matches!(object.place, Place::Behind { .. }).then_some(object.device);
        let mut pieces = vec![piece];
        if device.is_some() {
            pieces.extend(self.blocks_behind(object.block.base + object.block.size));
        }
        Ok(Operand {
            pieces,
            start,
            known: true,
            device,
            host: object.is_host(),
            elsewhere: self.on_devices(object, object.base) != object.base,
            reach,
        })
    }

    /// Blocks of device memory that follow without a hole: what leaves one of them finds the next.
    fn blocks_behind(&self, mut end: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(next) = self.first_from(end)
            && next.block.base == end
            && let Place::Behind { bytes, .. } = &next.place
        {
            pieces.push(Piece::inside(Arc::clone(bytes), 0, bytes.length()));
            end += next.block.size;
        }
        pieces
    }

    fn in_reservation(
        &self,
        hit: &Hit,
        wanted: Wanted,
        view: View,
        role: Role,
    ) -> Outcome<Operand> {
        let Some(map) = &hit.map else {
            // Nothing is mapped here: the driver takes the address for pageable memory, where it will fault.
            return Ok(Operand::pageable(wanted.base));
        };
        let end = wanted.base.wrapping_add(wanted.count);
        if view.alone && !(end > map.base && end <= map.base + map.size) {
            return Err(Code::INVALID_VALUE);
        }
        // Past the end of all addresses, and nobody minds until the bytes are moved.
        let checked = if wanted.ends_before_it_begins() {
            1
        } else {
            wanted.count.max(1)
        };
        for (index, map) in self.mapped_run(wanted.base, checked)?.iter().enumerate() {
            if index > 0 || !view.lenient {
                permit(map.access(view.device), role)?;
            }
        }
        let mut pieces = Vec::new();
        let mut start = None;
        for one in self.mapped_around(wanted.base) {
            if permit(one.access(view.device), role).is_ok() {
                let (bytes, offset, length) = one.place(one.base);
                pieces.push(Piece::inside(bytes, offset, length));
                start = start.or(Some(wanted.base.wrapping_sub(one.base)));
            } else if one.base <= wanted.base {
                pieces.clear();
                start = None;
            } else {
                break;
            }
        }
        Ok(Operand {
            pieces,
            start: start.unwrap_or(0),
            known: true,
            device: Some(map.memory.properties.device),
            host: false,
            elsewhere: false,
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
