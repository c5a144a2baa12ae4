//! `pointer.*`: the address itself is wrong.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::Demand;
use crate::facts::{Class, Owner};
use crate::{OperandFacts, Prediction, Role};

pub(super) static NULL: Rule = Rule {
    id: "pointer.null",
    severity: Severity::Error,
    statement: "an operand is the null pointer, and bytes are to be moved",
    cuda: "1 cudaErrorInvalidValue, whatever else is wrong; success where the count is 0",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, Memory Management: dst and src are addresses of memory; the null pointer is none",
    detection: "the argument",
    example: Example {
        wrong: "cudaMemcpy(NULL, host, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &["kind.contradicts", "kind.swapped", "pointer.unknown"],
    find: null,
};

fn null(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.named() {
        if facts.operand.address != 0 {
            continue;
        }
        let role = facts.operand.role;
        let says = if role == Role::Subject {
            "the pointer is null".to_owned()
        } else {
            format!(
                "the {role} is the null pointer, and the {} moves {}",
                words::noun(case.call),
                words::bytes(facts.operand.shape.payload())
            )
        };
        out.push(
            Found::new(&NULL, says)
                .at(role, 0)
                .why("CUDA refuses a null operand, unless the count is 0")
                .fix(format!(
                    "check the result of the call that was to set the {role}; an allocation that failed leaves its pointer untouched"
                )),
        );
    }
}

pub(super) static UNKNOWN: Rule = Rule {
    id: "pointer.unknown",
    severity: Severity::Error,
    statement: "the address belongs to nothing: CUDA does not know it and the process has nothing mapped there",
    cuda: "1 where CUDA checks that operand (dst under HostToDevice, src under DeviceToHost, both under DeviceToDevice); otherwise the process dies",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, Memory Management: an address that CUDA does not know is taken for host memory",
    detection: "pointer attributes, then the process's memory map",
    example: Example {
        wrong: "cudaMemcpy((void *)0x1000, host, 4, cudaMemcpyDefault)",
        right: "cudaMemcpy(device, host, 4, cudaMemcpyDefault)",
    },
    shadows: &["kind.contradicts"],
    find: unknown,
};

fn unknown(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved().chain(case.registered()) {
        let freed = facts.class() == Class::Freed && facts.operand.role == Role::Subject;
        // Closed address space where CUDA demands memory of its own; elsewhere other rules speak.
        let closed = facts.class() == Class::Pageable
            && facts.operand.demand == Demand::Cuda
            && case.environment().pageable_access != Some(true)
            && facts.head().is_some_and(Owner::is_nowhere);
        if facts.class() != Class::Unmapped && !freed && !closed {
            continue;
        }
        let role = facts.operand.role;
        let address = facts.operand.address;
        out.push(
            Found::new(
                &UNKNOWN,
                format!(
                    "the {role} {address:#x} belongs to nothing{}",
                    looks(address)
                ),
            )
            .at(role, 0)
            .why(consequence(case, facts))
            .fix(format!(
                "pass an address that was allocated; {}",
                origin_hint(address, role)
            )),
        );
    }
}

/// What an address of nothing looks like, if it looks like anything.
fn looks(address: u64) -> &'static str {
    match address {
        0..0x1_0000 => ": a small number, not an address",
        0xcdcd_cdcd_cdcd_cdcd | 0xcccc_cccc_cccc_cccc | 0xbaad_f00d_baad_f00d => {
            ": a pattern that fills uninitialised memory"
        }
        0xdddd_dddd_dddd_dddd | 0xfeee_feee_feee_feee | 0xdead_beef_dead_beef => {
            ": a pattern that fills freed memory"
        }
        0x0000_8000_0000_0000..0xffff_8000_0000_0000 => ": no address of this machine",
        0xffff_8000_0000_0000.. => ": an address of the kernel's half",
        _ => ", neither to CUDA nor to this process",
    }
}

fn origin_hint(address: u64, role: Role) -> String {
    match address {
        0..0x1_0000 => format!(
            "a number this small is often an offset from a null pointer: look where the {role} is computed"
        ),
        0x0000_8000_0000_0000.. => {
            format!("look whether the {role} was ever set")
        }
        _ => format!("look whether the {role} was freed, or computed from another address"),
    }
}

/// What happens when an operand that stands for nothing is handed over.
fn consequence(case: &Case<'_>, facts: &OperandFacts) -> String {
    let role = facts.operand.role;
    match (facts.operand.demand, case.prediction) {
        _ if role == Role::Subject => "only mapped host memory can be registered".into(),
        (Demand::Cuda, _) => {
            format!("CUDA looks the {role} up, finds nothing, and refuses the call")
        }
        (Demand::Any, Prediction::Fault { .. }) => format!(
            "CUDA takes what it does not know for pageable host memory and touches it in this thread: the process dies with SIGSEGV, no error is returned (the {role} is not checked here)"
        ),
        (Demand::Any, Prediction::Status(_)) => format!(
            "the call is refused for another reason before the {role} is touched; otherwise the process would die"
        ),
        _ => format!(
            "the {role} is not checked here, and would be touched as if it were host memory"
        ),
    }
}

