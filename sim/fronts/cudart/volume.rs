//! Copies of slices: `cudaMemcpy3D` and between devices.

use cuda_sys::driver::{CUDA_MEMCPY3D, CUDA_MEMCPY3D_PEER, CUcontext, CUmemorytype};
use cuda_sys::runtime::{
    cudaArray_const_t, cudaArray_t, cudaError_t, cudaExtent, cudaMemcpy3DParms,
    cudaMemcpy3DPeerParms, cudaMemcpyKind, cudaPitchedPtr, cudaPos, cudaStream_t,
};

use super::arrays;
use super::copy::{alive, known};
use super::entry::{Answer, Call, driver, get};
use super::memory::address;
use super::rows::types;

/// One side as the caller describes it.
#[derive(Clone, Copy)]
struct Side {
    array: cudaArray_const_t,
    position: cudaPos,
    pointer: cudaPitchedPtr,
}

impl Side {
    fn is_array(&self) -> bool {
        !self.array.is_null()
    }

    /// Exactly one of array and pointer says where the side is, and rows and slices are as long as they should be
    /// where there are several. The width of a copy with an array counts elements even here.
    fn check(&self, extent: &cudaExtent) -> Answer {
        if self.is_array() != self.pointer.ptr.is_null() {
            return Err(cudaError_t::cudaErrorInvalidValue);
        }
        let too_wide = extent.width > self.pointer.pitch && (extent.height > 1 || extent.depth > 1);
        let too_high = extent.height > self.pointer.ysize && extent.depth > 1;
        if !self.is_array() && (too_wide || too_high) {
            return Err(cudaError_t::cudaErrorInvalidPitchValue);
        }
        Ok(())
    }

    /// The bytes of one element, where there are elements.
    fn element(&self, call: &Call) -> Result<Option<usize>, cudaError_t> {
        if !self.is_array() {
            return Ok(None);
        }
        arrays::descriptor(call, self.array).map(|found| Some(arrays::element(&found)))
    }
}

