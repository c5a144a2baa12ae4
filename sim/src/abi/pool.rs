//! Memory pools and stream-ordered allocation.

use core::ffi::{c_int, c_ulonglong, c_void};
use std::sync::atomic::Ordering;

use cuda_sys::driver::*;

use super::c::{Out, address, handle};
use super::device::{device, ordinal};
use super::forked;
use super::gate::{Call, export};
use super::guard;
use super::memory::pointer;
use super::vmm::device_at;
use crate::model::bytes::touch;
use crate::model::code::{Code, Outcome};
use crate::model::graph::Action;
use crate::model::machine::{Device, machine};
use crate::model::object::{Home, Kind};
use crate::model::pool::Pool;
use crate::model::registry::{fresh_handle, is_ours};
use crate::model::stream::Kind as StreamKind;
use crate::model::vmm::Protection;
use crate::profile::number;

type Attribute = CUmemPool_attribute;

fn able(device: &Device) -> Outcome {
    if device.profile.has(number::POOLS) {
        Ok(())
    } else {
        Err(Code::NOT_SUPPORTED)
    }
}

fn allocate(
    call: Call,
    out: Out<CUdeviceptr>,
    size: usize,
    pool: Option<usize>,
    stream: usize,
) -> Outcome {
    let stream = call.stream(stream)?;
    out.wanted()?;
    let machine = machine()?;
    let device = machine.device(stream.context()?.device)?;
    able(device)?;
    if let Some(capture) = guard::asynchronous_use(&stream)? {
        let memory = machine
            .space_mut()
            .graph_allocate(size, stream.context()?.device)?;
        let base = memory.object.base;
        capture.add(&stream, Action::Allocate(memory))?;
        return out.put(pointer(base));
    }
    if stream.kind == StreamKind::Legacy {
        guard::no_unsafe_call()?;
    }
    let pool = pool.unwrap_or_else(|| device.pool.load(Ordering::Relaxed));
    let object = machine
        .space_mut()
        .pool_allocate(pool, size, stream.handle)?;
    out.put(pointer(object.base))
}

fn free(call: Call, base: usize, stream: usize) -> Outcome {
    if let Some(answer) = forked::work(stream, base) {
        return answer;
    }
    let stream = call.stream_of_live_context(stream)?;
    if base == 0 {
        return Ok(());
    }
    let machine = machine()?;
    let object = machine
        .space()
        .exactly(base)
        .cloned()
        .ok_or(Code::INVALID_VALUE)?;
    let capture = guard::asynchronous_use(&stream)?;
    match object.kind {
        // Allocated outside of the capture, so it cannot be freed in it.
        Kind::Pool(..) | Kind::Device if capture.is_some() => Err(Code::INVALID_VALUE),
        Kind::Graph => match capture {
            Some(capture) => capture.add(&stream, Action::Free(base)).map(drop),
            None => {
                stream.drain();
                machine
                    .space_mut()
                    .remove(base)
                    .map(drop)
                    .ok_or(Code::INVALID_VALUE)
            }
        },
        Kind::Pool(..) => {
            let when = stream.enqueue(|| Ok(()))?;
            machine.space_mut().pool_free(base, stream.handle, when)
        }
        Kind::Device => {
            stream.drain();
            machine
                .space_mut()
                .remove(base)
                .map(drop)
                .ok_or(Code::INVALID_VALUE)
        }
        Kind::Managed => Err(Code::NOT_SUPPORTED),
        _ => Err(Code::INVALID_VALUE),
    }
}

/// Attributes that are only remembered: reuse policies.
const fn is_policy(which: Attribute) -> bool {
    matches!(
        which,
        Attribute::CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES
            | Attribute::CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC
            | Attribute::CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES
    )
}

