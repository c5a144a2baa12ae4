//! A copy or memset as the caller describes it, and its way to something that can be carried out.

use std::sync::Arc;

use super::array::Array;
use super::code::{Code, Outcome};
use super::filling::{Filling, Pattern};
use super::machine::Machine;
use super::object::Kind;
use super::operand::{Operand, Piece, Reach, Role, View, Wanted};
use super::space::Found;
use super::transfer::{ENDLESS, Shape, Side, Transfer};

/// What the caller says an operand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Host memory: anything is accepted.
    Host,
    /// Device memory: CUDA must know it.
    Device,
    Array,
    /// Any address.
    Unified,
    /// No kind that CUDA knows.
    Unknown,
}

/// One side as described by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Corner {
    pub(crate) sort: Sort,
    pub(crate) address: usize,
    pub(crate) array: usize,
    /// In bytes.
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) z: usize,
    /// Bytes from row to row; 0 for rows side by side.
    pub(crate) pitch: usize,
    /// Rows from slice to slice; 0 for slices side by side.
    pub(crate) height: usize,
    pub(crate) lod: usize,
    pub(crate) view: View,
}

impl Corner {
    pub(crate) const fn at(sort: Sort, address: usize, view: View) -> Self {
        Self {
            sort,
            address,
            array: 0,
            x: 0,
            y: 0,
            z: 0,
            pitch: 0,
            height: 0,
            lod: 0,
            view,
        }
    }

    pub(crate) const fn in_array(array: usize, x: usize, view: View) -> Self {
        Self {
            array,
            x,
            ..Self::at(Sort::Array, 0, view)
        }
    }
}

/// A copy as described by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CopySpec {
    pub(crate) dst: Corner,
    pub(crate) src: Corner,
    pub(crate) shape: Shape,
}

impl CopySpec {
    /// Checks the copy. Nothing to be moved is nothing to be checked.
    pub(crate) fn resolve(&self, machine: &Machine) -> Outcome<Option<Transfer>> {
        if self.shape.is_empty() {
            return Ok(None);
        }
        for side in [&self.dst, &self.src] {
            side.check(machine, self.shape)?;
        }
        Ok(Some(Transfer {
            dst: self.dst.resolve(machine, self.shape, Role::Destination)?,
            src: self.src.resolve(machine, self.shape, Role::Source)?,
            shape: self.shape,
        }))
    }
}

impl CopySpec {
    /// Whether a copy that is refused lacks nothing but access to the memory that its sides begin in.
    pub(crate) fn lacks_access(&self, machine: &Machine) -> bool {
        let lenient = |corner: Corner| Corner {
            view: View {
                lenient: true,
                ..corner.view
            },
            ..corner
        };
        let other = Self {
            dst: lenient(self.dst),
            src: lenient(self.src),
            ..*self
        };
        other.resolve(machine).is_ok()
    }
}

impl Corner {
    /// What the numbers say by themselves.
    fn check(&self, machine: &Machine, shape: Shape) -> Outcome {
        if self.sort == Sort::Array {
            return if self.array == 0 {
                Err(Code::INVALID_VALUE)
            } else {
                Ok(())
            };
        }
        let too_wide = self.pitch != 0 && shape.width > self.pitch;
        let too_high = self.height != 0 && shape.height > self.height;
        if self.address == 0 || too_wide || too_high {
            return Err(Code::INVALID_VALUE);
        }
        let row = self.x.checked_add(shape.width);
        let too_narrow = row.is_none_or(|row| self.pitch != 0 && row > self.pitch);
        let too_low = self.height != 0 && self.y.saturating_add(shape.height) > self.height;
        // Seen on hardware: where memory is mapped handle by handle, virtual or a pool's, nobody looks at where the
        // corner lies, only at the sizes; where it is virtual, at its kind neither.
        let found = machine.space().find(self.address);
        let is_virtual = matches!(&found, Found::Virtual(hit) if hit.map.is_some());
        let is_mapped = is_virtual
            || matches!(&found, Found::Object(object) if matches!(object.kind, Kind::Pool(..)));
        if (too_narrow || too_low) && !is_mapped || self.sort == Sort::Unknown && !is_virtual {
            return Err(Code::INVALID_VALUE);
        }
        Ok(())
    }

