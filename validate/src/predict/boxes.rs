//! Batches of boxes: the driver's checks in the driver's order.
//!
//! Measured (H100, driver 580, `cuMemcpy3DBatchAsync`, its second form, and `cudaMemcpy3DBatchAsync` of 12.9 and
//! 13.0, which answer alike): the legacy stream is refused first, and any other one is followed. Then come the
//! number of entries and the flags; then what every entry says by itself; then a capture. After that entries
//! are taken one by one: what they name is looked up, and they are begun; those before a bad one stay done. One
//! line from a device to pageable memory is only noted, and written by whoever waits for the stream.

use super::{Missing, Prediction, codes, memory, plane, surroundings};
use crate::call::{Action, Batch3D, Batch3DEntry, Place, Side, Volume};
use crate::facts::{ArrayFacts, Capture, Class, Current, Facts};
use crate::predict::Narrow;
use crate::{Api, Call, OperandFacts, Role};

const REFUSED: Prediction = Prediction::Status(codes::INVALID_VALUE);
/// The last kind of place that a hint may name.
const LAST_HINT: u32 = 4;

/// What is wrong with an entry before anything of it is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadEntry {
    /// Its box is empty.
    Empty,
    /// The source access order is none of the three.
    Order(u32),
    /// Flags that are none.
    Flags(u32),
    /// A side is neither a pointer nor an array.
    Type(Role, u32),
    /// Rows or slices do not fit those of a side.
    Narrow(Role, Narrow),
}

/// What CUDA refuses of an entry without looking anything up.
pub(crate) fn bad_entry(entry: &Batch3DEntry) -> Option<BadEntry> {
    let copy = entry.as_given();
    if copy.width == 0 || copy.height == 0 || copy.depth == 0 {
        return Some(BadEntry::Empty);
    }
    if !(1..=3).contains(&entry.source_access) {
        return Some(BadEntry::Order(entry.source_access));
    }
    if entry.flags > 1 {
        return Some(BadEntry::Flags(entry.flags));
    }
    [(Role::Destination, &copy.dst), (Role::Source, &copy.src)]
        .into_iter()
        .find_map(|(role, place)| {
            let &Place::Memory {
                side, pitch, rows, ..
            } = place
            else {
                return None;
            };
            let (width, height) = (copy.width, copy.height);
            match side {
                Side::Invalid(raw) => Some(BadEntry::Type(role, raw)),
                _ if pitch != 0 && width > pitch => {
                    Some(BadEntry::Narrow(role, Narrow::Row { width, pitch }))
                }
                _ if rows != 0 && height > rows => {
                    Some(BadEntry::Narrow(role, Narrow::Slice { height, rows }))
                }
                _ => None,
            }
        })
}

/// Whether both sides are arrays, and their elements differ in size: then nobody can say what the box counts.
pub(crate) const fn elements_differ(arrays: &[Option<ArrayFacts>; 2]) -> bool {
    matches!(arrays, [Some(dst), Some(src)] if dst.element != src.element)
}

/// What becomes of a batch.
pub(super) fn predict(call: &Call, batch: &Batch3D, facts: &Facts) -> Prediction {
    if let Some(stopped) = surroundings(call, facts) {
        return stopped;
    }
    if facts.environment.stream_dead == Some(true) {
        return Prediction::Crash;
    }
    // Measured: the stream's own context is not enough here, as it is for single copies.
    let nowhere = call.api == Api::Driver && facts.environment.current == Current::None;
    if nowhere || batch.entries.is_empty() || batch.flags != 0 {
        return REFUSED;
    }
    let entries = || batch.entries.iter().zip(&facts.entries);
    if let Some(stopped) = entries().find_map(|(entry, (_, part))| early(entry, part)) {
        return stopped;
    }
    if facts.environment.capture == Capture::ThisStream {
        return Prediction::Status(codes::CAPTURE_UNSUPPORTED);
    }
    // The worst that has begun so far: the thread goes on until it meets it, or the next refusal.
    let mut begun = Prediction::Success;
    for (entry, (copy, part)) in entries() {
        let answer = one(entry, copy, part);
        match (begun, answer) {
            (_, Prediction::Success) => {}
            (Prediction::Success, Prediction::ContextDies(_)) => begun = answer,
            (Prediction::Success, Prediction::Fault { .. }) if is_deferred(entry, part) => {
                begun = answer;
            }
            (Prediction::Success, _) => return answer,
            // Measured: what was put off is done before a refusal is returned.
            (Prediction::Fault { .. }, Prediction::Status(_)) => return begun,
            (Prediction::ContextDies(one), Prediction::ContextDies(two)) if one == two => {}
            // Two that are under way at once: whichever is sooner.
            _ => return Prediction::CannotTell(Missing::Measurement),
        }
    }
    begun
}

