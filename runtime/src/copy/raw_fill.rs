//! The raw fills. The runtime fills with bytes; wider patterns are the driver's.

use super::Pattern;
use crate::api::{api, driver};
use crate::error::{Result, check};
use crate::memory::Pitch;
use crate::pointer::Address;
use crate::stream::Stream;

/// Fills `count` elements from an address on.
///
/// Runtime API: `cudaMemset`; `cuMemsetD16_v2` and `cuMemsetD32_v2` of the driver.
///
/// # Errors
///
/// What CUDA answers: 1 where the address is not a multiple of the element.
///
/// # Safety
///
/// The range is allocated, and no reference of Rust's forbids writing it.
#[doc(alias = "cudaMemset")]
#[doc(alias = "cuMemsetD16")]
#[doc(alias = "cuMemsetD32")]
pub unsafe fn fill(destination: Address, pattern: Pattern, count: usize) -> Result<()> {
    match pattern {
        Pattern::Bits8(bits) => {
            let api = api()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe { api.cudaMemset(destination.as_mut_ptr(), bits.into(), count) };
            check!(api, cudaMemset, status, destination, bits, count)
        }
        Pattern::Bits16(bits) => {
            let api = driver()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe { api.cuMemsetD16_v2(destination.0, bits, count) };
            check!(api, cuMemsetD16_v2, status, destination, bits, count)
        }
        Pattern::Bits32(bits) => {
            let api = driver()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe { api.cuMemsetD32_v2(destination.0, bits, count) };
            check!(api, cuMemsetD32_v2, status, destination, bits, count)
        }
    }
}

/// Fills `count` elements from an address on when the stream comes to it.
///
/// Runtime API: `cudaMemsetAsync`; `cuMemsetD16Async` and `cuMemsetD32Async` of the driver.
///
/// # Errors
///
/// What CUDA answers: 1 where the address is not a multiple of the element.
///
/// # Safety
///
/// The range is allocated, and no reference of Rust's forbids writing it, until the stream has done it.
#[doc(alias = "cudaMemsetAsync")]
#[doc(alias = "cuMemsetD16Async")]
#[doc(alias = "cuMemsetD32Async")]
pub unsafe fn fill_async(
    destination: Address,
    pattern: Pattern,
    count: usize,
    stream: &Stream,
) -> Result<()> {
    let handle = stream.as_raw();
    match pattern {
        Pattern::Bits8(bits) => {
            let api = api()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe {
                api.cudaMemsetAsync(destination.as_mut_ptr(), bits.into(), count, handle)
            };
            check!(
                api,
                cudaMemsetAsync,
                status,
                destination,
                bits,
                count,
                stream = handle
            )
        }
        Pattern::Bits16(bits) => {
            let api = driver()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe { api.cuMemsetD16Async(destination.0, bits, count, handle) };
            check!(
                api,
                cuMemsetD16Async,
                status,
                destination,
                bits,
                count,
                stream = handle
            )
        }
        Pattern::Bits32(bits) => {
            let api = driver()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe { api.cuMemsetD32Async(destination.0, bits, count, handle) };
            check!(
                api,
                cuMemsetD32Async,
                status,
                destination,
                bits,
                count,
                stream = handle
            )
        }
    }
}

/// Fills `height` rows of `width` elements.
///
/// Runtime API: `cudaMemset2D`; `cuMemsetD2D16_v2` and `cuMemsetD2D32_v2` of the driver.
///
/// # Errors
///
/// What CUDA answers: 1 where the address is not a multiple of the element.
///
/// # Safety
///
/// The range is allocated, and no reference of Rust's forbids writing it.
#[doc(alias = "cudaMemset2D")]
#[doc(alias = "cuMemsetD2D16")]
#[doc(alias = "cuMemsetD2D32")]
pub unsafe fn fill_2d(
    destination: Address,
    pitch: Pitch,
    pattern: Pattern,
    width: usize,
    height: usize,
) -> Result<()> {
    match pattern {
        Pattern::Bits8(bits) => {
            let api = api()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe {
                api.cudaMemset2D(
                    destination.as_mut_ptr(),
                    pitch.0,
                    bits.into(),
                    width,
                    height,
                )
            };
            check!(
                api,
                cudaMemset2D,
                status,
                destination,
                pitch,
                bits,
                width,
                height
            )
        }
        Pattern::Bits16(bits) => {
            let api = driver()?;
            // SAFETY: the caller answers for the range.
            let status =
                unsafe { api.cuMemsetD2D16_v2(destination.0, pitch.0, bits, width, height) };
            check!(
                api,
                cuMemsetD2D16_v2,
                status,
                destination,
                pitch,
                bits,
                width,
                height
            )
        }
        Pattern::Bits32(bits) => {
            let api = driver()?;
            // SAFETY: the caller answers for the range.
            let status =
                unsafe { api.cuMemsetD2D32_v2(destination.0, pitch.0, bits, width, height) };
            check!(
                api,
                cuMemsetD2D32_v2,
                status,
                destination,
                pitch,
                bits,
                width,
                height
            )
        }
    }
}

/// Fills `height` rows of `width` elements when the stream comes to it.
///
/// Runtime API: `cudaMemset2DAsync`; `cuMemsetD2D16Async` and `cuMemsetD2D32Async` of the driver.
///
/// # Errors
///
/// What CUDA answers: 1 where the address is not a multiple of the element.
///
/// # Safety
///
/// The range is allocated, and no reference of Rust's forbids writing it, until the stream has done it.
#[doc(alias = "cudaMemset2DAsync")]
#[doc(alias = "cuMemsetD2D16Async")]
#[doc(alias = "cuMemsetD2D32Async")]
pub unsafe fn fill_2d_async(
    destination: Address,
    pitch: Pitch,
    pattern: Pattern,
    width: usize,
    height: usize,
    stream: &Stream,
) -> Result<()> {
    let handle = stream.as_raw();
    match pattern {
        Pattern::Bits8(bits) => {
            let api = api()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe {
                api.cudaMemset2DAsync(
                    destination.as_mut_ptr(),
                    pitch.0,
                    bits.into(),
                    width,
                    height,
                    handle,
                )
            };
            check!(
                api,
                cudaMemset2DAsync,
                status,
                destination,
                pitch,
                bits,
                width,
                height,
                stream = handle
            )
        }
        Pattern::Bits16(bits) => {
            let api = driver()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe {
                api.cuMemsetD2D16Async(destination.0, pitch.0, bits, width, height, handle)
            };
            check!(
                api,
                cuMemsetD2D16Async,
                status,
                destination,
                pitch,
                bits,
                width,
                height,
                stream = handle
            )
        }
        Pattern::Bits32(bits) => {
            let api = driver()?;
            // SAFETY: the caller answers for the range.
            let status = unsafe {
                api.cuMemsetD2D32Async(destination.0, pitch.0, bits, width, height, handle)
            };
            check!(
                api,
                cuMemsetD2D32Async,
                status,
                destination,
                pitch,
                bits,
                width,
                height,
                stream = handle
            )
        }
    }
}
