//! Copies and fills between ranges of memory: the driver's checks in the driver's order.
//!
//! Measured (H200, driver for CUDA 13.0, 2,764 calls): the owner of the first byte is looked up
//! and the whole extent must lie in it; what has no owner is pageable host memory where the
//! direction allows that, and touched without any check; every refusal comes before any touch.

use super::touch::host;
use super::{Missing, Prediction, codes};
use crate::call::{Action, Demand};
use crate::facts::{Access, Class, Current, Environment, Facts, Owner};
use crate::{Call, OperandFacts, Role};
use smallvec::SmallVec;

/// What the driver thinks of one operand.
enum Opinion {
    /// It lies in CUDA memory.
    Fine,
    /// The call is refused.
    Refused,
    /// Offset and extent wrap around and end inside of the allocation again.
    Wraps,
    /// It is touched from the host without a check.
    Touched,
    /// A fact is missing.
    Missing(Missing),
}

pub(super) fn predict(call: &Call, facts: &Facts) -> Prediction {
    let mut opinions = facts
        .operands
        .iter()
        .map(|operand| (operand, opinion(call, operand, &facts.environment)));
    let mut touched: SmallVec<[&OperandFacts; 2]> = SmallVec::new();
    let (mut wraps, mut missing, mut refused) = (0, None, false);
    for (operand, opinion) in opinions.by_ref() {
        match opinion {
            Opinion::Fine => {}
            Opinion::Refused => refused = true,
            Opinion::Wraps => wraps += 1,
            Opinion::Touched => touched.push(operand),
            Opinion::Missing(fact) => missing = Some(fact),
        }
    }
    if refused {
        return Prediction::Status(codes::INVALID_VALUE);
    }
    if let Some(fact) = missing {
        return Prediction::CannotTell(fact);
    }
    if wraps == 0 {
        return host(call, facts, &touched);
    }
    // The copy runs through the whole address space. Where the host does it, it dies on the way;
    // where the device does, the context. Measured: the host does it as soon as one side is host
    // memory, page-locked or not, and never does a fill.
    let fill = matches!(call.action, Action::Fill(_));
    let by_host = !touched.is_empty() || facts.operands.iter().any(host_reaches);
    match host(call, facts, &touched) {
        Prediction::Success if by_host && !fill => Prediction::Crash,
        Prediction::Success => Prediction::ContextDies(codes::ILLEGAL_ADDRESS),
        fault => fault,
    }
}

fn host_reaches(facts: &OperandFacts) -> bool {
    matches!(
        facts.class(),
        Class::Pinned | Class::Registered | Class::Managed
    )
}

fn opinion(call: &Call, facts: &OperandFacts, environment: &Environment) -> Opinion {
    let role = facts.operand.role;
    match facts.class() {
        Class::Null => Opinion::Refused,
        Class::NoAccess if matches!(call.action, Action::Peer(_)) => {
            match permitted(facts.access, role) {
                Opinion::Fine => Opinion::Missing(Missing::Range(role)),
                other => other,
            }
        }
        Class::NoAccess => Opinion::Refused,
        Class::Unknown => Opinion::Missing(Missing::Owner(role)),
        class if class.is_cuda() => match access(call, facts, environment) {
            // Measured: a fill of registered memory whose end wraps around is accepted at any offset.
            Opinion::Fine if class == Class::Registered && fill_wraps(call, facts) => {
                Opinion::Wraps
            }
            Opinion::Fine => in_owner(facts),
            other => other,
        },
        Class::Freed if pending(facts.head()) => Opinion::Missing(Missing::Owner(role)),
        class => match facts.operand.demand {
            Demand::Any => Opinion::Touched,
            Demand::Cuda if environment.pageable_access != Some(true) => Opinion::Refused,
            Demand::Cuda if class == Class::Pageable => Opinion::Touched,
            Demand::Cuda => Opinion::Missing(Missing::Measurement),
        },
    }
}

