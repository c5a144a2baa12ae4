use core::ffi::c_void;

use super::Direction;
use crate::api::api;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Address;
use crate::stream::Stream;

/// Copies a range of bytes into a variable of the device and waits, as far as CUDA waits.
///
/// Runtime API: `cudaMemcpyToSymbol`. `symbol` is the host's shadow of the variable, which code compiled by
/// nvcc has and registers; a variable that was loaded as PTX or cubin has none and is had from
/// [`Module::variable_mut`](crate::module::Module::variable_mut).
///
/// # Errors
///
/// What CUDA answers: 13 for null, and from 13.0 on for every address that is no such shadow; 1 where the
/// range leaves the variable.
///
/// # Safety
///
/// As for [`copy`](super::raw::copy), and `symbol` is such a shadow or null: the runtimes of CUDA 11 and 12 follow it.
#[doc(alias = "cudaMemcpyToSymbol")]
pub unsafe fn to_symbol(
    symbol: *const c_void,
    offset: Bytes,
    source: Address,
    size: Bytes,
    direction: Direction,
) -> Result<()> {
    let api = api()?;
    let (from, kind) = (source.as_ptr(), direction.raw());
    // SAFETY: the caller answers for source and symbol.
    let status = unsafe { api.cudaMemcpyToSymbol(symbol, from, size.0, offset.0, kind) };
    check!(
        api,
        cudaMemcpyToSymbol,
        status,
        symbol,
        offset,
        source,
        size
    )
}

/// Copies a range of bytes into a variable of the device when the stream comes to it.
///
/// Runtime API: `cudaMemcpyToSymbolAsync`.
///
/// # Errors
///
/// As [`to_symbol`].
///
/// # Safety
///
/// As for [`copy_async`](super::raw::copy_async), and `symbol` is such a shadow or null: the runtimes of CUDA 11 and 12 follow it.
#[doc(alias = "cudaMemcpyToSymbolAsync")]
pub unsafe fn to_symbol_async(
    symbol: *const c_void,
    offset: Bytes,
    source: Address,
    size: Bytes,
    direction: Direction,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let (from, kind, handle) = (source.as_ptr(), direction.raw(), stream.as_raw());
    // SAFETY: the caller answers for source and symbol.
    let status =
        unsafe { api.cudaMemcpyToSymbolAsync(symbol, from, size.0, offset.0, kind, handle) };
    check!(
        api,
        cudaMemcpyToSymbolAsync,
        status,
        symbol,
        offset,
        source,
        size,
        stream = handle
    )
}

/// Copies a range of bytes out of a variable of the device and waits, as far as CUDA waits.
///
/// Runtime API: `cudaMemcpyFromSymbol`.
///
/// # Errors
///
/// As [`to_symbol`].
///
/// # Safety
///
/// As for [`copy`](super::raw::copy), and `symbol` is such a shadow or null: the runtimes of CUDA 11 and 12 follow it.
#[doc(alias = "cudaMemcpyFromSymbol")]
pub unsafe fn from_symbol(
    destination: Address,
    symbol: *const c_void,
    offset: Bytes,
    size: Bytes,
    direction: Direction,
) -> Result<()> {
    let api = api()?;
    let (to, kind) = (destination.as_mut_ptr(), direction.raw());
    // SAFETY: the caller answers for destination and symbol.
    let status = unsafe { api.cudaMemcpyFromSymbol(to, symbol, size.0, offset.0, kind) };
    check!(
        api,
        cudaMemcpyFromSymbol,
        status,
        destination,
        symbol,
        offset,
        size
    )
}

/// Copies a range of bytes out of a variable of the device when the stream comes to it.
///
/// Runtime API: `cudaMemcpyFromSymbolAsync`.
///
/// # Errors
///
/// As [`to_symbol`].
///
/// # Safety
///
/// As for [`copy_async`](super::raw::copy_async), and `symbol` is such a shadow or null: the runtimes of CUDA 11 and 12 follow it.
#[doc(alias = "cudaMemcpyFromSymbolAsync")]
pub unsafe fn from_symbol_async(
    destination: Address,
    symbol: *const c_void,
    offset: Bytes,
    size: Bytes,
    direction: Direction,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let (to, kind, handle) = (destination.as_mut_ptr(), direction.raw(), stream.as_raw());
    // SAFETY: the caller answers for destination and symbol.
    let status =
        unsafe { api.cudaMemcpyFromSymbolAsync(to, symbol, size.0, offset.0, kind, handle) };
    check!(
        api,
        cudaMemcpyFromSymbolAsync,
        status,
        destination,
        symbol,
        offset,
        size,
        stream = handle
    )
}
