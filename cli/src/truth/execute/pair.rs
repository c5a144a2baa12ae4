//! Calls that name two devices.

use core::ptr;

use cuda_sys::driver::{CUDA_MEMCPY3D_PEER, CUcontext, CUresult, CUstream, cudaError_enum};
use cuda_sys::runtime::cudaMemcpy3DPeerParms;
use cuwhy_validate::call::{Peer, PeerVolume};

use super::layout::{parms, volume_struct};
use super::{Hands, NOT_MADE, cuda, size};

impl Hands {
    /// The context of a device that a call names; none for a device that is not there.
    fn context_of(&self, device: i32) -> CUcontext {
        let index = usize::try_from(device).ok();
        let context = index.and_then(|index| self.contexts.get(index));
        context.copied().unwrap_or(ptr::null_mut())
    }

    pub(super) fn peer(&self, name: &str, copy: &Peer, stream: CUstream) -> CUresult {
        let (driver, bytes) = (self.driver, size(copy.bytes));
        let to = self.context_of(copy.dst_device);
        let from = self.context_of(copy.src_device);
        match name {
            "cuMemcpyPeer" => cuda!(driver.cuMemcpyPeer(copy.dst, to, copy.src, from, bytes)),
            "cuMemcpyPeerAsync" => {
                cuda!(driver.cuMemcpyPeerAsync(copy.dst, to, copy.src, from, bytes, stream))
            }
            _ => cudaError_enum(NOT_MADE),
        }
    }

    pub(super) fn peer_volume(&self, name: &str, peer: &PeerVolume, stream: CUstream) -> CUresult {
        let plain = volume_struct(&peer.copy);
        let copy = CUDA_MEMCPY3D_PEER {
            srcXInBytes: plain.srcXInBytes,
            srcY: plain.srcY,
            srcZ: plain.srcZ,
            srcMemoryType: plain.srcMemoryType,
            srcHost: plain.srcHost,
            srcDevice: plain.srcDevice,
            srcArray: plain.srcArray,
            srcContext: self.context_of(peer.src_device),
            srcPitch: plain.srcPitch,
            srcHeight: plain.srcHeight,
            dstXInBytes: plain.dstXInBytes,
            dstY: plain.dstY,
            dstZ: plain.dstZ,
            dstMemoryType: plain.dstMemoryType,
            dstHost: plain.dstHost,
            dstDevice: plain.dstDevice,
            dstArray: plain.dstArray,
            dstContext: self.context_of(peer.dst_device),
            dstPitch: plain.dstPitch,
            dstHeight: plain.dstHeight,
            WidthInBytes: plain.WidthInBytes,
            Height: plain.Height,
            Depth: plain.Depth,
            ..CUDA_MEMCPY3D_PEER::default()
        };
        match name {
            "cuMemcpy3DPeer" => cuda!(self.driver.cuMemcpy3DPeer(&raw const copy)),
            "cuMemcpy3DPeerAsync" => {
                cuda!(self.driver.cuMemcpy3DPeerAsync(&raw const copy, stream))
            }
            _ => cudaError_enum(NOT_MADE),
        }
    }
}

/// The runtime's structure for two devices.
pub(super) fn peer_parms(peer: &PeerVolume, element: u64) -> cudaMemcpy3DPeerParms {
    let plain = parms(&peer.copy, element);
    cudaMemcpy3DPeerParms {
        srcArray: plain.srcArray,
        srcPos: plain.srcPos,
        srcPtr: plain.srcPtr,
        srcDevice: peer.src_device,
        dstArray: plain.dstArray,
        dstPos: plain.dstPos,
        dstPtr: plain.dstPtr,
        dstDevice: peer.dst_device,
        extent: plain.extent,
    }
}
