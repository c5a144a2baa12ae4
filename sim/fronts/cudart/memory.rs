//! Allocation, as far as the runtime does more than hand it on.

use core::ffi::{c_int, c_uchar, c_uint, c_void};
use core::ptr;

use cuda_sys::driver::CUdeviceptr;
use cuda_sys::runtime::{cudaError_t, cudaExtent, cudaMemPool_t, cudaPitchedPtr, cudaStream_t};

use super::entry::{Answer, Call, driver, put};

/// The element size with which the runtime asks for a pitch.
const PITCH_ELEMENT: u32 = 4;

/// A device address as the driver writes it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "addresses have 64 bits here"
)]
pub(crate) fn pointer(address: CUdeviceptr) -> *mut c_void {
    ptr::with_exposed_provenance_mut(address as usize)
}

/// A device address as the driver takes it.
pub(crate) fn address(pointer: *const c_void) -> CUdeviceptr {
    pointer.expose_provenance() as CUdeviceptr
}

/// Answers an allocation: null for a size of 0, which succeeds, and where it fails.
fn allocated(
    place: *mut *mut c_void,
    size: usize,
    allocate: impl FnOnce(*mut CUdeviceptr) -> Answer,
) -> Answer {
    if place.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    let mut found: CUdeviceptr = 0;
    let answer = if size > 0 {
        allocate(&raw mut found)
    } else {
        Ok(())
    };
    if answer.is_err() {
        found = 0;
    }
    // SAFETY: the caller's place for a pointer.
    unsafe { put(place, pointer(found)) }?;
    answer
}

pub(crate) unsafe fn cudaMalloc(call: &Call, place: *mut *mut c_void, size: usize) -> Answer {
    call.ensure()?;
    allocated(place, size, |found| {
        driver!(call.cuMemAlloc_v2(found, size))
    })
}

pub(crate) unsafe fn cudaMallocHost(call: &Call, place: *mut *mut c_void, size: usize) -> Answer {
    call.ensure()?;
    allocated(place, size, |found| {
        driver!(call.cuMemHostAlloc(found.cast(), size, 0))
    })
}

/// The device's address of host memory; without an address there is nothing to answer.
pub(crate) unsafe fn cudaHostGetDevicePointer(
    call: &Call,
    place: *mut *mut c_void,
    host: *mut c_void,
    flags: c_uint,
) -> Answer {
    call.ensure()?;
    if host.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    driver!(call.cuMemHostGetDevicePointer_v2(place.cast(), host, flags))
}

pub(crate) unsafe fn cudaHostAlloc(
    call: &Call,
    place: *mut *mut c_void,
    size: usize,
    flags: c_uint,
) -> Answer {
    call.ensure()?;
    allocated(place, size, |found| {
        driver!(call.cuMemHostAlloc(found.cast(), size, flags))
    })
}

pub(crate) unsafe fn cudaMallocManaged(
    call: &Call,
    place: *mut *mut c_void,
    size: usize,
    flags: c_uint,
) -> Answer {
    call.ensure()?;
    allocated(place, size, |found| {
        driver!(call.cuMemAllocManaged(found, size, flags))
    })
}

pub(crate) unsafe fn cudaMallocAsync(
    call: &Call,
    place: *mut *mut c_void,
    size: usize,
    stream: cudaStream_t,
) -> Answer {
    call.ensure_unless_forked()?;
    allocated(place, size, |found| {
        driver!(call.cuMemAllocAsync(found, size, stream))
    })
}

pub(crate) unsafe fn cudaMallocFromPoolAsync(
    call: &Call,
    place: *mut *mut c_void,
    size: usize,
    pool: cudaMemPool_t,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    allocated(place, size, |found| {
        driver!(call.cuMemAllocFromPoolAsync(found, size, pool, stream))
    })
}

/// Frees device memory; null is nothing to free, which the driver knows.
pub(crate) unsafe fn cudaFree(call: &Call, memory: *mut c_void) -> Answer {
    call.ensure()?;
    driver!(call.cuMemFree_v2(address(memory)))
}

/// Allocates rows of which each begins at an aligned address.
pub(crate) unsafe fn cudaMallocPitch(
    call: &Call,
    place: *mut *mut c_void,
    pitch: *mut usize,
    width: usize,
    height: usize,
) -> Answer {
    call.ensure()?;
    if place.is_null() || pitch.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    let (found, step) = pitched(call, width, height)?;
    // SAFETY: the caller's place for a number.
    unsafe { put(pitch, step) }?;
    // SAFETY: the caller's place for a pointer.
    unsafe { put(place, pointer(found)) }
}

/// Allocates slices of such rows.
pub(crate) unsafe fn cudaMalloc3D(
    call: &Call,
    place: *mut cudaPitchedPtr,
    extent: cudaExtent,
) -> Answer {
    call.ensure()?;
    if place.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    let rows = extent
        .height
        .checked_mul(extent.depth)
        .ok_or(cudaError_t::cudaErrorInvalidValue)?;
    let (found, step) = pitched(call, extent.width, rows)?;
    let made = cudaPitchedPtr {
        ptr: pointer(found),
        pitch: step,
        xsize: extent.width,
        ysize: extent.height,
    };
    // SAFETY: the caller's place for such a struct.
    unsafe { put(place, made) }
}

