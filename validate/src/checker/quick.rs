//! The shortest way to "this copy is right": two look-ups without a lock.

use crate::call::{Action, Demand, Linear};
use crate::{Call, Class, Kind, Registry, Stream};

/// Whether the registry alone lets a call pass. It never accuses: `false` means that somebody has
/// to look closer.
pub(super) fn passes(call: &Call, registry: &Registry, one_device: bool) -> bool {
    let Action::Copy(Linear {
        dst,
        src,
        bytes,
        kind,
    }) = call.action
    else {
        return false;
    };
    if let Stream::Handle(handle) = call.stream()
        && registry.stream(handle) == Some(false)
    {
        return false;
    }
    if bytes == 0 {
        return true;
    }
    if matches!(kind, Kind::Invalid(_)) || dst.abs_diff(src) < bytes {
        return false;
    }
    let (to, from) = kind.demands();
    good(registry, dst, bytes, one_device, true, to)
        && good(registry, src, bytes, one_device, false, from)
}

/// Whether an operand lies in live memory that every direction allows.
#[inline]
fn good(
    registry: &Registry,
    address: u64,
    bytes: u64,
    one_device: bool,
    written: bool,
    demand: Demand,
) -> bool {
    let Some(hit) = registry.lookup(address) else {
        return false;
    };
    // It begins within the range.
    hit.is_live()
        && bytes <= hit.range.end - address
        && !(written && hit.is_read_only())
        && everywhere(hit.class(), one_device)
        // Devices may have registered memory at another address, which the registry does not know.
        && !(hit.class() == Class::Registered && demand == Demand::Cuda)
}

/// Whether memory of this class can be used from any device.
const fn everywhere(class: Class, one_device: bool) -> bool {
    match class {
        Class::Device | Class::Symbol | Class::Managed | Class::Pinned | Class::Registered => true,
        Class::Pool => one_device,
        _ => false,
    }
}
