//! `range.host-*`: pageable host memory, which CUDA touches without looking.

use super::range::ABSURD;
use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::Demand;
use crate::facts::{Class, Owner, Segment};
use crate::predict::{Untouchable, first_untouchable};
use crate::{OperandFacts, Role};

pub(super) static TOO_SHORT: Rule = Rule {
    id: "range.host-too-short",
    severity: Severity::Error,
    statement: "a range of pageable host memory leaves its mapping",
    cuda: "the process dies with SIGSEGV inside the call",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, API synchronization behavior: pageable memory is copied by the calling thread, which checks nothing",
    detection: "the process's memory map",
    example: Example {
        wrong: "char *page = mmap(4096, guarded); cudaMemcpy(device, page, 4097, cudaMemcpyHostToDevice)",
        right: "char *page = mmap(4096, guarded); cudaMemcpy(device, page, 4096, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: too_short,
};

pub(super) static NOT_WRITABLE: Rule = Rule {
    id: "range.host-not-writable",
    severity: Severity::Error,
    statement: "the destination's mapping cannot be written",
    cuda: "the process dies with SIGSEGV inside the call",
    evidence: Evidence::Measured,
    source: "mmap(2), mprotect(2); CUDA writes pageable memory in the calling thread",
    detection: "the process's memory map",
    example: Example {
        wrong: "cudaMemcpy(read_only_page, device, 4, cudaMemcpyDeviceToHost)",
        right: "cudaMemcpy(writable_page, device, 4, cudaMemcpyDeviceToHost)",
    },
    shadows: &[],
    find: not_writable,
};

pub(super) static NOT_READABLE: Rule = Rule {
    id: "range.host-not-readable",
    severity: Severity::Error,
    statement: "the source's mapping cannot be read",
    cuda: "the process dies with SIGSEGV inside the call",
    evidence: Evidence::Measured,
    source: "mmap(2), mprotect(2); CUDA reads pageable memory in the calling thread",
    detection: "the process's memory map",
    example: Example {
        wrong: "cudaMemcpy(device, no_access_page, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(device, readable_page, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: not_readable,
};

/// A pageable operand that the host touches, and the first part of it that it cannot touch.
fn untouchable<'a>(case: &Case<'a>, facts: &'a OperandFacts) -> Option<(u64, &'a Segment)> {
    let touched =
        facts.operand.demand == Demand::Any || case.environment().pageable_access == Some(true);
    if !touched || facts.class() != Class::Pageable {
        return None;
    }
    if facts.operand.is_strewn() {
        return None;
    }
    let first = first_untouchable(facts).ok()??;
    // What wraps around is not looked for among parts that come in order.
    let offset = first.address.checked_sub(facts.operand.address)?;
    let segment = facts
        .segments
        .iter()
        .find(|segment| segment.part.contains(offset))?;
    Some((offset, segment))
}

/// The same where rows do not ascend: the byte, and whose it is.
fn untouchable_row<'a>(
    case: &Case<'a>,
    facts: &'a OperandFacts,
) -> Option<(Untouchable, &'a Owner)> {
    let touched =
        facts.operand.demand == Demand::Any || case.environment().pageable_access == Some(true);
    if !touched || !facts.class().is_taken_for_pageable() || !facts.operand.is_strewn() {
        return None;
    }
    let first = first_untouchable(facts).ok()??;
    let (_, owner) = facts.owner_at(first.address)?;
    Some((first, owner))
}

/// Rows that run backwards, or wrap around, into what the host cannot touch.
fn backwards(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let Some((first, owner)) = untouchable_row(case, facts) else {
            continue;
        };
        // The first row's own class is another rule's.
        if first.row == 0 && first.column == 0 && facts.class() != Class::Pageable {
            continue;
        }
        let (role, shape) = (facts.operand.role, &facts.operand.shape);
        let pitch = shape.pitch.cast_signed();
        let there = match owner.host_readable() {
            Some(true) => "which cannot be written",
            _ if owner.class == Class::Pageable => "which cannot be touched",
            _ => "where the process has no memory",
        };
        out.push(
            Found::new(
                &TOO_SHORT,
                format!(
                    "row {} of the {role} reaches {:#x}, {there}",
                    first.row, first.address
                ),
            )
            .about(role)
            .why(format!(
                "the pitch of {pitch} leads from row to row backwards or around all addresses, and CUDA touches pageable memory in the calling thread without a check: the process dies with SIGSEGV"
            ))
            .fix(if pitch < 0 {
                "rows that run backwards begin at the last one: pass its address, and no more rows than lie before it"
            } else {
                "the pitch is in bytes from row to row: look where it is computed"
            }),
        );
    }
}

