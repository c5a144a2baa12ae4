//! The C calls, with errors: no owner, no context switch, no observer.

use super::Pool;
use crate::api::api;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Address;
use crate::stream::Stream;

/// Allocates in the order of the stream, from this pool or the device's current one.
///
/// Driver API: `cuMemAllocAsync`, `cuMemAllocFromPoolAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// In a stream that captures, the memory belongs to the graph.
#[doc(alias = "cuMemAllocAsync")]
#[doc(alias = "cuMemAllocFromPoolAsync")]
pub unsafe fn allocate(pool: Option<&Pool>, size: Bytes, stream: &Stream) -> Result<Address> {
    let api = api()?;
    let mut address = 0;
    let handle = stream.as_raw();
    if let Some(pool) = pool {
        // SAFETY: `address` is a live out parameter; pool and stream are alive.
        let status =
            unsafe { api.cuMemAllocFromPoolAsync(&raw mut address, size.0, pool.as_raw(), handle) };
        check!(
            api,
            cuMemAllocFromPoolAsync,
            status,
            size,
            pool = pool.as_raw(),
            stream = handle
        )?;
    } else {
        // SAFETY: `address` is a live out parameter; the stream is alive.
        let status = unsafe { api.cuMemAllocAsync(&raw mut address, size.0, handle) };
        check!(api, cuMemAllocAsync, status, size, stream = handle)?;
    }
    Ok(Address(address))
}

/// Frees in the order of the stream.
///
/// Driver API: `cuMemFreeAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// Nobody uses the memory behind this point of the stream.
#[doc(alias = "cuMemFreeAsync")]
pub unsafe fn free(address: Address, stream: &Stream) -> Result<()> {
    let api = api()?;
    let handle = stream.as_raw();
    // SAFETY: the caller promises that nobody uses the memory behind this point of the stream.
    let status = unsafe { api.cuMemFreeAsync(address.0, handle) };
    check!(api, cuMemFreeAsync, status, address, stream = handle)
}
