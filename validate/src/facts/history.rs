//! What the registry saw is added to what others say, or stands in for it.

use super::{Access, Class, Owner};
use crate::Span;

/// What the registry saw and nobody confirmed lets a call pass, and refuses none: code that the registry
/// did not see may have put something else there.
pub(super) fn unconfirmed(mut seen: Owner, rest: Span) -> Owner {
    seen.range = seen.range.filter(|range| range.covers(rest));
    seen.access = Access::Unknown;
    seen.pitch = None;
    seen
}

/// What the registry saw is added to what the driver confirmed.
pub(super) fn merge(owner: &mut Owner, seen: Owner) {
    // A registration that the registry saw as read-only is, whatever an older driver says of it.
    let read_only = seen.access == Access::Read && owner.access != Access::None;
    let same_start = match (owner.range, seen.range) {
        (Some(one), Some(two)) => one.start == two.start || seen.class == Class::Virtual,
        _ => true,
    };
    let same_number = match (owner.buffer_id, seen.buffer_id) {
        (Some(one), Some(two)) => one == two,
        _ => true,
    };
    if !same_start || !same_number || !owner.class.is_cuda() {
        return;
    }
    let refines = matches!(
        (owner.class, seen.class),
        (Class::Device, Class::Symbol) | (Class::Pinned, Class::Registered)
    );
    if refines {
        owner.class = seen.class;
        owner.permissions = seen.permissions.or(owner.permissions);
    }
    if read_only {
        owner.access = Access::Read;
    }
    owner.seen = owner.class == seen.class;
    owner.origin = seen.origin;
    owner.pitch = seen.pitch;
    owner.row = seen.row;
}

/// A tombstone explains why nothing is there.
pub(super) fn bury(owner: &mut Owner, dead: Owner) {
    owner.class = if owner.class == Class::Reserved {
        Class::Reserved
    } else {
        Class::Freed
    };
    owner.range = dead.range;
    owner.device = dead.device;
    owner.origin = dead.origin;
    owner.end = dead.end;
}
