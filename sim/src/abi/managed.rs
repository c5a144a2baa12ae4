//! Hints for managed memory: checked, then forgotten, because the simulator keeps one copy of every byte.

use core::ffi::c_uint;

use cuda_sys::driver::*;

use super::c::address;
use super::device::device;
use super::gate::{Call, export};
use super::guard;
use crate::model::code::{Code, Outcome};
use crate::model::machine::machine;
use crate::model::space::Found;
use crate::profile::number;

/// A range must lie in one managed allocation.
fn check(dptr: CUdeviceptr, count: usize) -> Outcome {
    let start = address(dptr);
    if count == 0 {
        return Err(Code::INVALID_VALUE);
    }
    match machine()?.space().find(start) {
        Found::Object(object)
            if object.kind == crate::model::object::Kind::Managed
                && object.holds(start - object.base, count) =>
        {
            Ok(())
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
    check(dptr, count)?;
    let stream = call.stream(stream)?;
    if let Some(to) = to
        && !device(to)?.profile.has(number::CONCURRENT_MANAGED)
    {
        return Err(Code::INVALID_DEVICE);
    }
    if guard::asynchronous_use(&stream)?.is_some() {
        return Err(call.unsupported());
    }
    stream.enqueue(|| Ok(())).map(drop)
}

fn advise(dptr: CUdeviceptr, count: usize, advice: CUmem_advise, to: Option<CUdevice>) -> Outcome {
    if !(1..=6).contains(&advice.0) {
        return Err(Code::INVALID_VALUE);
    }
    if let Some(to) = to {
        device(to)?;
    }
    check(dptr, count)
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

/// The older calls name the host by a number.
const HOST: CUdevice = -1;

fn older(device: CUdevice) -> Option<CUdevice> {
    (device != HOST).then_some(device)
}

export! {
    ready fn cuMemPrefetchAsync / cuMemPrefetchAsync_ptsz(
        dptr: CUdeviceptr, count: usize, to: CUdevice, stream: CUstream,
    ) |call| {
        prefetch(call, dptr, count, older(to), stream.address())
    }

    ready fn cuMemPrefetchAsync_v2 / cuMemPrefetchAsync_v2_ptsz(
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
