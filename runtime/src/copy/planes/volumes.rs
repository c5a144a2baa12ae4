use cuda_sys::runtime::{cudaExtent, cudaMemcpy3DParms, cudaMemcpy3DPeerParms};

use super::sides::{Side, kind};
use crate::api::api;
use crate::device::Device;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::stream::Stream;

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
    pub(in crate::copy) fn element(&self) -> usize {
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
/// As for [`raw::copy`](crate::copy::raw::copy), for every byte that the planes cover.
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
/// As for [`raw::copy_async`](crate::copy::raw::copy_async), for every byte that the planes cover.
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
/// As for [`raw::copy`](crate::copy::raw::copy), for every byte that the planes cover.
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
/// As for [`raw::copy_async`](crate::copy::raw::copy_async), for every byte that the planes cover.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::RawArray;
    use crate::copy::{Position, Side};
    use crate::memory::Pitch;
    use crate::pointer::Address;
    use core::ptr;
    use cuda_sys::runtime::cudaMemcpyKind;

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
