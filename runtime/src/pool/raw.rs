//! The C calls, with errors: no owner, no device switch, no observer.

use super::Pool;
use core::ptr;

use crate::api::api;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Address;
use crate::stream::Stream;

/// Allocates in the order of the stream, from this pool or the device's current one.
///
/// Runtime API: `cudaMallocAsync`, `cudaMallocFromPoolAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// In a stream that captures, the memory belongs to the graph.
#[doc(alias = "cudaMallocAsync")]
#[doc(alias = "cudaMallocFromPoolAsync")]
pub unsafe fn allocate(pool: Option<&Pool>, size: Bytes, stream: &Stream) -> Result<Address> {
    let api = api()?;
    let mut pointer = ptr::null_mut();
    let handle = stream.as_raw();
    if let Some(pool) = pool {
        // SAFETY: `pointer` is a live out parameter; pool and stream are alive.
        let status =
            unsafe { api.cudaMallocFromPoolAsync(&raw mut pointer, size.0, pool.as_raw(), handle) };
        check!(
            api,
            cudaMallocFromPoolAsync,
            status,
            size,
            pool = pool.as_raw(),
            stream = handle
        )?;
    } else {
        // SAFETY: `pointer` is a live out parameter; the stream is alive.
        let status = unsafe { api.cudaMallocAsync(&raw mut pointer, size.0, handle) };
        check!(api, cudaMallocAsync, status, size, stream = handle)?;
    }
    Ok(Address::from(pointer))
}

/// Frees in the order of the stream.
///
/// Runtime API: `cudaFreeAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// Nobody uses the memory behind this point of the stream.
#[doc(alias = "cudaFreeAsync")]
pub unsafe fn free(address: Address, stream: &Stream) -> Result<()> {
    let api = api()?;
    let handle = stream.as_raw();
    // SAFETY: the caller promises that nobody uses the memory behind this point of the stream.
    let status = unsafe { api.cudaFreeAsync(address.as_mut_ptr(), handle) };
    check!(api, cudaFreeAsync, status, address, stream = handle)
}
