//! Device, pinned, registered and managed memory.

use core::ffi::{c_uint, c_void};

use cuda_sys::driver::*;

use super::c::{Out, address};
use super::gate::{Call, export};
use super::guard;
use crate::model::code::{Code, Outcome};
use crate::model::context::Context;
use crate::model::machine::machine;
use crate::model::mapping::{self, Access};
use crate::model::object::{Kind, Object};
use crate::model::space::Found;
use crate::model::ticket::Ticket;
use crate::model::vmm::Protection;
use crate::profile::number;
use std::sync::Arc;

const PORTABLE: c_uint = 1;
const DEVICE_MAP: c_uint = 2;
const WRITE_COMBINED: c_uint = 4;
const READ_ONLY: c_uint = 8;
/// Rows of pitched memory begin at multiples of this.
const PITCH: usize = 512;

/// A device address as C writes it.
pub(super) const fn pointer(address: usize) -> CUdeviceptr {
    address as CUdeviceptr
}

fn allocate(call: Call, out: Out<CUdeviceptr>, size: usize, kind: Kind) -> Outcome {
    let context = call.context()?;
    out.wanted()?;
    guard::no_unsafe_call()?;
    let object = machine()?
        .space_mut()
        .allocate(size, kind, context.owner())?;
    out.put(pointer(object.base))
}

fn allocate_host(call: Call, out: Out<*mut c_void>, size: usize, flags: c_uint) -> Outcome {
    let context = call.context()?;
    out.wanted()?;
    if flags & !(PORTABLE | DEVICE_MAP | WRITE_COMBINED) != 0 {
        return Err(Code::INVALID_VALUE);
    }
    guard::no_unsafe_call()?;
    let object =
        machine()?
            .space_mut()
            .allocate_shared(size, Kind::Pinned(flags), context.owner())?;
    out.put(core::ptr::with_exposed_provenance_mut(object.base))
}

/// The object that begins here, when it is of this sort.
fn exactly(base: usize, wanted: impl Fn(&Object) -> bool) -> Outcome<Arc<Object>> {
    machine()?
        .space()
        .exactly(base)
        .filter(|object| wanted(object))
        .cloned()
        .ok_or(Code::INVALID_VALUE)
}

/// Freeing waits for everything that may still use the memory.
pub(super) fn settle(context: &Context) {
    for stream in context.streams() {
        stream.drain();
    }
}

/// The context of an object, which need not be the current one. Where a current one is broken that counts first.
fn owner_of(call: Call, object: &Object) -> Outcome<Option<Arc<Context>>> {
    match call.context() {
        Ok(_) | Err(Code::INVALID_CONTEXT) => {}
        Err(code) => return Err(code),
    }
    let owner = machine()?.contexts.get(object.context);
    if let Some(owner) = &owner {
        owner.check()?;
    }
    Ok(owner)
}

/// Frees memory of one of these sorts, after everything that may still use it.
fn free(call: Call, base: usize, sort: impl Fn(&Object) -> bool) -> Outcome {
    if base == 0 {
        call.context()?;
        return guard::no_unsafe_call();
    }
    let found = exactly(base, sort);
    let object = match (found, call.context()) {
        (Ok(object), _) => object,
        (Err(_), Err(code)) if code != Code::INVALID_CONTEXT => return Err(code),
        (Err(code), _) => return Err(code),
    };
    let owner = owner_of(call, &object)?;
    guard::no_unsafe_call()?;
    for context in owner.into_iter().chain(call.context().ok()) {
        settle(&context);
    }
    let machine = machine()?;
    if matches!(object.kind, Kind::Pool(..)) {
        let done = Ticket::default();
        done.finish();
        return machine.space_mut().pool_free(base, 0, Arc::new(done));
    }
    machine
        .space_mut()
        .remove(base)
        .map(drop)
        .ok_or(Code::INVALID_VALUE)
}

/// Ends of what can be an address of a program.
const LAST_ADDRESS: usize = 1 << 47;
/// From here on nothing is registered; below it was measured that addresses of no program are merely refused.
const UNADDRESSABLE: usize = 1 << 63;

fn register(call: Call, start: usize, size: usize, flags: c_uint) -> Outcome {
    let context = call.context()?;
    if start == 0 || size == 0 || flags & !(PORTABLE | DEVICE_MAP | READ_ONLY) != 0 {
        return Err(Code::INVALID_VALUE);
    }
    guard::no_unsafe_call()?;
    let machine = machine()?;
    if flags & READ_ONLY != 0
        && !machine
            .device(context.device)?
            .profile
            .has(number::READ_ONLY_REGISTRATION)
    {
        return Err(Code::NOT_SUPPORTED);
    }
    let last = start.checked_add(size - 1).ok_or(Code::INVALID_VALUE)?;
    if last >= UNADDRESSABLE {
        return Err(Code::NOT_SUPPORTED);
    }
    let end = last + 1;
    machine.space().may_register(start, size)?;
    match mapping::access_of(start, size) {
        Access::ReadWrite => {}
        Access::ReadOnly if flags & READ_ONLY != 0 => {}
        _ if size >= TOO_MUCH && end < LAST_ADDRESS => return Err(Code::OUT_OF_MEMORY),
        _ => return Err(Code::INVALID_VALUE),
    }
    machine
        .space_mut()
        .register(start, size, flags, context.owner())
}

/// More than any machine could pin is refused before it is looked at.
const TOO_MUCH: usize = 1 << 40;

