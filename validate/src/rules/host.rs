//! `host.*`: page-locked and registered host memory.

use super::range::{excess, follower};
use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::Demand;
use crate::facts::{Access, Class};
use crate::{Prediction, Role};

const fn is_page_locked(class: Class) -> bool {
    matches!(class, Class::Pinned | Class::Registered)
}

pub(super) static LEAVES: Rule = Rule {
    id: "host.leaves-registration",
    severity: Severity::Error,
    statement: "the range begins in page-locked host memory and ends outside of it",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaHostRegister: a copy that touches registered memory must lie in one registration",
    detection: "RANGE_START_ADDR and RANGE_SIZE of the first byte",
    example: Example {
        wrong: "cudaHostRegister(page, 4096, 0); cudaMemcpy(device, page, 4097, cudaMemcpyHostToDevice)",
        right: "cudaHostRegister(page, 4096, 0); cudaMemcpy(device, page, 4096, cudaMemcpyHostToDevice)",
    },
    shadows: &["range.past-end"],
    find: leaves,
};

fn leaves(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let Some((room, beyond)) = excess(facts) else {
            continue;
        };
        if !is_page_locked(facts.class()) || !facts.operand.shape.is_line() {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &LEAVES,
                format!(
                    "the {role} runs {} past the end of its page-locked memory",
                    words::bytes(beyond)
                ),
            )
            .at(role, room)
            .why("CUDA knows the page-locked range that holds the first byte; the whole copy must lie in it, even where the host memory goes on")
            .fix(format!(
                "copy at most {room} bytes, or page-lock {} bytes",
                facts.operand.shape.payload()
            )),
        );
    }
}

pub(super) static SPANS: Rule = Rule {
    id: "host.spans-registrations",
    severity: Severity::Error,
    statement: "the range runs from one registration into the next",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaHostRegister: registrations side by side are two ranges",
    detection: "two look-ups",
    example: Example {
        wrong: "cudaHostRegister(page, 4096, 0); cudaHostRegister(page + 4096, 4096, 0); cudaMemcpy(device, page, 8192, cudaMemcpyHostToDevice)",
        right: "cudaHostRegister(page, 8192, 0); cudaMemcpy(device, page, 8192, cudaMemcpyHostToDevice)",
    },
    shadows: &[
        "host.leaves-registration",
        "range.past-end",
        "range.spans-allocations",
    ],
    find: spans,
};

fn spans(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let Some((room, _)) = excess(facts) else {
            continue;
        };
        let next = follower(facts).is_some_and(|next| is_page_locked(next.owner.class));
        if !next || !is_page_locked(facts.class()) {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &SPANS,
                format!(
                    "the {role} crosses from one page-locked range into the next after {}",
                    words::bytes(room)
                ),
            )
            .at(role, room)
            .why("two registrations side by side are two ranges for CUDA; a copy must lie in one")
            .fix("register the whole buffer at once, or copy each part by itself"),
        );
    }
}

pub(super) static ENTERS: Rule = Rule {
    id: "host.enters-registration",
    severity: Severity::Warning,
    statement: "the range begins in pageable memory and ends in page-locked memory",
    cuda: "success; documented as an error",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaHostRegister: a copy that touches registered memory must lie in one registration",
    detection: "look-ups at later pages",
    example: Example {
        wrong: "cudaHostRegister(page + 4096, 4096, 0); cudaMemcpy(device, page, 8192, cudaMemcpyHostToDevice)",
        right: "cudaHostRegister(page, 8192, 0); cudaMemcpy(device, page, 8192, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: enters,
};

fn enters(case: &Case<'_>, out: &mut Vec<Found>) {
    if case.prediction != Prediction::Success {
        return;
    }
    for facts in case.moved() {
        let later = facts
            .segments
            .iter()
            .find(|segment| is_page_locked(segment.owner.class));
        let Some(segment) = later.filter(|_| facts.class() == Class::Pageable) else {
            continue;
        };
        let role = facts.operand.role;
        out.push(
            Found::new(
                &ENTERS,
                format!(
                    "the {role} begins in pageable memory and enters page-locked memory at byte {}",
                    segment.part.start
                ),
            )
            .at(role, segment.part.start)
            .why("CUDA looks at the first byte alone and treats the whole range as pageable; its documentation calls this an error")
            .fix("register the whole buffer, or none of it"),
        );
    }
}

pub(super) static READ_ONLY: Rule = Rule {
    id: "host.read-only-registration",
    severity: Severity::Error,
    statement: "the destination was registered as read-only",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaHostRegister: cudaHostRegisterReadOnly promises that no device writes there",
    detection: "the registry's flags, or ACCESS_FLAGS",
    example: Example {
        wrong: "cudaHostRegister(page, 4096, cudaHostRegisterReadOnly); cudaMemcpy(page, device, 4, cudaMemcpyDeviceToHost)",
        right: "cudaHostRegister(page, 4096, 0); cudaMemcpy(page, device, 4, cudaMemcpyDeviceToHost)",
    },
    shadows: &[],
    find: read_only,
};

fn read_only(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let Some(owner) = facts.head() else { continue };
        let denied = owner.access == Access::Read && owner.class.is_cuda();
        if facts.operand.role != Role::Destination || !denied {
            continue;
        }
        out.push(
            Found::new(
                &READ_ONLY,
                format!(
                    "the destination is {} that devices may only read",
                    words::class(owner.class)
                ),
            )
            .at(Role::Destination, 0)
            .why("the memory was made known to CUDA as read-only, and CUDA refuses to write there")
            .fix(format!(
                "register it without {}, or copy somewhere else",
                words::named(
                    case.call,
                    "cudaHostRegisterReadOnly",
                    "CU_MEMHOSTREGISTER_READ_ONLY"
                )
            )),
        );
    }
}

pub(super) static NOT_DEVICE_POINTER: Rule = Rule {
    id: "host.pointer-not-device-pointer",
    severity: Severity::Error,
    statement: "a registered host address is used where its device address differs",
    cuda: "documented: success, then 700 at the next synchronisation",
    evidence: Evidence::Documented,
    source: "CUDA Runtime API, cudaHostGetDevicePointer; cudaDevAttrCanUseHostPointerForRegisteredMem",
    detection: "DEVICE_POINTER differs from the address",
    example: Example {
        wrong: "cudaHostRegister(page, 4096, cudaHostRegisterMapped); cudaMemcpy(page, device, 4, cudaMemcpyDeviceToDevice)",
        right: "cudaHostGetDevicePointer(&mapped, page, 0); cudaMemcpy(mapped, device, 4, cudaMemcpyDeviceToDevice)",
    },
    shadows: &[],
    find: not_device_pointer,
};

fn not_device_pointer(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let Some(owner) = facts.head() else { continue };
        let address = facts.operand.address;
        let Some(pointer) = owner.device_pointer.filter(|&pointer| pointer != address) else {
            continue;
        };
        if !is_page_locked(owner.class) || facts.operand.demand != Demand::Cuda {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &NOT_DEVICE_POINTER,
                format!("the {role} is a host address; a device knows the same memory as {pointer:#x}"),
            )
            .at(role, 0)
            .why("on this system registered host memory has another address for devices, and this direction hands the address to the device")
            .fix(format!(
                "pass {pointer:#x}, as {} gives it",
                words::named(
                    case.call,
                    "cudaHostGetDevicePointer",
                    "cuMemHostGetDevicePointer"
                )
            )),
        );
    }
}
