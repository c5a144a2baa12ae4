//! The C calls for copies and fills, with errors: ranges of bytes, no owner, no device switch.
//!
//! Everything here works on the thread's current device, as C does, and asks CUDA whatever the
//! arguments are, zero sizes included.

use super::Direction;
pub use super::planes::{
    copy_2d, copy_2d_async, copy_3d, copy_3d_async, copy_3d_peer, copy_3d_peer_async,
};
pub use super::planes_batch::{
    copy_3d_batch_async, copy_3d_with_order_async, copy_with_order_async,
};
pub use super::raw_fill::{fill, fill_2d, fill_2d_async, fill_async};
pub use super::raw_symbol::{from_symbol, from_symbol_async, to_symbol, to_symbol_async};
use crate::api::api;
use crate::device::Device;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Address;
use crate::stream::Stream;

/// Copies a range of bytes and waits, as far as CUDA waits.
///
/// Runtime API: `cudaMemcpy`. A copy between device memory may still be under way when this returns.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// Both ranges are allocated for the whole copy, the direction is true of them where they are host
/// memory, and no reference of Rust's forbids reading the one or writing the other.
#[doc(alias = "cudaMemcpy")]
pub unsafe fn copy(
    destination: Address,
    source: Address,
    size: Bytes,
    direction: Direction,
) -> Result<()> {
    let api = api()?;
    let (to, from, kind) = (destination.as_mut_ptr(), source.as_ptr(), direction.raw());
    // SAFETY: the caller answers for both ranges.
    let status = unsafe { api.cudaMemcpy(to, from, size.0, kind) };
    check!(
        api,
        cudaMemcpy,
        status,
        destination,
        source,
        size,
        kind = kind_name(direction)
    )
}

/// Copies a range of bytes when the stream comes to it.
///
/// Runtime API: `cudaMemcpyAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`copy`], until the stream has done it; in a stream that captures, whenever the graph runs.
#[doc(alias = "cudaMemcpyAsync")]
pub unsafe fn copy_async(
    destination: Address,
    source: Address,
    size: Bytes,
    direction: Direction,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let (to, from, kind) = (destination.as_mut_ptr(), source.as_ptr(), direction.raw());
    let handle = stream.as_raw();
    // SAFETY: the caller answers for both ranges.
    let status = unsafe { api.cudaMemcpyAsync(to, from, size.0, kind, handle) };
    check!(
        api,
        cudaMemcpyAsync,
        status,
        destination,
        source,
        size,
        kind = kind_name(direction),
        stream = handle
    )
}

/// What C calls a direction.
fn kind_name(direction: Direction) -> &'static str {
    match direction {
        Direction::HostToHost => "cudaMemcpyHostToHost",
        Direction::HostToDevice => "cudaMemcpyHostToDevice",
        Direction::DeviceToHost => "cudaMemcpyDeviceToHost",
        Direction::DeviceToDevice => "cudaMemcpyDeviceToDevice",
        Direction::Automatic => "cudaMemcpyDefault",
    }
}

/// Copies memory of one device to memory of another.
///
/// Runtime API: `cudaMemcpyPeer`. It needs no peer access, and is not synchronous.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// Both ranges are allocated for the whole copy.
#[doc(alias = "cudaMemcpyPeer")]
pub unsafe fn peer(
    destination: Address,
    destination_device: &Device,
    source: Address,
    source_device: &Device,
    size: Bytes,
) -> Result<()> {
    let api = api()?;
    let (to, from) = (destination_device.as_raw(), source_device.as_raw());
    // SAFETY: the caller answers for both ranges.
    let status =
        unsafe { api.cudaMemcpyPeer(destination.as_mut_ptr(), to, source.as_ptr(), from, size.0) };
    check!(
        api,
        cudaMemcpyPeer,
        status,
        destination,
        to,
        source,
        from,
        size
    )
}

/// Copies memory of one device to memory of another when the stream comes to it.
///
/// Runtime API: `cudaMemcpyPeerAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// Both ranges are allocated until the stream has done it.
#[doc(alias = "cudaMemcpyPeerAsync")]
pub unsafe fn peer_async(
    destination: Address,
    destination_device: &Device,
    source: Address,
    source_device: &Device,
    size: Bytes,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let (to, from) = (destination_device.as_raw(), source_device.as_raw());
    let handle = stream.as_raw();
    // SAFETY: the caller answers for both ranges.
    let status = unsafe {
        api.cudaMemcpyPeerAsync(
            destination.as_mut_ptr(),
            to,
            source.as_ptr(),
            from,
            size.0,
            handle,
        )
    };
    check!(
        api,
        cudaMemcpyPeerAsync,
        status,
        destination,
        to,
        source,
        from,
        size,
        stream = handle
    )
}
