//! Virtual memory management.

use core::ffi::{c_ulonglong, c_void};

use cuda_sys::driver::*;

use super::c::{Out, address};
use super::device::{device, ordinal};
use super::gate::export;
use super::memory::pointer;
use crate::model::bytes::touch;
use crate::model::code::{Code, Outcome};
use crate::model::machine::{Device, machine};
use crate::model::registry::{fresh_handle, is_ours};
use crate::model::space::Found;
use crate::model::vmm::{GRANULARITY, Properties, Protection};
use crate::profile::number;

type Location = CUmemLocationType_enum;

/// The device that a location names.
pub(super) fn device_at(location: &CUmemLocation) -> Outcome<usize> {
    if location.type_ != Location::CU_MEM_LOCATION_TYPE_DEVICE {
        return Err(Code::INVALID_VALUE);
    }
    // SAFETY: with this type the union holds a number.
    let id = unsafe { location.__bindgen_anon_1.id };
    machine()?.device(ordinal(id)?)?;
    ordinal(id)
}

/// Fails on a device that cannot do this.
fn able(device: &Device) -> Outcome {
    if device.profile.has(number::VIRTUAL_MEMORY) {
        Ok(())
    } else {
        Err(Code::NOT_SUPPORTED)
    }
}

fn any_able() -> Outcome {
    machine()?
        .devices
        .iter()
        .map(able)
        .find(Result::is_ok)
        .unwrap_or(Err(Code::NOT_SUPPORTED))
}

fn properties(wanted: &CUmemAllocationProp) -> Outcome<Properties> {
    const FABRIC: u32 = 8;
    const DESCRIPTOR: u32 = 1;
    if wanted.type_ != CUmemAllocationType_enum::CU_MEM_ALLOCATION_TYPE_PINNED {
        return Err(Code::INVALID_VALUE);
    }
    match wanted.requestedHandleTypes.0 {
        0 | DESCRIPTOR => {}
        // Needs a fabric manager, which nobody runs here.
        FABRIC => return Err(Code::NOT_PERMITTED),
        _ => return Err(Code::INVALID_VALUE),
    }
    let flags = &wanted.allocFlags;
    let usage = flags.usage.to_le_bytes();
    let flags = [
        flags.compressionType,
        flags.gpuDirectRDMACapable,
        usage[0],
        usage[1],
    ];
    let handle_types = wanted.requestedHandleTypes.0;
    let host = match wanted.location.type_ {
        Location::CU_MEM_LOCATION_TYPE_DEVICE => None,
        Location::CU_MEM_LOCATION_TYPE_HOST | Location::CU_MEM_LOCATION_TYPE_HOST_NUMA => {
            // SAFETY: with these types the union holds a number.
            let node = unsafe { wanted.location.__bindgen_anon_1.id };
            if wanted.location.type_ == Location::CU_MEM_LOCATION_TYPE_HOST_NUMA && node != 0 {
                return Err(Code::INVALID_VALUE);
            }
            Some((wanted.location.type_.0, node))
        }
        _ => return Err(Code::INVALID_VALUE),
    };
    let device = if host.is_some() {
        0
    } else {
        device_at(&wanted.location)?
    };
    able(machine()?.device(device)?)?;
    Ok(Properties {
        device,
        handle_types,
        flags,
        host,
    })
}

/// A handle: one of ours, dead or alive, or none. The driver follows anything else, and crashes.
fn handle(number: CUmemGenericAllocationHandle) -> usize {
    let number = address(number);
    if number != 0 && !is_ours(number) {
        touch(number);
    }
    number
}

fn put_handle(out: Out<CUmemGenericAllocationHandle>, number: usize) -> Outcome {
    out.put(pointer(number))
}

