//! The C calls for copies and fills, with errors: ranges of bytes, no owner, no context switch.
//!
//! Everything here works in the thread's current context, as C does, and asks CUDA whatever the
//! arguments are, zero sizes included.

use core::ptr;

use cuda_sys::driver::{CUDA_MEMCPY2D, CUmemorytype};

use super::Direction;
pub use super::planes::{
    copy_2d, copy_2d_async, copy_3d, copy_3d_async, copy_3d_peer, copy_3d_peer_async,
};
pub use super::planes_batch::{
    copy_3d_batch_async, copy_3d_with_order_async, copy_with_order_async,
};
pub use super::raw_fill::{fill, fill_2d, fill_2d_async, fill_async};
use crate::api::api;
use crate::context::Context;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Address;
use crate::stream::Stream;

/// Copies a range of bytes and waits, as far as CUDA waits.
///
/// Driver API: `cuMemcpyHtoD_v2`, `cuMemcpyDtoH_v2`, `cuMemcpyDtoD_v2`, `cuMemcpy` for
/// [`Direction::Automatic`], `cuMemcpy2DUnaligned_v2` for [`Direction::HostToHost`]. A copy between device
/// memory may still be under way when this returns.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// Both ranges are allocated for the whole copy, the direction is true of them where they are host
/// memory, and no reference of Rust's forbids reading the one or writing the other.
#[doc(alias = "cuMemcpy")]
#[doc(alias = "cuMemcpyHtoD")]
#[doc(alias = "cuMemcpyDtoH")]
#[doc(alias = "cuMemcpyDtoD")]
pub unsafe fn copy(
    destination: Address,
    source: Address,
    size: Bytes,
    direction: Direction,
) -> Result<()> {
    let api = api()?;
    match direction {
        Direction::HostToDevice => {
            // SAFETY: the caller answers for both ranges.
            let status = unsafe { api.cuMemcpyHtoD_v2(destination.0, source.as_ptr(), size.0) };
            check!(api, cuMemcpyHtoD_v2, status, destination, source, size)
        }
        Direction::DeviceToHost => {
            // SAFETY: the caller answers for both ranges.
            let status = unsafe { api.cuMemcpyDtoH_v2(destination.as_mut_ptr(), source.0, size.0) };
            check!(api, cuMemcpyDtoH_v2, status, destination, source, size)
        }
        Direction::DeviceToDevice => {
            // SAFETY: the caller answers for both ranges.
            let status = unsafe { api.cuMemcpyDtoD_v2(destination.0, source.0, size.0) };
            check!(api, cuMemcpyDtoD_v2, status, destination, source, size)
        }
        Direction::Automatic => {
            // SAFETY: the caller answers for both ranges.
            let status = unsafe { api.cuMemcpy(destination.0, source.0, size.0) };
            check!(api, cuMemcpy, status, destination, source, size)
        }
        Direction::HostToHost => {
            let row = host_row(destination, source, size);
            // SAFETY: `row` is a live descriptor; the caller answers for both ranges.
            let status = unsafe { api.cuMemcpy2DUnaligned_v2(&raw const row) };
            check!(
                api,
                cuMemcpy2DUnaligned_v2,
                status,
                destination,
                source,
                size
            )
        }
    }
}