    fn resolve(&self, machine: &Machine, shape: Shape, role: Role) -> Outcome<Side> {
        if self.sort == Sort::Array {
            let array = machine
                .arrays
                .follow(self.array)
                .map_err(|_garbage| Code::INVALID_VALUE)?;
            return self.in_bounds(&array, shape);
        }
        let pitch = if self.pitch == 0 {
            self.x.wrapping_add(shape.width)
        } else {
            self.pitch
        };
        let rows = if self.height == 0 {
            self.y.wrapping_add(shape.height)
        } else {
            self.height
        };
        let slice = pitch.wrapping_mul(rows);
        let before = slice
            .wrapping_mul(self.z)
            .wrapping_add(pitch.wrapping_mul(self.y))
            .wrapping_add(self.x);
        let wanted = Wanted {
            base: self.address,
            skipped: before,
            count: shape.extent(pitch, slice),
        };
        let operand = machine.space().operand(wanted, self.view, role)?;
        // With HMM devices reach pageable memory: documented, not measured.
        if self.sort == Sort::Device && !operand.known && !machine.config.hmm {
            return Err(Code::INVALID_VALUE);
        }
        let operand = match self.sort {
            Sort::Device => operand.seen_by_devices(),
            _ => operand,
        };
        let mut side = Side::of(operand, before, pitch, slice);
        if self.sort == Sort::Host {
            let spread = pitch >= ENDLESS && shape.height > 1;
            side.take_at_its_word(spread || shape.width >= ENDLESS);
        }
        Ok(side)
    }

    fn in_bounds(&self, array: &Arc<Array>, shape: Shape) -> Outcome<Side> {
        let fits = |from: usize, count: usize, room: usize| {
            from.checked_add(count).is_some_and(|end| end <= room)
        };
        let inside = fits(self.x, shape.width, array.row)
            && fits(self.y, shape.height, array.rows)
            && fits(self.z, shape.depth, array.slices);
        // Copies need not be aligned to elements.
        if !inside {
            return Err(Code::INVALID_VALUE);
        }
        let slice = array.row * array.rows;
        let offset = self.z * slice + self.y * array.row + self.x;
        let piece = Piece::inside(Arc::clone(&array.bytes), 0, slice * array.slices);
        Ok(Side {
            pieces: vec![piece],
            offset,
            pitch: array.row,
            slice,
            pageable: false,
            host: false,
            remote: true,
            device: None,
            array: true,
        })
    }
}

/// A memset as described by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FillSpec {
    pub(crate) address: usize,
    pub(crate) pitch: usize,
    pub(crate) pattern: Pattern,
    /// Elements in a row.
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// The device that carries it out.
    pub(crate) device: usize,
    /// The context, whose peers the device may reach.
    pub(crate) context: usize,
}

impl FillSpec {
    /// What can be said without looking anything up: bytes from row to row, and the shape in bytes.
    pub(crate) fn arguments(&self) -> Outcome<Option<(usize, Shape)>> {
        let unit = self.pattern.width();
        let width = self.width.wrapping_mul(unit);
        let shape = Shape {
            width,
            height: self.height,
            depth: 1,
        };
        if self.width == 0 || self.height == 0 {
            return Ok(None);
        }
        let pitch = if self.height == 1 { width } else { self.pitch };
        let aligned = self.address.is_multiple_of(unit) && pitch.is_multiple_of(unit);
        if pitch < width || !aligned {
            return Err(Code::INVALID_VALUE);
        }
        Ok(Some((pitch, shape)))
    }

    /// Checks the memset.
    pub(crate) fn resolve(&self, machine: &Machine) -> Outcome<Option<Filling>> {
        let Some((pitch, shape)) = self.arguments()? else {
            return Ok(None);
        };
        // A memset that is recorded is not even held against null.
        if self.address == 0 {
            return Err(Code::INVALID_VALUE);
        }
        let extent = shape.extent(pitch, 0);
        let view = View::of(self.device);
        let wanted = Wanted {
            base: self.address,
            skipped: 0,
            count: extent,
        };
        let operand = machine.space().operand(wanted, view, Role::Filled)?;
        self.permit(&operand, machine)?;
        let operand = operand.seen_by_devices();
        Ok(Some(Filling {
            registered: operand.known && operand.pieces.iter().any(|piece| piece.keep.is_none()),
            dst: Side::of(operand, 0, pitch, 0),
            pattern: self.pattern,
            shape,
        }))
    }

    fn permit(&self, operand: &Operand, machine: &Machine) -> Outcome {
        if !operand.known && !machine.config.hmm {
            return Err(Code::INVALID_VALUE);
        }
        let own = operand.device.is_none_or(|device| device == self.device);
        let reachable = match operand.reach {
            Reach::Granted => true,
            Reach::Peers => {
                own || operand
                    .device
                    .is_some_and(|device| machine.reaches(self.context, device))
            }
            Reach::Own => own,
        };
        if reachable {
            Ok(())
        } else {
            Err(Code::INVALID_VALUE)
        }
    }
}
