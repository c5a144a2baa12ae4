//! The sides of a call that lie in memory.

use super::action::{Action, PeerVolume, Place, Side, Volume};
use super::{Demand, Shape};
use crate::Span;
use core::fmt;
use smallvec::{SmallVec, smallvec};

/// Which side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// What is written.
    Destination,
    /// What is read.
    Source,
    /// The one memory range of a call that neither reads nor writes it.
    Subject,
}

impl Role {
    /// `dst`, `src` or `ptr`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Destination => "dst",
            Self::Source => "src",
            Self::Subject => "ptr",
        }
    }

    /// The word for it in a sentence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::Source => "source",
            Self::Subject => "pointer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// One side of a call: an address, an extent and what CUDA demands of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// Which side.
    pub role: Role,
    /// The first byte.
    pub address: u64,
    /// The address that CUDA looks up: a structure's own, before its offsets lead to the first byte.
    pub base: u64,
    /// How its bytes lie.
    pub shape: Shape,
    /// What CUDA demands of it.
    pub demand: Demand,
}

impl Operand {
    /// The range from the first byte touched to the last one, cut off at the end of the address space.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::sized(self.address, self.shape.extent().unwrap_or(u64::MAX))
    }

    /// Whether rows of it may lie before its first byte: their distances are negative, or too large for 64 bits.
    #[must_use]
    pub fn is_strewn(&self) -> bool {
        !self.shape.is_line() && !self.shape.is_empty() && self.end().is_none()
    }

    /// The address after the last byte touched, unless the extent wraps around the address space.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.address.checked_add(self.shape.extent()?)
    }
}

const fn operand(role: Role, address: u64, shape: Shape, demand: Demand) -> Operand {
    Operand {
        role,
        address,
        base: address,
        shape,
        demand,
    }
}

pub(super) fn operands(action: &Action) -> SmallVec<[Operand; 2]> {
    use Role::{Destination, Source, Subject};
    match action {
        Action::Copy(copy) => {
            let (to, from) = copy.kind.demands();
            let line = Shape::line(copy.bytes);
            smallvec![
                operand(Destination, copy.dst, line, to),
                operand(Source, copy.src, line, from),
            ]
        }
        Action::Copy2D(copy) => {
            let (to, from) = copy.kind.demands();
            let dst = Shape::plane(copy.width, copy.height, copy.dst_pitch);
            let src = Shape::plane(copy.width, copy.height, copy.src_pitch);
            smallvec![
                operand(Destination, copy.dst, dst, to),
                operand(Source, copy.src, src, from),
            ]
        }
        // Measured: where the structure does not say what a side is, it must be CUDA memory.
        Action::Peer3D(PeerVolume { copy, .. }) => {
            let sides = [
                place(Destination, &copy.dst, copy, Demand::Cuda),
                place(Source, &copy.src, copy, Demand::Cuda),
            ];
            sides.into_iter().flatten().collect()
        }
        Action::Copy3D(copy) => {
            let (to, from) = copy.kind.demands();
            let sides = [
                place(Destination, &copy.dst, copy, to),
                place(Source, &copy.src, copy, from),
            ];
            sides.into_iter().flatten().collect()
        }
        Action::Peer(copy) => {
            let line = Shape::line(copy.bytes);
            smallvec![
                operand(Destination, copy.dst, line, Demand::Cuda),
                operand(Source, copy.src, line, Demand::Cuda),
            ]
        }
        Action::Symbol(copy) => {
            // Measured: what is no variable's name is looked at as memory, a word of it, and nothing else is.
            if copy.symbol == 0 {
                return smallvec![operand(Subject, copy.name, Shape::line(8), Demand::Any)];
            }
            let there = copy.symbol.wrapping_add(copy.offset);
            let line = Shape::line(copy.bytes);
            let (to, from) = copy.kind.demands();
            if copy.to_symbol {
                smallvec![
                    operand(Destination, there, line, to),
                    operand(Source, copy.other, line, from),
                ]
            } else {
                smallvec![
                    operand(Destination, copy.other, line, to),
                    operand(Source, there, line, from),
                ]
            }
        }
        Action::Fill(fill) => {
            let shape = if fill.height <= 1 {
                let line = Shape::line(fill.row_bytes());
                Shape {
                    rows: fill.height,
                    ..line
                }
            } else {
                Shape::plane(fill.row_bytes(), fill.height, fill.pitch)
            };
            smallvec![operand(Destination, fill.dst, shape, Demand::Cuda)]
        }
        Action::Register(register) => smallvec![operand(
            Subject,
            register.address,
            Shape::line(register.bytes),
            Demand::Any,
        )],
        Action::Unregister { address } => {
            smallvec![operand(Subject, *address, Shape::line(1), Demand::Any)]
        }
        Action::Export(export) => smallvec![operand(
            Subject,
            export.address,
            Shape::line(1),
            Demand::Cuda
        )],
        Action::Batch(_) | Action::Batch3D(_) => SmallVec::new(),
    }
}

/// The memory side of a volume copy; nothing for an array.
fn place(role: Role, place: &Place, copy: &Volume, by_kind: Demand) -> Option<Operand> {
    let Place::Memory {
        side,
        address,
        pitch,
        rows,
        x,
        y,
        z,
    } = *place
    else {
        return None;
    };
    let demand = match side {
        Side::ByKind => by_kind,
        Side::Device => Demand::Cuda,
        Side::Host | Side::Unified | Side::Invalid(_) => Demand::Any,
    };
    // Measured: what is not said is as much as the copy reaches.
    let pitch = if pitch == 0 {
        x.wrapping_add(copy.width)
    } else {
        pitch
    };
    let rows = if rows == 0 {
        y.saturating_add(copy.height)
    } else {
        rows
    };
    let slice_pitch = pitch.wrapping_mul(rows);
    let skipped = z
        .wrapping_mul(slice_pitch)
        .wrapping_add(y.wrapping_mul(pitch))
        .wrapping_add(x);
    let start = if address == 0 {
        0
    } else {
        address.wrapping_add(skipped)
    };
    let shape = Shape {
        width: copy.width,
        rows: copy.height,
        pitch,
        slices: copy.depth,
        slice_pitch,
    };
    Some(Operand {
        base: address,
        ..operand(role, start, shape, demand)
    })
}