fn pitched(call: &Call, width: usize, rows: usize) -> Result<(CUdeviceptr, usize), cudaError_t> {
    if width == 0 || rows == 0 {
        return Ok((0, 0));
    }
    let mut found: CUdeviceptr = 0;
    let mut pitch = 0;
    driver!(call.cuMemAllocPitch_v2(&raw mut found, &raw mut pitch, width, rows, PITCH_ELEMENT))?;
    Ok((found, pitch))
}

/// The byte that a memset writes: the lowest of the number, as in C.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "C takes the lowest byte"
)]
fn byte(value: c_int) -> c_uchar {
    value as c_uchar
}

pub(crate) unsafe fn cudaMemset(
    call: &Call,
    memory: *mut c_void,
    value: c_int,
    count: usize,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    driver!(call.cuMemsetD8_v2(address(memory), byte(value), count))
}

pub(crate) unsafe fn cudaMemsetAsync(
    call: &Call,
    memory: *mut c_void,
    value: c_int,
    count: usize,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    driver!(call.cuMemsetD8Async(address(memory), byte(value), count, stream))
}

pub(crate) unsafe fn cudaMemset2D(
    call: &Call,
    memory: *mut c_void,
    pitch: usize,
    value: c_int,
    width: usize,
    height: usize,
) -> Answer {
    call.ensure()?;
    if width == 0 || height == 0 {
        return Ok(());
    }
    driver!(call.cuMemsetD2D8_v2(address(memory), pitch, byte(value), width, height))
}

pub(crate) unsafe fn cudaMemset2DAsync(
    call: &Call,
    memory: *mut c_void,
    pitch: usize,
    value: c_int,
    width: usize,
    height: usize,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    if width == 0 || height == 0 {
        return Ok(());
    }
    driver!(call.cuMemsetD2D8Async(address(memory), pitch, byte(value), width, height, stream))
}

pub(crate) unsafe fn cudaMemset3D(
    call: &Call,
    memory: cudaPitchedPtr,
    value: c_int,
    extent: cudaExtent,
) -> Answer {
    call.ensure()?;
    for (start, rows) in slices(memory, extent)? {
        driver!(call.cuMemsetD2D8_v2(start, memory.pitch, byte(value), extent.width, rows))?;
    }
    Ok(())
}

pub(crate) unsafe fn cudaMemset3DAsync(
    call: &Call,
    memory: cudaPitchedPtr,
    value: c_int,
    extent: cudaExtent,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    for (start, rows) in slices(memory, extent)? {
        driver!(call.cuMemsetD2D8Async(
            start,
            memory.pitch,
            byte(value),
            extent.width,
            rows,
            stream
        ))?;
    }
    Ok(())
}

/// The 2D memsets that make up a 3D one: a single one where the slices lie side by side.
fn slices(
    memory: cudaPitchedPtr,
    extent: cudaExtent,
) -> Result<Vec<(CUdeviceptr, usize)>, cudaError_t> {
    let start = address(memory.ptr);
    if extent.width == 0 || extent.height == 0 || extent.depth == 0 {
        return Ok(Vec::new());
    }
    if extent.height == memory.ysize || extent.depth == 1 {
        let rows = extent
            .height
            .checked_mul(extent.depth)
            .ok_or(cudaError_t::cudaErrorInvalidValue)?;
        return Ok(vec![(start, rows)]);
    }
    let slice = memory
        .pitch
        .checked_mul(memory.ysize)
        .ok_or(cudaError_t::cudaErrorInvalidValue)?;
    let place = |index: usize| start.wrapping_add((slice.wrapping_mul(index)) as CUdeviceptr);
    Ok((0..extent.depth)
        .map(|index| (place(index), extent.height))
        .collect())
}

/// Where managed memory shall be, in the form that takes a device's number.
#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaMemAdvise(
    call: &Call,
    memory: *const c_void,
    count: usize,
    advice: cuda_sys::runtime::cudaMemoryAdvise,
    device: c_int,
) -> Answer {
    call.ensure()?;
    driver!(call.cuMemAdvise(
        address(memory),
        count,
        cuda_sys::driver::CUmem_advise_enum(advice.0),
        device
    ))
}

/// Where managed memory shall be.
#[cfg(major = "13")]
pub(crate) unsafe fn cudaMemAdvise(
    call: &Call,
    memory: *const c_void,
    count: usize,
    advice: cuda_sys::runtime::cudaMemoryAdvise,
    location: super::own::cudaMemLocation,
) -> Answer {
    call.ensure()?;
    // SAFETY: the runtime's location is the driver's under another name.
    let location = unsafe { super::entry::pass(location) };
    driver!(call.cuMemAdvise_v2(
        address(memory),
        count,
        cuda_sys::driver::CUmem_advise_enum(advice.0),
        location
    ))
}

#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaMemPrefetchAsync(
    call: &Call,
    memory: *const c_void,
    count: usize,
    device: c_int,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    driver!(call.cuMemPrefetchAsync(address(memory), count, device, stream))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaMemPrefetchAsync(
    call: &Call,
    memory: *const c_void,
    count: usize,
    location: super::own::cudaMemLocation,
    flags: c_uint,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    // SAFETY: the runtime's location is the driver's under another name.
    let location = unsafe { super::entry::pass(location) };
    driver!(call.cuMemPrefetchAsync_v2(address(memory), count, location, flags, stream))
}
