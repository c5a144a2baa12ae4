//! Kernels: they can be named, and launching them answers 801.

use core::ffi::{c_char, c_int, c_ulonglong, c_void};
use core::ptr;

use cuda_sys::driver::CUresult;
use cuda_sys::runtime::{
    cudaDriverEntryPointQueryResult, cudaError, cudaError_t, cudaStream_t, dim3,
};

use super::entry::{Answer, Call, Mode, put, say_once};
use super::own;
use super::register::function;

/// The code for a function that nobody has announced.
const UNKNOWN: cudaError_t = if super::MAJOR < 12 {
    cudaError_t::cudaErrorInvalidDeviceFunction
} else {
    cudaError_t::cudaErrorInvalidResourceHandle
};

/// What a launch answers: 801 for a function that the program has announced.
fn launch(call: &Call, host: *const c_void) -> Answer {
    call.ensure()?;
    if function(host).is_none() {
        return Err(UNKNOWN);
    }
    say_once("launching a kernel");
    Err(cudaError_t::cudaErrorNotSupported)
}

pub(crate) unsafe fn cudaLaunchKernel(
    call: &Call,
    host: *const c_void,
    _grid: dim3,
    _block: dim3,
    _arguments: *mut *mut c_void,
    _shared: usize,
    _stream: cudaStream_t,
) -> Answer {
    launch(call, host)
}

pub(crate) unsafe fn cudaLaunchCooperativeKernel(
    call: &Call,
    host: *const c_void,
    _grid: dim3,
    _block: dim3,
    _arguments: *mut *mut c_void,
    _shared: usize,
    _stream: cudaStream_t,
) -> Answer {
    launch(call, host)
}

pub(crate) unsafe fn cudaLaunchKernelExC(
    call: &Call,
    _configuration: *const own::cudaLaunchConfig_t,
    host: *const c_void,
    _arguments: *mut *mut c_void,
) -> Answer {
    launch(call, host)
}

/// A kernel's handle is its host address: nothing but launching, which is not simulated, would look into it.
#[cfg(not(major = "11"))]
pub(crate) unsafe fn __cudaGetKernel(
    _call: &Call,
    kernel: *mut *mut c_void,
    host: *const c_void,
) -> Answer {
    if function(host).is_none() {
        return Err(UNKNOWN);
    }
    // SAFETY: the stub's place.
    unsafe { put(kernel, host.cast_mut()) }
}

#[cfg(not(major = "11"))]
pub(crate) unsafe fn __cudaLaunchKernel(
    call: &Call,
    kernel: *mut c_void,
    _grid: dim3,
    _block: dim3,
    _arguments: *mut *mut c_void,
    _shared: usize,
    _stream: cudaStream_t,
) -> Answer {
    launch(call, kernel)
}

#[cfg(not(major = "11"))]
pub(crate) unsafe fn cudaFuncGetName(
    _call: &Call,
    name: *mut *const c_char,
    host: *const c_void,
) -> Answer {
    let found = function(host).ok_or(UNKNOWN)?;
    // SAFETY: the caller's place.
    unsafe { put(name, found) }
}

pub(crate) unsafe fn cudaFuncGetAttributes(
    call: &Call,
    _attributes: *mut own::cudaFuncAttributes,
    host: *const c_void,
) -> Answer {
    launch(call, host)
}

/// Asks the driver for one of its functions, as of a version.
fn entry_point(
    call: &Call,
    name: *const c_char,
    place: *mut *mut c_void,
    version: u32,
    flags: c_ulonglong,
    why: *mut cudaDriverEntryPointQueryResult,
) -> Answer {
    let flags = match (flags, call.mode) {
        (0, Mode::Legacy) => 1,
        (0, Mode::PerThread) => 2,
        (flags, _) => flags,
    };
    let version = c_int::try_from(version).unwrap_or(c_int::MAX);
    let (found, result, status) = super::loaded::ask(name, version, flags);
    if !why.is_null() {
        // SAFETY: the caller's place.
        unsafe { put(why, cudaDriverEntryPointQueryResult(result.0)) }?;
    }
    match status {
        CUresult::CUDA_SUCCESS => {
            // SAFETY: the caller's place.
            unsafe { put(place, found) }
        }
        // What is not found is said in the other answer.
        CUresult::CUDA_ERROR_NOT_FOUND if !why.is_null() => {
            // SAFETY: the caller's place.
            unsafe { put(place, ptr::null_mut()) }
        }
        status => Err(cudaError(status.0)),
    }
}

/// The version of this library, or of the driver where that is older.
#[cfg(not(major = "11"))]
fn newest() -> u32 {
    let driver = super::loaded::driver().map_or(u32::MAX, |loaded| loaded.version);
    driver.min(own::CUDART_VERSION)
}

#[cfg(major = "11")]
pub(crate) unsafe fn cudaGetDriverEntryPoint(
    call: &Call,
    name: *const c_char,
    place: *mut *mut c_void,
    flags: c_ulonglong,
) -> Answer {
    entry_point(
        call,
        name,
        place,
        own::CUDART_VERSION,
        flags,
        ptr::null_mut(),
    )
}

#[cfg(not(major = "11"))]
pub(crate) unsafe fn cudaGetDriverEntryPoint(
    call: &Call,
    name: *const c_char,
    place: *mut *mut c_void,
    flags: c_ulonglong,
    why: *mut cudaDriverEntryPointQueryResult,
) -> Answer {
    entry_point(call, name, place, newest(), flags, why)
}

#[cfg(not(major = "11"))]
pub(crate) unsafe fn cudaGetDriverEntryPointByVersion(
    call: &Call,
    name: *const c_char,
    place: *mut *mut c_void,
    version: core::ffi::c_uint,
    flags: c_ulonglong,
    why: *mut cudaDriverEntryPointQueryResult,
) -> Answer {
    entry_point(call, name, place, version, flags, why)
}
