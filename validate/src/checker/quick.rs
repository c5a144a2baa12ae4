//! The shortest way to "this copy is right": two look-ups without a lock.

use crate::call::{Action, Demand, Linear};
use crate::registry::{Hit, Unclear};
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
    // Where a glance is not enough, nothing is kept of it, so that the shortest way needs no stack.
    let searched = || passes_searched(registry, dst, src, bytes, one_device, (to, from));
    match registry.glance(dst, |hit| good(hit, dst, bytes, one_device, true, to)) {
        Ok(true) => {}
        Ok(false) => return false,
        Err(Unclear) => return searched(),
    }
    match registry.glance(src, |hit| good(hit, src, bytes, one_device, false, from)) {
        Ok(passes) => passes,
        Err(Unclear) => searched(),
    }
}

#[cold]
#[inline(never)]
fn passes_searched(
    registry: &Registry,
    dst: u64,
    src: u64,
    bytes: u64,
    one_device: bool,
    (to, from): (Demand, Demand),
) -> bool {
    let (written, read) = (registry.lookup(dst), registry.lookup(src));
    written.is_some_and(|hit| good(hit, dst, bytes, one_device, true, to))
        && read.is_some_and(|hit| good(hit, src, bytes, one_device, false, from))
}

/// Whether an operand lies in live memory that every direction allows. It begins there.
#[inline(always)]
fn good(
    hit: Hit,
    address: u64,
    bytes: u64,
    one_device: bool,
    written: bool,
    demand: Demand,
) -> bool {
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
