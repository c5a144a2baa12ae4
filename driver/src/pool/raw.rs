//! The C calls, with errors: no owner, no context switch. Observers hear of them.

use core::panic::Location;

use super::Pool;
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
        device: Some(stream.context().device().ordinal()),
        context: Some(stream.context().id_for_observers()),
        stream: Some(stream.id_for_observers()),
        rows: None,
        location,
    }
}

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
    let status = unsafe { api.cuMemFreeAsync(address.0, handle) };
    check!(api, cuMemFreeAsync, status, address, stream = handle)
}
