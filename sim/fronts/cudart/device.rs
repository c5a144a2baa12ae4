//! Devices as the runtime counts and chooses them.

use core::ffi::{c_char, c_int, c_uint};

use cuda_sys::runtime::{cudaChannelFormatDesc, cudaError_t};

use super::entry::{Answer, Call, driver, get, put};
use super::own;

pub(crate) unsafe fn cudaGetDeviceCount(call: &Call, count: *mut c_int) -> Answer {
    let found = call.count()?;
    // SAFETY: the caller's place.
    unsafe { put(count, found) }
}

pub(crate) unsafe fn cudaGetDevice(call: &Call, device: *mut c_int) -> Answer {
    call.count()?;
    let found = call.device()?;
    // SAFETY: the caller's place.
    unsafe { put(device, found) }
}

pub(crate) unsafe fn cudaSetDevice(call: &Call, device: c_int) -> Answer {
    call.choose(device)
}

/// Makes a device ready without choosing it.
#[cfg(not(major = "11"))]
pub(crate) unsafe fn cudaInitDevice(
    call: &Call,
    device: c_int,
    device_flags: c_uint,
    flags: c_uint,
) -> Answer {
    const FLAGS_ARE_VALID: c_uint = 1;
    call.valid(device)?;
    if flags & FLAGS_ARE_VALID != 0 {
        driver!(call.cuDevicePrimaryCtxSetFlags_v2(device, device_flags))?;
    }
    call.primary(device).map(|_| ())
}

pub(crate) unsafe fn cudaSetValidDevices(call: &Call, devices: *mut c_int, count: c_int) -> Answer {
    let count = usize::try_from(count).map_err(|_| cudaError_t::cudaErrorInvalidValue)?;
    for index in 0..count {
        // SAFETY: the caller's array of so many ordinals.
        let device = unsafe { get(devices.wrapping_add(index)) }?;
        call.valid(device)?;
    }
    Ok(())
}

/// The device that is most like the wanted one: of equal devices the first.
pub(crate) unsafe fn cudaChooseDevice(
    call: &Call,
    device: *mut c_int,
    wanted: *const own::cudaDeviceProp,
) -> Answer {
    call.count()?;
    if wanted.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    // SAFETY: the caller's place.
    unsafe { put(device, 0) }
}

pub(crate) unsafe fn cudaSetDeviceFlags(call: &Call, flags: c_uint) -> Answer {
    let device = call.device()?;
    driver!(call.cuDevicePrimaryCtxSetFlags_v2(device, flags))
}

/// The flags of the current context, or those that the primary one will have.
pub(crate) unsafe fn cudaGetDeviceFlags(call: &Call, flags: *mut c_uint) -> Answer {
    /// The runtime always maps host memory.
    const MAP_HOST: c_uint = 8;
    let device = call.device()?;
    let (mut found, mut active) = (0, 0);
    driver!(call.cuDevicePrimaryCtxGetState(device, &raw mut found, &raw mut active))?;
    // SAFETY: the caller's place.
    unsafe { put(flags, found | MAP_HOST) }
}

/// Waits until the device is done.
#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaDeviceSynchronize(call: &Call) -> Answer {
    call.ensure()?;
    driver!(call.cuCtxSynchronize())
}

/// Waits until the device is done: CUDA 13 names the context.
#[cfg(major = "13")]
pub(crate) unsafe fn cudaDeviceSynchronize(call: &Call) -> Answer {
    let context = call.context()?;
    driver!(call.cuCtxSynchronize_v2(context))
}

pub(crate) unsafe fn cudaDeviceReset(call: &Call) -> Answer {
    call.reset()
}

#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaThreadExit(call: &Call) -> Answer {
    call.reset()
}

pub(crate) unsafe fn cudaDeviceGetPCIBusId(
    call: &Call,
    text: *mut c_char,
    room: c_int,
    device: c_int,
) -> Answer {
    call.valid(device)?;
    driver!(call.cuDeviceGetPCIBusId(text, room, device))
}

pub(crate) unsafe fn cudaDeviceCanAccessPeer(
    call: &Call,
    can: *mut c_int,
    device: c_int,
    peer: c_int,
) -> Answer {
    call.valid(device)?;
    call.valid(peer)?;
    driver!(call.cuDeviceCanAccessPeer(can, device, peer))
}

pub(crate) unsafe fn cudaDeviceEnablePeerAccess(call: &Call, peer: c_int, flags: c_uint) -> Answer {
    call.ensure()?;
    let peer = call.primary(peer)?;
    driver!(call.cuCtxEnablePeerAccess(peer, flags))
}

pub(crate) unsafe fn cudaDeviceDisablePeerAccess(call: &Call, peer: c_int) -> Answer {
    call.ensure()?;
    let peer = call.primary(peer)?;
    driver!(call.cuCtxDisablePeerAccess(peer))
}

pub(crate) unsafe fn cudaDeviceGetTexture1DLinearMaxWidth(
    call: &Call,
    width: *mut usize,
    format: *const cudaChannelFormatDesc,
    device: c_int,
) -> Answer {
    call.valid(device)?;
    // SAFETY: the caller's place.
    let desc = unsafe { get(format) }?;
    let (format, channels) = super::arrays::format(desc)?;
    driver!(call.cuDeviceGetTexture1DLinearMaxWidth(width, format, channels, device))
}

/// Profiling is a matter of tools that are not there.
pub(crate) unsafe fn cudaProfilerStart(call: &Call) -> Answer {
    call.context().map(|_| ())
}

pub(crate) unsafe fn cudaProfilerStop(call: &Call) -> Answer {
    call.context().map(|_| ())
}