/// Where a pool of this kind has its memory, and the device that answers for it.
fn home_of(kind: CUmemAllocationType, location: &CUmemLocation) -> Outcome<(Home, usize)> {
    type Kind = CUmemAllocationType_enum;
    type Location = CUmemLocationType_enum;
    match (kind, location.type_) {
        (Kind::CU_MEM_ALLOCATION_TYPE_PINNED, Location::CU_MEM_LOCATION_TYPE_DEVICE) => Ok((
            Home::Device,
            device_at(location).map_err(|_unknown| Code::INVALID_VALUE)?,
        )),
        (Kind::CU_MEM_ALLOCATION_TYPE_PINNED, Location::CU_MEM_LOCATION_TYPE_HOST) => {
            Ok((Home::Host, 0))
        }
        (Kind::CU_MEM_ALLOCATION_TYPE_PINNED, Location::CU_MEM_LOCATION_TYPE_HOST_NUMA) => {
            // SAFETY: with this type the union holds a number.
            let node = unsafe { location.__bindgen_anon_1.id };
            if node == 0 {
                Ok((Home::Host, 0))
            } else {
                Err(Code::INVALID_VALUE)
            }
        }
        (Kind::CU_MEM_ALLOCATION_TYPE_MANAGED, _) => {
            Ok((Home::Managed, device_at(location).unwrap_or(0)))
        }
        _ => Err(Code::INVALID_VALUE),
    }
}

fn create(out: Out<CUmemoryPool>, wanted: &CUmemPoolProps) -> Outcome {
    const KNOWN_HANDLES: u32 = 1 | 8;
    if wanted.handleTypes.0 & !KNOWN_HANDLES != 0 || wanted.reserved.iter().any(|&byte| byte != 0) {
        return Err(Code::INVALID_VALUE);
    }
    let (home, owner) = home_of(wanted.allocType, &wanted.location)?;
    able(machine()?.device(owner)?)?;
    let number = fresh_handle();
    machine()?.space_mut().add_pool(Pool::new(
        number,
        owner,
        home,
        wanted.maxSize,
        wanted.handleTypes.0,
    ));
    out.put(handle(number))
}