/// The copy in the driver's terms; nothing where there is nothing to copy.
pub(crate) fn shaped(
    call: &Call,
    p: &cudaMemcpy3DParms,
) -> Result<Option<CUDA_MEMCPY3D>, cudaError_t> {
    let dst = Side {
        array: p.dstArray.cast_const(),
        position: p.dstPos,
        pointer: p.dstPtr,
    };
    let src = Side {
        array: p.srcArray.cast_const(),
        position: p.srcPos,
        pointer: p.srcPtr,
    };
    if p.extent.width == 0 || p.extent.height == 0 || p.extent.depth == 0 {
        return Ok(None);
    }
    // Arrays are looked at first: what is no array at all is followed, and the process dies of it.
    let (to, from) = (dst.element(call)?, src.element(call)?);
    known(p.kind)?;
    let (claimed_to, claimed_from) = types(p.kind);
    if src.is_array() && claimed_from == CUmemorytype::CU_MEMORYTYPE_HOST {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    src.check(&p.extent)?;
    dst.check(&p.extent)?;
    // The extent counts elements as soon as an array takes part.
    let element = match (to, from) {
        (Some(to), Some(from)) if to != from => return Err(cudaError_t::cudaErrorInvalidValue),
        (to, from) => to.or(from).unwrap_or(1),
    };
    let width = p
        .extent
        .width
        .checked_mul(element)
        .ok_or(cudaError_t::cudaErrorInvalidValue)?;
    let (to, from) = (claimed_to, claimed_from);
    let mut copy = CUDA_MEMCPY3D {
        WidthInBytes: width,
        Height: p.extent.height,
        Depth: p.extent.depth,
        dstY: dst.position.y,
        dstZ: dst.position.z,
        srcY: src.position.y,
        srcZ: src.position.z,
        ..CUDA_MEMCPY3D::default()
    };
    if dst.is_array() {
        copy.dstMemoryType = CUmemorytype::CU_MEMORYTYPE_ARRAY;
        copy.dstArray = arrays::handle(dst.array);
        copy.dstXInBytes = dst.position.x.wrapping_mul(element);
    } else {
        copy.dstMemoryType = to;
        copy.dstXInBytes = dst.position.x;
        copy.dstPitch = dst.pointer.pitch;
        copy.dstHeight = dst.pointer.ysize;
        if to == CUmemorytype::CU_MEMORYTYPE_HOST {
            copy.dstHost = dst.pointer.ptr;
        } else {
            copy.dstDevice = address(dst.pointer.ptr);
        }
    }
    if src.is_array() {
        copy.srcMemoryType = CUmemorytype::CU_MEMORYTYPE_ARRAY;
        copy.srcArray = arrays::handle(src.array);
        copy.srcXInBytes = src.position.x.wrapping_mul(element);
    } else {
        copy.srcMemoryType = from;
        copy.srcXInBytes = src.position.x;
        copy.srcPitch = src.pointer.pitch;
        copy.srcHeight = src.pointer.ysize;
        if from == CUmemorytype::CU_MEMORYTYPE_HOST {
            copy.srcHost = src.pointer.ptr;
        } else {
            copy.srcDevice = address(src.pointer.ptr);
        }
    }
    Ok(Some(copy))
}

pub(crate) unsafe fn cudaMemcpy3D(call: &Call, p: *const cudaMemcpy3DParms) -> Answer {
    call.ensure()?;
    // SAFETY: the caller's place.
    let given = unsafe { get(p) }?;
    match shaped(call, &given)? {
        Some(copy) => driver!(call.cuMemcpy3D_v2(&raw const copy)),
        None => Ok(()),
    }
}

pub(crate) unsafe fn cudaMemcpy3DAsync(
    call: &Call,
    p: *const cudaMemcpy3DParms,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    // SAFETY: the caller's place.
    let given = unsafe { get(p) }?;
    match shaped(call, &given)? {
        Some(copy) => driver!(call.cuMemcpy3DAsync_v2(&raw const copy, stream)),
        None => Ok(()),
    }
}

/// The copy between devices in the driver's terms.
fn between(
    call: &Call,
    p: &cudaMemcpy3DPeerParms,
) -> Result<Option<CUDA_MEMCPY3D_PEER>, cudaError_t> {
    let (to, from): (CUcontext, CUcontext) =
        (call.primary(p.dstDevice)?, call.primary(p.srcDevice)?);
    let plain = cudaMemcpy3DParms {
        srcArray: p.srcArray,
        srcPos: p.srcPos,
        srcPtr: p.srcPtr,
        dstArray: p.dstArray,
        dstPos: p.dstPos,
        dstPtr: p.dstPtr,
        extent: p.extent,
        kind: cudaMemcpyKind::cudaMemcpyDefault,
    };
    let Some(copy) = shaped(call, &plain)? else {
        return Ok(None);
    };
    alive(call, [to, from])?;
    // Measured: what is no array must be memory that CUDA knows.
    let array = CUmemorytype::CU_MEMORYTYPE_ARRAY;
    let sort = |given| {
        if given == array {
            array
        } else {
            CUmemorytype::CU_MEMORYTYPE_DEVICE
        }
    };
    Ok(Some(CUDA_MEMCPY3D_PEER {
        srcXInBytes: copy.srcXInBytes,
        srcY: copy.srcY,
        srcZ: copy.srcZ,
        srcMemoryType: sort(copy.srcMemoryType),
        srcDevice: copy.srcDevice,
        srcArray: copy.srcArray,
        srcContext: from,
        srcPitch: copy.srcPitch,
        srcHeight: copy.srcHeight,
        dstXInBytes: copy.dstXInBytes,
        dstY: copy.dstY,
        dstZ: copy.dstZ,
        dstMemoryType: sort(copy.dstMemoryType),
        dstDevice: copy.dstDevice,
        dstArray: copy.dstArray,
        dstContext: to,
        dstPitch: copy.dstPitch,
        dstHeight: copy.dstHeight,
        WidthInBytes: copy.WidthInBytes,
        Height: copy.Height,
        Depth: copy.Depth,
        ..CUDA_MEMCPY3D_PEER::default()
    }))
}

pub(crate) unsafe fn cudaMemcpy3DPeer(call: &Call, p: *const cudaMemcpy3DPeerParms) -> Answer {
    call.ensure()?;
    // SAFETY: the caller's place.
    let given = unsafe { get(p) }?;
    match between(call, &given)? {
        Some(copy) => driver!(call.cuMemcpy3DPeer(&raw const copy)),
        None => Ok(()),
    }
}

pub(crate) unsafe fn cudaMemcpy3DPeerAsync(
    call: &Call,
    p: *const cudaMemcpy3DPeerParms,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    // SAFETY: the caller's place.
    let given = unsafe { get(p) }?;
    match between(call, &given)? {
        Some(copy) => driver!(call.cuMemcpy3DPeerAsync(&raw const copy, stream)),
        None => Ok(()),
    }
}

/// The caller's form of a copy that the driver describes.
pub(crate) fn described(
    call: &Call,
    copy: &CUDA_MEMCPY3D,
) -> Result<cudaMemcpy3DParms, cudaError_t> {
    let array = CUmemorytype::CU_MEMORYTYPE_ARRAY;
    let host = CUmemorytype::CU_MEMORYTYPE_HOST;
    let unified = CUmemorytype::CU_MEMORYTYPE_UNIFIED;
    let mut p = cudaMemcpy3DParms::default();
    let mut element = 1;
    for (kind, handle) in [
        (copy.dstMemoryType, copy.dstArray),
        (copy.srcMemoryType, copy.srcArray),
    ] {
        if kind == array {
            let handle: cudaArray_t = handle.cast();
            element = arrays::element(&arrays::descriptor(call, handle)?).max(1);
        }
    }
    let of = |kind: CUmemorytype, host_address: *mut core::ffi::c_void, device| {
        if kind == host {
            host_address
        } else {
            super::memory::pointer(device)
        }
    };
    if copy.dstMemoryType == array {
        p.dstArray = copy.dstArray.cast();
        p.dstPos = cudaPos {
            x: copy.dstXInBytes / element,
            y: copy.dstY,
            z: copy.dstZ,
        };
    } else {
        p.dstPos = cudaPos {
            x: copy.dstXInBytes,
            y: copy.dstY,
            z: copy.dstZ,
        };
        let pointer = of(copy.dstMemoryType, copy.dstHost, copy.dstDevice);
        p.dstPtr = cudaPitchedPtr {
            ptr: pointer,
            pitch: copy.dstPitch,
            xsize: copy.WidthInBytes,
            ysize: copy.dstHeight,
        };
    }
    if copy.srcMemoryType == array {
        p.srcArray = copy.srcArray.cast();
        p.srcPos = cudaPos {
            x: copy.srcXInBytes / element,
            y: copy.srcY,
            z: copy.srcZ,
        };
    } else {
        p.srcPos = cudaPos {
            x: copy.srcXInBytes,
            y: copy.srcY,
            z: copy.srcZ,
        };
        let pointer = of(copy.srcMemoryType, copy.srcHost.cast_mut(), copy.srcDevice);
        p.srcPtr = cudaPitchedPtr {
            ptr: pointer,
            pitch: copy.srcPitch,
            xsize: copy.WidthInBytes,
            ysize: copy.srcHeight,
        };
    }
    p.extent.width = copy.WidthInBytes / element;
    p.extent.height = copy.Height;
    p.extent.depth = copy.Depth;
    p.kind = match (copy.dstMemoryType, copy.srcMemoryType) {
        (to, from) if to == unified || from == unified => cudaMemcpyKind::cudaMemcpyDefault,
        (to, from) if to == host && from == host => cudaMemcpyKind::cudaMemcpyHostToHost,
        (to, _) if to == host => cudaMemcpyKind::cudaMemcpyDeviceToHost,
        (_, from) if from == host => cudaMemcpyKind::cudaMemcpyHostToDevice,
        _ => cudaMemcpyKind::cudaMemcpyDeviceToDevice,
    };
    Ok(p)
}
