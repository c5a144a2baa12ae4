//! Copies and fills that pass the driver's check although something of them lies elsewhere: an extent that
//! wraps around 2^64, rows that run backwards, offsets that are not looked at.
//!
//! Measured (H100 and H200, driver 580): what becomes of them depends on who does the work. A kernel of the
//! driver's does fills, copies between places on devices and everything with managed memory, and dies with
//! 700; a copy engine moves bytes between host and device, and dies with 719; the processor moves what lies
//! on the host on both sides, and dies by a signal.

use super::touch::{PAGE, distance, host};
use super::{Prediction, codes};
use crate::call::{Action, Kind, PeerVolume, Place, Side};
use crate::facts::{Access, Class, Current, Facts, Owner};
use crate::{Call, OperandFacts, Role, Span};
use smallvec::SmallVec;

/// A row so long runs through the whole address space.
const ENDLESS: u64 = 1 << 46;
/// Rows that are looked at one by one.
const MOST_ROWS: u64 = 4096;
/// Device memory is mapped in pieces of this size, and so are small allocations together.
const DEVICE_BLOCK: u64 = 2 << 20;
/// The memory of a pool.
const POOL_CHUNK: u64 = 32 << 20;
/// Bits of an address that a copy engine looks at.
const ENGINE_ADDRESS: u64 = (1 << 49) - 1;
/// A device reads so much at once before the host writes the first byte (between 600 KiB and 2 MiB).
const CHUNK: u64 = 1 << 20;
/// So far the host reads ahead of a device that writes (between 1.5 and 2.4 MiB).
const AHEAD: u64 = 2 << 20;

/// Whose work a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    /// A kernel of the driver's.
    Kernel,
    /// A copy engine, between host and device.
    Link,
    /// Two devices, one of which reaches the other's memory, or by way of the host.
    Devices,
    /// The calling thread.
    Processor,
}

/// Whether an operand that passes the check touches anything outside of what is mapped for it.
pub(super) fn strays(facts: &OperandFacts) -> bool {
    if facts.operand.shape.width >= ENDLESS {
        return true;
    }
    !is_within_first(facts) && !rows_inside(facts, u64::MAX)
}

/// Whether what is mapped around the first piece holds all of it, as it does for nearly every right call.
fn is_within_first(facts: &OperandFacts) -> bool {
    let start = facts.operand.address;
    let end = facts.operand.shape.extent();
    let end = end.and_then(|extent| start.checked_add(extent));
    let part = facts.segments.first();
    let part = part.and_then(|first| around(&first.owner, facts.operand.role));
    end.zip(part)
        .is_some_and(|(end, part)| part.contains(start) && end <= part.end)
}

/// Whether all rows lie in memory that is mapped around the operand, where addresses have these bits.
fn rows_inside(facts: &OperandFacts, mask: u64) -> bool {
    let shape = &facts.operand.shape;
    let parts = mapped(facts);
    let inside = |start: u64, bytes: u64| {
        let start = start & mask;
        parts.iter().any(|part| {
            part.contains(start) && start.checked_add(bytes).is_some_and(|end| end <= part.end)
        })
    };
    if let Some(extent) = shape.extent()
        && inside(facts.operand.address, extent)
    {
        return true;
    }
    if shape.rows.saturating_mul(shape.slices) > MOST_ROWS {
        return false;
    }
    let mut rows = (0..shape.slices).flat_map(|slice| (0..shape.rows).map(move |row| (slice, row)));
    rows.all(|(slice, row)| {
        let offset = slice
            .wrapping_mul(shape.slice_pitch)
            .wrapping_add(row.wrapping_mul(shape.pitch));
        inside(facts.operand.address.wrapping_add(offset), shape.width)
    })
}

/// The memory that the hardware can reach around what CUDA found, and where the operand really lies.
fn mapped(facts: &OperandFacts) -> SmallVec<[Span; 2]> {
    let role = facts.operand.role;
    let owners = [facts.found(), facts]
        .into_iter()
        .flat_map(|one| one.segments.iter().chain(&one.apart))
        .map(|segment| &segment.owner);
    let mut parts: SmallVec<[Span; 2]> = owners.filter_map(|owner| around(owner, role)).collect();
    parts.sort_unstable_by_key(|part| part.start);
    let mut joined: SmallVec<[Span; 2]> = SmallVec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => joined.push(part),
        }
    }
    joined
}