fn fill_wraps(call: &Call, facts: &OperandFacts) -> bool {
    let extent = facts.operand.shape.wrapping_extent();
    matches!(call.action, Action::Fill(_)) && facts.operand.address.checked_add(extent).is_none()
}

/// Whether an operand lies on a device that is known not to be the current one.
pub(crate) fn elsewhere(facts: &OperandFacts, environment: &Environment) -> bool {
    let device = facts.head().and_then(|owner| owner.device);
    match (environment.current, device) {
        (Current::Device(current), Some(device)) => current != device,
        _ => false,
    }
}

/// Whether the current device may do with an object what the call asks.
fn access(call: &Call, facts: &OperandFacts, environment: &Environment) -> Opinion {
    let role = facts.operand.role;
    let Some(owner) = facts.head() else {
        return Opinion::Missing(Missing::Owner(role));
    };
    if role == Role::Destination && owner.access == Access::Read {
        return Opinion::Refused;
    }
    let peer = matches!(call.action, Action::Peer(_));
    let address = facts.operand.address;
    let moved = owner
        .device_pointer
        .is_some_and(|pointer| pointer != address);
    match owner.class {
        // Documented to fail later; nobody has measured a system that has such addresses.
        Class::Pinned | Class::Registered if moved && facts.operand.demand == Demand::Cuda => {
            Opinion::Missing(Missing::Measurement)
        }
        Class::Pool | Class::Virtual if peer => permitted(facts.access, role),
        // A copy between devices is staged where they cannot reach each other.
        Class::Device | Class::Symbol if !matches!(call.action, Action::Fill(_)) => Opinion::Fine,
        Class::Device | Class::Symbol | Class::Pool if elsewhere(facts, environment) => {
            match owner.reachable {
                Some(true) => Opinion::Fine,
                Some(false) => Opinion::Refused,
                None => Opinion::Missing(Missing::Access(role)),
            }
        }
        _ => Opinion::Fine,
    }
}

const fn permitted(access: Access, role: Role) -> Opinion {
    match access {
        Access::ReadWrite => Opinion::Fine,
        Access::None => Opinion::Refused,
        Access::Read if matches!(role, Role::Source) => Opinion::Fine,
        Access::Read => Opinion::Refused,
        Access::Unknown => Opinion::Missing(Missing::Access(role)),
    }
}

fn pending(owner: Option<&Owner>) -> bool {
    owner
        .and_then(|owner| owner.end.as_ref())
        .is_some_and(|end| end.pending)
}

/// The byte-exact check against the object that holds the first byte.
fn in_owner(facts: &OperandFacts) -> Opinion {
    let Some(range) = facts.usable() else {
        return Opinion::Missing(Missing::Range(facts.operand.role));
    };
    if !range.contains(facts.operand.address) {
        return Opinion::Missing(Missing::Range(facts.operand.role));
    }
    let offset = facts.operand.address - range.start;
    let shape = &facts.operand.shape;
    let extent = shape.wrapping_extent();
    // Measured: virtual memory is walked from mapping to mapping as long as the end is not reached, and
    // an end that wrapped around is reached at once.
    if facts.class() == Class::Virtual && facts.operand.address.checked_add(extent).is_none() {
        return Opinion::Wraps;
    }
    // Rows that lie elsewhere than their sum says: before the first one, and out of the allocation.
    let back = shape
        .pitch
        .wrapping_neg()
        .saturating_mul(shape.rows.saturating_sub(1));
    let astray = shape.extent().is_none() && extent != shape.width && back > offset;
    let wrapped = offset.wrapping_add(extent);
    match offset.checked_add(extent) {
        Some(end) if end <= range.bytes() && astray => Opinion::Wraps,
        Some(end) if end <= range.bytes() => Opinion::Fine,
        Some(_) => Opinion::Refused,
        // Measured: an end at the very start of the allocation is refused.
        None if wrapped > 0 && wrapped <= range.bytes() => Opinion::Wraps,
        None => Opinion::Refused,
    }
}
