use bytemuck::{AnyBitPattern, NoUninit};

use super::sides::{Side, kind};
use super::volumes::*;
use crate::api::api;
use crate::error::{Misuse, Result, check, misuse};
use crate::memory::{Bytes, Pitch, PitchedBuffer};
use crate::stream::Stream;

/// A copy of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy2d {
    /// Where to.
    pub destination: Side,
    /// Where from.
    pub source: Side,
    /// Bytes of a row that are copied.
    pub width: Bytes,
    /// Rows.
    pub height: usize,
}

/// Copies rows and waits, as far as CUDA waits.
///
/// Runtime API: `cudaMemcpy2D`, `cudaMemcpy2DToArray`, `cudaMemcpy2DFromArray`, and between arrays
/// `cudaMemcpy2DArrayToArray`.
///
/// # Errors
///
/// What CUDA answers: 12 where rows do not fit their pitch, 1 where they leave their allocation.
///
/// # Safety
///
/// As for [`raw::copy`](crate::copy::raw::copy), for every byte that the rows cover.
#[doc(alias = "cudaMemcpy2D")]
#[doc(alias = "cudaMemcpy2DToArray")]
#[doc(alias = "cudaMemcpy2DFromArray")]
#[doc(alias = "cudaMemcpy2DArrayToArray")]
pub unsafe fn copy_2d(copy: &Copy2d) -> Result<()> {
    let api = api()?;
    let Copy2d {
        destination,
        source,
        width,
        height,
    } = *copy;
    let kind = kind(&destination, &source);
    let (to, from) = (destination.first_byte(), source.first_byte());
    let ((_, dpitch, _), (_, spitch, _)) = (destination.as_rows(), source.as_rows());
    let (dx, dy) = (destination.position.x, destination.position.y);
    let (sx, sy) = (source.position.x, source.position.y);
    match (destination.as_array(), source.as_array()) {
        (None, None) => {
            // SAFETY: the caller answers for what the rows cover.
            let status = unsafe {
                api.cudaMemcpy2D(
                    to.as_mut_ptr(),
                    dpitch.0,
                    from.as_ptr(),
                    spitch.0,
                    width.0,
                    height,
                    kind,
                )
            };
            check!(
                api,
                cudaMemcpy2D,
                status,
                to,
                dpitch,
                from,
                spitch,
                width,
                height,
                kind = kind.0
            )
        }
        (Some((array, _)), None) => {
            // SAFETY: the caller answers for what the rows cover.
            let status = unsafe {
                api.cudaMemcpy2DToArray(
                    array,
                    dx.0,
                    dy,
                    from.as_ptr(),
                    spitch.0,
                    width.0,
                    height,
                    kind,
                )
            };
            check!(
                api,
                cudaMemcpy2DToArray,
                status,
                array,
                dx,
                dy,
                from,
                spitch,
                width,
                height,
                kind = kind.0
            )
        }
        (None, Some((array, _))) => {
            // SAFETY: the caller answers for what the rows cover.
            let status = unsafe {
                api.cudaMemcpy2DFromArray(
                    to.as_mut_ptr(),
                    dpitch.0,
                    array.cast_const(),
                    sx.0,
                    sy,
                    width.0,
                    height,
                    kind,
                )
            };
            check!(
                api,
                cudaMemcpy2DFromArray,
                status,
                to,
                dpitch,
                array,
                sx,
                sy,
                width,
                height,
                kind = kind.0
            )
        }
        (Some((array, _)), Some((other, _))) => {
            let other: *const _ = other;
            // SAFETY: the caller answers for what the rows cover.
            let status = unsafe {
                api.cudaMemcpy2DArrayToArray(
                    array, dx.0, dy, other, sx.0, sy, width.0, height, kind,
                )
            };
            check!(
                api,
                cudaMemcpy2DArrayToArray,
                status,
                array,
                dx,
                dy,
                other,
                sx,
                sy,
                width,
                height,
                kind = kind.0
            )
        }
    }
}

/// Copies rows when the stream comes to it.
///
/// Runtime API: `cudaMemcpy2DAsync`, `cudaMemcpy2DToArrayAsync`, `cudaMemcpy2DFromArrayAsync`, and between arrays
/// `cudaMemcpy3DAsync`.
///
/// # Errors
///
/// What CUDA answers: 12 where rows do not fit their pitch, 1 where they leave their allocation.
///
/// # Safety
///
/// As for [`raw::copy_async`](crate::copy::raw::copy_async), for every byte that the rows cover.
#[doc(alias = "cudaMemcpy2DAsync")]
#[doc(alias = "cudaMemcpy2DToArrayAsync")]
#[doc(alias = "cudaMemcpy2DFromArrayAsync")]
pub unsafe fn copy_2d_async(copy: &Copy2d, stream: &Stream) -> Result<()> {
    let api = api()?;
    let handle = stream.as_raw();
    let Copy2d {
        destination,
        source,
        width,
        height,
    } = *copy;
    let kind = kind(&destination, &source);
    let (to, from) = (destination.first_byte(), source.first_byte());
    let ((_, dpitch, _), (_, spitch, _)) = (destination.as_rows(), source.as_rows());
    let (dx, dy) = (destination.position.x, destination.position.y);
    let (sx, sy) = (source.position.x, source.position.y);
    match (destination.as_array(), source.as_array()) {
        (None, None) => {
            // SAFETY: the caller answers for what the rows cover.
            let status = unsafe {
                api.cudaMemcpy2DAsync(
                    to.as_mut_ptr(),
                    dpitch.0,
                    from.as_ptr(),
                    spitch.0,
                    width.0,
                    height,
                    kind,
                    handle,
                )
            };
            check!(
                api,
                cudaMemcpy2DAsync,
                status,
                to,
                dpitch,
                from,
                spitch,
                width,
                height,
                kind = kind.0,
                stream = handle
            )
        }
        (Some((array, _)), None) => {
            // SAFETY: the caller answers for what the rows cover.
            let status = unsafe {
                api.cudaMemcpy2DToArrayAsync(
                    array,
                    dx.0,
                    dy,
                    from.as_ptr(),
                    spitch.0,
                    width.0,
                    height,
                    kind,
                    handle,
                )
            };
            check!(
                api,
                cudaMemcpy2DToArrayAsync,
                status,
                array,
                dx,
                dy,
                from,
                spitch,
                width,
                height,
                kind = kind.0,
                stream = handle
            )
        }
        (None, Some((array, _))) => {
            // SAFETY: the caller answers for what the rows cover.
            let status = unsafe {
                api.cudaMemcpy2DFromArrayAsync(
                    to.as_mut_ptr(),
                    dpitch.0,
                    array.cast_const(),
                    sx.0,
                    sy,
                    width.0,
                    height,
                    kind,
                    handle,
                )
            };
            check!(
                api,
                cudaMemcpy2DFromArrayAsync,
                status,
                to,
                dpitch,
                array,
                sx,
                sy,
                width,
                height,
                kind = kind.0,
                stream = handle
            )
        }
        (Some((array, _)), Some((other, _))) => {
            let _both = (array, other);
            let plane = Copy3d {
                destination,
                source,
                width,
                height,
                depth: 1,
            };
            // SAFETY: the caller's promise is the same.
            unsafe { copy_3d_async(&plane, stream) }
        }
    }
}

