//! Memory at a place that the program chooses: on the device, on the host, on one of its NUMA nodes.

use core::ffi::c_int;
use core::ptr;

use cuda_sys::driver::{
    CUdevice, CUdevice_attribute, CUdeviceptr, CUmemAccess_flags, CUmemAccessDesc,
    CUmemAllocationGranularity_flags, CUmemAllocationProp, CUmemAllocationType, CUmemLocation,
    CUmemLocationType, CUmemPoolProps,
};

use super::attempt::{Attempt, BYTES, MARK, Step, host};

/// The location that is this device.
pub(super) fn on(device: CUdevice) -> CUmemLocation {
    // SAFETY: every field of this struct is a number, for which 0 is a value.
    let mut location: CUmemLocation = unsafe { core::mem::zeroed() };
    location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    location.__bindgen_anon_1.id = device;
    location
}

/// The location that is the host.
fn on_host() -> CUmemLocation {
    let mut location = on(0);
    location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_HOST;
    location
}

/// The host's NUMA node that is nearest to the device; the first one where the driver does not tell.
fn on_host_node(attempt: &Attempt) -> CUmemLocation {
    let node = attempt
        .attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID)
        .filter(|node| *node >= 0);
    let mut location = on(node.unwrap_or(0 as c_int));
    location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_HOST_NUMA;
    location
}

fn readwrite(location: CUmemLocation) -> CUmemAccessDesc {
    CUmemAccessDesc {
        location,
        flags: CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
    }
}

pub(super) fn virtual_memory(attempt: &mut Attempt) -> Step<bool> {
    let location = on(attempt.device);
    virtual_memory_at(attempt, location)
}

pub(super) fn host_virtual_memory(attempt: &mut Attempt) -> Step<bool> {
    virtual_memory_at(attempt, on_host())
}

pub(super) fn host_numa_virtual_memory(attempt: &mut Attempt) -> Step<bool> {
    let location = on_host_node(attempt);
    virtual_memory_at(attempt, location)
}

/// Reserves, creates, maps, gives access, writes and reads, and takes it all down.
fn virtual_memory_at(attempt: &mut Attempt, location: CUmemLocation) -> Step<bool> {
    let on_device = location.type_ == CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    // SAFETY: every field of this struct is a number or a pointer, for which 0 is a value.
    let mut wish: CUmemAllocationProp = unsafe { core::mem::zeroed() };
    wish.type_ = CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
    wish.location = location;
    let mut bytes = 0;
    // SAFETY: `bytes` and `wish` are alive, and the driver writes only the former.
    let status = unsafe {
        attempt.driver.cuMemGetAllocationGranularity(
            &raw mut bytes,
            &raw const wish,
            CUmemAllocationGranularity_flags::CU_MEM_ALLOC_GRANULARITY_MINIMUM,
        )
    };
    attempt.must("cuMemGetAllocationGranularity", status)?;
    let mut memory: CUdeviceptr = 0;
    // SAFETY: `memory` is a live address; the driver chooses where to reserve.
    let status = unsafe {
        attempt
            .driver
            .cuMemAddressReserve(&raw mut memory, bytes, 0, 0, 0)
    };
    attempt.must(&format!("cuMemAddressReserve({bytes})"), status)?;
    let mut handle = 0;
    // SAFETY: `handle` and `wish` are alive, and the driver writes only the former.
    let status = unsafe {
        attempt
            .driver
            .cuMemCreate(&raw mut handle, bytes, &raw const wish, 0)
    };
    attempt.must(&format!("cuMemCreate({bytes})"), status)?;
    // SAFETY: the range was reserved and the handle created above, both of this size.
    let status = unsafe { attempt.driver.cuMemMap(memory, bytes, 0, handle, 0) };
    attempt.must("cuMemMap", status)?;
    // The device, and the host where the memory is its own.
    let access = [on(attempt.device), location].map(readwrite);
    let users = if on_device { 1 } else { access.len() };
    // SAFETY: the range was mapped above, and so many descriptions are given.
    let status = unsafe {
        attempt
            .driver
            .cuMemSetAccess(memory, bytes, access.as_ptr(), users)
    };
    attempt.must_outside_sim("cuMemSetAccess", status)?;
    let same = if on_device {
        attempt.fill(memory)?;
        let mut here = vec![0_u8; BYTES];
        let target = here.as_mut_ptr().expose_provenance() as CUdeviceptr;
        // SAFETY: both ranges have `BYTES` bytes.
        let status = unsafe { attempt.driver.cuMemcpy(target, memory, BYTES) };
        attempt.must("cuMemcpy(host, virtual memory, 4096)", status)?;
        attempt.reads(here.as_ptr(), MARK, "a fill")
    } else {
        attempt.written(memory, host(memory))?
    };
    // SAFETY: mapped above and not used any more.
    let status = unsafe { attempt.driver.cuMemUnmap(memory, bytes) };
    attempt.must("cuMemUnmap", status)?;
    // SAFETY: created above and not mapped any more.
    let status = unsafe { attempt.driver.cuMemRelease(handle) };
    attempt.must("cuMemRelease", status)?;
    // SAFETY: reserved above and not used any more.
    let status = unsafe { attempt.driver.cuMemAddressFree(memory, bytes) };
    attempt.must("cuMemAddressFree", status)?;
    Ok(same)
}

pub(super) fn host_pools(attempt: &mut Attempt) -> Step<bool> {
    pool_at(attempt, on_host())
}

pub(super) fn host_numa_pools(attempt: &mut Attempt) -> Step<bool> {
    let location = on_host_node(attempt);
    pool_at(attempt, location)
}

/// Makes a pool, gives the device access, allocates from it, has the device write and the host read.
fn pool_at(attempt: &mut Attempt, location: CUmemLocation) -> Step<bool> {
    // SAFETY: every field of this struct is a number or a pointer, for which 0 is a value.
    let mut wish: CUmemPoolProps = unsafe { core::mem::zeroed() };
    wish.allocType = CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
    wish.location = location;
    let mut pool = ptr::null_mut();
    // SAFETY: `pool` and `wish` are alive, and the driver writes only the former.
    let status = unsafe {
        attempt
            .driver
            .cuMemPoolCreate(&raw mut pool, &raw const wish)
    };
    attempt.must("cuMemPoolCreate", status)?;
    let access = readwrite(on(attempt.device));
    // SAFETY: the pool was just made, and one description is given.
    let status = unsafe {
        attempt
            .driver
            .cuMemPoolSetAccess(pool, &raw const access, 1)
    };
    attempt.must("cuMemPoolSetAccess", status)?;
    let mut memory: CUdeviceptr = 0;
    let stream = ptr::null_mut();
    // SAFETY: `memory` is a live address; the null stream always exists, and the pool too.
    let status = unsafe {
        attempt
            .driver
            .cuMemAllocFromPoolAsync(&raw mut memory, BYTES, pool, stream)
    };
    attempt.must("cuMemAllocFromPoolAsync(4096)", status)?;
    let same = attempt.written(memory, host(memory))?;
    // SAFETY: allocated above and not used after this in the stream.
    let status = unsafe { attempt.driver.cuMemFreeAsync(memory, stream) };
    attempt.must("cuMemFreeAsync", status)?;
    attempt.wait()?;
    // SAFETY: made above, and what came from it was freed.
    let status = unsafe { attempt.driver.cuMemPoolDestroy(pool) };
    attempt.must("cuMemPoolDestroy", status)?;
    Ok(same)
}
