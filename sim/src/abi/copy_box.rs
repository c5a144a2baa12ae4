//! Copies of rows and slices.

use core::ffi::c_void;

use cuda_sys::driver::*;

use super::c::{In, address};
use super::copy::{peer_view, view};
use super::gate::{Call, export};
use super::guard;
use super::submit::{self, When};
use crate::model::bytes;
use crate::model::code::Outcome;
use crate::model::operand::View;
use crate::model::spec::{CopySpec, Corner, Sort};
use crate::model::transfer::Shape;

/// What C says a side is.
struct Side {
    kind: CUmemorytype,
    host: *const c_void,
    device: CUdeviceptr,
    array: CUarray,
}

impl Side {
    fn corner(&self, view: View) -> Outcome<Corner> {
        match self.kind {
            CUmemorytype::CU_MEMORYTYPE_HOST => {
                Ok(Corner::at(Sort::Host, self.host.expose_provenance(), view))
            }
            CUmemorytype::CU_MEMORYTYPE_DEVICE => {
                Ok(Corner::at(Sort::Device, address(self.device), view))
            }
            CUmemorytype::CU_MEMORYTYPE_UNIFIED => {
                Ok(Corner::at(Sort::Unified, address(self.device), view))
            }
            CUmemorytype::CU_MEMORYTYPE_ARRAY => {
                Ok(Corner::in_array(self.array.expose_provenance(), 0, view))
            }
            _ => Ok(Corner::at(Sort::Unknown, address(self.device), view)),
        }
    }
}

/// `CUDA_MEMCPY2D` in our words.
fn plane(copy: &CUDA_MEMCPY2D, view: View) -> Outcome<CopySpec> {
    let dst = Side {
        kind: copy.dstMemoryType,
        host: copy.dstHost,
        device: copy.dstDevice,
        array: copy.dstArray,
    };
    let src = Side {
        kind: copy.srcMemoryType,
        host: copy.srcHost,
        device: copy.srcDevice,
        array: copy.srcArray,
    };
    Ok(CopySpec {
        dst: Corner {
            x: copy.dstXInBytes,
            y: copy.dstY,
            pitch: copy.dstPitch,
            ..dst.corner(view)?
        },
        src: Corner {
            x: copy.srcXInBytes,
            y: copy.srcY,
            pitch: copy.srcPitch,
            ..src.corner(view)?
        },
        shape: Shape {
            width: copy.WidthInBytes,
            height: copy.Height,
            depth: 1,
        },
    })
}

/// `CUDA_MEMCPY3D` in our words.
pub(super) fn solid(copy: &CUDA_MEMCPY3D, dst_view: View, src_view: View) -> Outcome<CopySpec> {
    let dst = Side {
        kind: copy.dstMemoryType,
        host: copy.dstHost,
        device: copy.dstDevice,
        array: copy.dstArray,
    };
    let src = Side {
        kind: copy.srcMemoryType,
        host: copy.srcHost,
        device: copy.srcDevice,
        array: copy.srcArray,
    };
    Ok(CopySpec {
        dst: Corner {
            x: copy.dstXInBytes,
            y: copy.dstY,
            z: copy.dstZ,
            pitch: copy.dstPitch,
            height: copy.dstHeight,
            lod: copy.dstLOD,
            ..dst.corner(dst_view)?
        },
        src: Corner {
            x: copy.srcXInBytes,
            y: copy.srcY,
            z: copy.srcZ,
            pitch: copy.srcPitch,
            height: copy.srcHeight,
            lod: copy.srcLOD,
            ..src.corner(src_view)?
        },
        shape: Shape {
            width: copy.WidthInBytes,
            height: copy.Height,
            depth: copy.Depth,
        },
    })
}