/// What stops a batch for one of its entries before a capture is looked at.
fn early(entry: &Batch3DEntry, facts: &Facts) -> Option<Prediction> {
    if bad_entry(entry).is_some() {
        return Some(REFUSED);
    }
    // Measured: two arrays are followed here already, to compare their elements.
    let handles = |place: &Place| match *place {
        Place::Array { handle, .. } => Some(handle),
        _ => None,
    };
    let both = handles(&entry.copy.dst).zip(handles(&entry.copy.src))?;
    if both.0 == 0 || both.1 == 0 {
        return Some(Prediction::Crash);
    }
    elements_differ(&facts.arrays).then_some(REFUSED)
}

const fn is_line(copy: &Volume) -> bool {
    copy.height == 1 && copy.depth == 1
}

/// The side in managed memory whose hint is at a kind of place that is none.
fn bad_hint(entry: &Batch3DEntry, facts: &Facts) -> Option<(Role, u32)> {
    let [dst, src] = entry.hints;
    [(Role::Destination, dst), (Role::Source, src)]
        .into_iter()
        .find(|&(role, hint)| {
            let managed = |operand: &OperandFacts| operand.class() == Class::Managed;
            hint > LAST_HINT && facts.operand(role).is_some_and(managed)
        })
}

/// The hint for which CUDA refuses an entry.
pub(crate) fn refused_hint(entry: &Batch3DEntry, facts: &Facts) -> Option<(Role, u32)> {
    let memory = |place: &Place| matches!(place, Place::Memory { .. });
    let copy = &entry.copy;
    let looked_at = is_line(copy) && memory(&copy.dst) && memory(&copy.src);
    bad_hint(entry, facts).filter(|_| looked_at)
}

/// Whether an entry's host memory is touched after the call, when the stream is waited for: one line from a
/// device to pageable memory, unless the source has to be read during the call.
fn is_deferred(entry: &Batch3DEntry, facts: &Facts) -> bool {
    const DURING_CALL: u32 = 2;
    let from_device = facts.operand(Role::Source).is_some_and(|source| {
        let class = source.class();
        class.is_device_only() || class == Class::Managed
    });
    from_device && is_line(&entry.copy) && entry.source_access != DURING_CALL
}

/// What becomes of one entry, once all of them look right.
fn one(entry: &Batch3DEntry, call: &Call, facts: &Facts) -> Prediction {
    // From here on slices lie elsewhere than their distance says.
    const TALL: u64 = 1 << 32;
    let Action::Copy3D(copy) = &call.action else {
        return Prediction::CannotTell(Missing::Measurement);
    };
    // Measured: an array's handle is followed, even null.
    let null = |place: &Place| matches!(place, Place::Array { handle: 0, .. });
    if null(&copy.dst) || null(&copy.src) {
        return Prediction::Crash;
    }
    if let Some(stopped) = plane::arrays(call, facts) {
        return stopped;
    }
    let answer = memory::predict(call, facts);
    let tall = |place: &Place| matches!(*place, Place::Memory { rows, .. } if rows >= TALL);
    match answer {
        Prediction::Status(_) => answer,
        // Measured: those of single lines are looked at, not those of rows, of slices or beside an array.
        _ if refused_hint(entry, facts).is_some() => Prediction::Status(codes::ILLEGAL_STATE),
        _ if copy.depth > 1 && (tall(&copy.dst) || tall(&copy.src)) => {
            Prediction::CannotTell(Missing::Measurement)
        }
        _ => answer,
    }
}
