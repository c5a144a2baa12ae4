//! Words that several rules and the text of a finding share.

use crate::call::Action;
use crate::facts::{Class, Environment, Owner};
use crate::{Api, Call, Kind};

/// `1 byte`, `40 bytes`.
pub(crate) fn bytes(count: u64) -> String {
    if count == 1 {
        "1 byte".into()
    } else {
        format!("{count} bytes")
    }
}

/// `1 row`, `3 rows`.
pub(crate) fn several(count: u64, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// `40 B`, `4 KiB`, `4 MiB`; exact sizes only, so that no number is rounded.
pub(crate) fn size(count: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if count >= unit && count.is_multiple_of(unit) {
            return format!("{} {name}", count / unit);
        }
    }
    format!("{count} B")
}

/// What the call does to memory, as a noun.
pub(crate) fn noun(call: &Call) -> &'static str {
    match call.action {
        Action::Fill(_) => "fill",
        Action::Register(_) => "registration",
        _ => "copy",
    }
}

/// What is done to memory, as a verb.
pub(crate) fn verb(call: &Call) -> &'static str {
    match call.action {
        Action::Fill(_) => "fill",
        Action::Register(_) => "register",
        _ => "copy",
    }
}

/// The name of the argument that says how many bytes, or elements of a fill, there are.
pub(crate) fn count(call: &Call) -> &'static str {
    match (&call.action, call.api) {
        (Action::Copy(_), _) if call.function.contains("Batch") => "size",
        (Action::Copy2D(_) | Action::Copy3D(_) | Action::Peer3D(_), _) => "width",
        (Action::Register(_), _) => "size",
        (Action::Fill(_), Api::Driver) => "N",
        (_, Api::Driver) => "ByteCount",
        (_, Api::Runtime) => "count",
    }
}

/// The name that something has in the interface of a call.
pub(crate) const fn named(
    call: &Call,
    runtime: &'static str,
    driver: &'static str,
) -> &'static str {
    match call.api {
        Api::Runtime => runtime,
        Api::Driver => driver,
    }
}

/// A class in words for a sentence.
pub(crate) const fn class(class: Class) -> &'static str {
    match class {
        Class::Null => "the null pointer",
        Class::Device => "device memory",
        Class::Symbol => "a __device__ variable",
        Class::Pool => "stream-ordered device memory",
        Class::Virtual => "mapped virtual memory",
        Class::NoAccess => "virtual memory without access",
        Class::Reserved => "reserved address space with nothing mapped there",
        Class::Managed => "managed memory",
        Class::Pinned => "page-locked host memory",
        Class::Registered => "registered host memory",
        Class::Pageable => "pageable host memory",
        Class::Unmapped => "nothing",
        Class::Freed => "freed memory",
        Class::Foreign => "memory that CUDA does not know",
        Class::Unknown => "memory that nobody could be asked about",
    }
}

/// How memory of this class is usually made, where there is one usual way.
const fn made_by(owner: &Owner) -> Option<&'static str> {
    if let Some(call) = owner.origin.call {
        return Some(call);
    }
    match (owner.class, owner.exportable) {
        (Class::Device, Some(true)) => Some("cudaMalloc"),
        _ => None,
    }
}

/// An owner in words: `cudaMalloc 40 B, device 0 NVIDIA H200`.
pub(crate) fn owner(owner: &Owner, environment: &Environment) -> String {
    let mut text = match owner.class {
        Class::Freed => freed(owner),
        Class::Pageable => pageable(owner),
        Class::Null | Class::Unmapped | Class::Foreign | Class::Unknown => {
            return class(owner.class).into();
        }
        _ => {
            let name = made_by(owner).unwrap_or_else(|| class(owner.class));
            match owner.range {
                Some(range) => format!("{name} {}", size(range.bytes())),
                None => format!("{name}, size unknown"),
            }
        }
    };
    if let Some(device) = owner.device
        && !matches!(
            owner.class,
            Class::Pinned | Class::Registered | Class::Pageable
        )
    {
        text.push_str(&format!(", device {device}"));
        if let Some(name) = environment.name(device) {
            text.push(' ');
            text.push_str(name);
        }
    }
    if owner.class == Class::NoAccess && made_by(owner).is_some() {
        text.push_str(", without access");
    }
    text
}

fn freed(owner: &Owner) -> String {
    let was = owner.end.as_ref().map(|end| class(end.class));
    let mut text = match (owner.origin.call, owner.range) {
        (Some(call), Some(range)) => format!("freed: was {call} {}", size(range.bytes())),
        (None, Some(range)) => format!(
            "freed: was {} {}",
            was.unwrap_or("memory"),
            size(range.bytes())
        ),
        _ => "freed memory".into(),
    };
    if owner.end.as_ref().is_some_and(|end| end.pending) {
        text.push_str(", in stream order");
    }
    text
}

fn pageable(owner: &Owner) -> String {
    if owner.is_nowhere() && owner.mapping.is_none() {
        return "nothing".into();
    }
    let mut text = String::from("pageable host memory");
    match owner.mapping.as_deref() {
        Some("[stack]") => text.push_str(", thread stack"),
        Some("[stack], not touched yet") => text.push_str(", thread stack not touched yet"),
        Some("[heap]") => text.push_str(", heap"),
        Some(name) => {
            text.push_str(", ");
            text.push_str(name);
        }
        None => {}
    }
    match owner.permissions {
        Some(permissions) if !permissions.readable() => text.push_str(", no access (---)"),
        Some(permissions) if !permissions.write => text.push_str(", read-only"),
        _ => {}
    }
    text
}

/// The call with other arguments for its two sides, for a fix.
pub(crate) fn exchanged(call: &Call, kind: Kind) -> String {
    let mut other = call.clone();
    match &mut other.action {
        Action::Copy(copy) => {
            core::mem::swap(&mut copy.dst, &mut copy.src);
            copy.kind = kind;
        }
        Action::Copy2D(copy) => {
            core::mem::swap(&mut copy.dst, &mut copy.src);
            core::mem::swap(&mut copy.dst_pitch, &mut copy.src_pitch);
            copy.kind = kind;
        }
        Action::Copy3D(copy) => {
            core::mem::swap(&mut copy.dst, &mut copy.src);
            copy.kind = kind;
        }
        _ => {}
    }
    other.text()
}
