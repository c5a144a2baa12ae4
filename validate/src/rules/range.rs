//! `range.*`: the operand is somebody's memory, but not all of it.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::{Action, Shape};
use crate::facts::{Class, Owner, Segment};
use crate::{OperandFacts, Prediction, Role};

/// From this many bytes on no range can exist: more than the lower half of the address space.
pub(super) const ABSURD: u64 = 1 << 47;
/// How far below an allocation an address still looks like an index that went negative.
const UNDERFLOW: u64 = 4096;

pub(super) static PAST_END: Rule = Rule {
    id: "range.past-end",
    severity: Severity::Error,
    statement: "the range begins inside an allocation and ends beyond it",
    cuda: "1 cudaErrorInvalidValue, byte-exact",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, Memory Management: the range must lie in the allocation that its first byte belongs to",
    detection: "RANGE_START_ADDR and RANGE_SIZE of the first byte; cuMemGetAddressRange for virtual memory",
    example: Example {
        wrong: "cudaMalloc(&device, 40); cudaMemcpy(device, host, 400, cudaMemcpyHostToDevice)",
        right: "cudaMalloc(&device, 40); cudaMemcpy(device, host, 40, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: past_end,
};

/// Bytes that are left in the owner, and bytes that the extent goes beyond; `None` if it does not.
pub(super) fn excess(facts: &OperandFacts) -> Option<(u64, u64)> {
    let range = facts.usable()?;
    let address = facts.operand.address;
    if !range.contains(address) || !facts.class().is_cuda() {
        return None;
    }
    let room = range.end - address;
    let beyond = facts.operand.shape.extent()?.checked_sub(room)?;
    (beyond > 0).then_some((room, beyond))
}

/// The part that follows directly on the owner of the first byte.
pub(super) fn follower(facts: &OperandFacts) -> Option<&Segment> {
    let end = facts.usable()?.end - facts.operand.address.min(facts.usable()?.end);
    facts
        .segments
        .iter()
        .skip(1)
        .find(|segment| segment.part.start == end)
}

const fn is_page_locked(class: Class) -> bool {
    matches!(class, Class::Pinned | Class::Registered)
}

fn past_end(case: &Case<'_>, out: &mut Vec<Found>) {
    // Of a variable another rule speaks.
    let variable = match case.action() {
        Action::Symbol(copy) => Some(copy.symbol.wrapping_add(copy.offset)),
        _ => None,
    };
    for facts in case.moved() {
        let Some((room, beyond)) = excess(facts) else {
            continue;
        };
        if variable == Some(facts.operand.address) {
            continue;
        }
        let hole = facts.class() == Class::Virtual
            && follower(facts).is_some_and(|next| next.owner.class != Class::Unmapped);
        let absurd = facts.operand.shape.payload() >= ABSURD;
        let plane = !facts.operand.shape.is_line();
        if is_page_locked(facts.class()) || hole || absurd || plane {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &PAST_END,
                format!(
                    "the {} runs {} past the end of its {role}",
                    words::noun(case.call),
                    words::bytes(beyond)
                ),
            )
            .at(role, room)
            .why("CUDA looks up the allocation that holds the first byte; the whole range must lie in it")
            .fix(shorter(case, facts, room)),
        );
    }
}

/// Advice for a count that is too large.
fn shorter(case: &Case<'_>, facts: &OperandFacts, room: u64) -> String {
    let wanted = facts.operand.shape.payload();
    let element = match case.action() {
        Action::Fill(fill) if fill.element > 1 => {
            return format!(
                "{} is in elements of {} bytes: {} of them fit, not {}",
                words::count(case.call),
                fill.element,
                room / fill.element,
                fill.width
            );
        }
        _ => wanted
            .checked_div(room)
            .filter(|_| wanted.is_multiple_of(room)),
    };
    let offset = facts.room().map_or(0, |(offset, _)| offset);
    let (count, verb) = (words::count(case.call), words::verb(case.call));
    match element {
        Some(times @ (2 | 4 | 8)) if offset == 0 => format!(
            "{count} is in bytes: {wanted} is {times} times the {room} that were allocated; multiply by the element's size once, in both places or in neither"
        ),
        _ if offset == 0 => {
            format!("{count} is in bytes: {verb} at most {room}, or allocate {wanted}")
        }
        _ => format!(
            "{count} is in bytes: from byte {offset} of the allocation on there is room for {room}, and not for {wanted}"
        ),
    }
}

pub(super) static SPANS: Rule = Rule {
    id: "range.spans-allocations",
    severity: Severity::Error,
    statement: "the range begins in one allocation and goes on in its neighbour",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, Memory Management: allocations that lie side by side are still two; only virtual memory mapped side by side is one range",
    detection: "two look-ups",
    example: Example {
        wrong: "cudaMemcpy(first, host, sizeof_first + 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(first, host, sizeof_first, cudaMemcpyHostToDevice)",
    },
    shadows: &["range.past-end"],
    find: spans,
};

