use core::ptr;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::driver::{CUDA_MEMCPY2D, CUDA_MEMCPY3D, CUDA_MEMCPY3D_PEER, CUmemorytype};

use crate::api::api;
use crate::array::RawArray;
use crate::context::Context;
use crate::error::{Misuse, Result, check, misuse};
use crate::memory::{Bytes, Pitch, PitchedBuffer};
use crate::pointer::Address;
use crate::stream::Stream;

/// Memory in rows, or an array: one side of a copy of planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// Host memory.
    Host {
        /// The first byte of the first row.
        address: Address,
        /// From one row to the next.
        pitch: Pitch,
        /// Rows from one plane to the next; of no matter for one plane.
        height: usize,
    },
    /// Device memory.
    Device {
        /// The first byte of the first row.
        address: Address,
        /// From one row to the next.
        pitch: Pitch,
        /// Rows from one plane to the next; of no matter for one plane.
        height: usize,
    },
    /// Memory that CUDA tells apart by its address.
    Any {
        /// The first byte of the first row.
        address: Address,
        /// From one row to the next.
        pitch: Pitch,
        /// Rows from one plane to the next; of no matter for one plane.
        height: usize,
    },
    /// An array.
    Array {
        /// The array.
        array: RawArray,
        /// The size of an element, which the runtime counts in.
        element: Bytes,
    },
}

/// Where a copy begins inside its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Bytes from the beginning of a row.
    pub x: Bytes,
    /// Rows.
    pub y: usize,
    /// Planes.
    pub z: usize,
}

/// One side of a copy of planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// The memory.
    pub memory: Memory,
    /// Where the copy begins in it.
    pub position: Position,
}

impl Side {
    /// Host memory, from its first byte on.
    #[must_use]
    pub fn host(address: impl Into<Address>, pitch: Pitch) -> Self {
        Memory::Host {
            address: address.into(),
            pitch,
            height: 0,
        }
        .into()
    }

    /// Device memory, from its first byte on.
    #[must_use]
    pub fn device(address: impl Into<Address>, pitch: Pitch) -> Self {
        Memory::Device {
            address: address.into(),
            pitch,
            height: 0,
        }
        .into()
    }

    /// Memory that CUDA tells apart by its address, from its first byte on.
    #[must_use]
    pub fn any(address: impl Into<Address>, pitch: Pitch) -> Self {
        Memory::Any {
            address: address.into(),
            pitch,
            height: 0,
        }
        .into()
    }

    /// An array, from its first element on.
    #[must_use]
    pub fn array(array: RawArray, element: Bytes) -> Self {
        Memory::Array { array, element }.into()
    }

    /// The same with planes of `height` rows.
    #[must_use]
    pub fn planes_of(mut self, rows: usize) -> Self {
        match &mut self.memory {
            Memory::Host { height, .. }
            | Memory::Device { height, .. }
            | Memory::Any { height, .. } => {
                *height = rows;
            }
            Memory::Array { .. } => {}
        }
        self
    }

    /// The address of the first byte that is copied; null of an array.
    pub(super) fn first_byte(&self) -> Address {
        match self.memory {
            Memory::Host {
                address,
                pitch,
                height,
            }
            | Memory::Device {
                address,
                pitch,
                height,
            }
            | Memory::Any {
                address,
                pitch,
                height,
            } => {
                let planes = height
                    .wrapping_mul(self.position.z)
                    .wrapping_add(self.position.y);
                let offset = pitch.0.wrapping_mul(planes).wrapping_add(self.position.x.0);
                Address(address.0.wrapping_add(offset as u64))
            }
            Memory::Array { .. } => Address::NULL,
        }
    }

    /// The size of an array's elements.
    fn element(&self) -> Option<usize> {
        match self.memory {
            Memory::Array { element, .. } => Some(element.0.max(1)),
            _ => None,
        }
    }

