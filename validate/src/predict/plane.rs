//! Copies of rows: pitches and arrays.

use super::{Missing, Prediction, Stopped, codes};
use crate::call::{Action, Place, Volume};
use crate::facts::{ArrayFacts, Facts};
use crate::{Api, Call, Role};

/// The side whose pitch is below the width: its role, the width and the pitch.
pub(crate) fn too_narrow(action: &Action) -> Option<(Role, u64, u64)> {
    let (width, sides) = match action {
        Action::Copy2D(copy) => (
            copy.width,
            [
                (Role::Destination, Some(copy.dst_pitch)),
                (Role::Source, Some(copy.src_pitch)),
            ],
        ),
        Action::Copy3D(copy) => (
            copy.width,
            [
                (Role::Destination, pitch_of(&copy.dst)),
                (Role::Source, pitch_of(&copy.src)),
            ],
        ),
        Action::Fill(fill) if fill.height > 1 => (
            fill.row_bytes(),
            [(Role::Destination, Some(fill.pitch)), (Role::Source, None)],
        ),
        _ => return None,
    };
    let narrow = |(role, pitch): (Role, Option<u64>)| {
        let pitch = pitch?;
        (pitch < width).then_some((role, width, pitch))
    };
    sides.into_iter().find_map(narrow)
}

/// The pitch that a copy structure gives; 0 means none was given.
const fn pitch_of(place: &Place) -> Option<u64> {
    match *place {
        Place::Memory { pitch, .. } if pitch != 0 => Some(pitch),
        _ => None,
    }
}

pub(super) fn pitch(call: &Call, facts: &Facts) -> Stopped {
    let refusal = match call.api {
        Api::Runtime => codes::INVALID_PITCH,
        Api::Driver => codes::INVALID_VALUE,
    };
    if too_narrow(&call.action).is_some() {
        return Some(Prediction::Status(refusal));
    }
    let most = facts.environment.max_pitch?;
    let large = facts
        .operands
        .iter()
        .any(|facts| facts.operand.shape.rows > 1 && facts.operand.shape.pitch > most);
    large.then_some(Prediction::Status(refusal))
}

/// The side that is an array and that the kind calls the host.
pub(crate) fn array_called_host(action: &Action) -> Option<Role> {
    let Action::Copy3D(copy) = action else {
        return None;
    };
    let (to, from) = copy.kind.says_device()?;
    if matches!(copy.dst, Place::Array { .. }) && !to {
        Some(Role::Destination)
    } else if matches!(copy.src, Place::Array { .. }) && !from {
        Some(Role::Source)
    } else {
        None
    }
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
    let sides = [
        (Role::Destination, &copy.dst, facts.arrays[0]),
        (Role::Source, &copy.src, facts.arrays[1]),
    ];
    let ambiguous = |place: &Place| matches!(place, Place::Both { .. } | Place::Neither);
    if sides.iter().any(|(_, place, _)| ambiguous(place)) {
        return Some(Prediction::Status(codes::INVALID_VALUE));
    }
    if array_called_host(&call.action).is_some() {
        return Some(Prediction::Status(codes::INVALID_DIRECTION));
    }
    let mut missing = None;
    for (role, place, array) in sides {
        if !matches!(place, Place::Array { .. }) {
            continue;
        }
        match array {
            None => missing = Some(Prediction::CannotTell(Missing::Array(role))),
            Some(array) => {
                let Place::Array { x, .. } = *place else {
                    continue;
                };
                let uneven =
                    x % array.element.max(1) != 0 || copy.width % array.element.max(1) != 0;
                if outside(place, copy, &array).is_some() || uneven {
                    return Some(Prediction::Status(codes::INVALID_VALUE));
                }
            }
        }
    }
    missing
}
