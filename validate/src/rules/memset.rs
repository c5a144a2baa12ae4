//! `memset.*`: fills.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::Role;
use crate::call::Action;
use crate::facts::{Class, Owner};

pub(super) static HOST: Rule = Rule {
    id: "memset.host",
    severity: Severity::Error,
    statement: "a fill writes pageable host memory",
    cuda: "1 cudaErrorInvalidValue, unless devices reach pageable memory by themselves",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemset: fills device memory",
    detection: "the destination classified",
    example: Example {
        wrong: "cudaMemset(host, 0, 4)",
        right: "memset(host, 0, 4)",
    },
    shadows: &["kind.contradicts"],
    find: host,
};

fn host(case: &Case<'_>, out: &mut Vec<Found>) {
    if !matches!(case.action(), Action::Fill(_)) || case.environment().pageable_access == Some(true)
    {
        return;
    }
    for facts in case.moved() {
        let nowhere = facts.head().is_some_and(Owner::is_nowhere);
        if !matches!(facts.class(), Class::Pageable | Class::Foreign) || nowhere {
            continue;
        }
        out.push(
            Found::new(
                &HOST,
                format!("{} fills pageable host memory", case.call.function),
            )
            .at(Role::Destination, 0)
            .why("a fill runs on the device, which cannot reach this memory")
            .fix("memset for host memory, or pass the device pointer"),
        );
    }
}

pub(super) static MISALIGNED: Rule = Rule {
    id: "memset.misaligned",
    severity: Severity::Error,
    statement: "a fill of 2- or 4-byte elements begins, or has a pitch, that is no multiple of them",
    cuda: "1 CUDA_ERROR_INVALID_VALUE",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, cuMemsetD16 and cuMemsetD32: the address must be aligned to 2 and 4 bytes; so must the pitch of the 2D forms",
    detection: "arithmetic",
    example: Example {
        wrong: "cuMemsetD32(device + 2, 0, 1)",
        right: "cuMemsetD32(device + 4, 0, 1)",
    },
    shadows: &[],
    find: misaligned,
};

fn misaligned(case: &Case<'_>, out: &mut Vec<Found>) {
    let Action::Fill(fill) = case.action() else {
        return;
    };
    if case.call.is_empty() || fill.element < 2 {
        return;
    }
    let element = fill.element;
    let bytes = words::named(case.call, "cudaMemset", "cuMemsetD8");
    let around = |value: u64| {
        let below = value - value % element;
        (below, below.saturating_add(element))
    };
    let (what, fix) = if fill.dst % element != 0 {
        let (below, above) = around(fill.dst);
        let off = words::bytes(fill.dst % element);
        (
            format!("the destination {:#x} is {off} off", fill.dst),
            format!("begin at {below:#x} or {above:#x}, or fill bytes with {bytes}"),
        )
    } else if fill.height > 1 && fill.pitch % element != 0 {
        let (below, above) = around(fill.pitch);
        let off = words::bytes(fill.pitch % element);
        (
            format!("the pitch {} is {off} off", fill.pitch),
            format!(
                "a pitch of {below} or {above}, as the allocation has it, or fill row by row in bytes"
            ),
        )
    } else {
        return;
    };
    out.push(
        Found::new(
            &MISALIGNED,
            format!(
                "{what} the {} bytes that elements are aligned to",
                fill.element
            ),
        )
        .about(Role::Destination)
        .why("the device writes whole elements, at multiples of their size")
        .fix(fix),
    );
}
