//! Copies of rows: pitches and arrays.

use super::{Missing, Prediction, Stopped, codes};
use crate::call::{Action, Place, Side, Volume};
use crate::facts::{ArrayFacts, Class, Facts};
use crate::{Api, Call, OperandFacts, Role};

/// What is wrong with the rows of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Narrow {
    /// The bytes up to the end of a row's part exceed the pitch.
    Row {
        /// Those bytes.
        width: u64,
        /// The pitch.
        pitch: u64,
    },
    /// The rows up to the end of a slice's part exceed the rows of a slice.
    Slice {
        /// Those rows.
        height: u64,
        /// The rows of a slice.
        rows: u64,
    },
}

/// The side whose rows do not fit its pitch, and how CUDA answers.
///
/// Measured: the runtime answers 12 to a width above the pitch of two rows or more, and leaves one
/// row to the driver; the driver takes a pitch of 0 for the width, and answers 1.
pub(crate) fn too_narrow(call: &Call, facts: &Facts) -> Option<(Role, Narrow, u32)> {
    let runtime = call.api == Api::Runtime;
    let code = |strict| {
        if runtime && strict {
            codes::INVALID_PITCH
        } else {
            codes::INVALID_VALUE
        }
    };
    match &call.action {
        Action::Copy2D(copy) => {
            let sides = [
                (Role::Destination, copy.dst_pitch),
                (Role::Source, copy.src_pitch),
            ];
            let narrow = |&(_, pitch): &(Role, u64)| {
                pitch < copy.width && !(pitch == 0 && (copy.height == 1 || !runtime))
            };
            let (role, pitch) = sides.into_iter().find(narrow)?;
            let row = Narrow::Row {
                width: copy.width,
                pitch,
            };
            Some((role, row, code(copy.height > 1)))
        }
        Action::Copy3D(copy) => {
            let sides = [(Role::Destination, &copy.dst), (Role::Source, &copy.src)];
            let narrow = |(role, place)| {
                let lenient = facts.operand(role).is_some_and(is_mapped);
                Some((role, narrow_place(place, copy, runtime, lenient)?))
            };
            let (role, what) = sides.into_iter().find_map(narrow)?;
            // A part of a row that begins at an offset is left to the driver, and so are a single
            // row and a single slice.
            let strict = match what {
                Narrow::Row { width, .. } => {
                    width == copy.width && (copy.height > 1 || copy.depth > 1)
                }
                Narrow::Slice { height, .. } => height == copy.height && copy.depth > 1,
            };
            Some((role, what, code(strict)))
        }
        Action::Fill(fill) if fill.height > 1 && fill.pitch < fill.row_bytes() => {
            let row = Narrow::Row {
                width: fill.row_bytes(),
                pitch: fill.pitch,
            };
            Some((Role::Destination, row, codes::INVALID_VALUE))
        }
        _ => None,
    }
}

/// Whether a side is memory that is mapped handle by handle: virtual memory, and that of pools.
///
/// Measured: on such a side neither offsets nor the memory type are held against the structure.
fn is_mapped(facts: &OperandFacts) -> bool {
    matches!(facts.class(), Class::Virtual | Class::Pool)
}

fn narrow_place(place: &Place, copy: &Volume, runtime: bool, lenient: bool) -> Option<Narrow> {
    let Place::Memory {
        pitch, rows, x, y, ..
    } = *place
    else {
        return None;
    };
    let (x, y) = if lenient { (0, 0) } else { (x, y) };
    let width = x.saturating_add(copy.width);
    let height = y.saturating_add(copy.height);
    let volume = copy.depth > 1 || !copy.is_plane;
    // The driver takes a pitch of 0 for the width; the runtime does for one row.
    let unset = pitch == 0 && (!runtime || copy.height == 1 && copy.depth == 1);
    if !unset && width > pitch {
        Some(Narrow::Row { width, pitch })
    } else if volume && height > rows && (rows != 0 || runtime) {
        Some(Narrow::Slice { height, rows })
    } else {
        None
    }
}

/// A side of `cudaMemcpy3D` that is both an array and a pointer, or neither: a null pointer.
pub(super) fn unclear_sides(call: &Call) -> Stopped {
    let Action::Copy3D(copy) = &call.action else {
        return None;
    };
    let unclear = |place: &Place| match place {
        Place::Both { .. } | Place::Neither => true,
        Place::Memory { address, .. } => *address == 0,
        Place::Array { .. } => false,
    };
    let any = unclear(&copy.dst) || unclear(&copy.src);
    any.then_some(Prediction::Status(codes::INVALID_VALUE))
}

/// The side that is an array and that the kind calls the host, where the function minds.
///
/// Measured: the functions for arrays answer 21, on either side; `cudaMemcpy3D` accepts every kind
/// into an array, and answers 1 where the source is an array that the kind calls the host.
pub(crate) fn array_called_host(call: &Call) -> Option<Role> {
    let Action::Copy3D(copy) = &call.action else {
        return None;
    };
    if !call.function.contains("Array") {
        return None;
    }
    let (to, from) = copy.kind.says_device()?;
    if matches!(copy.dst, Place::Array { .. }) && !to {
        Some(Role::Destination)
    } else if matches!(copy.src, Place::Array { .. }) && !from {
        Some(Role::Source)
    } else {
        None
    }
}

/// A source that is an array and that the kind of a `cudaMemcpy3D` calls the host.
pub(crate) fn array_source_called_host(call: &Call) -> bool {
    let Action::Copy3D(copy) = &call.action else {
        return false;
    };
    if call.api == Api::Driver {
        return false;
    }
    let host = copy.kind.says_device().is_some_and(|(_, from)| !from);
    host && matches!(copy.src, Place::Array { .. }) && !call.function.contains("Array")
}

/// How far a copy leaves an array, per direction: bytes of a row, rows, slices.
pub(crate) fn outside(place: &Place, copy: &Volume, array: &ArrayFacts) -> Option<[u64; 3]> {
    let Place::Array { x, y, z, .. } = *place else {
        return None;
    };
    let (width, height, depth) = array.extents();
    let beyond = |from: u64, count: u64, room: u64| from.saturating_add(count).saturating_sub(room);
    let beyond = [
        beyond(x, copy.width, width),
        beyond(y, copy.height, height),
        beyond(z, copy.depth, depth),
    ];
    (beyond != [0; 3]).then_some(beyond)
}

pub(super) fn arrays(call: &Call, facts: &Facts) -> Stopped {
    let Action::Copy3D(copy) = &call.action else {
        return None;
    };
    let refused = Some(Prediction::Status(codes::INVALID_VALUE));
    let sides = [
        (Role::Destination, &copy.dst, facts.arrays[0]),
        (Role::Source, &copy.src, facts.arrays[1]),
    ];
    let mut missing = None;
    for (role, place, array) in sides {
        match (place, array) {
            (Place::Both { .. } | Place::Neither, _) => return refused,
            (
                Place::Memory {
                    side: Side::Invalid(_),
                    ..
                },
                _,
            ) if !facts.operand(role).is_some_and(is_mapped) => return refused,
            (Place::Memory { .. }, _) => {}
            (Place::Array { handle: 0, .. }, _) => {
                return Some(Prediction::Status(match call.api {
                    Api::Runtime => codes::INVALID_HANDLE,
                    Api::Driver => codes::INVALID_VALUE,
                }));
            }
            (_, None) => missing = Some(Prediction::CannotTell(Missing::Array(role))),
            (_, Some(array)) => {
                if outside(place, copy, &array).is_some() {
                    return refused;
                }
            }
        }
    }
    if array_source_called_host(call) {
        return refused;
    }
    missing
}