/// Copies a range of bytes when the stream comes to it.
///
/// Driver API: `cuMemcpyHtoDAsync_v2` and its sisters, as for [`copy`].
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`copy`], until the stream has done it; in a stream that captures, whenever the graph runs.
#[doc(alias = "cuMemcpyAsync")]
#[doc(alias = "cuMemcpyHtoDAsync")]
#[doc(alias = "cuMemcpyDtoHAsync")]
#[doc(alias = "cuMemcpyDtoDAsync")]
pub unsafe fn copy_async(
    destination: Address,
    source: Address,
    size: Bytes,
    direction: Direction,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let handle = stream.as_raw();
    match direction {
        Direction::HostToDevice => {
            // SAFETY: the caller answers for both ranges.
            let status =
                unsafe { api.cuMemcpyHtoDAsync_v2(destination.0, source.as_ptr(), size.0, handle) };
            check!(
                api,
                cuMemcpyHtoDAsync_v2,
                status,
                destination,
                source,
                size,
                stream = handle
            )
        }
        Direction::DeviceToHost => {
            // SAFETY: the caller answers for both ranges.
            let status = unsafe {
                api.cuMemcpyDtoHAsync_v2(destination.as_mut_ptr(), source.0, size.0, handle)
            };
            check!(
                api,
                cuMemcpyDtoHAsync_v2,
                status,
                destination,
                source,
                size,
                stream = handle
            )
        }
        Direction::DeviceToDevice => {
            // SAFETY: the caller answers for both ranges.
            let status =
                unsafe { api.cuMemcpyDtoDAsync_v2(destination.0, source.0, size.0, handle) };
            check!(
                api,
                cuMemcpyDtoDAsync_v2,
                status,
                destination,
                source,
                size,
                stream = handle
            )
        }
        Direction::Automatic => {
            // SAFETY: the caller answers for both ranges.
            let status = unsafe { api.cuMemcpyAsync(destination.0, source.0, size.0, handle) };
            check!(
                api,
                cuMemcpyAsync,
                status,
                destination,
                source,
                size,
                stream = handle
            )
        }
        Direction::HostToHost => {
            let row = host_row(destination, source, size);
            // SAFETY: `row` is a live descriptor; the caller answers for both ranges.
            let status = unsafe { api.cuMemcpy2DAsync_v2(&raw const row, handle) };
            check!(
                api,
                cuMemcpy2DAsync_v2,
                status,
                destination,
                source,
                size,
                stream = handle
            )
        }
    }
}

/// A copy between two ranges of host memory as one row.
fn host_row(destination: Address, source: Address, size: Bytes) -> CUDA_MEMCPY2D {
    CUDA_MEMCPY2D {
        srcMemoryType: CUmemorytype::CU_MEMORYTYPE_HOST,
        srcHost: source.as_ptr(),
        srcPitch: size.0,
        srcDevice: 0,
        srcArray: ptr::null_mut(),
        srcXInBytes: 0,
        srcY: 0,
        dstMemoryType: CUmemorytype::CU_MEMORYTYPE_HOST,
        dstHost: destination.as_mut_ptr(),
        dstPitch: size.0,
        dstDevice: 0,
        dstArray: ptr::null_mut(),
        dstXInBytes: 0,
        dstY: 0,
        WidthInBytes: size.0,
        Height: 1,
    }
}

/// Copies device memory of one context to device memory of another.
///
/// Driver API: `cuMemcpyPeer`. It needs no peer access, and is not synchronous.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// Both ranges are allocated for the whole copy.
#[doc(alias = "cuMemcpyPeer")]
pub unsafe fn peer(
    destination: Address,
    destination_context: &Context,
    source: Address,
    source_context: &Context,
    size: Bytes,
) -> Result<()> {
    let api = api()?;
    let (to, from) = (destination_context.as_raw(), source_context.as_raw());
    // SAFETY: the contexts are alive, and the caller answers for both ranges.
    let status = unsafe { api.cuMemcpyPeer(destination.0, to, source.0, from, size.0) };
    check!(
        api,
        cuMemcpyPeer,
        status,
        destination,
        to,
        source,
        from,
        size
    )
}

/// Copies device memory of one context to device memory of another when the stream comes to it.
///
/// Driver API: `cuMemcpyPeerAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// Both ranges are allocated until the stream has done it.
#[doc(alias = "cuMemcpyPeerAsync")]
pub unsafe fn peer_async(
    destination: Address,
    destination_context: &Context,
    source: Address,
    source_context: &Context,
    size: Bytes,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let (to, from) = (destination_context.as_raw(), source_context.as_raw());
    let handle = stream.as_raw();
    // SAFETY: the contexts are alive, and the caller answers for both ranges.
    let status =
        unsafe { api.cuMemcpyPeerAsync(destination.0, to, source.0, from, size.0, handle) };
    check!(
        api,
        cuMemcpyPeerAsync,
        status,
        destination,
        to,
        source,
        from,
        size,
        stream = handle
    )
}
