//! `array.*`: arrays with a pointer on the other side, or two of them.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::{Place, Volume};
use crate::facts::ArrayFacts;
use crate::{Call, Role};

type Side<'a> = (Role, &'a Place, Option<ArrayFacts>);

/// The sides of a copy that may be arrays.
fn sides<'a>(case: &Case<'a>) -> Option<(&'a Volume, [Side<'a>; 2])> {
    let copy = case.action().volume()?;
    if case.call.is_empty() {
        return None;
    }
    let [dst, src] = case.facts.arrays;
    Some((
        copy,
        [
            (Role::Destination, &copy.dst, dst),
            (Role::Source, &copy.src, src),
        ],
    ))
}

pub(super) static OUTSIDE: Rule = Rule {
    id: "array.outside",
    severity: Severity::Error,
    statement: "the copied box leaves the array",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpy2DToArray, cudaMemcpy3D: offset and extent must lie in the array",
    detection: "the array's descriptor",
    example: Example {
        wrong: "cudaMemcpy2DToArray(array_64x4, 0, 1, host, 64, 64, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy2DToArray(array_64x4, 0, 0, host, 64, 64, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: outside,
};

fn outside(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some((copy, sides)) = sides(case) else {
        return;
    };
    for (role, place, array) in sides {
        let Some(array) = array else { continue };
        let Some(beyond) = crate::predict::outside(place, copy, &array) else {
            continue;
        };
        let (width, height, depth) = array.extents();
        let mut ways = Vec::new();
        if beyond[0] > 0 {
            ways.push(format!("{} of each row", words::bytes(beyond[0])));
        }
        if beyond[1] > 0 {
            ways.push(words::several(beyond[1], "row"));
        }
        if beyond[2] > 0 {
            ways.push(words::several(beyond[2], "slice"));
        }
        let lie = if ways.len() == 1 && beyond.contains(&1) {
            "lies"
        } else {
            "lie"
        };
        out.push(
            Found::new(
                &OUTSIDE,
                format!(
                    "{} {lie} outside of the {role}, an array",
                    ways.join(" and ")
                ),
            )
            .about(role)
            .why(format!(
                "the array has {} of {width} bytes ({} elements of {} bytes) in {}",
                words::several(height, "row"),
                array.width,
                array.element,
                words::several(depth, "slice")
            ))
            .fix(room(case.call, place, copy, &array, beyond)),
        );
    }
}

/// What is left of an array from a position on, where the copy goes beyond.
fn room(call: &Call, place: &Place, copy: &Volume, array: &ArrayFacts, beyond: [u64; 3]) -> String {
    let Place::Array { x, y, z, .. } = *place else {
        return String::new();
    };
    let (width, height, depth) = array.extents();
    let left = |from: u64, room: u64| room.saturating_sub(from);
    let mut all = Vec::new();
    if beyond[0] > 0 {
        all.push(format!(
            "from byte {x} of a row on there is room for {}, and not for {}",
            words::bytes(left(x, width)),
            copy.width
        ));
    }
    if beyond[1] > 0 {
        all.push(format!(
            "from row {y} on there is room for {}, and not for {}",
            words::several(left(y, height), "row"),
            copy.height
        ));
    }
    if beyond[2] > 0 {
        all.push(format!(
            "from slice {z} on there is room for {}, and not for {}",
            words::several(left(z, depth), "slice"),
            copy.depth
        ));
    }
    let mut text = all.join("; ");
    if beyond[0] > 0 && call.function.starts_with("cudaMemcpy3D") {
        text.push_str("; for an array this function counts widths and offsets in elements");
    }
    text
}

pub(super) static MISALIGNED: Rule = Rule {
    id: "array.misaligned",
    severity: Severity::Error,
    statement: "offset or width is no multiple of the array's element, or the elements of two arrays differ",
    cuda: "success on an H200 with a driver for CUDA 13.0: elements are cut (a warning); documented as an error. A 3D batch answers 1 to two arrays whose elements differ in size",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, cuMemcpy2D: srcXInBytes, dstXInBytes and WidthInBytes must be multiples of the array's element; two arrays must have elements of one size",
    detection: "the array's descriptor",
    example: Example {
        wrong: "cudaMemcpy2DToArray(array_of_float, 2, 0, host, 60, 60, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy2DToArray(array_of_float, 4, 0, host, 60, 60, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: misaligned,
};

fn misaligned(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some((copy, sides)) = sides(case) else {
        return;
    };
    for (role, place, array) in sides {
        let (Some(array), Place::Array { x, .. }) = (array, place) else {
            continue;
        };
        let element = array.element.max(1);
        let odd = [("offset", *x), ("width", copy.width)]
            .into_iter()
            .find(|(_, bytes)| bytes % element != 0);
        let Some((what, bytes)) = odd else { continue };
        out.push(
            Found::new(
                &MISALIGNED,
                format!(
                    "the {what} of {bytes} bytes is no multiple of the {element} bytes of an element of the {role}"
                ),
            )
            .about(role)
            .with_severity(Severity::Warning)
            .why("the documentation asks for whole elements; a driver that was asked copies the bytes, and cuts an element in two")
            .fix(format!(
                "{what}s are in bytes here: {} or {} elements of a row are {} or {} bytes",
                bytes / element,
                bytes / element + 1,
                bytes / element * element,
                (bytes / element).saturating_add(1).saturating_mul(element)
            )),
        );
    }
    if let [(_, _, Some(one)), (_, _, Some(two))] = sides
        && crate::predict::elements_differ(&case.facts.arrays)
    {
        let refused = case.call.function.contains("3DBatch");
        let (severity, why) = if refused {
            (
                Severity::Error,
                "the extent of an entry counts elements, and the two arrays do not agree on what one is",
            )
        } else {
            (
                Severity::Warning,
                "the documentation asks for elements of one size; a driver that was asked copies the bytes as they are",
            )
        };
        out.push(
            Found::new(
                &MISALIGNED,
                format!(
                    "the two arrays have elements of {} and {} bytes",
                    one.element, two.element
                ),
            )
            .with_severity(severity)
            .why(why)
            .fix("make both arrays with elements of one size, or go through linear memory"),
        );
    }
}

pub(super) static AMBIGUOUS: Rule = Rule {
    id: "array.ambiguous",
    severity: Severity::Error,
    statement: "a side has both an array and a pointer, or neither",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpy3D: exactly one of srcArray and srcPtr, and of dstArray and dstPtr, must be set; the structure must be zeroed first",
    detection: "the arguments",
    example: Example {
        wrong: "struct cudaMemcpy3DParms p; p.dstArray = array; cudaMemcpy3D(&p)",
        right: "struct cudaMemcpy3DParms p = {0}; p.dstArray = array; p.srcPtr = pitched; cudaMemcpy3D(&p)",
    },
    shadows: &[],
    find: ambiguous,
};

fn ambiguous(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some((_, sides)) = sides(case) else {
        return;
    };
    let unclear = "CUDA cannot know which of them is meant, and refuses";
    for (role, place, _) in sides {
        let (says, why, fix) = match place {
            Place::Array { handle: 0, .. } => (
                format!("the {role} is said to be an array, and its handle is null"),
                if case.prediction.is_deadly() {
                    "the driver follows the handle, and the process dies"
                } else {
                    "a null handle is no array, and CUDA refuses it"
                },
                "pass the array that was created, and look whether its creation failed",
            ),
            Place::Both { handle, address } => (
                format!("the {role} has both an array ({handle:#x}) and a pointer ({address:#x})"),
                unclear,
                "set one of the two and zero the other; begin with a zeroed structure",
            ),
            Place::Neither => (
                format!("the {role} has neither an array nor a pointer"),
                unclear,
                "set one of the two",
            ),
            Place::Memory { .. } | Place::Array { .. } => continue,
        };
        out.push(Found::new(&AMBIGUOUS, says).about(role).why(why).fix(fix));
    }
}