/// Copies rows of host memory into a pitched buffer and waits.
///
/// `pitch` is the distance of the rows of `source`; `Pitch::packed::<T>(width)` where they lie side by
/// side.
///
/// # Errors
///
/// [`Misuse`] where the rows do not fit the pitch or the slice, and what CUDA answers.
pub fn upload_2d<T: NoUninit>(
    destination: &mut PitchedBuffer<T>,
    source: &[T],
    pitch: Pitch,
) -> Result<()> {
    let (width, height) = (Bytes::of::<T>(destination.width())?, destination.height());
    rows_fit(width, height, pitch, size_of_val(source), size_of::<T>())?;
    if width.0 == 0 || height == 0 {
        return Ok(());
    }
    let copy = Copy2d {
        destination: Side::device(destination.address(), destination.pitch()),
        source: Side::host(source.as_ptr(), pitch),
        width,
        height,
    };
    let entered = destination.device().enter()?;
    // SAFETY: the rows lie in the borrowed slice and in the borrowed buffer, and the call waits.
    let result = unsafe { copy_2d(&copy) };
    drop(entered);
    result
}

/// Copies a pitched buffer into rows of host memory and waits.
///
/// # Errors
///
/// [`Misuse`] where the rows do not fit the pitch or the slice, and what CUDA answers.
pub fn download_2d<T: AnyBitPattern>(
    destination: &mut [T],
    pitch: Pitch,
    source: &PitchedBuffer<T>,
) -> Result<()> {
    let (width, height) = (Bytes::of::<T>(source.width())?, source.height());
    rows_fit(
        width,
        height,
        pitch,
        size_of_val(destination),
        size_of::<T>(),
    )?;
    if width.0 == 0 || height == 0 {
        return Ok(());
    }
    let copy = Copy2d {
        destination: Side::host(destination.as_mut_ptr(), pitch),
        source: Side::device(source.address(), source.pitch()),
        width,
        height,
    };
    let entered = source.device().enter()?;
    // SAFETY: the rows lie in the borrowed slice and in the borrowed buffer, and the call waits.
    let result = unsafe { copy_2d(&copy) };
    drop(entered);
    result
}

/// Refuses rows that do not fit their pitch, or leave their slice, or straddle elements.
pub(in crate::copy) fn rows_fit(
    width: Bytes,
    height: usize,
    pitch: Pitch,
    room: usize,
    element: usize,
) -> Result<()> {
    const CALL: &str = "cudaMemcpy2D";
    if width.0 == 0 || height == 0 {
        return Ok(());
    }
    if width.0 > pitch.0 {
        return Err(misuse(
            CALL,
            Misuse::WidthExceedsPitch {
                width: width.0,
                pitch: pitch.0,
            },
        ));
    }
    if element > 0 && !pitch.0.is_multiple_of(element) {
        return Err(misuse(
            CALL,
            Misuse::Misaligned {
                address: pitch.0 as u64,
                alignment: element,
            },
        ));
    }
    let end = pitch
        .0
        .checked_mul(height - 1)
        .and_then(|last| last.checked_add(width.0));
    match end {
        Some(end) if end <= room => Ok(()),
        _ => Err(misuse(
            CALL,
            Misuse::OutOfRange {
                start: 0,
                end: end.unwrap_or(usize::MAX),
                len: room,
            },
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_must_fit_their_pitch_and_their_slice() {
        rows_fit(Bytes(10), 3, Pitch(16), 42, 1).expect("the last row needs no pitch");
        assert!(rows_fit(Bytes(10), 3, Pitch(16), 41, 1).is_err());
        assert!(rows_fit(Bytes(17), 3, Pitch(16), 100, 1).is_err());
        assert!(rows_fit(Bytes(8), 3, Pitch(10), 100, 4).is_err());
        assert!(rows_fit(Bytes(8), usize::MAX, Pitch(usize::MAX - 7), 100, 1).is_err());
        rows_fit(Bytes(0), 3, Pitch(0), 0, 4).expect("nothing");
    }
}