export! {
    held fn cuMemAllocAsync / cuMemAllocAsync_ptsz(out: *mut CUdeviceptr, size: usize, stream: CUstream) |call| {
        if let Some(held) = forked::stream(stream.address()) {
            held?;
            // An address of nothing: what memory a child would get here nobody has measured.
            return out.put(pointer(fresh_handle()));
        }
        allocate(call, out, size, None, stream.address())
    }

    ready fn cuMemAllocFromPoolAsync / cuMemAllocFromPoolAsync_ptsz(
        out: *mut CUdeviceptr, size: usize, pool: CUmemoryPool, stream: CUstream,
    ) |call| {
        let pool = pool.address();
        if pool != 0 && !is_ours(pool) {
            touch(pool);
        }
        allocate(call, out, size, Some(pool), stream.address())
    }

    held fn cuMemFreeAsync / cuMemFreeAsync_ptsz(dptr: CUdeviceptr, stream: CUstream) |call| {
        free(call, address(dptr), stream.address())
    }

    ready fn cuMemPoolCreate(out: *mut CUmemoryPool, wanted: *const CUmemPoolProps) |_| {
        out.wanted()?;
        create(out, &wanted.get()?)
    }

    ready fn cuMemPoolDestroy(pool: CUmemoryPool) |_| {
        let number = pool.address();
        let machine = machine()?;
        if machine.devices.iter().any(|device| device.default_pool == number) {
            return Err(Code::INVALID_VALUE);
        }
        machine.space_mut().destroy_pool(number)?;
        for device in &machine.devices {
            // A device whose pool goes allocates from its first pool again.
            let _other = device.pool.compare_exchange(number, device.default_pool, Ordering::Relaxed, Ordering::Relaxed);
        }
        Ok(())
    }

    ready fn cuMemPoolTrimTo(pool: CUmemoryPool, keep: usize) |_| {
        let mut space = machine()?.space_mut();
        space.pool(pool.address())?;
        space.trim_pool(pool.address(), keep);
        Ok(())
    }

    ready fn cuMemPoolSetAttribute(pool: CUmemoryPool, which: CUmemPool_attribute, value: *mut c_void) |_| {
        let mut space = machine()?.space_mut();
        let pool = space.pool_mut(pool.address())?;
        match which {
            Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD => {
                pool.release_threshold = value.cast::<u64>().input().get()?;
            }
            Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH | Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH => {
                if value.cast::<u64>().input().get()? != 0 {
                    return Err(Code::INVALID_VALUE);
                }
                if which == Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH {
                    pool.used_high = pool.used;
                } else {
                    pool.reserved_high = pool.reserved();
                }
            }
            policy if is_policy(policy) => {
                let on = value.cast::<c_int>().input().get()? != 0;
                pool.settings.insert(policy.0, u64::from(on));
            }
            _ => return Err(Code::INVALID_VALUE),
        }
        Ok(())
    }

    ready fn cuMemPoolGetAttribute(pool: CUmemoryPool, which: CUmemPool_attribute, value: *mut c_void) |_| {
        let space = machine()?.space();
        let pool = space.pool(pool.address())?;
        let size = |bytes: usize| value.cast::<u64>().put(bytes as u64);
        match which {
            Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD => value.cast::<u64>().put(pool.release_threshold),
            Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT => size(pool.reserved()),
            Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH => size(pool.reserved_high),
            Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT => size(pool.used),
            Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH => size(pool.used_high),
            policy if is_policy(policy) => {
                let on = pool.settings.get(&policy.0).is_none_or(|&on| on != 0);
                value.cast::<c_int>().put(c_int::from(on))
            }
            _ => Err(Code::INVALID_VALUE),
        }
    }

    ready fn cuMemPoolSetAccess(pool: CUmemoryPool, wanted: *const CUmemAccessDesc, count: usize) |_| {
        for entry in wanted.list(count)? {
            let who = device_at(&entry.location)?;
            let access = Protection::from_flags(entry.flags.0)?;
            let machine = machine()?;
            let owner = machine.space().pool(pool.address())?.device;
            if who != owner && !machine.may_reach(who, owner) {
                return Err(Code::INVALID_DEVICE);
            }
            machine.space_mut().pool_mut(pool.address())?.set_access(who, access)?;
        }
        Ok(())
    }

    // Measured: a question that captures do not bear.
    ready fn cuMemPoolGetAccess(flags: *mut CUmemAccess_flags, pool: CUmemoryPool, location: *mut CUmemLocation) |_| {
        guard::no_unsafe_call()?;
        let who = device_at(&location.input().get()?)?;
        let access = machine()?.space().pool(pool.address())?.access(who);
        flags.put(CUmemAccess_flags_enum(access.flags()))
    }

    // Sharing memory between processes is not simulated; what hardware refuses is refused.
    ready fn cuMemPoolExportPointer(out: *mut CUmemPoolPtrExportData, dptr: CUdeviceptr) |call| {
        out.wanted()?;
        let space = machine()?.space();
        let shareable = match space.exactly(address(dptr)).map(|object| object.kind) {
            Some(Kind::Pool(pool, _)) => space.pool(pool).is_ok_and(|pool| pool.handle_types != 0),
            _ => false,
        };
        Err(if shareable { call.unsupported() } else { Code::INVALID_VALUE })
    }

    ready fn cuMemPoolExportToShareableHandle(
        out: *mut c_void, pool: CUmemoryPool, kind: CUmemAllocationHandleType, flags: c_ulonglong,
    ) |call| {
        let _nothing_to_write = (out, flags);
        let types = machine()?.space().pool(pool.address())?.handle_types;
        Err(if types & kind.0 != 0 { call.unsupported() } else { Code::INVALID_VALUE })
    }

    ready fn cuDeviceGetDefaultMemPool(out: *mut CUmemoryPool, dev: CUdevice) |_| {
        able(device(dev)?)?;
        out.put(handle(device(dev)?.default_pool))
    }

    ready fn cuDeviceGetMemPool(out: *mut CUmemoryPool, dev: CUdevice) |_| {
        able(device(dev)?)?;
        out.put(handle(device(dev)?.pool.load(Ordering::Relaxed)))
    }

    ready fn cuMemGetDefaultMemPool(
        out: *mut CUmemoryPool, location: *mut CUmemLocation, kind: CUmemAllocationType,
    ) |call| {
        let _the_same_for_both = kind;
        match device_at(&location.input().get()?) {
            Ok(owner) => out.put(handle(machine()?.device(owner)?.default_pool)),
            Err(_) => Err(call.unsupported()),
        }
    }

    ready fn cuMemGetMemPool(out: *mut CUmemoryPool, location: *mut CUmemLocation, kind: CUmemAllocationType) |call| {
        let _the_same_for_both = kind;
        match device_at(&location.input().get()?) {
            Ok(owner) => out.put(handle(machine()?.device(owner)?.pool.load(Ordering::Relaxed))),
            Err(_) => Err(call.unsupported()),
        }
    }

    ready fn cuDeviceSetMemPool(dev: CUdevice, pool: CUmemoryPool) |_| {
        able(device(dev)?)?;
        if machine()?.space().pool(pool.address())?.device != ordinal(dev)? {
            return Err(Code::INVALID_VALUE);
        }
        device(dev)?.pool.store(pool.address(), Ordering::Relaxed);
        Ok(())
    }
}
