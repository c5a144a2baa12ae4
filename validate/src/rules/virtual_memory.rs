//! `virtual.*`: reserved, mapped and accessible are three things.

use super::range::{excess, follower};
use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::Demand;
use crate::facts::Class;
use crate::{OperandFacts, Prediction};

pub(super) static UNMAPPED: Rule = Rule {
    id: "virtual.unmapped",
    severity: Severity::Error,
    statement: "the address lies in reserved address space with nothing mapped there",
    cuda: "1 where CUDA checks that operand (dst under HostToDevice, src under DeviceToHost, both under DeviceToDevice); otherwise the process dies",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, Virtual Memory Management: cuMemAddressReserve reserves addresses; cuMemMap puts memory behind them",
    detection: "MAPPED is 0 and there is a range",
    example: Example {
        wrong: "cuMemAddressReserve(&p, size); cuMemcpyHtoD(p, host, 4)",
        right: "cuMemAddressReserve(&p, size); cuMemMap(p, size); cuMemSetAccess(p, size, device); cuMemcpyHtoD(p, host, 4)",
    },
    shadows: &["pointer.unknown", "pointer.freed", "kind.contradicts"],
    find: unmapped,
};

fn unmapped(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        if facts.class() != Class::Reserved {
            continue;
        }
        let role = facts.operand.role;
        let place = facts.room().map_or(String::new(), |(offset, room)| {
            format!(
                ": byte {offset} of a reservation of {}",
                words::size(offset.saturating_add(room))
            )
        });
        out.push(
            Found::new(
                &UNMAPPED,
                format!("the {role} is reserved address space with nothing mapped there{place}"),
            )
            .at(role, 0)
            .why(why_unmapped(case, facts))
            .fix("map memory there (cuMemMap) and allow the device to use it (cuMemSetAccess), or use the part that is mapped"),
        );
    }
}

fn why_unmapped(case: &Case<'_>, facts: &OperandFacts) -> String {
    let role = facts.operand.role;
    match (facts.operand.demand, case.prediction) {
        (Demand::Cuda, _) => {
            format!("CUDA looks the {role} up, finds no memory, and refuses the call")
        }
        (Demand::Any, Prediction::Fault { .. }) => {
            "CUDA takes it for pageable host memory and touches it in this thread: the process dies with SIGSEGV, no error is returned".into()
        }
        _ => "there is no memory behind the address".into(),
    }
}

pub(super) static NO_ACCESS: Rule = Rule {
    id: "virtual.no-access",
    severity: Severity::Error,
    statement: "virtual memory is mapped, and this device was never allowed to use it",
    cuda: "1 cudaErrorInvalidValue, for every kind and on either side; in a created stream with no context current the process dies of it",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, cuMemMap: a mapping is inaccessible until cuMemSetAccess",
    detection: "ACCESS_FLAGS, cuMemGetAccess",
    example: Example {
        wrong: "cuMemMap(p, size); cuMemcpyHtoD(p, host, 4)",
        right: "cuMemMap(p, size); cuMemSetAccess(p, size, device); cuMemcpyHtoD(p, host, 4)",
    },
    shadows: &["kind.contradicts", "pointer.unknown"],
    find: no_access,
};

fn no_access(case: &Case<'_>, out: &mut Vec<Found>) {
    // For a peer copy the named device counts, and another rule speaks.
    let peer = case.action().named_devices().is_some();
    let nobody_knows = case.environment().foreign_stream;
    for facts in case.moved().filter(|_| !peer && !nobody_knows) {
        let Some(segment) = first_denied(facts) else {
            continue;
        };
        let role = facts.operand.role;
        let device = match case.environment().device() {
            Some(device) => format!("device {device}"),
            None => "the current device".into(),
        };
        out.push(
            Found::new(
                &NO_ACCESS,
                format!(
                    "the {role} is mapped virtual memory that {device} may not use{}",
                    if segment > 0 {
                        format!(" from byte {segment} on")
                    } else {
                        String::new()
                    }
                ),
            )
            .at(role, segment)
            .why(if case.prediction == Prediction::Crash {
                "a mapping gives no access by itself; the driver refuses every copy that touches it, and dies of that where no context is current"
            } else {
                "a mapping gives no access by itself; CUDA refuses every copy that touches it"
            })
            .fix(format!(
                "call cuMemSetAccess for the mapped range with {device} and CU_MEM_ACCESS_FLAGS_PROT_READWRITE"
            )),
        );
    }
}

/// The offset of the first part that is mapped without access, where only mapped parts precede it.
fn first_denied(facts: &OperandFacts) -> Option<u64> {
    facts
        .segments
        .iter()
        .find(|segment| segment.owner.class != Class::Virtual)
        .filter(|segment| segment.owner.class == Class::NoAccess)
        .map(|segment| segment.part.start)
}

pub(super) static HOLE: Rule = Rule {
    id: "virtual.hole",
    severity: Severity::Error,
    statement: "the range runs from a mapped part into one where nothing is mapped",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, Virtual Memory Management: every byte must be mapped; handles side by side are one range",
    detection: "a walk with cuMemGetAddressRange",
    example: Example {
        wrong: "cuMemMap(p, 2 MiB of 4); cuMemcpyHtoD(p, host, 3 MiB)",
        right: "cuMemMap(p, 2 MiB of 4); cuMemcpyHtoD(p, host, 2 MiB)",
    },
    shadows: &["range.past-end", "range.spans-allocations"],
    find: hole,
};

fn hole(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        if facts.class() != Class::Virtual {
            continue;
        }
        let (Some((room, beyond)), Some(next)) = (excess(facts), follower(facts)) else {
            continue;
        };
        if next.owner.class != Class::Reserved {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &HOLE,
                format!(
                    "the {role} runs {} into a part of its reservation where nothing is mapped",
                    words::bytes(beyond)
                ),
            )
            .at(role, room)
            .why("the attributes of the pointer describe the whole reservation; only what is mapped can be copied, and CUDA checks that")
            .fix(format!(
                "copy at most {room} bytes from here, or map the rest (cuMemMap, cuMemSetAccess)"
            )),
        );
    }
}
