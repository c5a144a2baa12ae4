//! Hints for managed memory: checked, then forgotten, because the simulator keeps one copy of every byte.

use core::ffi::{c_uint, c_void};
use std::sync::Arc;

use cuda_sys::driver::*;

use super::c::address;
use super::device::device;
use super::forked;
use super::gate::{Call, export};
use super::guard;
use crate::model::bytes;
use crate::model::code::{Code, Outcome};
use crate::model::machine::machine;
use crate::model::object::{Kind, Object};
use crate::model::space::Found;
use crate::profile::number;

/// A range must lie in one managed allocation.
fn check(dptr: CUdeviceptr, count: usize) -> Outcome<Arc<Object>> {
    let start = address(dptr);
    if count == 0 {
        return Err(Code::INVALID_VALUE);
    }
    match machine()?.space().find(start) {
        Found::Object(object)
            if object.is_managed() && object.holds(start - object.base, count) =>
        {
            Ok(object)
        }
        _ => Err(Code::INVALID_VALUE),
    }
}

/// Prefetching to a device needs concurrent access.
fn prefetch(
    call: Call,
    dptr: CUdeviceptr,
    count: usize,
    to: Option<CUdevice>,
    stream: usize,
) -> Outcome {
    if let Some(held) = forked::stream(stream) {
        held?;
        // The driver does not come through (measured).
        bytes::touch(address(dptr));
    }
    let stream = call.stream(stream)?;
    guard::no_capture(&stream)?;
    if let Some(to) = to
        && !device(to)?.profile.has(number::CONCURRENT_MANAGED)
    {
        return Err(Code::INVALID_DEVICE);
    }
    check(dptr, count)?;
    stream.enqueue(|| Ok(())).map(drop)
}

fn advise(dptr: CUdeviceptr, count: usize, advice: CUmem_advise, to: Option<CUdevice>) -> Outcome {
    if !(1..=6).contains(&advice.0) {
        return Err(Code::INVALID_VALUE);
    }
    if let Some(to) = to {
        device(to)?;
    }
    // A pool's memory is where the pool says.
    match check(dptr, count)?.kind {
        Kind::Managed => Ok(()),
        _ => Err(Code::NOT_SUPPORTED),
    }
}

/// The device of a location, nothing for the host.
fn device_of(location: &CUmemLocation) -> Outcome<Option<CUdevice>> {
    match location.type_ {
        CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_DEVICE => {
            // SAFETY: with this type the union holds a number.
            Ok(Some(unsafe { location.__bindgen_anon_1.id }))
        }
        CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_HOST
        | CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_HOST_NUMA
        | CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT => Ok(None),
        _ => Err(Code::INVALID_VALUE),
    }
}

/// Whether the device of a location exists, where it is one.
pub(super) fn names_a_device(location: &CUmemLocation) -> bool {
    device_of(location).map_or(true, |named| {
        named.is_none_or(|number| device(number).is_ok())
    })
}

/// The older calls name the host by a number.
const HOST: CUdevice = -1;

fn older(device: CUdevice) -> Option<CUdevice> {
    (device != HOST).then_some(device)
}

export! {
    // Where managed memory was advised to be is not kept: nothing is preferred, and nothing was prefetched.
    ready fn cuMemRangeGetAttribute(
        data: *mut c_void, size: usize, which: CUmem_range_attribute, dptr: CUdeviceptr, count: usize,
    ) |_| {
        const READ_MOSTLY: c_uint = 1;
        const NOWHERE: i32 = -2;
        check(dptr, count)?;
        match which.0 {
            READ_MOSTLY if size == 4 => data.cast::<c_uint>().put(0),
            2 | 4 if size == 4 => data.cast::<i32>().put(NOWHERE),
            3 if size > 0 && size.is_multiple_of(4) => {
                (0..size / 4).try_for_each(|index| data.cast::<i32>().put_at(index, NOWHERE))
            }
            _ => Err(Code::INVALID_VALUE),
        }
    }

    held fn cuMemPrefetchAsync / cuMemPrefetchAsync_ptsz(
        dptr: CUdeviceptr, count: usize, to: CUdevice, stream: CUstream,
    ) |call| {
        prefetch(call, dptr, count, older(to), stream.address())
    }

    held fn cuMemPrefetchAsync_v2 / cuMemPrefetchAsync_v2_ptsz(
        dptr: CUdeviceptr, count: usize, to: CUmemLocation, flags: c_uint, stream: CUstream,
    ) |call| {
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        prefetch(call, dptr, count, device_of(&to)?, stream.address())
    }

    ready fn cuMemAdvise(dptr: CUdeviceptr, count: usize, advice: CUmem_advise, to: CUdevice) |_| {
        advise(dptr, count, advice, older(to))
    }

    ready fn cuMemAdvise_v2(dptr: CUdeviceptr, count: usize, advice: CUmem_advise, to: CUmemLocation) |_| {
        advise(dptr, count, advice, device_of(&to)?)
    }
}