fn spans(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let Some((room, beyond)) = excess(facts) else {
            continue;
        };
        let Some(next) = follower(facts) else {
            continue;
        };
        let one_range = facts.class() == Class::Virtual;
        let both_host = is_page_locked(facts.class()) && is_page_locked(next.owner.class);
        let absurd = facts.operand.shape.payload() >= ABSURD;
        if !next.owner.class.is_cuda() || one_range || both_host || absurd {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &SPANS,
                format!(
                    "the {role} begins in one allocation and its last {} lie behind it, in the next",
                    words::bytes(beyond)
                ),
            )
            .at(role, room)
            .why("each allocation is a range of its own, however close the next one lies; the copy must stay in the first")
            .fix(format!(
                "{} {room} bytes here and the other {beyond} with a second call, or make one allocation of both",
                words::verb(case.call)
            )),
        );
    }
}

pub(super) static BEFORE_START: Rule = Rule {
    id: "range.before-start",
    severity: Severity::Error,
    statement: "the address lies just below an allocation",
    cuda: "as for an address of nothing: 1 where CUDA checks that operand, otherwise the process dies",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, Memory Management: the address must lie in an allocation",
    detection: "the registry: distance to the next allocation",
    example: Example {
        wrong: "cudaMemcpy(device - 4, host, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[
        "pointer.unknown",
        "kind.contradicts",
        "range.host-not-writable",
        "range.host-not-readable",
    ],
    find: before_start,
};

fn before_start(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let nowhere = facts.head().is_some_and(Owner::is_nowhere);
        if !nowhere || !matches!(facts.class(), Class::Unmapped | Class::Pageable) {
            continue;
        }
        let next = facts
            .next
            .as_ref()
            .and_then(|owner| owner.range.map(|range| (owner, range)));
        let Some((owner, range)) = next else { continue };
        let Some(distance) = range.start.checked_sub(facts.operand.address) else {
            continue;
        };
        if distance == 0 || distance > UNDERFLOW {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &BEFORE_START,
                format!(
                    "the {role} lies {} below the start of {}",
                    words::bytes(distance),
                    words::owner(owner, case.environment())
                ),
            )
            .at(role, 0)
            .why("the address belongs to no allocation; an index or an offset went below zero")
            .fix(format!(
                "the allocation begins at {:#x}: look at what is subtracted from it",
                range.start
            )),
        );
    }
}

pub(super) static OVERLAP: Rule = Rule {
    id: "range.overlap",
    severity: Severity::Error,
    statement: "source and destination overlap",
    cuda: "success; the result is documented as undefined",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpy: the memory areas may not overlap; calling it with overlapping pointers is undefined behaviour",
    detection: "arithmetic, row by row",
    example: Example {
        wrong: "cudaMemcpy(device + 4, device, 64, cudaMemcpyDeviceToDevice)",
        right: "cudaMemcpy(device + 64, device, 64, cudaMemcpyDeviceToDevice)",
    },
    shadows: &[],
    find: overlap,
};

fn overlap(case: &Case<'_>, out: &mut Vec<Found>) {
    if case.prediction != Prediction::Success {
        return;
    }
    let mut operands = case.moved();
    let (Some(dst), Some(src)) = (operands.next(), operands.next()) else {
        return;
    };
    let (to, from) = (dst.operand.address, src.operand.address);
    if !meet((to, &dst.operand.shape), (from, &src.operand.shape)) {
        return;
    }
    let same = to == from;
    let severity = if same {
        Severity::Warning
    } else {
        Severity::Error
    };
    let says = if same {
        "source and destination are the same memory".to_owned()
    } else {
        format!(
            "source and destination overlap: they begin {} apart, and the copy spans {}",
            words::bytes(to.abs_diff(from)),
            words::bytes(dst.operand.shape.extent().unwrap_or(u64::MAX))
        )
    };
    let offset = from.saturating_sub(to);
    out.push(
        Found::new(&OVERLAP, says)
            .at(Role::Destination, offset)
            .why("CUDA copies in an order that is not defined, and does not check for overlap; bytes may be overwritten before they are read")
            .fix("copy through a third buffer, or in pieces no longer than the distance")
            .with_severity(severity),
    );
}

/// Whether two operands have a byte in common.
fn meet((one, first): (u64, &Shape), (two, second): (u64, &Shape)) -> bool {
    let (low, below, high, above) = if one <= two {
        (one, first, two, second)
    } else {
        (two, second, one, first)
    };
    let distance = high - low;
    let reach = below.extent().unwrap_or(u64::MAX);
    if distance >= reach {
        return false;
    }
    if below.is_line() && above.is_line() {
        return true;
    }
    let even = below.pitch == above.pitch && below.slices <= 1 && above.slices <= 1;
    if !even || below.pitch == 0 || below.width > below.pitch {
        return false;
    }
    let (rows, columns) = (distance / below.pitch, distance % below.pitch);
    let same_row = columns < below.width && rows < below.rows;
    let next_row = below.pitch - columns < above.width && rows + 1 < below.rows;
    same_row || next_row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_one_image_do_not_overlap() {
        let half = Shape::plane(64, 10, 128);
        assert!(!meet((0x1000, &half), (0x1040, &half)));
        assert!(meet((0x1000, &half), (0x103f, &half)));
        assert!(!meet(
            (0x1000, &Shape::line(64)),
            (0x1040, &Shape::line(64))
        ));
        assert!(meet((0x1000, &Shape::line(64)), (0x1001, &Shape::line(64))));
        let wide = Shape::plane(100, 10, 128);
        assert!(meet((0x1000, &wide), (0x1040, &wide)));
        assert!(!meet((0x1000, &half), (0x1000 + 9 * 128 + 64, &half)));
    }
}
