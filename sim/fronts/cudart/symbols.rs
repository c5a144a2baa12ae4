//! Copies to and from variables of a program.

use core::ffi::c_void;

use cuda_sys::runtime::{cudaError_t, cudaMemcpyKind, cudaStream_t};

use super::copy::{cudaMemcpy, cudaMemcpyAsync};
use super::entry::{Answer, Call, put};
use super::memory::pointer;
use super::register::symbol;

pub(crate) unsafe fn cudaGetSymbolAddress(
    call: &Call,
    place: *mut *mut c_void,
    host: *const c_void,
) -> Answer {
    let (address, _) = symbol(call, host)?;
    // SAFETY: the caller's place.
    unsafe { put(place, pointer(address)) }
}

pub(crate) unsafe fn cudaGetSymbolSize(
    call: &Call,
    place: *mut usize,
    host: *const c_void,
) -> Answer {
    let (_, size) = symbol(call, host)?;
    // SAFETY: the caller's place.
    unsafe { put(place, size) }
}

/// Whether a variable may be a side of a copy of this kind; `natural` is the one that says host and device.
fn allows(kind: cudaMemcpyKind, natural: cudaMemcpyKind) -> bool {
    let general = [
        cudaMemcpyKind::cudaMemcpyDeviceToDevice,
        cudaMemcpyKind::cudaMemcpyDefault,
    ];
    kind == natural || general.contains(&kind)
}

/// The bytes of a variable from `offset` on, in a direction that its being on the device allows: as nodes of graphs
/// check it.
pub(crate) fn part(
    call: &Call,
    host: *const c_void,
    offset: usize,
    count: usize,
    kind: cudaMemcpyKind,
    natural: cudaMemcpyKind,
) -> Result<*mut c_void, cudaError_t> {
    let (address, size) = symbol(call, host)?;
    if !allows(kind, natural) {
        return Err(cudaError_t::cudaErrorInvalidMemcpyDirection);
    }
    if offset.checked_add(count).is_none_or(|end| end > size) {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    Ok(pointer(address).wrapping_byte_add(offset))
}

/// When a copy is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    InOrder,
}

/// The same as copies check it: the synchronous ones the range before the kind, the others no range at all (measured:
/// what lies beside the variable is copied).
fn place(
    call: &Call,
    host: *const c_void,
    range: (usize, usize),
    kind: cudaMemcpyKind,
    natural: cudaMemcpyKind,
    when: When,
) -> Result<*mut c_void, cudaError_t> {
    let (address, size) = symbol(call, host)?;
    let (offset, count) = range;
    if when == When::Now && offset.checked_add(count).is_none_or(|end| end > size) {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    if !allows(kind, natural) {
        return Err(cudaError_t::cudaErrorInvalidMemcpyDirection);
    }
    Ok(pointer(address).wrapping_byte_add(offset))
}

pub(crate) unsafe fn cudaMemcpyToSymbol(
    call: &Call,
    host: *const c_void,
    src: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    let dst = place(
        call,
        host,
        (offset, count),
        kind,
        cudaMemcpyKind::cudaMemcpyHostToDevice,
        When::Now,
    )?;
    // SAFETY: the caller's operands, as this function's own.
    unsafe { cudaMemcpy(call, dst, src, count, kind) }
}

pub(crate) unsafe fn cudaMemcpyToSymbolAsync(
    call: &Call,
    host: *const c_void,
    src: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    let dst = place(
        call,
        host,
        (offset, count),
        kind,
        cudaMemcpyKind::cudaMemcpyHostToDevice,
        When::InOrder,
    )?;
    // SAFETY: the caller's operands, as this function's own.
    unsafe { cudaMemcpyAsync(call, dst, src, count, kind, stream) }
}

pub(crate) unsafe fn cudaMemcpyFromSymbol(
    call: &Call,
    dst: *mut c_void,
    host: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    let src = place(
        call,
        host,
        (offset, count),
        kind,
        cudaMemcpyKind::cudaMemcpyDeviceToHost,
        When::Now,
    )?;
    // SAFETY: the caller's operands, as this function's own.
    unsafe { cudaMemcpy(call, dst, src, count, kind) }
}

pub(crate) unsafe fn cudaMemcpyFromSymbolAsync(
    call: &Call,
    dst: *mut c_void,
    host: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    let src = place(
        call,
        host,
        (offset, count),
        kind,
        cudaMemcpyKind::cudaMemcpyDeviceToHost,
        When::InOrder,
    )?;
    // SAFETY: the caller's operands, as this function's own.
    unsafe { cudaMemcpyAsync(call, dst, src, count, kind, stream) }
}