export! {
    ready fn cuMemAddressReserve(
        out: *mut CUdeviceptr, size: usize, alignment: usize, wish: CUdeviceptr, flags: c_ulonglong,
    ) |_| {
        out.wanted()?;
        any_able()?;
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        let base = machine()?.space_mut().reserve(size, alignment, address(wish))?;
        out.put(pointer(base))
    }

    ready fn cuMemAddressFree(base: CUdeviceptr, size: usize) |_| {
        machine()?.space_mut().unreserve(address(base), size)
    }

    ready fn cuMemCreate(
        out: *mut CUmemGenericAllocationHandle, size: usize, wanted: *const CUmemAllocationProp, flags: c_ulonglong,
    ) |_| {
        out.wanted()?;
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        let properties = properties(&wanted.get()?)?;
        let number = fresh_handle();
        machine()?.space_mut().create(number, size, properties)?;
        put_handle(out, number)
    }

    ready fn cuMemRelease(memory: CUmemGenericAllocationHandle) |_| {
        machine()?.space_mut().release(handle(memory))
    }

    ready fn cuMemMap(
        base: CUdeviceptr, size: usize, offset: usize, memory: CUmemGenericAllocationHandle, flags: c_ulonglong,
    ) |_| {
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        machine()?.space_mut().map(address(base), size, offset, handle(memory))
    }

    ready fn cuMemUnmap(base: CUdeviceptr, size: usize) |_| {
        for context in machine()?.contexts.all() {
            for stream in context.streams() {
                stream.drain();
            }
        }
        machine()?.space_mut().unmap(address(base), size)
    }

    ready fn cuMemSetAccess(base: CUdeviceptr, size: usize, wanted: *const CUmemAccessDesc, count: usize) |_| {
        if count == 0 {
            return Err(Code::INVALID_VALUE);
        }
        for entry in wanted.list(count)? {
            let access = Protection::from_flags(entry.flags.0)?;
            if entry.location.type_ != Location::CU_MEM_LOCATION_TYPE_DEVICE {
                return Err(Code::NOT_SUPPORTED);
            }
            let who = device_at(&entry.location).map_err(|_no_device| Code::INVALID_VALUE)?;
            reach(who, address(base))?;
            machine()?.space_mut().set_access(address(base), size, who, access)?;
        }
        Ok(())
    }

    ready fn cuMemGetAccess(flags: *mut c_ulonglong, location: *const CUmemLocation, dptr: CUdeviceptr) |_| {
        let location = location.get()?;
        if location.type_ == Location::CU_MEM_LOCATION_TYPE_HOST {
            return flags.put(c_ulonglong::from(Protection::ReadWrite.flags()));
        }
        let who = device_at(&location)?;
        let (granted, known) = match machine()?.space().find(address(dptr)) {
            Found::Virtual(hit) => (hit.map.as_ref().map_or(0, |map| map.access(who).flags()), hit.map.is_some()),
            Found::Object(_) => (0, true),
            Found::Nothing => (0, false),
        };
        flags.put(c_ulonglong::from(granted))?;
        if known { Ok(()) } else { Err(Code::INVALID_VALUE) }
    }

    ready fn cuMemGetAllocationGranularity(
        out: *mut usize, wanted: *const CUmemAllocationProp, which: CUmemAllocationGranularity_flags,
    ) |_| {
        if which.0 > 1 {
            return Err(Code::INVALID_VALUE);
        }
        properties(&wanted.get()?)?;
        out.put(GRANULARITY)
    }

    ready fn cuMemGetAllocationPropertiesFromHandle(
        out: *mut CUmemAllocationProp, memory: CUmemGenericAllocationHandle,
    ) |_| {
        out.wanted()?;
        let found = machine()?.space().physical(handle(memory))?.properties;
        let mut said = CUmemAllocationProp {
            type_: CUmemAllocationType_enum::CU_MEM_ALLOCATION_TYPE_PINNED,
            requestedHandleTypes: CUmemAllocationHandleType_enum(found.handle_types),
            ..CUmemAllocationProp::default()
        };
        said.allocFlags.compressionType = found.flags[0];
        said.allocFlags.gpuDirectRDMACapable = found.flags[1];
        said.allocFlags.usage = u16::from_le_bytes([found.flags[2], found.flags[3]]);
        let (kind, id) = match found.host {
            Some((kind, id)) => (CUmemLocationType_enum(kind), id),
            None => (Location::CU_MEM_LOCATION_TYPE_DEVICE, i32::try_from(found.device).unwrap_or(0)),
        };
        said.location.type_ = kind;
        said.location.__bindgen_anon_1.id = id;
        out.put(said)
    }

    ready fn cuMemRetainAllocationHandle(out: *mut CUmemGenericAllocationHandle, at: *mut c_void) |_| {
        out.wanted()?;
        let number = machine()?.space_mut().retain(at.address())?;
        put_handle(out, number)
    }
}

/// A device may only be given access to memory that it can reach.
fn reach(who: usize, base: usize) -> Outcome {
    let machine = machine()?;
    let Found::Virtual(hit) = machine.space().find(base) else {
        return Err(Code::INVALID_VALUE);
    };
    let map = hit.map.ok_or(Code::INVALID_VALUE)?;
    let owner = map.memory.properties.device;
    let near =
        map.memory.properties.host.is_some() || who == owner || machine.may_reach(who, owner);
    device(i32::try_from(who).unwrap_or(-1))?;
    if near {
        Ok(())
    } else {
        Err(Code::INVALID_DEVICE)
    }
}
