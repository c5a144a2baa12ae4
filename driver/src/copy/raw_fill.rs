//! The raw fills.

use super::Pattern;
use crate::api::api;
use crate::error::{Result, check};
use crate::memory::Pitch;
use crate::pointer::Address;
use crate::stream::Stream;

/// Fills `count` elements from an address on.
///
/// Driver API: `cuMemsetD8_v2`, `cuMemsetD16_v2`, `cuMemsetD32_v2`.
///
/// # Errors
///
/// What CUDA answers: 1 where the address is not a multiple of the element.
///
/// # Safety
///
/// The range is allocated, and no reference of Rust's forbids writing it.
#[doc(alias = "cuMemsetD8")]
#[doc(alias = "cuMemsetD16")]
#[doc(alias = "cuMemsetD32")]
pub unsafe fn fill(destination: Address, pattern: Pattern, count: usize) -> Result<()> {
    let api = api()?;
    match pattern {
        Pattern::Bits8(bits) => {
            // SAFETY: the caller answers for the range.
            let status = unsafe { api.cuMemsetD8_v2(destination.0, bits, count) };
            check!(api, cuMemsetD8_v2, status, destination, bits, count)
        }
        Pattern::Bits16(bits) => {
            // SAFETY: the caller answers for the range.
            let status = unsafe { api.cuMemsetD16_v2(destination.0, bits, count) };
            check!(api, cuMemsetD16_v2, status, destination, bits, count)
        }
        Pattern::Bits32(bits) => {
            // SAFETY: the caller answers for the range.
            let status = unsafe { api.cuMemsetD32_v2(destination.0, bits, count) };
            check!(api, cuMemsetD32_v2, status, destination, bits, count)
        }
    }
}

/// Fills `count` elements from an address on when the stream comes to it.
///
/// Driver API: `cuMemsetD8Async`, `cuMemsetD16Async`, `cuMemsetD32Async`.
///
/// # Errors
///
/// What CUDA answers: 1 where the address is not a multiple of the element.
///
/// # Safety
///
/// The range is allocated, and no reference of Rust's forbids writing it, until the stream has done it.
#[doc(alias = "cuMemsetD8Async")]
#[doc(alias = "cuMemsetD16Async")]
#[doc(alias = "cuMemsetD32Async")]
pub unsafe fn fill_async(
    destination: Address,
    pattern: Pattern,
    count: usize,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let handle = stream.as_raw();
    match pattern {
        Pattern::Bits8(bits) => {
            // SAFETY: the caller answers for the range.
            let status = unsafe { api.cuMemsetD8Async(destination.0, bits, count, handle) };
            check!(
                api,
                cuMemsetD8Async,
                status,
                destination,
                bits,
                count,
                stream = handle
            )
        }
        Pattern::Bits16(bits) => {
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
/// Driver API: `cuMemsetD2D8_v2`, `cuMemsetD2D16_v2`, `cuMemsetD2D32_v2`.
///
/// # Errors
///
/// What CUDA answers: 1 where the address is not a multiple of the element.
///
/// # Safety
///
/// The range is allocated, and no reference of Rust's forbids writing it.
#[doc(alias = "cuMemsetD2D8")]
#[doc(alias = "cuMemsetD2D16")]
#[doc(alias = "cuMemsetD2D32")]
pub unsafe fn fill_2d(
    destination: Address,
    pitch: Pitch,
    pattern: Pattern,
    width: usize,
    height: usize,
) -> Result<()> {
    let api = api()?;
    match pattern {
        Pattern::Bits8(bits) => {
            // SAFETY: the caller answers for the range.
            let status =
                unsafe { api.cuMemsetD2D8_v2(destination.0, pitch.0, bits, width, height) };
            check!(
                api,
                cuMemsetD2D8_v2,
                status,
                destination,
                pitch,
                bits,
                width,
                height
            )
        }
        Pattern::Bits16(bits) => {
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
/// Driver API: `cuMemsetD2D8Async`, `cuMemsetD2D16Async`, `cuMemsetD2D32Async`.
///
/// # Errors
///
/// What CUDA answers: 1 where the address is not a multiple of the element.
///
/// # Safety
///
/// The range is allocated, and no reference of Rust's forbids writing it, until the stream has done it.
#[doc(alias = "cuMemsetD2D8Async")]
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
    let api = api()?;
    let handle = stream.as_raw();
    match pattern {
        Pattern::Bits8(bits) => {
            // SAFETY: the caller answers for the range.
            let status = unsafe {
                api.cuMemsetD2D8Async(destination.0, pitch.0, bits, width, height, handle)
            };
            check!(
                api,
                cuMemsetD2D8Async,
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