pub(super) static FREED: Rule = Rule {
    id: "pointer.freed",
    severity: Severity::Error,
    statement: "the memory was freed",
    cuda: "1 where CUDA checks that operand (dst under HostToDevice, src under DeviceToHost, both under DeviceToDevice); otherwise the process dies",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, Memory Management: after cudaFree, cudaFreeHost or cudaFreeAsync the pointer is invalid; using memory after a stream-ordered free is undefined",
    detection: "the registry's tombstone, confirmed by the driver",
    example: Example {
        wrong: "cudaFree(device); cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice); cudaFree(device)",
    },
    shadows: &[
        "kind.contradicts",
        "kind.swapped",
        "pointer.unknown",
        "range.before-start",
    ],
    find: freed,
};

fn freed(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let Some(owner) = facts.head().filter(|owner| owner.class == Class::Freed) else {
            continue;
        };
        let Some(end) = &owner.end else { continue };
        if end.context_gone {
            continue;
        }
        let role = facts.operand.role;
        let place = if end.site.is_unknown() {
            String::new()
        } else {
            format!(" at {}", end.site)
        };
        let why = if end.pending {
            "after a free in stream order every use is undefined: the memory may be gone, or belong to somebody else".into()
        } else {
            consequence(case, facts)
        };
        out.push(
            Found::new(
                &FREED,
                format!(
                    "the {role} was freed by {}{place}{}",
                    end.call,
                    inside(owner, facts.operand.address)
                ),
            )
            .at(role, 0)
            .why(why)
            .fix(format!(
                "move the {} behind the last use, or set the pointer to null there",
                end.call
            )),
        );
    }
}

fn inside(owner: &Owner, address: u64) -> String {
    match owner.range {
        Some(range) if address > range.start => format!(
            "; it points {} into what was {}",
            words::bytes(address - range.start),
            words::size(range.bytes())
        ),
        _ => String::new(),
    }
}

pub(super) static ADDRESS_OF: Rule = Rule {
    id: "pointer.address-of-device-pointer",
    severity: Severity::Error,
    statement: "the address of a variable that holds a device pointer is passed instead of the pointer",
    cuda: "1 where CUDA checks that operand; otherwise success, and the pointer variable and what follows it are overwritten or copied",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, Memory Management: cudaMalloc takes the address of the pointer, cudaMemcpy the pointer",
    detection: "the memory map, and the 8 readable bytes at the operand: they hold a live device pointer",
    example: Example {
        wrong: "cudaMemcpy(&device, host, 4096, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(device, host, 4096, cudaMemcpyHostToDevice)",
    },
    shadows: &["kind.contradicts", "kind.swapped", "range.host-too-short"],
    find: address_of,
};

fn address_of(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let (Some([held, after]), Some(pointee)) = (facts.peek, &facts.pointee) else {
            continue;
        };
        if facts.class() != Class::Pageable || !pointee.class.is_device_only() {
            continue;
        }
        let role = facts.operand.role;
        let payload = facts.operand.shape.payload();
        let demanded = facts.operand.demand == Demand::Cuda
            && case.environment().pageable_access != Some(true);
        let dies = matches!(case.prediction, Prediction::Fault { role: at, .. } if at == role);
        let certain = demanded || dies && payload > 8;
        if !certain && !fits_exactly(held, after, payload, pointee) {
            continue;
        }
        let severity = if certain || role == Role::Destination {
            Severity::Error
        } else {
            Severity::Warning
        };
        let effect = if certain {
            consequence_of_address(demanded)
        } else {
            "CUDA takes it for pageable host memory, so the call succeeds with the wrong bytes: those of the variable and its neighbours"
        };
        out.push(
            Found::new(
                &ADDRESS_OF,
                format!(
                    "the {role} is the address of a variable that holds the device pointer {held:#x}, not that pointer"
                ),
            )
            .at(role, 0)
            .why(effect)
            .fix(format!("pass the pointer itself ({held:#x}), without &"))
            .with_severity(severity),
        );
    }
}

const fn consequence_of_address(demanded: bool) -> &'static str {
    if demanded {
        "the variable lives in host memory, and this direction demands device memory here"
    } else {
        "the variable is taken for host memory, and the copy runs over it and out of its mapping"
    }
}

/// Whether the call fits the allocation that the variable points to, and no table of pointers.
fn fits_exactly(held: u64, after: u64, payload: u64, pointee: &Owner) -> bool {
    let Some(range) = pointee.range else {
        return false;
    };
    let table = after >> 32 == held >> 32;
    payload > 8 && held == range.start && payload == range.bytes() && !table
}