export! {
    ready fn cuMemAlloc_v2(dptr: *mut CUdeviceptr, size: usize) |call| {
        allocate(call, dptr, size, Kind::Device)
    }

    ready fn cuMemAllocPitch_v2(
        dptr: *mut CUdeviceptr, pitch: *mut usize, width: usize, height: usize, element: c_uint,
    ) |call| {
        call.context()?;
        pitch.wanted()?;
        if width == 0 || height == 0 || !matches!(element, 4 | 8 | 16) {
            return Err(Code::INVALID_VALUE);
        }
        let row = mapping::round_up(width, PITCH).ok_or(Code::INVALID_VALUE)?;
        allocate(call, dptr, row.checked_mul(height).ok_or(Code::OUT_OF_MEMORY)?, Kind::Device)?;
        pitch.put(row)
    }

    ready fn cuMemFree_v2(dptr: CUdeviceptr) |call| {
        let sort = |object: &Object| matches!(object.kind, Kind::Device | Kind::Managed | Kind::Pool(..) | Kind::Graph);
        free(call, address(dptr), sort)
    }

    ready fn cuMemGetAddressRange_v2(base: *mut CUdeviceptr, size: *mut usize, dptr: CUdeviceptr) |call| {
        base.put_if_wanted(0);
        size.put_if_wanted(0);
        call.context()?;
        let facts = machine()?.space().facts(address(dptr), &super::attributes::viewer());
        // What the current device cannot reach has no range there.
        if facts.device_pointer == 0 {
            return Err(Code::NOT_FOUND);
        }
        let (start, length) = match machine()?.space().find(address(dptr)) {
            Found::Object(object) => (object.base, object.size),
            _ => (facts.mapping_base, facts.mapping_size),
        };
        base.put_if_wanted(pointer(start));
        size.put_if_wanted(length);
        Ok(())
    }

    ready fn cuMemAllocHost_v2(out: *mut *mut c_void, size: usize) |call| {
        allocate_host(call, out, size, 0)
    }

    ready fn cuMemHostAlloc(out: *mut *mut c_void, size: usize, flags: c_uint) |call| {
        allocate_host(call, out, size, flags)
    }

    ready fn cuMemFreeHost(p: *mut c_void) |call| {
        free(call, p.address(), |object| matches!(object.kind, Kind::Pinned(_)))
    }

    ready fn cuMemHostGetDevicePointer_v2(out: *mut CUdeviceptr, p: *mut c_void, flags: c_uint) |call| {
        out.put_if_wanted(0);
        let context = call.context()?;
        let found = machine()?.space().find(p.address());
        let place = match found {
            _ if flags != 0 => None,
            Found::Object(object) if matches!(object.kind, Kind::Pinned(_) | Kind::Registered(_)) => {
                let on_devices = machine()?.space().on_devices(&object, p.address());
                (!object.is_elsewhere()).then_some(on_devices)
            }
            // Mapped memory has the address where its mapping begins.
            Found::Virtual(hit) => hit.map.filter(|map| map.access(context.device) != Protection::None).map(|map| map.base),
            _ => None,
        };
        out.put(pointer(place.unwrap_or(0)))?;
        place.map(drop).ok_or(Code::INVALID_VALUE)
    }

    ready fn cuMemHostGetFlags(out: *mut c_uint, p: *mut c_void) |call| {
        let context = call.context()?;
        // With unified addressing everything that the host has is mapped.
        match machine()?.space().find(p.address()) {
            Found::Object(object) => match object.kind {
                Kind::Pinned(flags) => out.put(flags & WRITE_COMBINED | DEVICE_MAP),
                Kind::Registered(flags) => out.put(flags & PORTABLE | DEVICE_MAP),
                Kind::Managed => out.put(DEVICE_MAP),
                _ => Err(Code::INVALID_VALUE),
            },
            Found::Virtual(hit) if hit.map.as_ref().is_some_and(|map| map.access(context.device) != Protection::None) => {
                out.put(PORTABLE | DEVICE_MAP)
            }
            _ => Err(Code::INVALID_VALUE),
        }
    }

    ready fn cuMemHostRegister_v2(p: *mut c_void, size: usize, flags: c_uint) |call| {
        register(call, p.address(), size, flags)
    }

    ready fn cuMemHostRegister(p: *mut c_void, size: usize, flags: c_uint) |call| {
        register(call, p.address(), size, flags)
    }

    ready fn cuMemHostUnregister(p: *mut c_void) |call| {
        let base = p.address();
        if base == 0 {
            return Err(Code::INVALID_VALUE);
        }
        match call.context() {
            Ok(_) | Err(Code::INVALID_CONTEXT) => {}
            Err(code) => return Err(code),
        }
        match machine()?.space().find(base) {
            Found::Object(object)
                if object.base == base && matches!(object.kind, Kind::Registered(_)) && !object.is_elsewhere() => {}
            Found::Object(_) => return Err(Code::INVALID_VALUE),
            Found::Virtual(hit) if hit.map.is_some() => return Err(Code::INVALID_VALUE),
            _ => return Err(Code::HOST_MEMORY_NOT_REGISTERED),
        }
        free(call, base, |object| matches!(object.kind, Kind::Registered(_)))
    }

    ready fn cuMemAllocManaged(dptr: *mut CUdeviceptr, size: usize, flags: c_uint) |call| {
        let context = call.context()?;
        dptr.wanted()?;
        // Attached to all streams, or to the host: one of the two.
        if !matches!(flags, 1 | 2) {
            return Err(Code::INVALID_VALUE);
        }
        guard::no_unsafe_call()?;
        let object = machine()?.space_mut().allocate_shared(size, Kind::Managed, context.owner())?;
        dptr.put(pointer(object.base))
    }
}