    /// The same from another position on.
    #[must_use]
    pub fn at(self, position: Position) -> Self {
        Self { position, ..self }
    }

    /// The four ways in which C says where memory is, with pitch and height.
    fn parts(&self) -> Parts {
        let none = Parts {
            kind: CUmemorytype::CU_MEMORYTYPE_UNIFIED,
            host: ptr::null_mut(),
            device: 0,
            array: ptr::null_mut(),
            pitch: 0,
            height: 0,
        };
        match self.memory {
            Memory::Host {
                address,
                pitch,
                height,
            } => Parts {
                kind: CUmemorytype::CU_MEMORYTYPE_HOST,
                host: address.as_mut_ptr(),
                pitch: pitch.0,
                height,
                ..none
            },
            Memory::Device {
                address,
                pitch,
                height,
            } => Parts {
                kind: CUmemorytype::CU_MEMORYTYPE_DEVICE,
                device: address.0,
                pitch: pitch.0,
                height,
                ..none
            },
            Memory::Any {
                address,
                pitch,
                height,
            } => Parts {
                device: address.0,
                pitch: pitch.0,
                height,
                ..none
            },
            Memory::Array { array, .. } => Parts {
                kind: CUmemorytype::CU_MEMORYTYPE_ARRAY,
                array: array.0,
                ..none
            },
        }
    }
}

impl From<Memory> for Side {
    fn from(memory: Memory) -> Self {
        Self {
            memory,
            position: Position::default(),
        }
    }
}

/// One side in C's words.
struct Parts {
    kind: CUmemorytype,
    host: *mut core::ffi::c_void,
    device: u64,
    array: cuda_sys::driver::CUarray,
    pitch: usize,
    height: usize,
}

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

/// A copy of planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy3d {
    /// Where to.
    pub destination: Side,
    /// Where from.
    pub source: Side,
    /// Bytes of a row that are copied.
    pub width: Bytes,
    /// Rows of a plane.
    pub height: usize,
    /// Planes.
    pub depth: usize,
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

impl Copy3d {
    /// The size of what widths are counted in where an array takes part; bytes otherwise.
    pub(super) fn element(&self) -> usize {
        self.destination
            .element()
            .or(self.source.element())
            .unwrap_or(1)
    }

    pub(crate) fn raw(&self) -> CUDA_MEMCPY3D {
        let (to, from) = (self.destination.parts(), self.source.parts());
        CUDA_MEMCPY3D {
            srcXInBytes: self.source.position.x.0,
            srcY: self.source.position.y,
            srcZ: self.source.position.z,
            srcMemoryType: from.kind,
            srcHost: from.host,
            srcDevice: from.device,
            srcArray: from.array,
            srcPitch: from.pitch,
            srcHeight: from.height,
            dstXInBytes: self.destination.position.x.0,
            dstY: self.destination.position.y,
            dstZ: self.destination.position.z,
            dstMemoryType: to.kind,
            dstHost: to.host,
            dstDevice: to.device,
            dstArray: to.array,
            dstPitch: to.pitch,
            dstHeight: to.height,
            WidthInBytes: self.width.0,
            Height: self.height,
            Depth: self.depth,
            ..CUDA_MEMCPY3D::default()
        }
    }

