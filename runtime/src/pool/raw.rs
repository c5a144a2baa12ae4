//! The C calls, with errors: no owner, no device switch. Observers hear of them.

use super::Pool;
use core::panic::Location;
use core::ptr;

use crate::api::api;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::memory::observe::{self, Event, Kind};
use crate::pointer::Address;
use crate::stream::Stream;

/// An event of stream-ordered memory; nothing says how much is freed.
fn event(
    address: Address,
    size: Bytes,
    stream: &Stream,
    location: Option<&'static Location<'static>>,
) -> Event {
    Event {
        kind: Kind::Pool,
        address,
        size,
        device: Some(stream.device().ordinal()),
        context: None,
        stream: Some(stream.id_for_observers()),
        rows: None,
        location,
    }
}

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
#[track_caller]
pub unsafe fn allocate(pool: Option<&Pool>, size: Bytes, stream: &Stream) -> Result<Address> {
    let location = Location::caller();
    // SAFETY: the caller's promise is the same.
    let address = unsafe { allocate_unobserved(pool, size, stream) }?;
    if size.0 > 0 {
        observe::began(|| event(address, size, stream, Some(location)));
    }
    Ok(address)
}

/// As [`allocate`].
///
/// # Safety
///
/// As [`allocate`].
pub(super) unsafe fn allocate_unobserved(
    pool: Option<&Pool>,
    size: Bytes,
    stream: &Stream,
) -> Result<Address> {
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
    observe::end(
        || event(address, Bytes(0), stream, None),
        // SAFETY: the caller's promise is the same.
        || unsafe { free_unobserved(address, stream) },
    )
}

/// As [`free`].
///
/// # Safety
///
/// As [`free`].
pub(super) unsafe fn free_unobserved(address: Address, stream: &Stream) -> Result<()> {
    let api = api()?;
    let handle = stream.as_raw();
    // SAFETY: the caller promises that nobody uses the memory behind this point of the stream.
    let status = unsafe { api.cudaFreeAsync(address.as_mut_ptr(), handle) };
    check!(api, cudaFreeAsync, status, address, stream = handle)
}
