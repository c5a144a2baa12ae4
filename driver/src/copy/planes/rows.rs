use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::driver::CUDA_MEMCPY2D;

use super::sides::Side;
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

impl Copy2d {
    fn raw(&self) -> CUDA_MEMCPY2D {
        let (to, from) = (self.destination.parts(), self.source.parts());
        CUDA_MEMCPY2D {
            srcXInBytes: self.source.position.x.0,
            srcY: self.source.position.y,
            srcMemoryType: from.kind,
            srcHost: from.host,
            srcDevice: from.device,
            srcArray: from.array,
            srcPitch: from.pitch,
            dstXInBytes: self.destination.position.x.0,
            dstY: self.destination.position.y,
            dstMemoryType: to.kind,
            dstHost: to.host,
            dstDevice: to.device,
            dstArray: to.array,
            dstPitch: to.pitch,
            WidthInBytes: self.width.0,
            Height: self.height,
        }
    }
}

/// Copies rows and waits, as far as CUDA waits.
///
/// Driver API: `cuMemcpy2DUnaligned_v2`, which takes every pitch.
///
/// # Errors
///
/// What CUDA answers: 1 where rows do not fit their pitch or leave their allocation.
///
/// # Safety
///
/// As for [`raw::copy`](crate::copy::raw::copy), for every byte that the rows cover.
#[doc(alias = "cuMemcpy2D")]
#[doc(alias = "cuMemcpy2DUnaligned")]
pub unsafe fn copy_2d(copy: &Copy2d) -> Result<()> {
    let api = api()?;
    let raw = copy.raw();
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cuMemcpy2DUnaligned_v2(&raw const raw) };
    check!(
        api,
        cuMemcpy2DUnaligned_v2,
        status,
        width = copy.width,
        height = copy.height,
        dpitch = Bytes(raw.dstPitch),
        spitch = Bytes(raw.srcPitch)
    )
}

/// Copies rows when the stream comes to it.
///
/// Driver API: `cuMemcpy2DAsync_v2`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](crate::copy::raw::copy_async), for every byte that the rows cover.
#[doc(alias = "cuMemcpy2DAsync")]
pub unsafe fn copy_2d_async(copy: &Copy2d, stream: &Stream) -> Result<()> {
    let api = api()?;
    let raw = copy.raw();
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cuMemcpy2DAsync_v2(&raw const raw, stream.as_raw()) };
    check!(
        api,
        cuMemcpy2DAsync_v2,
        status,
        width = copy.width,
        height = copy.height,
        dpitch = Bytes(raw.dstPitch),
        spitch = Bytes(raw.srcPitch),
        stream = stream.as_raw()
    )
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
    let entered = destination.context().enter()?;
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
    let entered = source.context().enter()?;
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
    const CALL: &str = "cuMemcpy2DUnaligned_v2";
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
