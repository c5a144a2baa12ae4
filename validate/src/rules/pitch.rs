//! `pitch.*`: rows and the bytes between them.

use super::overflow::runs_backwards;
use super::range::excess;
use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::Action;
use crate::facts::{Class, Owner};
use crate::predict::{Narrow, too_narrow};
use crate::{OperandFacts, Prediction, Role};

pub(super) static WIDTH: Rule = Rule {
    id: "pitch.width-exceeds-pitch",
    severity: Severity::Error,
    statement: "the width of a row is greater than a pitch",
    cuda: "12 cudaErrorInvalidPitchValue from the runtime, 1 CUDA_ERROR_INVALID_VALUE from the driver",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpy2D: dpitch and spitch must be at least width",
    detection: "arithmetic",
    example: Example {
        wrong: "cudaMemcpy2D(device, 64, host, 128, 100, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy2D(device, 128, host, 128, 100, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &["pitch.last-row-past-end"],
    find: width,
};

fn width(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some((role, what, _)) = too_narrow(case.call, case.facts) else {
        return;
    };
    if case.call.is_empty() {
        return;
    }
    let (says, mut fix) = match what {
        Narrow::Row { width, pitch } => {
            let fix = match width.checked_div(pitch) {
                Some(times @ (2 | 4 | 8)) if pitch * times == width => {
                    format!("the pitch is in bytes, not in elements of {times}: {width}")
                }
                _ => format!("a row takes {width} bytes: the pitch is at least that, and in bytes"),
            };
            let says = format!(
                "rows of {} do not fit the pitch of {pitch} of the {role}",
                words::bytes(width)
            );
            (says, fix)
        }
        Narrow::Slice { height, rows } => (
            format!("slices of {height} rows do not fit the {rows} rows per slice of the {role}"),
            format!("the height of a slice (ysize, srcHeight, dstHeight) is at least {height}"),
        ),
    };
    if case.call.function.contains("3DBatch") {
        fix = in_a_batch(case, what);
    }
    out.push(
        Found::new(&WIDTH, says)
            .about(role)
            .why(
                "the pitch is the distance from one row, or slice, to the next; they would overlap",
            )
            .fix(fix),
    );
}

/// The lengths of a 3D batch count elements: those of its arrays, or bytes.
fn in_a_batch(case: &Case<'_>, what: Narrow) -> String {
    match what {
        Narrow::Row { width, .. } => {
            let arrays = case.facts.arrays.iter().flatten();
            let element = arrays.map(|array| array.element).next().unwrap_or(1);
            let elements = width / element.max(1);
            format!("rowLength is at least {elements}, in elements, or 0 for rows side by side")
        }
        Narrow::Slice { height, .. } => {
            format!("layerHeight is at least {height}, or 0 for slices side by side")
        }
    }
}

pub(super) static IN_ELEMENTS: Rule = Rule {
    id: "pitch.in-elements",
    severity: Severity::Error,
    statement: "the pitch is given in elements instead of bytes",
    cuda: "12, or success with sheared rows",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMallocPitch: the pitch is returned, and used, in bytes",
    detection: "the pitch times 2, 4 or 8 equals the pitch that the allocation was made with, and rows do not fit it (an error), or everything else of the call is as the allocation was made (a warning)",
    example: Example {
        wrong: "cudaMallocPitch(&device, &pitch, 100, 4); cudaMemcpy2D(device, pitch / 4, host, 100, 100, 4, cudaMemcpyHostToDevice)",
        right: "cudaMallocPitch(&device, &pitch, 100, 4); cudaMemcpy2D(device, pitch, host, 100, 100, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &["pitch.width-exceeds-pitch"],
    find: in_elements,
};

fn in_elements(case: &Case<'_>, out: &mut Vec<Found>) {
    if !matches!(
        case.action(),
        Action::Copy2D(_) | Action::Copy3D(_) | Action::Peer3D(_) | Action::Fill(_)
    ) {
        return;
    }
    for facts in case.moved() {
        let Some(made_with) = facts.head().and_then(|owner| owner.pitch) else {
            continue;
        };
        let shape = facts.operand.shape;
        let pitch = shape.pitch;
        let element = [2, 4, 8]
            .into_iter()
            .find(|element| pitch.checked_mul(*element) == Some(made_with));
        let Some(element) = element.filter(|_| shape.rows > 1) else {
            continue;
        };
        let role = facts.operand.role;
        let refused = is_refused_for_width(case, role) && shape.width <= made_with;
        if !refused && !is_otherwise_as_made(case, facts, element) {
            continue;
        }
        // The width was counted in elements as well.
        let short = facts.head().and_then(|owner| owner.row);
        let short = short.filter(|row| shape.width.checked_mul(element) == Some(*row));
        let width = short.map_or_else(String::new, |row| format!(", and a width of {row}"));
        let (severity, then) = if refused {
            (Severity::Error, "no row fits")
        } else {
            (
                Severity::Warning,
                "every row lands further left than it should",
            )
        };
        out.push(
            Found::new(
                &IN_ELEMENTS,
                format!(
                    "the pitch {pitch} of the {role} is in elements: the allocation has rows of {made_with} bytes, and {pitch} x {element} is that"
                ),
            )
            .with_severity(severity)
            .about(role)
            .why(format!("pitches are in bytes; with this one {then}"))
            .fix(format!(
                "pass {made_with}, as the allocation returned it{width}"
            )),
        );
    }
}

/// Whether the call is refused because rows do not fit the pitch of this side.
fn is_refused_for_width(case: &Case<'_>, role: Role) -> bool {
    let narrow = too_narrow(case.call, case.facts);
    case.prediction.is_refusal()
        && matches!(narrow, Some((side, Narrow::Row { .. }, _)) if side == role)
}

/// Whether an accepted call is about the whole allocation, row by row, so that its pitch alone does not
/// fit. A smaller pitch is legal, and any other use of it may be meant.
fn is_otherwise_as_made(case: &Case<'_>, facts: &OperandFacts, element: u64) -> bool {
    let Some((row, (_, height))) = facts
        .head()
        .and_then(|owner| Some((owner.row?, rows(owner)?)))
    else {
        return false;
    };
    let shape = facts.operand.shape;
    // The width may have been counted in elements as well.
    let width = shape.width == row || shape.width.checked_mul(element) == Some(row);
    let whole = facts.room().is_some_and(|(offset, _)| offset == 0)
        && shape.rows == height
        && shape.slices <= 1;
    // Where the other side has the same layout, this one was laid out on purpose.
    let alike = case
        .other(facts.operand.role)
        .is_some_and(|other| other.operand.shape.pitch == shape.pitch);
    case.prediction == Prediction::Success && width && whole && !alike
}

pub(super) static LAST_ROW: Rule = Rule {
    id: "pitch.last-row-past-end",
    severity: Severity::Error,
    statement: "the last row ends beyond the allocation",
    cuda: "1 cudaErrorInvalidValue, byte-exact",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpy2D: pitch * (height - 1) + width bytes from the start must lie in the allocation",
    detection: "arithmetic and the owner's range",
    example: Example {
        wrong: "cudaMalloc(&device, 512 * 4); cudaMemcpy2D(device, 512, host, 512, 512, 5, cudaMemcpyHostToDevice)",
        right: "cudaMalloc(&device, 512 * 4); cudaMemcpy2D(device, 512, host, 512, 512, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[
        "range.past-end",
        "range.spans-allocations",
        "host.leaves-registration",
        "host.spans-registrations",
        "virtual.hole",
    ],
    find: last_row,
};

fn last_row(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let shape = facts.operand.shape;
        if shape.is_line() {
            continue;
        }
        let Some((room, beyond)) = excess(facts) else {
            continue;
        };
        let role = facts.operand.role;
        let fitting = fitting_rows(facts, room);
        let first_bad = facts
            .operand
            .shape
            .first_touched(crate::Span::new(room, u64::MAX))
            .unwrap_or(room);
        out.push(
            Found::new(
                &LAST_ROW,
                format!(
                    "the last row of the {role} ends {} past the end of its allocation",
                    words::bytes(beyond)
                ),
            )
            .at(role, first_bad)
            .why(format!(
                "from the first byte on {} are left, and pitch x (height - 1) + width is {}",
                words::bytes(room),
                shape.extent().unwrap_or(u64::MAX)
            ))
            .fix(fitting),
        );
    }
}

fn fitting_rows(facts: &OperandFacts, room: u64) -> String {
    let shape = facts.operand.shape;
    let rows = room
        .checked_sub(shape.width)
        .and_then(|rest| rest.checked_div(shape.pitch))
        .map_or(0, |whole| whole + 1);
    let whole = shape.extent().unwrap_or(u64::MAX);
    if shape.slices > 1 {
        let slice = shape
            .pitch
            .checked_mul(shape.rows - 1)
            .and_then(|above| above.checked_add(shape.width));
        let slices = slice
            .and_then(|slice| room.checked_sub(slice))
            .and_then(|rest| rest.checked_div(shape.slice_pitch))
            .map_or(0, |whole| whole + 1);
        return format!(
            "there is room for {} of {}, not for {}; or allocate {whole} bytes from there on",
            words::several(slices, "slice"),
            words::several(shape.rows, "row"),
            shape.slices
        );
    }
    if rows == 0 {
        return "not one row fits: look at the address and the width".into();
    }
    format!(
        "there is room for {}, not for {}; or allocate {whole} bytes from there on",
        words::several(rows, "row"),
        shape.rows
    )
}

pub(super) static LINEAR: Rule = Rule {
    id: "pitch.linear-copy-of-pitched",
    severity: Severity::Error,
    statement: "an allocation with a pitch is copied as one line of width x height bytes",
    cuda: "success: the data is wrong",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMallocPitch: rows are padded; a linear copy takes the padding for data",
    detection: "the registry: the allocation was made with a pitch, the other side was not, and the bytes are the rows without their padding",
    example: Example {
        wrong: "cudaMallocPitch(&device, &pitch, 400, 4); cudaMemcpy(device, host, 400 * 4, cudaMemcpyHostToDevice)",
        right: "cudaMallocPitch(&device, &pitch, 400, 4); cudaMemcpy2D(device, pitch, host, 400, 400, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: linear,
};

fn linear(case: &Case<'_>, out: &mut Vec<Found>) {
    let Action::Copy(copy) = case.action() else {
        return;
    };
    if case.prediction != Prediction::Success {
        return;
    }
    for facts in case.moved() {
        let Some((row, (pitch, height))) = facts
            .head()
            .and_then(|owner| Some((owner.row?, rows(owner)?)))
        else {
            continue;
        };
        let offset = facts.room().map_or(1, |(offset, _)| offset);
        // Any other number of bytes may be meant: within one row, or everything with its padding.
        let packed = row.checked_mul(height) == Some(copy.bytes) && height > 1;
        let other_has_pitch = case
            .other(facts.operand.role)
            .and_then(|other| other.head())
            .is_some_and(|owner| owner.pitch.is_some());
        if offset != 0 || !packed || row >= pitch || other_has_pitch {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &LINEAR,
                format!(
                    "the {role} has {height} rows of {pitch} bytes with padding, and is copied as one line of {}",
                    words::bytes(copy.bytes)
                ),
            )
            .at(role, row)
            .why(format!(
                "{} is {height} rows of {row} bytes; in the allocation the second row begins at byte {pitch}, not at {row}",
                copy.bytes
            ))
            .fix(format!(
                "{} with the pitch {pitch} on this side, width {row} and height {height}",
                words::named(case.call, "cudaMemcpy2D", "cuMemcpy2D")
            )),
        );
    }
}

/// Pitch and rows of an allocation that was made with a pitch.
fn rows(owner: &Owner) -> Option<(u64, u64)> {
    let pitch = owner.pitch.filter(|&pitch| pitch > 0)?;
    let height = owner.range?.bytes().checked_div(pitch)?;
    (owner.class == Class::Device).then_some((pitch, height))
}

pub(super) static MAXIMUM: Rule = Rule {
    id: "pitch.exceeds-maximum",
    severity: Severity::Warning,
    statement: "the pitch is greater than the device says it allows",
    cuda: "success on an H200 with a driver for CUDA 13.0, for one row and for several; documented as an error",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, CU_DEVICE_ATTRIBUTE_MAX_PITCH: the greatest pitch of a copy",
    detection: "the device's attribute",
    example: Example {
        wrong: "cudaMemcpy2D(device, (size_t)1 << 31, host, 64, 64, 2, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy2D(device, 512, host, 64, 64, 2, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: maximum,
};

fn maximum(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some(most) = case.environment().max_pitch else {
        return;
    };
    for facts in case.moved() {
        let shape = facts.operand.shape;
        if shape.rows < 2 || shape.pitch <= most || case.prediction != Prediction::Success {
            continue;
        }
        let role: Role = facts.operand.role;
        let back = shape.pitch.wrapping_neg();
        let (says, fix) = if shape.pitch.cast_signed() < 0 && runs_backwards(&shape) {
            (
                format!(
                    "the rows of the {role} run backwards, {back} bytes each; counted as a pitch that is more than {most}, the most that the device allows"
                ),
                "copy row by row where other drivers matter",
            )
        } else {
            (
                format!(
                    "the pitch {} of the {role} is greater than {most}, the most that the device allows",
                    shape.pitch
                ),
                "copy row by row, or in parts; a pitch this large is often a product that was counted twice",
            )
        };
        out.push(
            Found::new(&MAXIMUM, says)
                .about(role)
                .why("the documentation calls this an error; a driver that was asked accepts it, another may not")
                .fix(fix),
        );
    }
}