fn too_short(case: &Case<'_>, out: &mut Vec<Found>) {
    if let Some(facts) = case.registered()
        && facts.class() == Class::Pageable
        && let Some(second) = facts.segments.get(1)
        && matches!(second.owner.class, Class::Pageable | Class::Unmapped)
    {
        let offset = second.part.start;
        out.push(
            Found::new(
                &TOO_SHORT,
                format!(
                    "the range to register leaves its mapping after {}",
                    words::bytes(offset)
                ),
            )
            .at(Role::Subject, offset)
            .why("a registration must lie in one mapping of the process, even where the next one follows directly")
            .fix(format!("register at most {} here", words::bytes(offset))),
        );
    }
    backwards(case, out);
    for facts in case.moved() {
        let Some((offset, segment)) = untouchable(case, facts) else {
            continue;
        };
        let foreign = segment.part.start > 0 && segment.owner.host_readable() == Some(false);
        if !foreign || facts.operand.shape.payload() >= ABSURD {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &TOO_SHORT,
                format!(
                    "the {role} leaves its mapping after {} of {}",
                    words::bytes(offset),
                    words::bytes(facts.operand.shape.extent().unwrap_or(u64::MAX))
                ),
            )
            .at(role, offset)
            .why("pageable host memory is touched by the calling thread, and CUDA does not check it: the process dies with SIGSEGV, no error is returned")
            .fix(format!(
                "the host buffer has at most {} from here: copy less, or make it larger",
                words::bytes(offset)
            )),
        );
    }
}

fn not_writable(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let Some((offset, segment)) = untouchable(case, facts) else {
            continue;
        };
        let class = segment.owner.class;
        let readable = segment.owner.host_readable() == Some(true);
        let here = segment.part.start == 0;
        if facts.operand.role != Role::Destination
            || class != Class::Pageable
            || !(readable || here)
        {
            continue;
        }
        let letters = segment.owner.permissions.unwrap_or_default().letters();
        out.push(
            Found::new(
                &NOT_WRITABLE,
                format!("the destination's mapping cannot be written from byte {offset} on ({letters})"),
            )
            .at(Role::Destination, offset)
            .why("pageable host memory is written by the calling thread, and CUDA does not check it: the process dies with SIGSEGV, no error is returned")
            .fix(if readable {
                "copy into memory that the program allocated; string literals, const data and PROT_READ mappings are read-only"
            } else {
                "copy into memory that the program allocated; nothing may touch this mapping"
            }),
        );
    }
}

fn not_readable(case: &Case<'_>, out: &mut Vec<Found>) {
    if let Some(facts) = case.registered()
        && let Some(owner) = facts.head()
        && owner.class == Class::Pageable
        && owner.host_readable() == Some(false)
    {
        out.push(
            Found::new(&NOT_READABLE, "the range to register cannot be read (---)")
                .at(Role::Subject, 0)
                .why("only host memory that the process itself can touch can be registered")
                .fix("register memory that the program allocated"),
        );
    }
    for facts in case.moved() {
        let Some((offset, segment)) = untouchable(case, facts) else {
            continue;
        };
        let here = segment.part.start == 0 && segment.owner.class == Class::Pageable;
        if facts.operand.role != Role::Source || !here {
            continue;
        }
        out.push(
            Found::new(&NOT_READABLE, "the source's mapping cannot be read (---)")
                .at(Role::Source, offset)
                .why("pageable host memory is read by the calling thread, and CUDA does not check it: the process dies with SIGSEGV, no error is returned")
                .fix("copy from memory that the program can read; mprotect() or a freed device allocation leaves such mappings behind"),
        );
    }
}
