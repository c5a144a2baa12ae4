use cuda_sys::driver::{CUDA_MEMCPY3D, CUDA_MEMCPY3D_PEER};

use super::sides::Side;
use crate::api::api;
use crate::context::Context;
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
/// As for [`raw::copy`](crate::copy::raw::copy), for every byte that the planes cover.
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
/// As for [`raw::copy_async`](crate::copy::raw::copy_async), for every byte that the planes cover.
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
/// As for [`raw::copy`](crate::copy::raw::copy), for every byte that the planes cover.
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
/// As for [`raw::copy_async`](crate::copy::raw::copy_async), for every byte that the planes cover.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::{Position, Side};
    use crate::memory::Pitch;
    use crate::pointer::Address;

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
