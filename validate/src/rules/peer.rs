//! `peer.*`: more than one device.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::Action;
use crate::facts::{Access, Class, Current};
use crate::predict::elsewhere;
use crate::{Api, OperandFacts, Role, Stream};

pub(super) static ORDINAL: Rule = Rule {
    id: "peer.wrong-ordinal",
    severity: Severity::Warning,
    statement: "a peer copy names devices that do not own the pointers, or that do not exist",
    cuda: "success where the device exists; 101 cudaErrorInvalidDevice where it does not",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyPeer: dstDevice and srcDevice are the devices of the two pointers",
    detection: "DEVICE_ORDINAL",
    example: Example {
        wrong: "cudaMemcpyPeer(on_device_1, 0, on_device_0, 1, 4)",
        right: "cudaMemcpyPeer(on_device_1, 1, on_device_0, 0, 4)",
    },
    shadows: &[],
    find: ordinal,
};

fn ordinal(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some([to, from]) = case.action().named_devices() else {
        return;
    };
    for facts in case.moved() {
        let role = facts.operand.role;
        let named = match role {
            Role::Destination => to,
            _ => from,
        };
        // The driver's calls name contexts; of none it takes another, and that is no device.
        if named < 0 && case.call.api == Api::Driver {
            continue;
        }
        let count = case.environment().devices;
        if count.is_some_and(|count| named < 0 || named >= count) {
            let count = count.unwrap_or(0);
            out.push(
                Found::new(
                    &ORDINAL,
                    format!("there is no device {named}, which is named for the {role}"),
                )
                .about(role)
                .why(format!(
                    "this process may use {count} devices, counted from 0"
                ))
                .fix(match facts.head().and_then(|owner| owner.device) {
                    Some(device) => format!("the {role} lives on device {device}"),
                    None => "pass the device that the memory was allocated on".into(),
                })
                .with_severity(Severity::Error),
            );
            continue;
        }
        let Some(device) = facts.head().and_then(|owner| owner.device) else {
            continue;
        };
        if device == named || !facts.class().is_device_only() {
            continue;
        }
        out.push(
            Found::new(
                &ORDINAL,
                format!("the {role} lives on device {device}, and the call names device {named}"),
            )
            .about(role)
            .why("CUDA goes by the address and copies the right bytes; the code says something false")
            .fix(format!(
                "name device {device}, or use {}, which needs no devices",
                match case.action() {
                    Action::Peer3D(_) => words::named(
                        case.call,
                        "cudaMemcpy3D with cudaMemcpyDefault",
                        "cuMemcpy3D"
                    ),
                    _ => words::named(
                        case.call,
                        "cudaMemcpy with cudaMemcpyDefault",
                        "cuMemcpy"
                    ),
                }
            )),
        );
    }
}

/// An operand on another device than the current one, with both ordinals.
fn other_device(case: &Case<'_>, facts: &OperandFacts) -> Option<(i32, i32)> {
    let Current::Device(current) = case.environment().current else {
        return None;
    };
    // Another context than the thread's counts, and nobody knows which.
    if case.environment().foreign_stream {
        return None;
    }
    let device = facts.head()?.device?;
    elsewhere(facts, case.environment()).then_some((device, current))
}

pub(super) static POOL: Rule = Rule {
    id: "peer.pool-without-access",
    severity: Severity::Error,
    statement: "stream-ordered memory of another device is used without access to its pool",
    cuda: "1 cudaErrorInvalidValue; cudaMemcpyPeer is fine",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemPoolSetAccess: memory of a pool is accessible to its own device alone until access is set; cudaDeviceEnablePeerAccess does not do it",
    detection: "MEMPOOL_HANDLE, and no DEVICE_POINTER for the current context",
    example: Example {
        wrong: "cudaMallocAsync(&on_1, size, stream_of_1); cudaSetDevice(0); cudaMemcpy(on_0, on_1, size, cudaMemcpyDefault)",
        right: "cudaMallocAsync(&on_1, size, stream_of_1); cudaSetDevice(0); cudaMemcpyPeer(on_0, 0, on_1, 1, size)",
    },
    shadows: &[],
    find: pool,
};

/// The device that works with an operand: the named one of a peer copy, else the current one.
fn worker(case: &Case<'_>, role: Role) -> Option<i32> {
    match (case.action().named_devices(), case.environment().current) {
        (Some([to, _]), _) if role == Role::Destination => Some(to),
        (Some([_, from]), _) => Some(from),
        // Else the context of a stream may count that nobody knows.
        (_, Current::Device(current)) if !case.environment().foreign_stream => Some(current),
        _ => None,
    }
}

