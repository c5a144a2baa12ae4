//! Copies of rows: pitches and arrays.

use super::memory::is_mapped;
use super::{Missing, Prediction, Stopped, codes};
use crate::call::{Action, Kind, PeerVolume, Place, Side, Volume};
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
        Action::Copy3D(copy) | Action::Peer3D(PeerVolume { copy, .. }) => {
            let sides = [(Role::Destination, &copy.dst), (Role::Source, &copy.src)];
            if runtime {
                let mut strict = sides.into_iter().rev();
                let narrow = |(role, place)| Some((role, runtime_narrow(place, copy, facts)?));
                if let Some((role, what)) = strict.find_map(narrow) {
                    return Some((role, what, code(true)));
                }
            }
            let narrow = |(role, place)| {
                let lenient = facts.operand(role).is_some_and(is_mapped);
                Some((role, driver_narrow(place, copy, lenient)?))
            };
            let (role, what) = sides.into_iter().find_map(narrow)?;
            Some((role, what, code(false)))
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

/// What the runtime itself refuses: rows or slices that are longer than the side says, where there is
/// more than one. With an array on the other side it compares elements with bytes.
fn runtime_narrow(place: &Place, copy: &Volume, facts: &Facts) -> Option<Narrow> {
    let Place::Memory { pitch, rows, .. } = *place else {
        return None;
    };
    let elements = copy.width / element(facts);
    let width = if copy.is_plane { copy.width } else { elements };
    if width > pitch && (copy.height > 1 || copy.depth > 1) {
        Some(Narrow::Row { width, pitch })
    } else if !copy.is_plane && copy.height > rows && copy.depth > 1 {
        let height = copy.height;
        Some(Narrow::Slice { height, rows })
    } else {
        None
    }
}

/// Bytes of an element of the call's arrays; 1 without any.
fn element(facts: &Facts) -> u64 {
    let arrays = facts.arrays.iter().flatten();
    arrays.map(|array| array.element).next().unwrap_or(1).max(1)
}

/// What the driver refuses: a part of a row that leaves its pitch, rows that leave their slice. A pitch
/// and a number of rows of 0 say nothing.
///
/// Measured: on a side that is mapped handle by handle offsets are not held against the structure.
fn driver_narrow(place: &Place, copy: &Volume, lenient: bool) -> Option<Narrow> {
    let Place::Memory {
        pitch, rows, x, y, ..
    } = *place
    else {
        return None;
    };
    let (x, y) = if lenient { (0, 0) } else { (x, y) };
    let width = x.saturating_add(copy.width);
    let height = y.saturating_add(copy.height);
    let endless = x.checked_add(copy.width).is_none();
    if width > pitch && pitch != 0 || endless {
        Some(Narrow::Row { width, pitch })
    } else if height > rows && rows != 0 && (copy.depth > 1 || !copy.is_plane) {
        Some(Narrow::Slice { height, rows })
    } else {
        None
    }
}

/// What `cudaMemcpy3D` refuses by itself: a kind that is none; then, the source first, a side that is both
/// an array and a pointer or neither, an array that the kind calls the host, and rows that do not fit.
pub(super) fn runtime_volume(call: &Call, copy: &Volume, facts: &Facts) -> Stopped {
    if matches!(copy.kind, Kind::Invalid(_)) {
        return Some(Prediction::Status(codes::INVALID_DIRECTION));
    }
    let unclear = |place: &Place| match place {
        Place::Both { .. } | Place::Neither => true,
        Place::Memory { address, .. } => *address == 0,
        Place::Array { .. } => false,
    };
    let source = array_source_called_host(call);
    for (place, called_host) in [(&copy.src, source), (&copy.dst, false)] {
        if unclear(place) || called_host {
            return Some(Prediction::Status(codes::INVALID_VALUE));
        }
        if runtime_narrow(place, copy, facts).is_some() {
            return Some(Prediction::Status(codes::INVALID_PITCH));
        }
    }
    None
}

/// The side that is an array and that the kind calls the host, where the function minds.
///
/// Measured: the functions for arrays answer 21, on either side; `cudaMemcpy3D` accepts every kind
/// into an array, and answers 1 where the source is an array that the kind calls the host.
pub(crate) fn array_called_host(call: &Call) -> Option<Role> {
    let copy = call.action.volume()?;
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
    let Some(copy) = call.action.volume() else {
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

/// Measured: nobody looks at the memory type of a side in virtual memory.
fn is_virtual(facts: &OperandFacts) -> bool {
    facts.found().class() == Class::Virtual
}

pub(super) fn arrays(call: &Call, facts: &Facts) -> Stopped {
    let copy = call.action.volume()?;
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
            ) if !facts.operand(role).is_some_and(is_virtual) => return refused,
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
