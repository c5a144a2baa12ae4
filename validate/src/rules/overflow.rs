//! `range.size-overflow`: counts and products that wrapped.

use super::range::ABSURD;
use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::{Action, Shape};
use crate::{OperandFacts, Prediction, Role};

pub(super) static OVERFLOW: Rule = Rule {
    id: "range.size-overflow",
    severity: Severity::Error,
    statement: "the count is a negative number or a wrapped product",
    cuda: "1; but where offset + count wraps back inside both allocations, and for pools, mappings and fills wherever the end wraps around, CUDA accepts it: the context dies with 700 or 719, or the process does where the host takes part",
    evidence: Evidence::Measured,
    source: "C: a negative int becomes a huge size_t; CUDA Driver API, Memory Management: sizes are size_t",
    detection: "a count of 2^47 or more, or an address and a count that exceed the address space",
    example: Example {
        wrong: "cudaMemcpy(device, host, (size_t)-4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[
        "range.past-end",
        "range.spans-allocations",
        "range.host-too-short",
        "range.overlap",
        "host.leaves-registration",
        "pitch.last-row-past-end",
        "virtual.hole",
    ],
    find: overflow,
};

fn overflow(case: &Case<'_>, out: &mut Vec<Found>) {
    wrapped_product(case, out);
    let Some(facts) = case
        .moved()
        .filter(|facts| facts.operand.shape.is_line() && facts.operand.shape.width >= ABSURD)
        .min_by_key(|facts| !facts.class().is_cuda())
    else {
        return;
    };
    let count = facts.operand.shape.width;
    let room = facts.room().map(|(_, room)| room);
    let (says, fix) = absurd_count(count, room);
    let why = if matches!(case.prediction, Prediction::ContextDies(_)) {
        "the end wraps around 2^64, so CUDA's check passes; the copy then runs through the whole address space and the context dies at the next synchronisation"
    } else if case.prediction.is_deadly() {
        "the end wraps around 2^64, so CUDA's check passes; the copy then runs through the whole address space until the process dies"
    } else {
        "no allocation is that large; CUDA checks the count as an unsigned number of 64 bits"
    };
    let mut found = Found::new(&OVERFLOW, says).why(why).fix(fix);
    found.role = Some(facts.operand.role);
    found.first_bad = room;
    out.push(found);
}

/// A product in the call's own arguments that exceeds 64 bits, and that CUDA takes modulo 2^64.
fn wrapped_product(case: &Case<'_>, out: &mut Vec<Found>) {
    if let Action::Fill(fill) = case.action()
        && fill.width.checked_mul(fill.element).is_none()
    {
        out.push(
            Found::new(
                &OVERFLOW,
                format!(
                    "{} elements of {} bytes exceed 64 bits; CUDA fills {}",
                    fill.width,
                    fill.element,
                    words::bytes(fill.row_bytes())
                ),
            )
            .about(Role::Destination)
            .why(
                "the driver multiplies count and element size modulo 2^64 and accepts what is left",
            )
            .fix("look where the count comes from: it is in elements"),
        );
        return;
    }
    for facts in case.moved() {
        let shape = facts.operand.shape;
        if shape.is_line() || shape.extent().is_some() {
            continue;
        }
        // Rows that run backwards do so on purpose; where they leave the host's memory another rule says it.
        let done = matches!(
            case.prediction,
            Prediction::Success | Prediction::Fault { .. } | Prediction::CannotTell(_)
        );
        let harmless = done || facts.class().is_taken_for_pageable() || stays_inside(facts);
        if harmless && runs_backwards(&shape) {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &OVERFLOW,
                format!(
                    "the pitch {} of the {role} times {} rows exceeds 64 bits",
                    shape.pitch, shape.rows
                ),
            )
            .about(role)
            .why(format!(
                "CUDA computes the extent modulo 2^64 and checks {}; the rows lie elsewhere",
                words::bytes(shape.wrapping_extent())
            ))
            .fix("look where the pitch comes from: it is in bytes, from row to row"),
        );
    }
}

/// Whether distances are small negative numbers.
pub(super) fn runs_backwards(shape: &Shape) -> bool {
    let back = |pitch: u64, count: u64| match pitch.cast_signed() {
        0.. => Some(0),
        negative => negative.unsigned_abs().checked_mul(count.saturating_sub(1)),
    };
    let rows = back(shape.pitch, shape.rows);
    let slices = back(shape.slice_pitch, shape.slices);
    let back = rows.zip(slices).and_then(|(one, two)| one.checked_add(two));
    back.is_some_and(|back| (1..ABSURD).contains(&back))
}

/// Whether all rows and slices, in whichever direction they run, lie in the memory of the first byte.
fn stays_inside(facts: &OperandFacts) -> bool {
    let operand = &facts.operand;
    let shape = &operand.shape;
    let reach = |pitch: u64, count: u64| {
        let far = pitch.cast_signed().unsigned_abs();
        let far = far.checked_mul(count.saturating_sub(1))?;
        Some(if pitch.cast_signed() < 0 {
            (far, 0)
        } else {
            (0, far)
        })
    };
    let inside = || {
        let rows = reach(shape.pitch, shape.rows)?;
        let slices = reach(shape.slice_pitch, shape.slices)?;
        let first = operand.address.checked_sub(rows.0)?.checked_sub(slices.0)?;
        let last = operand.address.checked_add(rows.1)?.checked_add(slices.1)?;
        let range = facts.usable()?;
        Some(range.contains(first) && last.checked_add(shape.width)? <= range.end)
    };
    inside().unwrap_or(false)
}

/// What a huge count was probably meant to be.
fn absurd_count(count: u64, room: Option<u64>) -> (String, String) {
    let negative = count.wrapping_neg();
    let low = count & 0xffff_ffff;
    let sign_extended = count >> 31 == 0x1_ffff_ffff;
    if sign_extended && negative > 1 << 16 {
        return (
            format!(
                "the count {count:#x} is a product that wrapped in 32 bits: the int is -{negative}, its low 32 bits are {low}"
            ),
            format!(
                "compute the size in size_t: (size_t)rows * columns * sizeof(element); {low} bytes were meant if the product is below 4 GiB"
            ),
        );
    }
    if count >> 63 == 1 && negative < ABSURD {
        let left = room.map_or(String::new(), |room| {
            format!("; there is room for {}", words::bytes(room))
        });
        return (
            format!("the count {count:#x} is -{negative}, a negative number made unsigned"),
            format!("look at the subtraction that gave -{negative}{left}"),
        );
    }
    (
        format!("the count {count:#x} is larger than any address space"),
        format!("look where the count comes from; its low 32 bits are {low}"),
    )
}