fn pool(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let role = facts.operand.role;
        let Some((owner, worker)) = facts.head().zip(worker(case, role)) else {
            continue;
        };
        let Some(device) = owner.device.filter(|&device| device != worker) else {
            continue;
        };
        let peer = case.action().named_devices().is_some();
        let denied = if peer {
            facts.access == Access::None
        } else {
            owner.reachable == Some(false)
        };
        if facts.class() != Class::Pool || !denied {
            continue;
        }
        let fix = if peer {
            format!("name device {device} for the {role}")
        } else {
            format!(
                "{} on the pool for device {worker}, or {}",
                words::named(case.call, "cudaMemPoolSetAccess", "cuMemPoolSetAccess"),
                words::named(case.call, "cudaMemcpyPeer", "cuMemcpyPeer")
            )
        };
        out.push(
            Found::new(
                &POOL,
                format!(
                    "the {role} is stream-ordered memory of device {device}, whose pool gives device {worker} no access"
                ),
            )
            .at(role, 0)
            .why("a pool is accessible to its own device alone; enabling peer access between the devices does not change that")
            .fix(fix),
        );
    }
}

pub(super) static VIRTUAL: Rule = Rule {
    id: "peer.virtual-without-access",
    severity: Severity::Error,
    statement: "mapped virtual memory of another device is used without access for this one",
    cuda: "1 cudaErrorInvalidValue; cudaMemcpyPeer goes by the access of the named device",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, cuMemSetAccess: access is given per device",
    detection: "ACCESS_FLAGS, cuMemGetAccess",
    example: Example {
        wrong: "cuMemSetAccess(on_1, size, device 1); cudaSetDevice(0); cudaMemcpy(on_0, on_1, size, cudaMemcpyDefault)",
        right: "cuMemSetAccess(on_1, size, devices 0 and 1); cudaSetDevice(0); cudaMemcpy(on_0, on_1, size, cudaMemcpyDefault)",
    },
    shadows: &["virtual.no-access"],
    find: virtual_memory,
};

fn virtual_memory(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let role = facts.operand.role;
        let Some((owner, worker)) = facts.head().zip(worker(case, role)) else {
            continue;
        };
        let peer = case.action().named_devices().is_some();
        let elsewhere = owner.device.is_some_and(|device| device != worker);
        let denied = match owner.class {
            Class::Virtual | Class::NoAccess if peer => facts.access == Access::None,
            Class::NoAccess => elsewhere,
            _ => false,
        };
        let Some(device) = owner.device.filter(|_| denied) else {
            continue;
        };
        out.push(
            Found::new(
                &VIRTUAL,
                format!(
                    "the {role} is virtual memory of device {device} that device {worker} may not use"
                ),
            )
            .at(role, 0)
            .why("access to mapped virtual memory is given per device, and peer access does not imply it")
            .fix(format!("call cuMemSetAccess for the range with device {worker} as well")),
        );
    }
}

pub(super) static MEMSET: Rule = Rule {
    id: "peer.memset-other-device",
    severity: Severity::Error,
    statement: "a fill writes memory of a device that is not current and cannot be reached",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemset: the fill runs on the current device, which must be able to write there; only copies are staged",
    detection: "DEVICE_ORDINAL, and no DEVICE_POINTER for the current context",
    example: Example {
        wrong: "cudaSetDevice(0); cudaMemset(on_device_1, 0, 4)",
        right: "cudaSetDevice(1); cudaMemset(on_device_1, 0, 4)",
    },
    shadows: &["peer.pool-without-access"],
    find: memset,
};

fn memset(case: &Case<'_>, out: &mut Vec<Found>) {
    if !matches!(case.action(), Action::Fill(_)) {
        return;
    }
    for facts in case.moved() {
        let Some((device, current)) = other_device(case, facts) else {
            continue;
        };
        let reachable = facts.head().and_then(|owner| owner.reachable);
        let denied = matches!(facts.class(), Class::Device | Class::Symbol | Class::Pool);
        if !denied || reachable != Some(false) {
            continue;
        }
        out.push(
            Found::new(
                &MEMSET,
                format!(
                    "the destination is {} of device {device}, and device {current} cannot write there",
                    words::class(facts.class())
                ),
            )
            .at(Role::Destination, 0)
            .why("a fill runs on the current device; unlike a copy it is not staged through the host")
            .fix(match case.call.stream() {
                Stream::Handle(_) => format!(
                    "use a stream of device {device}, or enable peer access from device {current} to it"
                ),
                _ => format!(
                    "make device {device} current, or enable peer access from device {current} to it"
                ),
            }),
        );
    }
}
