//! Batches of copies.
//!
//! CUDA 12 tells which entry failed where CUDA 13 does not; each form has a driver function of its own.

#![cfg(not(major = "11"))]

use core::ffi::c_ulonglong;

use cuda_sys::runtime::cudaStream_t;

use super::entry::{Answer, Call, driver};
use super::own;

#[cfg(major = "12")]
pub(crate) unsafe fn cudaMemcpyBatchAsync(
    call: &Call,
    dsts: *mut *mut core::ffi::c_void,
    srcs: *mut *mut core::ffi::c_void,
    sizes: *mut usize,
    count: usize,
    attributes: *mut own::cudaMemcpyAttributes,
    indices: *mut usize,
    attribute_count: usize,
    failed: *mut usize,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    driver!(call.cuMemcpyBatchAsync(
        dsts.cast(),
        srcs.cast(),
        sizes,
        count,
        attributes.cast(),
        indices,
        attribute_count,
        failed,
        stream,
    ))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaMemcpyBatchAsync(
    call: &Call,
    dsts: *const *mut core::ffi::c_void,
    srcs: *const *const core::ffi::c_void,
    sizes: *const usize,
    count: usize,
    attributes: *mut own::cudaMemcpyAttributes,
    indices: *mut usize,
    attribute_count: usize,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    driver!(call.cuMemcpyBatchAsync_v2(
        dsts.cast_mut().cast(),
        srcs.cast_mut().cast(),
        sizes.cast_mut(),
        count,
        attributes.cast(),
        indices,
        attribute_count,
        stream,
    ))
}

#[cfg(major = "12")]
pub(crate) unsafe fn cudaMemcpy3DBatchAsync(
    call: &Call,
    count: usize,
    operations: *mut own::cudaMemcpy3DBatchOp,
    failed: *mut usize,
    flags: c_ulonglong,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    driver!(call.cuMemcpy3DBatchAsync(count, operations.cast(), failed, flags, stream))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaMemcpy3DBatchAsync(
    call: &Call,
    count: usize,
    operations: *mut own::cudaMemcpy3DBatchOp,
    flags: c_ulonglong,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    driver!(call.cuMemcpy3DBatchAsync_v2(count, operations.cast(), flags, stream))
}