/// What is mapped for the device together with a piece of memory.
fn around(owner: &Owner, role: Role) -> Option<Span> {
    let range = owner.range?;
    let block = match owner.class {
        Class::Device | Class::Symbol | Class::Managed | Class::Pinned => DEVICE_BLOCK,
        Class::Pool => POOL_CHUNK,
        Class::Registered => PAGE,
        Class::Virtual if role == Role::Destination && owner.access == Access::Read => return None,
        Class::Virtual => 1,
        _ => return None,
    };
    let end = range.end.checked_next_multiple_of(block)?;
    Some(Span::new(range.start - range.start % block, end))
}

fn is_locked(facts: &OperandFacts) -> bool {
    matches!(facts.found().class(), Class::Pinned | Class::Registered)
}

/// Whether the call itself says that a side is host memory.
fn is_called_host(call: &Call, role: Role) -> bool {
    let by_kind = |kind: Kind| {
        kind.says_device().is_some_and(|(to, from)| match role {
            Role::Destination => !to,
            Role::Source | Role::Subject => !from,
        })
    };
    match &call.action {
        Action::Copy(copy) => by_kind(copy.kind),
        Action::Copy2D(copy) => by_kind(copy.kind),
        Action::Symbol(copy) => by_kind(copy.kind),
        Action::Copy3D(copy) | Action::Peer3D(PeerVolume { copy, .. }) => {
            let place = if role == Role::Destination {
                &copy.dst
            } else {
                &copy.src
            };
            match place {
                Place::Memory {
                    side: Side::Host, ..
                } => true,
                Place::Memory {
                    side: Side::ByKind, ..
                } => by_kind(copy.kind),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Measured: managed memory that the call names as host memory is moved as such.
pub(super) fn is_hosts(call: &Call, operand: &OperandFacts) -> bool {
    operand.found().class() == Class::Managed && is_called_host(call, operand.operand.role)
}

/// Whether a call is an entry of a batch of boxes.
fn is_of_boxes(call: &Call) -> bool {
    call.function.contains("3DBatch")
}

fn engine(call: &Call, facts: &Facts) -> Engine {
    let managed = |operand: &OperandFacts| {
        operand.found().class() == Class::Managed && !is_hosts(call, operand)
    };
    if matches!(call.action, Action::Fill(_)) || facts.operands.iter().any(managed) {
        return Engine::Kernel;
    }
    let on_host = |operand: &&OperandFacts| {
        is_locked(operand) || !operand.found().class().is_cuda() || is_hosts(call, operand)
    };
    match facts.operands.iter().filter(on_host).count() {
        0 if are_apart(call, facts) => Engine::Devices,
        0 => Engine::Kernel,
        1 => Engine::Link,
        _ => Engine::Processor,
    }
}

/// Whether more than one device takes part. Measured: plain memory's own device works with it; with memory that is
/// mapped handle by handle the one that is named, or else the other side's, or else the current one.
fn are_apart(call: &Call, facts: &Facts) -> bool {
    let head = |operand: &OperandFacts| {
        let owner = operand.found().head()?;
        let by_handles = matches!(owner.class, Class::Virtual | Class::Pool);
        Some((operand.operand.role, owner.device?, by_handles))
    };
    let sides: SmallVec<[(Role, i32, bool); 2]> = facts.operands.iter().filter_map(head).collect();
    let named = call.action.named_devices();
    let workers = sides.iter().filter_map(|&(role, device, by_handles)| {
        let named = named.map(|[to, from]| if role == Role::Destination { to } else { from });
        if by_handles { named } else { Some(device) }
    });
    let workers: SmallVec<[i32; 2]> = workers.collect();
    let worker = match (workers.first(), facts.environment.current) {
        (Some(&worker), _) | (None, Current::Device(worker)) => worker,
        _ => return false,
    };
    let elsewhere = sides.iter().any(|&(_, device, _)| device != worker);
    elsewhere || workers.iter().any(|&other| other != worker)
}

/// What becomes of a call that is accepted; `touched` are its pageable sides.
pub(super) fn predict(call: &Call, facts: &Facts, touched: &[&OperandFacts]) -> Prediction {
    let runs = facts
        .operands
        .iter()
        .any(|operand| operand.operand.shape.width >= ENDLESS);
    let hosts = facts
        .operands
        .iter()
        .filter(|operand| is_hosts(call, operand));
    let touched: SmallVec<[&OperandFacts; 2]> = touched.iter().copied().chain(hosts).collect();
    let touched = touched.as_slice();
    match engine(call, facts) {
        Engine::Kernel => {
            // Measured: rows a power of two apart that add up to 2^64 do no harm, as long as the distance
            // counts as a positive number.
            let positive = |operand: &OperandFacts| {
                let operand = &operand.operand;
                let skipped = operand.address.wrapping_sub(operand.base);
                operand.shape.pitch < 1 << 63 && skipped < ENGINE_ADDRESS
            };
            // But in a batch of boxes every such row was fatal.
            let stays = !runs
                && !matches!(call.action, Action::Fill(_))
                && !is_of_boxes(call)
                && facts.operands.iter().all(|operand| {
                    !strays(operand) || positive(operand) && rows_inside(operand, ENGINE_ADDRESS)
                });
            if stays {
                return host(call, facts, touched);
            }
            first_of(call, facts, touched, codes::ILLEGAL_ADDRESS)
        }
        // Measured: a copy from one device's memory into another's that one of them reaches takes the negative count
        // for a small one. Which context's view counts where the current one does not reach both cannot be asked.
        Engine::Devices if runs => {
            let reached = |operand: &OperandFacts| {
                operand.found().head().and_then(|owner| owner.reachable) == Some(true)
            };
            if facts.operands.iter().all(reached) {
                Prediction::Crash
            } else {
                Prediction::ContextDies(codes::LAUNCH_FAILED)
            }
        }
        Engine::Link if runs && touched.is_empty() => Prediction::Crash,
        Engine::Link | Engine::Devices => {
            let on_device =
                |operand: &&OperandFacts| operand.found().class().is_cuda() && !is_locked(operand);
            let stays = facts
                .operands
                .iter()
                .filter(on_device)
                .all(|operand| rows_inside(operand, ENGINE_ADDRESS));
            if stays && !runs {
                host(call, facts, touched)
            } else {
                first_of(call, facts, touched, codes::LAUNCH_FAILED)
            }
        }
        Engine::Processor => {
            // Without a pageable side it need not be the processor: nobody can tell combined from other memory.
            if touched.is_empty() {
                return Prediction::Crash;
            }
            let both: SmallVec<[&OperandFacts; 2]> = facts.operands.iter().collect();
            match host(call, facts, &both) {
                fault @ Prediction::Fault { .. } => fault,
                _ => Prediction::Crash,
            }
        }
    }
}

/// A pageable side and the device move along together: whoever meets the end of its memory first dies.
fn first_of(call: &Call, facts: &Facts, touched: &[&OperandFacts], code: u32) -> Prediction {
    let dies = Prediction::ContextDies(code);
    let Some(&pageable) = touched.first() else {
        return dies;
    };
    let fault = host(call, facts, touched);
    let (Prediction::Fault { .. }, Some(until)) = (fault, distance(pageable)) else {
        return dies;
    };
    let other = facts
        .operands
        .iter()
        .find(|operand| operand.operand.role != pageable.operand.role);
    let left = other.map_or(0, |other| {
        let here = other.operand.address;
        let parts = mapped(other);
        let part = parts.iter().find(|part| part.contains(here));
        part.map_or(0, |part| part.end - here)
    });
    // What goes to the device is read first, and what comes from it is read there first.
    let runs = pageable.operand.shape.width >= ENDLESS;
    let host_first = if pageable.operand.role == Role::Source {
        !runs || until < left.saturating_add(AHEAD)
    } else {
        runs && left >= CHUNK && until < left
    };
    if host_first { fault } else { dies }
}
