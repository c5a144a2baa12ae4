//! Calls that are no plain copies: peers, fills, batches, registrations, exports.

use super::{Missing, Prediction, Stopped, codes, memory};
use crate::call::{Action, Batch, Register};
use crate::facts::{Class, Facts, Owner};
use crate::{Api, Call, Role, Stream};

/// What stops a peer copy for the devices that it names.
pub(super) fn ordinals(call: &Call, facts: &Facts) -> Stopped {
    let devices = call.action.named_devices()?;
    let Some(count) = facts.environment.devices else {
        return Some(Prediction::CannotTell(Missing::Measurement));
    };
    // Measured: the driver, which is given contexts, takes the current one or the other side's where it is given none,
    // and dies where that may not use the memory.
    if call.api == Api::Driver && devices.iter().any(|&device| device < 0) {
        return Some(Prediction::CannotTell(Missing::Measurement));
    }
    let none = devices.iter().any(|ordinal| !(0..count).contains(ordinal));
    none.then_some(Prediction::Status(codes::INVALID_DEVICE))
}

/// What stops a fill for its arguments alone.
pub(super) fn arguments(call: &Call) -> Stopped {
    let Action::Fill(fill) = &call.action else {
        return None;
    };
    let odd = !fill.dst.is_multiple_of(fill.element)
        || fill.height > 1 && !fill.pitch.is_multiple_of(fill.element);
    odd.then_some(Prediction::Status(codes::INVALID_VALUE))
}

/// What is wrong with a batch's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadAttributes {
    /// There are entries, and no attribute.
    None,
    /// The first one does not begin at entry 0.
    NotFromZero(u64),
    /// The indices do not increase.
    NotIncreasing(usize),
    /// An index lies beyond the entries.
    Beyond(usize),
    /// The source access order is none of the three.
    Order(usize),
}

pub(crate) fn bad_attributes(batch: &Batch) -> Option<BadAttributes> {
    let first = batch.attributes.first();
    let Some(first) = first else {
        return Some(BadAttributes::None);
    };
    if first.from != 0 {
        return Some(BadAttributes::NotFromZero(first.from));
    }
    let count = batch.entries.len() as u64;
    let mut before = None;
    for (index, attribute) in batch.attributes.iter().enumerate() {
        if before.is_some_and(|before| attribute.from <= before) {
            return Some(BadAttributes::NotIncreasing(index));
        }
        if attribute.from >= count {
            return Some(BadAttributes::Beyond(index));
        }
        if !(1..=3).contains(&attribute.source_access) {
            return Some(BadAttributes::Order(index));
        }
        before = Some(attribute.from);
    }
    None
}

pub(super) fn batch(call: &Call, batch: &Batch, facts: &Facts) -> Prediction {
    let refused = Prediction::Status(codes::INVALID_VALUE);
    if batch.entries.is_empty()
        || call.stream() == Stream::Legacy
        || bad_attributes(batch).is_some()
    {
        return refused;
    }
    let mut worst = Prediction::Success;
    for (entry, (_, part)) in batch.entries.iter().zip(&facts.entries) {
        if entry.bytes == 0 || entry.dst == 0 || entry.src == 0 {
            return refused;
        }
        let one = memory::predict(call, part);
        match one {
            Prediction::Success => {}
            Prediction::Status(_) => return one,
            _ if worst == Prediction::Success => worst = one,
            _ => {}
        }
    }
    worst
}

const READ_ONLY: u32 = 8;
/// From here on registration is not supported; somewhere below it is refused.
const UNADDRESSABLE: u64 = 1 << 63;

pub(super) fn register(register: &Register, facts: &Facts) -> Prediction {
    let refused = Prediction::Status(codes::INVALID_VALUE);
    if register.address == 0 || register.bytes == 0 {
        return refused;
    }
    // Measured: a last byte behind the end of all addresses, and one where no process can have any.
    match register.address.checked_add(register.bytes - 1) {
        None => return refused,
        Some(last) if last >= UNADDRESSABLE => {
            return Prediction::Status(codes::NOT_SUPPORTED);
        }
        Some(last) if last > 1 << 48 => return Prediction::CannotTell(Missing::Measurement),
        Some(_) => {}
    }
    let Some(operand) = facts.operand(Role::Subject) else {
        return Prediction::CannotTell(Missing::Owner(Role::Subject));
    };
    let classes = || operand.segments.iter().map(|segment| segment.owner.class);
    if classes().any(|class| class == Class::Registered) {
        return Prediction::Status(codes::ALREADY_REGISTERED);
    }
    // The driver does not tell allocated (1) from registered (712) page-locked memory; the
    // registry does.
    let allocated = |owner: &Owner| owner.class == Class::Pinned && owner.seen;
    if operand.segments.iter().any(|one| allocated(&one.owner)) {
        return refused;
    }
    if classes().any(|class| class == Class::Pinned) {
        return Prediction::CannotTell(Missing::Owner(Role::Subject));
    }
    if classes().any(|class| class.is_cuda() || class.is_nothing() || class == Class::NoAccess) {
        return refused;
    }
    let owners = || operand.segments.iter().map(|segment| &segment.owner);
    if owners().any(|owner| owner.permissions.is_none()) {
        return Prediction::CannotTell(Missing::HostMemory(Role::Subject));
    }
    if owners().any(|owner| owner.host_readable() == Some(false)) {
        return refused;
    }
    let read_only = owners().any(|owner| owner.host_writable() == Some(false));
    if read_only && register.flags & READ_ONLY == 0 {
        return refused;
    }
    // Measured: two mappings side by side are refused; a file that is mapped as shared is, too,
    // which the name alone does not tell.
    let file = owners().any(|owner| {
        owner
            .mapping
            .as_deref()
            .is_some_and(|name| name.starts_with('/'))
    });
    match operand.segments.len() {
        1 if file && !read_only => Prediction::CannotTell(Missing::Measurement),
        1 => Prediction::Success,
        _ => refused,
    }
}

pub(super) fn unregister(address: u64, facts: &Facts) -> Prediction {
    let refused = Prediction::Status(codes::INVALID_VALUE);
    let Some(owner) = facts.operand(Role::Subject).and_then(|facts| facts.head()) else {
        return Prediction::CannotTell(Missing::Owner(Role::Subject));
    };
    let at_base = owner.range.is_some_and(|range| range.start == address);
    match owner.class {
        Class::Null => refused,
        Class::Registered if at_base => Prediction::Success,
        Class::Registered | Class::Pinned if !at_base => refused,
        Class::Pinned if owner.seen => refused,
        Class::Unknown | Class::Pinned => Prediction::CannotTell(Missing::Owner(Role::Subject)),
        class if class.is_cuda() || class == Class::NoAccess => refused,
        _ => Prediction::Status(codes::NOT_REGISTERED),
    }
}

pub(super) fn export(facts: &Facts) -> Prediction {
    let Some(owner) = facts.operand(Role::Subject).and_then(|facts| facts.head()) else {
        return Prediction::CannotTell(Missing::Owner(Role::Subject));
    };
    match (owner.class, owner.exportable) {
        (Class::Device, Some(true)) => Prediction::Success,
        (Class::Unknown, _) | (Class::Device | Class::Symbol, None) => {
            Prediction::CannotTell(Missing::Owner(Role::Subject))
        }
        _ => Prediction::Status(codes::INVALID_VALUE),
    }
}