    fn raw_peer(&self, destination: &Context, source: &Context) -> CUDA_MEMCPY3D_PEER {
        let plain = self.raw();
        CUDA_MEMCPY3D_PEER {
            srcXInBytes: plain.srcXInBytes,
            srcY: plain.srcY,
            srcZ: plain.srcZ,
            srcMemoryType: plain.srcMemoryType,
            srcHost: plain.srcHost,
            srcDevice: plain.srcDevice,
            srcArray: plain.srcArray,
            srcContext: source.as_raw(),
            srcPitch: plain.srcPitch,
            srcHeight: plain.srcHeight,
            dstXInBytes: plain.dstXInBytes,
            dstY: plain.dstY,
            dstZ: plain.dstZ,
            dstMemoryType: plain.dstMemoryType,
            dstHost: plain.dstHost,
            dstDevice: plain.dstDevice,
            dstArray: plain.dstArray,
            dstContext: destination.as_raw(),
            dstPitch: plain.dstPitch,
            dstHeight: plain.dstHeight,
            WidthInBytes: plain.WidthInBytes,
            Height: plain.Height,
            Depth: plain.Depth,
            ..CUDA_MEMCPY3D_PEER::default()
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
/// As for [`raw::copy`](super::raw::copy), for every byte that the rows cover.
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
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the rows cover.
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

/// Copies planes and waits, as far as CUDA waits.
///
/// Driver API: `cuMemcpy3D_v2`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy`](super::raw::copy), for every byte that the planes cover.
#[doc(alias = "cuMemcpy3D")]
pub unsafe fn copy_3d(copy: &Copy3d) -> Result<()> {
    let api = api()?;
    let raw = copy.raw();
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cuMemcpy3D_v2(&raw const raw) };
    check!(
        api,
        cuMemcpy3D_v2,
        status,
        width = copy.width,
        height = copy.height,
        depth = copy.depth
    )
}

/// Copies planes when the stream comes to it.
///
/// Driver API: `cuMemcpy3DAsync_v2`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the planes cover.
#[doc(alias = "cuMemcpy3DAsync")]
pub unsafe fn copy_3d_async(copy: &Copy3d, stream: &Stream) -> Result<()> {
    let api = api()?;
    let raw = copy.raw();
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cuMemcpy3DAsync_v2(&raw const raw, stream.as_raw()) };
    check!(
        api,
        cuMemcpy3DAsync_v2,
        status,
        width = copy.width,
        height = copy.height,
        depth = copy.depth,
        stream = stream.as_raw()
    )
}

/// Copies planes between contexts and waits, as far as CUDA waits.
///
/// Driver API: `cuMemcpy3DPeer`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy`](super::raw::copy), for every byte that the planes cover.
#[doc(alias = "cuMemcpy3DPeer")]
pub unsafe fn copy_3d_peer(copy: &Copy3d, destination: &Context, source: &Context) -> Result<()> {
    let api = api()?;
    let raw = copy.raw_peer(destination, source);
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cuMemcpy3DPeer(&raw const raw) };
    check!(
        api,
        cuMemcpy3DPeer,
        status,
        width = copy.width,
        height = copy.height,
        depth = copy.depth
    )
}

/// Copies planes between contexts when the stream comes to it.
///
/// Driver API: `cuMemcpy3DPeerAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the planes cover.
#[doc(alias = "cuMemcpy3DPeerAsync")]
pub unsafe fn copy_3d_peer_async(
    copy: &Copy3d,
    destination: &Context,
    source: &Context,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let raw = copy.raw_peer(destination, source);
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cuMemcpy3DPeerAsync(&raw const raw, stream.as_raw()) };
    check!(
        api,
        cuMemcpy3DPeerAsync,
        status,
        width = copy.width,
        height = copy.height,
        depth = copy.depth,
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
pub(super) fn rows_fit(
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

    #[test]
    fn a_side_says_one_place_and_no_other() {
        let copy = Copy3d {
            destination: Side::device(Address(0x2000), Pitch(64)).planes_of(8),
            source: Side::host(Address(0x1000), Pitch(32)).at(Position {
                x: Bytes(4),
                y: 1,
                z: 2,
            }),
            width: Bytes(16),
            height: 4,
            depth: 2,
        };
        let raw = copy.raw();
        assert_eq!(
            (raw.dstDevice, raw.dstPitch, raw.dstHeight),
            (0x2000, 64, 8)
        );
        assert!(raw.dstHost.is_null() && raw.srcDevice == 0 && raw.srcArray.is_null());
        assert_eq!((raw.srcXInBytes, raw.srcY, raw.srcZ), (4, 1, 2));
    }
}
