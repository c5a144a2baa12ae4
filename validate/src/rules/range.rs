//! `range.*`: the operand is somebody's memory, but not all of it.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::{Action, Demand, Shape};
use crate::facts::{Class, Owner, Segment};
use crate::predict::first_untouchable;
use crate::{OperandFacts, Prediction, Role};

/// From this many bytes on no range can exist: more than the lower half of the address space.
const ABSURD: u64 = 1 << 47;
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
        Action::Symbol(copy) => Some(copy.symbol),
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
                "the count is in elements of {} bytes: {} of them fit, not {}",
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
    match element {
        Some(times @ (2 | 4 | 8)) if offset == 0 => format!(
            "count is in bytes: {wanted} is {times} times the {room} that were allocated; multiply by the element's size once, in both places or in neither"
        ),
        _ if offset == 0 => format!("count is in bytes: copy at most {room}, or allocate {wanted}"),
        _ => format!(
            "count is in bytes: {} from byte {offset} of the allocation on leave at most {room}",
            words::bytes(wanted)
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
                "copy {room} bytes here and the other {beyond} with a second call, or make one allocation of both"
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

pub(super) static OVERFLOW: Rule = Rule {
    id: "range.size-overflow",
    severity: Severity::Error,
    statement: "the count is a negative number or a wrapped product",
    cuda: "1; but where offset + count wraps back inside both allocations CUDA accepts it and the context dies with 700 at the next synchronisation",
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
        "offset + count wraps around 2^64 and ends inside both allocations again, so CUDA's check passes; the copy then runs through the whole address space and the context dies at the next synchronisation"
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
            format!("; {} are left there", words::bytes(room))
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
    let offset = first_untouchable(facts).ok()??;
    let segment = facts
        .segments
        .iter()
        .find(|segment| segment.part.contains(offset))?;
    Some((offset, segment))
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
