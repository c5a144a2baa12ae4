use core::ptr;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::runtime::{
    cudaArray_t, cudaExtent, cudaMemcpy3DParms, cudaMemcpy3DPeerParms, cudaMemcpyKind,
    cudaPitchedPtr, cudaPos,
};

use crate::api::api;
use crate::array::RawArray;
use crate::device::Device;
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

    /// The array, where it is one.
    fn as_array(&self) -> Option<(cudaArray_t, usize)> {
        match self.memory {
            Memory::Array { array, element } => Some((array.0, element.0.max(1))),
            _ => None,
        }
    }

    /// Address, pitch and rows, where it is no array.
    fn as_rows(&self) -> (Address, Pitch, usize) {
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
            } => (address, pitch, height),
            Memory::Array { .. } => (Address::NULL, Pitch(0), 0),
        }
    }

    /// The four ways in which C says where memory is; positions of arrays are in elements.
    fn parts(&self, width: usize) -> (cudaArray_t, cudaPos, cudaPitchedPtr) {
        let Position { x, y, z } = self.position;
        if let Some((array, element)) = self.as_array() {
            let nowhere = cudaPitchedPtr {
                ptr: ptr::null_mut(),
                pitch: 0,
                xsize: 0,
                ysize: 0,
            };
            return (
                array,
                cudaPos {
                    x: x.0 / element,
                    y,
                    z,
                },
                nowhere,
            );
        }
        let (address, pitch, height) = self.as_rows();
        let rows = cudaPitchedPtr {
            ptr: address.as_mut_ptr(),
            pitch: pitch.0,
            xsize: width,
            ysize: height,
        };
        (ptr::null_mut(), cudaPos { x: x.0, y, z }, rows)
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

/// What C calls the direction between two sides.
fn kind(destination: &Side, source: &Side) -> cudaMemcpyKind {
    let host = |side: &Side| matches!(side.memory, Memory::Host { .. });
    let any = |side: &Side| matches!(side.memory, Memory::Any { .. });
    match (host(destination), host(source)) {
        _ if any(destination) || any(source) => cudaMemcpyKind::cudaMemcpyDefault,
        (true, true) => cudaMemcpyKind::cudaMemcpyHostToHost,
        (true, false) => cudaMemcpyKind::cudaMemcpyDeviceToHost,
        (false, true) => cudaMemcpyKind::cudaMemcpyHostToDevice,
        (false, false) => cudaMemcpyKind::cudaMemcpyDeviceToDevice,
    }
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

impl Copy3d {
    /// The size of what widths are counted in where an array takes part; bytes otherwise.
    pub(super) fn element(&self) -> usize {
        self.destination
            .element()
            .or(self.source.element())
            .unwrap_or(1)
    }

    /// The extent: in elements of the array where one takes part, in bytes otherwise.
    fn extent(&self) -> cudaExtent {
        let element = self.element();
        cudaExtent {
            width: self.width.0 / element,
            height: self.height,
            depth: self.depth,
        }
    }

    pub(crate) fn raw(&self) -> cudaMemcpy3DParms {
        let to = self.destination.parts(self.width.0);
        let from = self.source.parts(self.width.0);
        cudaMemcpy3DParms {
            srcArray: from.0,
            srcPos: from.1,
            srcPtr: from.2,
            dstArray: to.0,
            dstPos: to.1,
            dstPtr: to.2,
            extent: self.extent(),
            kind: kind(&self.destination, &self.source),
        }
    }

    fn raw_peer(&self, destination: &Device, source: &Device) -> cudaMemcpy3DPeerParms {
        let plain = self.raw();
        cudaMemcpy3DPeerParms {
            srcArray: plain.srcArray,
            srcPos: plain.srcPos,
            srcPtr: plain.srcPtr,
            srcDevice: source.as_raw(),
            dstArray: plain.dstArray,
            dstPos: plain.dstPos,
            dstPtr: plain.dstPtr,
            dstDevice: destination.as_raw(),
            extent: plain.extent,
        }
    }
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
/// As for [`raw::copy`](super::raw::copy), for every byte that the rows cover.
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
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the rows cover.
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

/// Copies planes and waits, as far as CUDA waits.
///
/// Runtime API: `cudaMemcpy3D`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy`](super::raw::copy), for every byte that the planes cover.
#[doc(alias = "cudaMemcpy3D")]
pub unsafe fn copy_3d(copy: &Copy3d) -> Result<()> {
    let api = api()?;
    let raw = copy.raw();
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cudaMemcpy3D(&raw const raw) };
    check!(
        api,
        cudaMemcpy3D,
        status,
        width = copy.width,
        height = copy.height,
        depth = copy.depth
    )
}

/// Copies planes when the stream comes to it.
///
/// Runtime API: `cudaMemcpy3DAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the planes cover.
#[doc(alias = "cudaMemcpy3DAsync")]
pub unsafe fn copy_3d_async(copy: &Copy3d, stream: &Stream) -> Result<()> {
    let api = api()?;
    let raw = copy.raw();
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cudaMemcpy3DAsync(&raw const raw, stream.as_raw()) };
    check!(
        api,
        cudaMemcpy3DAsync,
        status,
        width = copy.width,
        height = copy.height,
        depth = copy.depth,
        stream = stream.as_raw()
    )
}

/// Copies planes between devices and waits, as far as CUDA waits.
///
/// Runtime API: `cudaMemcpy3DPeer`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy`](super::raw::copy), for every byte that the planes cover.
#[doc(alias = "cudaMemcpy3DPeer")]
pub unsafe fn copy_3d_peer(copy: &Copy3d, destination: &Device, source: &Device) -> Result<()> {
    let api = api()?;
    let raw = copy.raw_peer(destination, source);
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cudaMemcpy3DPeer(&raw const raw) };
    check!(
        api,
        cudaMemcpy3DPeer,
        status,
        width = copy.width,
        height = copy.height,
        depth = copy.depth
    )
}

/// Copies planes between devices when the stream comes to it.
///
/// Runtime API: `cudaMemcpy3DPeerAsync`.
///
/// # Errors
///
/// What CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the planes cover.
#[doc(alias = "cudaMemcpy3DPeerAsync")]
pub unsafe fn copy_3d_peer_async(
    copy: &Copy3d,
    destination: &Device,
    source: &Device,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let raw = copy.raw_peer(destination, source);
    // SAFETY: `raw` is a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cudaMemcpy3DPeerAsync(&raw const raw, stream.as_raw()) };
    check!(
        api,
        cudaMemcpy3DPeerAsync,
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
pub(super) fn rows_fit(
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
            (raw.dstPtr.ptr.addr(), raw.dstPtr.pitch, raw.dstPtr.ysize),
            (0x2000, 64, 8)
        );
        assert!(raw.dstArray.is_null() && raw.srcArray.is_null());
        assert_eq!((raw.srcPos.x, raw.srcPos.y, raw.srcPos.z), (4, 1, 2));
        assert_eq!(
            (raw.extent.width, raw.kind),
            (16, cudaMemcpyKind::cudaMemcpyHostToDevice)
        );
    }

    #[test]
    fn an_array_is_counted_in_its_elements() {
        let array = RawArray(ptr::without_provenance_mut(8));
        let copy = Copy3d {
            destination: Side::array(array, Bytes(4)).at(Position {
                x: Bytes(8),
                y: 0,
                z: 0,
            }),
            source: Side::host(Address(0x1000), Pitch(32)),
            width: Bytes(16),
            height: 4,
            depth: 1,
        };
        let raw = copy.raw();
        assert_eq!((raw.extent.width, raw.dstPos.x), (4, 2));
    }
}