/// The parts of `CUDA_MEMCPY3D_PEER` that a plain copy has too.
const fn without_contexts(copy: &CUDA_MEMCPY3D_PEER) -> CUDA_MEMCPY3D {
    CUDA_MEMCPY3D {
        srcXInBytes: copy.srcXInBytes,
        srcY: copy.srcY,
        srcZ: copy.srcZ,
        srcLOD: copy.srcLOD,
        srcMemoryType: copy.srcMemoryType,
        srcHost: copy.srcHost,
        srcDevice: copy.srcDevice,
        srcArray: copy.srcArray,
        reserved0: core::ptr::null_mut(),
        srcPitch: copy.srcPitch,
        srcHeight: copy.srcHeight,
        dstXInBytes: copy.dstXInBytes,
        dstY: copy.dstY,
        dstZ: copy.dstZ,
        dstLOD: copy.dstLOD,
        dstMemoryType: copy.dstMemoryType,
        dstHost: copy.dstHost,
        dstDevice: copy.dstDevice,
        dstArray: copy.dstArray,
        reserved1: core::ptr::null_mut(),
        dstPitch: copy.dstPitch,
        dstHeight: copy.dstHeight,
        WidthInBytes: copy.WidthInBytes,
        Height: copy.Height,
        Depth: copy.Depth,
    }
}

fn copy_plane(call: Call, copy: In<CUDA_MEMCPY2D>, when: When) -> Outcome {
    let view = view(call, when)?;
    let copy = copy.get()?;
    submit::admit(call, when)?;
    submit::copy(call, &plane(&copy, view)?, when)
}

fn copy_solid(call: Call, copy: In<CUDA_MEMCPY3D>, when: When) -> Outcome {
    let view = view(call, when)?;
    let copy = copy.get()?;
    submit::admit(call, when)?;
    submit::copy(call, &solid(&copy, view, view)?, when)
}

fn copy_peer(call: Call, copy: In<CUDA_MEMCPY3D_PEER>, when: When) -> Outcome {
    view(call, when)?;
    // The driver follows this one without a look: null is a crash.
    bytes::touch(copy.address());
    let copy = copy.get()?;
    let dst = peer_view(call, copy.dstContext.expose_provenance())?;
    let src = peer_view(call, copy.srcContext.expose_provenance())?;
    if let When::Asynchronous(stream) = when {
        guard::no_capture(&*call.stream(stream)?)?;
    }
    submit::copy(call, &solid(&without_contexts(&copy), dst, src)?, when)
}

export! {
    ready fn cuMemcpy2D_v2 / cuMemcpy2D_v2_ptds(copy: *const CUDA_MEMCPY2D) |call| {
        copy_plane(call, copy, When::Synchronous)
    }

    ready fn cuMemcpy2DUnaligned_v2 / cuMemcpy2DUnaligned_v2_ptds(copy: *const CUDA_MEMCPY2D) |call| {
        copy_plane(call, copy, When::Synchronous)
    }

    ready fn cuMemcpy2DAsync_v2 / cuMemcpy2DAsync_v2_ptsz(copy: *const CUDA_MEMCPY2D, stream: CUstream) |call| {
        copy_plane(call, copy, When::Asynchronous(stream.address()))
    }

    ready fn cuMemcpy3D_v2 / cuMemcpy3D_v2_ptds(copy: *const CUDA_MEMCPY3D) |call| {
        copy_solid(call, copy, When::Synchronous)
    }

    ready fn cuMemcpy3DAsync_v2 / cuMemcpy3DAsync_v2_ptsz(copy: *const CUDA_MEMCPY3D, stream: CUstream) |call| {
        copy_solid(call, copy, When::Asynchronous(stream.address()))
    }

    ready fn cuMemcpy3DPeer / cuMemcpy3DPeer_ptds(copy: *const CUDA_MEMCPY3D_PEER) |call| {
        copy_peer(call, copy, When::Synchronous)
    }

    ready fn cuMemcpy3DPeerAsync / cuMemcpy3DPeerAsync_ptsz(copy: *const CUDA_MEMCPY3D_PEER, stream: CUstream) |call| {
        copy_peer(call, copy, When::Asynchronous(stream.address()))
    }
}
